"""Which addresses are public: every row of IANA's registries, and IPv4 addresses within IPv6 ones."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facsimile.ingest.addresses import SPECIAL, checked, is_public, resolve
from facsimile.ingest.errors import FetchRejected, FetchUnavailable, SourceNotAllowed

#: https://www.iana.org/assignments/iana-ipv4-special-registry and …/iana-ipv6-special-registry: the rows that
#: are not globally reachable, and the reachable ones that no host of the internet has
REFUSED = """
0.0.0.0/8 0.0.0.0/32 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12
192.0.0.0/24 192.0.0.0/29 192.0.0.8/32 192.0.0.9/32 192.0.0.10/32 192.0.0.170/32 192.0.0.171/32
192.0.2.0/24 192.88.99.0/24 192.88.99.2/32 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24
240.0.0.0/4 255.255.255.255/32
::1/128 ::/128 64:ff9b:1::/48 100::/64 100:0:0:1::/64 2001::/23 2001::/32
2001:1::1/128 2001:1::2/128 2001:1::3/128 2001:2::/48 2001:10::/28 2001:20::/28 2001:30::/28
2001:db8::/32 3fff::/20 5f00::/16 fc00::/7 fe80::/10
"""

#: in no row of them: multicast, what was withdrawn or never assigned, and the inside of a cloud
REFUSED_TOO = "224.0.0.0/4 ff00::/8 fec0::/10 4000::/2 168.63.129.16/32"

#: the rows that are globally reachable, with hosts
REACHABLE = "192.31.196.0/24 192.52.193.0/24 192.175.48.0/24 2001:3::/32 2001:4:112::/48 2620:4f:8000::/48"


def ends(network: str) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """The first and the last address of a network, and one amid."""
    parsed = ipaddress.ip_network(network)
    return [parsed[0], parsed[parsed.num_addresses // 2], parsed[-1]]


@pytest.mark.parametrize("network", REFUSED.split() + REFUSED_TOO.split())
def test_a_special_purpose_network_is_not_public(network: str) -> None:
    inside = [
        address
        for address in ends(network)
        if not any(address in ipaddress.ip_network(row) for row in REACHABLE.split())
    ]
    assert inside
    assert not any(map(is_public, inside))


@pytest.mark.parametrize("network", REACHABLE.split())
def test_a_special_purpose_network_with_hosts_is_public(network: str) -> None:
    assert all(map(is_public, ends(network)))


@pytest.mark.parametrize("network", [row for row in REFUSED.split() if ":" not in row])
@pytest.mark.parametrize("prefix", ["::ffff:", "::ffff:0:", "64:ff9b::", "64:ff9b:1::", "::"])
def test_an_inner_address_within_ipv6_is_not_public(network: str, prefix: str) -> None:
    assert not any(is_public(ipaddress.ip_address(f"{prefix}{address}")) for address in ends(network))


@pytest.mark.parametrize("network", [row for row in REFUSED.split() if ":" not in row])
def test_an_inner_address_behind_a_tunnel_is_not_public(network: str) -> None:
    for address in ends(network):
        high, low = divmod(int(address), 1 << 16)
        assert not is_public(ipaddress.ip_address(f"2002:{high:x}:{low:x}::1"))
        hidden = int(address) ^ 0xFFFFFFFF
        teredo = f"2001:0:808:808:0:0:{hidden >> 16:x}:{hidden & 0xFFFF:x}"
        assert not is_public(ipaddress.ip_address(teredo))


def test_the_rows_do_not_contradict_each_other() -> None:
    networks = [network for network, _ in SPECIAL]
    assert len(set(networks)) == len(networks)


@pytest.mark.parametrize(
    "address",
    [
        *("10.1.2.3", "172.16.0.1", "192.168.1.1", "127.9.9.9", "169.254.169.254", "100.64.0.1", "0.0.0.0"),
        *(
            "224.0.0.1",
            "192.0.0.1",
            "192.88.99.1",
            "3fff::1",
            "240.0.0.1",
            "255.255.255.255",
            "192.0.2.1",
            "198.18.0.1",
            "168.63.129.16",
        ),
        *("::", "::1", "fe80::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1", "fec0::1"),
        *("::ffff:10.0.0.1", "::ffff:0:a00:1", "::10.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1"),
        *("2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:0:0:0:0:0:1"),
    ],
)
def test_inner_addresses_are_not_public(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.215.14", "2606:4700::1111", "64:ff9b::808:808"])
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@given(st.ip_addresses(v=4))
def test_an_address_is_judged_alike_within_ipv6(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    wrapped = [f"::ffff:{address}", f"64:ff9b::{address}", f"2002:{number >> 16:x}:{number & 0xFFFF:x}::1"]
    assert {is_public(ipaddress.ip_address(each)) for each in wrapped} == {is_public(address)}


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "a" + "." * 300 + "b", "\0.example"])
def test_a_name_that_cannot_exist_is_rejected_for_good(host: str) -> None:
    with pytest.raises(FetchRejected) as rejected:
        checked(host, 80, allow_private=False)
    assert not rejected.value.transient


@pytest.mark.parametrize(
    ("addresses", "allowed"),
    [
        (["8.8.8.8"], True),
        (["8.8.8.8", "2606:4700::1111"], True),
        (["8.8.8.8", "10.0.0.1"], False),
        (["10.0.0.1", "8.8.8.8"], False),
        (["fe80::1%eth0"], False),
    ],
)
def test_one_private_address_of_a_name_refuses_the_name(addresses: list[str], allowed: bool) -> None:
    def resolver(host: str, port: int) -> list[str]:
        return addresses

    if allowed:
        assert checked("a.example", 80, allow_private=False, resolver=resolver) == addresses
    else:
        with pytest.raises(SourceNotAllowed, match=r"a\.example"):
            checked("a.example", 80, allow_private=False, resolver=resolver)
    assert checked("a.example", 80, allow_private=True, resolver=resolver) == addresses


def test_a_name_without_addresses_may_have_some_later() -> None:
    with pytest.raises(FetchUnavailable) as unavailable:
        checked("a.example", 80, allow_private=False, resolver=lambda host, port: [])
    assert unavailable.value.transient


def test_every_bit_of_an_address_within_another_counts() -> None:
    assert not is_public(ipaddress.ip_address("64:ff9b::168.63.129.16"))
    assert is_public(ipaddress.ip_address("64:ff9b::168.63.129.17"))


def test_the_resolver_gives_addresses() -> None:
    assert resolve("127.0.0.1", 80) == ["127.0.0.1"]
