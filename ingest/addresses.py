"""Which network addresses may be fetched from, so that a URL cannot reach into the network we run in."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable

from ingest.errors import FetchFailed, FetchRejected, SourceRefused

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: a name and a port to the addresses behind them, as text
Resolver = Callable[[str, int], list[str]]

#: IPv6 networks that carry an IPv4 address inside, and how many bits follow it:
#: mapped (RFC 4291), compatible (RFC 4291), translated (RFC 6052, RFC 2765), 6to4 (RFC 3056)
EMBEDDING = (
    (ipaddress.IPv6Network("::ffff:0:0/96"), 0),
    (ipaddress.IPv6Network("::/96"), 0),
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),
    (ipaddress.IPv6Network("::ffff:0:0:0/96"), 0),
    (ipaddress.IPv6Network("2002::/16"), 80),
)

#: all that is assigned to hosts of the internet in IPv6 (RFC 4291)
GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")

#: networks that Python's tables call global and that lead to the inside all the same: Teredo (RFC 4380),
#: the metadata service of Azure
INSIDE = (ipaddress.ip_network("2001::/32"), ipaddress.ip_network("168.63.129.16/32"))


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet: none of private, shared, loopback, link-local,
    multicast, reserved, unspecified, and no IPv6 address around one of those.
    """
    if isinstance(address, ipaddress.IPv6Address):
        for network, tail in EMBEDDING:
            if address in network:
                return is_public(ipaddress.IPv4Address((int(address) >> tail) & 0xFFFFFFFF))
        if address not in GLOBAL_UNICAST:
            return False
    if any(address in network for network in INSIDE):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


def resolve(host: str, port: int) -> list[str]:
    """The addresses that the system's resolver gives. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def checked(host: str, port: int, *, allow_private: bool, resolver: Resolver = resolve) -> list[str]:
    """The addresses of a host, for connecting to exactly these.

    Raises SourceRefused where any of them is not public (unless `allow_private`); FetchRejected where there
    is no such name, FetchFailed where it cannot be asked for.
    """
    try:
        addresses = resolver(host, port)
    except socket.gaierror as error:
        failure = FetchRejected if error.errno == socket.EAI_NONAME else FetchFailed
        raise failure(f"the name {host} has no address") from error
    except (OSError, UnicodeError) as error:
        raise FetchFailed(f"the name {host} has no address ({error})") from error
    if not addresses:
        raise FetchFailed(f"the name {host} has no address")
    parsed = [ipaddress.ip_address(address.split("%")[0]) for address in addresses]  # without IPv6 scopes
    if not allow_private and not all(map(is_public, parsed)):
        raise SourceRefused(f"{host} is an address of a private network, which is not allowed")
    return addresses
