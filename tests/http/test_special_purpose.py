"""Which addresses are public: each row of the registries at both of its edges."""

import ipaddress

import pytest

from crawler.errors import AddressRefused
from crawler.http.address_guard import AddressGuard
from crawler.http.special_purpose import (
    IPV4,
    IPV6,
    AddressBlock,
    block_of,
    is_loopback_name,
    is_public,
)

ROWS = [pytest.param(block, id=block.network) for block in (*IPV4, *IPV6)]


def edges(block: AddressBlock) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    network = ipaddress.ip_network(block.network)
    return [network[0], network[-1]]


def innermost(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> AddressBlock:
    """Of the rows that an address is in, the longest; found by the standard library."""
    table = IPV4 if address.version == 4 else IPV6
    around = [block for block in table if address in ipaddress.ip_network(block.network)]
    return max(around, key=lambda block: ipaddress.ip_network(block.network).prefixlen)


@pytest.mark.parametrize("block", ROWS)
def test_a_row_holds_from_its_first_to_its_last_address(block: AddressBlock) -> None:
    for address in edges(block):
        known = innermost(address)
        assert block_of(address) == known
        if known.inner is None:
            assert is_public(str(address)) is known.public


@pytest.mark.parametrize("block", ROWS)
def test_the_addresses_beside_a_row_are_not_of_it(block: AddressBlock) -> None:
    network = ipaddress.ip_network(block.network)
    last = 2**network.max_prefixlen - 1
    for number in (int(network[0]) - 1, int(network[-1]) + 1):
        if 0 <= number <= last:
            assert block_of(type(network[0])(number)) != block


@pytest.mark.parametrize(
    ("text", "public"),
    [
        *[
            (text, True)
            for text in ("8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "192.0.1.1")
        ],
        *[(text, True) for text in ("2a00:1450::1", "2606:4700::1111", "2001:200::1")],
        *[(text, False) for text in ("192.0.0.192", "192.0.0.8", "192.0.0.171", "255.255.255.254")],
        # An embedded IPv4 address decides where packets go to it.
        ("::ffff:8.8.8.8", True),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::8.8.8.8", True),
        ("64:ff9b::127.0.0.1", False),
        ("2002:808:808::1", True),
        ("2002:7f00:1::1", False),
        ("2002:a9fe:a9fe::1", False),
        # These forms are not routed at all.
        *[(text, False) for text in ("::8.8.8.8", "::ffff:0:8.8.8.8", "64:ff9b:1::8.8.8.8")],
        ("2001:0:808:808::1", False),
        *[(text, False) for text in ("fe80::1%eth0", "fec0::1", "4000::1", "100:0:0:1::1")],
    ],
)
def test_an_address_is_public_or_not(text: str, public: bool) -> None:
    assert is_public(text) is public


def test_what_is_no_address_is_an_error() -> None:
    with pytest.raises(ValueError):
        is_public("example.com")


@pytest.mark.parametrize(
    "name", ["localhost", "localhost.", "LOCALHOST", "a.localhost", "a.localhost."]
)
def test_localhost_is_this_machine_whatever_a_resolver_says(name: str) -> None:
    assert is_loopback_name(name)
    with pytest.raises(AddressRefused):
        AddressGuard().check(f"http://{name.lower()}/")


def test_a_proxy_is_reached_at_its_own_port_and_is_no_target() -> None:
    guard = AddressGuard()
    guard.lead_through("http://user:word@gate.example:3128", "https://other.example")
    assert guard.resolves("gate.example", 3128) and guard.resolves("other.example", 443)
    assert not guard.resolves("gate.example", 80)
    with pytest.raises(AddressRefused, match="is a proxy"):
        guard.check("http://gate.example:3128/")
    guard.check("http://gate.example/")  # its address is looked at when it resolves


@pytest.mark.parametrize(
    "name", ["jenkins", "db.internal", "printer.local", "nas.home.arpa.", "localhost"]
)
def test_a_name_of_no_public_dns_is_not_handed_to_a_proxy(name: str) -> None:
    guard = AddressGuard(["jenkins.example"])
    with pytest.raises(AddressRefused, match="proxy would resolve it"):
        guard.check_unresolved(name)
    guard.check_unresolved("jenkins.example")
    guard.check_unresolved("www.example.com")
