"""Which network addresses may be fetched from, so that a URL cannot reach into the network we run in."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable

from facsimile.ingest.errors import FetchRejected, FetchUnavailable, SourceNotAllowed

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: a name and a port to the addresses behind them, as text
Resolver = Callable[[str, int], list[str]]

#: what resolvers answer for a name that does not exist, or has no address
NO_SUCH_NAME = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}

#: IPv6 networks that carry an IPv4 address inside, and how many bits follow it: mapped (RFC 4291), compatible
#: (RFC 4291), translated (RFC 2765), NAT64 (RFC 6052), 6to4 (RFC 3056). Teredo (RFC 4380) and the local NAT64
#: (RFC 8215) carry one too, and are refused whatever it is.
EMBEDDING = (
    (ipaddress.IPv6Network("::ffff:0:0/96"), 0),
    (ipaddress.IPv6Network("::/96"), 0),
    (ipaddress.IPv6Network("::ffff:0:0:0/96"), 0),
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),
    (ipaddress.IPv6Network("2002::/16"), 80),
)

#: Networks that do not belong to hosts on the internet, and parts of them that do; the longest prefix counts.
#: From the registries of IANA (iana-ipv4-special-registry, iana-ipv6-special-registry) and of multicast,
#: so that the answer does not depend on the tables of this Python. Stricter than the registries in one point:
#: an anycast address that the next gateway answers (192.0.0.9, 192.0.0.10, 2001:1::1 to 3) and an identifier
#: that is never routed (ORCHIDv2, DRIP) are not public.
SPECIAL = tuple(
    (ipaddress.ip_network(network), public)
    for network, public in (
        ("0.0.0.0/8", False),  # this network, RFC 791
        ("10.0.0.0/8", False),  # private, RFC 1918
        ("100.64.0.0/10", False),  # shared, RFC 6598
        ("127.0.0.0/8", False),  # loopback, RFC 1122
        ("168.63.129.16/32", False),  # in no registry: services of Azure inside each of its machines
        ("169.254.0.0/16", False),  # link-local, RFC 3927
        ("172.16.0.0/12", False),  # private, RFC 1918
        ("192.0.0.0/24", False),  # protocol assignments, RFC 6890
        ("192.0.2.0/24", False),  # documentation, RFC 5737
        ("192.31.196.0/24", True),  # AS112, RFC 7535
        ("192.52.193.0/24", True),  # multicast tunnels (AMT), RFC 7450
        ("192.88.99.0/24", False),  # 6to4 relays, RFC 7526
        ("192.168.0.0/16", False),  # private, RFC 1918
        ("192.175.48.0/24", True),  # AS112, RFC 7534
        ("198.18.0.0/15", False),  # benchmarks, RFC 2544
        ("198.51.100.0/24", False),  # documentation, RFC 5737
        ("203.0.113.0/24", False),  # documentation, RFC 5737
        ("224.0.0.0/4", False),  # multicast, RFC 5771
        ("240.0.0.0/4", False),  # reserved, RFC 1112, and broadcast, RFC 919
        ("::/0", False),  # all but global unicast, RFC 4291
        ("2000::/3", True),  # global unicast, RFC 4291
        ("2001::/23", False),  # protocol assignments, RFC 2928; Teredo, RFC 4380
        ("2001:3::/32", True),  # multicast tunnels (AMT), RFC 7450
        ("2001:4:112::/48", True),  # AS112, RFC 7535
        ("2001:db8::/32", False),  # documentation, RFC 3849
        ("2620:4f:8000::/48", True),  # AS112, RFC 7534
        ("3fff::/20", False),  # documentation, RFC 9637
    )
)

#: the same, the longest prefixes first
_BY_LENGTH = sorted(SPECIAL, key=lambda row: -row[0].prefixlen)


def is_public(address: Address) -> bool:
    """Whether an address belongs to a host on the internet, by itself and by an IPv4 address within it."""
    if isinstance(address, ipaddress.IPv6Address):
        for network, tail in EMBEDDING:
            if address in network:
                return is_public(ipaddress.IPv4Address((int(address) >> tail) & 0xFFFFFFFF))
    return next((public for network, public in _BY_LENGTH if address in network), True)


def resolve(host: str, port: int) -> list[str]:
    """The addresses that the system's resolver gives. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def checked(host: str, port: int, *, allow_private: bool, resolver: Resolver = resolve) -> list[str]:
    """The addresses of a host, for connecting to exactly these.

    Raises SourceNotAllowed where any of them is not public (unless `allow_private`); FetchRejected where
    there is no such name, FetchUnavailable where it cannot be resolved at present.
    """
    try:
        addresses = resolver(host, port)
    except socket.gaierror as error:
        failure = FetchRejected if error.errno in NO_SUCH_NAME else FetchUnavailable
        raise failure(f"the name {host} has no address") from error
    except (ValueError, OverflowError) as error:  # ValueError: a part too long for DNS, say
        raise FetchRejected(f"{host} is not a valid host name ({error})") from error
    except OSError as error:
        raise FetchUnavailable(f"the name {host} has no address ({error})") from error
    if not addresses:
        raise FetchUnavailable(f"the name {host} has no address")
    parsed = [ipaddress.ip_address(address.split("%")[0]) for address in addresses]  # without IPv6 scopes
    if not allow_private and not all(map(is_public, parsed)):
        raise SourceNotAllowed(f"{host} is an address of a private network, which is not allowed")
    return addresses
