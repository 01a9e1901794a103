"""Which IP addresses are on the public internet: a table of our own, dated, and no library's.

The rows are those of the IANA registries of special-purpose addresses (RFC 6890, RFC 8190) as of
2025-10-09 (https://www.iana.org/assignments/iana-ipv4-special-registry and -ipv6-) and, marked so,
of the registries of multicast and of the IPv6 address space. Python's `is_global` has other rows in
other patch releases.
"""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

from msgspec import Struct

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class AddressBlock(Struct, frozen=True):
    """A block of addresses: its name and source, and whether it is globally reachable.

    Where the registry says neither yes nor no, it is not. `inner` is how many bits stand behind an
    IPv4 address in it that decides instead, None if there is none.
    """

    network: str
    name: str
    source: str
    public: bool = False
    inner: int | None = None


IPV4 = (
    AddressBlock("0.0.0.0/8", "This network", "RFC 791 section 3.2"),
    AddressBlock("10.0.0.0/8", "Private-Use", "RFC 1918"),
    AddressBlock("100.64.0.0/10", "Shared Address Space", "RFC 6598"),
    AddressBlock("127.0.0.0/8", "Loopback", "RFC 1122 section 3.2.1.3"),
    AddressBlock("169.254.0.0/16", "Link Local", "RFC 3927"),
    AddressBlock("172.16.0.0/12", "Private-Use", "RFC 1918"),
    AddressBlock("192.0.0.0/24", "IETF Protocol Assignments", "RFC 6890 section 2.1"),
    AddressBlock("192.0.0.9/32", "Port Control Protocol Anycast", "RFC 7723", public=True),
    AddressBlock(
        "192.0.0.10/32", "Traversal Using Relays around NAT Anycast", "RFC 8155", public=True
    ),
    AddressBlock("192.0.2.0/24", "Documentation (TEST-NET-1)", "RFC 5737"),
    AddressBlock("192.31.196.0/24", "AS112-v4", "RFC 7535", public=True),
    AddressBlock("192.52.193.0/24", "AMT", "RFC 7450", public=True),
    AddressBlock("192.88.99.0/24", "Deprecated (6to4 Relay Anycast)", "RFC 7526"),
    AddressBlock("192.168.0.0/16", "Private-Use", "RFC 1918"),
    AddressBlock("192.175.48.0/24", "Direct Delegation AS112 Service", "RFC 7534", public=True),
    AddressBlock("198.18.0.0/15", "Benchmarking", "RFC 2544"),
    AddressBlock("198.51.100.0/24", "Documentation (TEST-NET-2)", "RFC 5737"),
    AddressBlock("203.0.113.0/24", "Documentation (TEST-NET-3)", "RFC 5737"),
    AddressBlock("224.0.0.0/4", "Multicast", "RFC 5771"),  # of the registry of multicast addresses
    AddressBlock("240.0.0.0/4", "Reserved", "RFC 1112 section 4"),
    AddressBlock("255.255.255.255/32", "Limited Broadcast", "RFC 8190, RFC 919 section 7"),
)
"""Longer blocks of the registry that say the same as the one around them are left out."""

IPV6 = (
    # Of the IPv6 address space: what is not global unicast is reserved by the IETF (RFC 4291).
    AddressBlock("::/0", "Reserved by IETF", "RFC 4291 section 4"),
    AddressBlock("2000::/3", "Global Unicast", "RFC 4291 section 2.5.4", public=True),
    AddressBlock("::/96", "IPv4-Compatible Address, deprecated", "RFC 4291 section 2.5.5.1"),
    AddressBlock("::/128", "Unspecified Address", "RFC 4291"),
    AddressBlock("::1/128", "Loopback Address", "RFC 4291"),
    # Systems connect to the IPv4 address that it holds.
    AddressBlock("::ffff:0:0/96", "IPv4-mapped Address", "RFC 4291", inner=0),
    AddressBlock("::ffff:0:0:0/96", "IPv4-Translated Address", "RFC 2765 section 2.1"),
    AddressBlock("64:ff9b::/96", "IPv4-IPv6 Translat.", "RFC 6052", public=True, inner=0),
    AddressBlock("64:ff9b:1::/48", "IPv4-IPv6 Translat.", "RFC 8215"),
    AddressBlock("100::/64", "Discard-Only Address Block", "RFC 6666"),
    AddressBlock("100:0:0:1::/64", "Dummy IPv6 Prefix", "RFC 9780"),
    AddressBlock("2001::/23", "IETF Protocol Assignments", "RFC 2928"),
    AddressBlock("2001::/32", "TEREDO", "RFC 4380, RFC 8190"),
    AddressBlock("2001:1::1/128", "Port Control Protocol Anycast", "RFC 7723", public=True),
    AddressBlock(
        "2001:1::2/128", "Traversal Using Relays around NAT Anycast", "RFC 8155", public=True
    ),
    AddressBlock("2001:1::3/128", "DNS-SD Service Registration Protocol", "RFC 9665", public=True),
    AddressBlock("2001:2::/48", "Benchmarking", "RFC 5180"),
    AddressBlock("2001:3::/32", "AMT", "RFC 7450", public=True),
    AddressBlock("2001:4:112::/48", "AS112-v6", "RFC 7535", public=True),
    AddressBlock("2001:10::/28", "Deprecated (previously ORCHID)", "RFC 4843"),
    AddressBlock("2001:20::/28", "ORCHIDv2", "RFC 7343", public=True),
    AddressBlock("2001:30::/28", "Drone Remote ID Protocol Entity Tags", "RFC 9374", public=True),
    AddressBlock("2001:db8::/32", "Documentation", "RFC 3849"),
    AddressBlock("2002::/16", "6to4", "RFC 3056", inner=80),  # which packets to it are sent to
    AddressBlock("2620:4f:8000::/48", "Direct Delegation AS112 Service", "RFC 7534", public=True),
    AddressBlock("3fff::/20", "Documentation", "RFC 9637"),
    AddressBlock("5f00::/16", "Segment Routing (SRv6) SIDs", "RFC 9602"),
    AddressBlock("fc00::/7", "Unique-Local", "RFC 4193, RFC 8190"),
    AddressBlock("fe80::/10", "Link-Local Unicast", "RFC 4291"),
    AddressBlock("fec0::/10", "Site-Local, deprecated", "RFC 3879"),
    AddressBlock("ff00::/8", "Multicast", "RFC 4291 section 2.7"),
)


class _Row(NamedTuple):
    """A block as it is asked: `number & mask == first`."""

    mask: int
    first: int
    block: AddressBlock


def _rows(blocks: tuple[AddressBlock, ...]) -> list[_Row]:
    """Return the rows of a table, the longest prefix first."""
    networks = [(ipaddress.ip_network(block.network), block) for block in blocks]
    networks.sort(key=lambda pair: -pair[0].prefixlen)
    return [_Row(int(net.netmask), int(net.network_address), block) for net, block in networks]


_IPV4, _IPV6 = _rows(IPV4), _rows(IPV6)


def block_of(address: Address) -> AddressBlock | None:
    """Return the smallest block that an address is in, None for an ordinary one of IPv4."""
    number = int(address)
    rows = _IPV4 if address.version == 4 else _IPV6
    return next((row.block for row in rows if number & row.mask == row.first), None)


def is_public(text: str) -> bool:
    """Return whether an IP address is on the public internet; ValueError if `text` is no address.

    An interface ("%eth0", RFC 4007) may stand behind it. An IPv4 address that is embedded decides.
    """
    address = ipaddress.ip_address(text.partition("%")[0])
    block = block_of(address)
    if block is None:
        return True
    if block.inner is not None:
        inner = ipaddress.IPv4Address(int(address) >> block.inner & 0xFFFFFFFF)
        return is_public(str(inner))
    return block.public


_LOCAL_NAMES = ("localhost", "local", "internal", "home.arpa")


def is_loopback_name(hostname: str) -> bool:
    """Return whether a host name is localhost or below it, whatever resolves it (RFC 6761 6.3)."""
    return f".{hostname.rstrip('.').lower()}".endswith(".localhost")


def is_local_name(hostname: str) -> bool:
    """Return whether a host name is none of the public DNS: never delegated, or without a dot.

    RFC 6761 (localhost), RFC 6762 (local), RFC 8375 (home.arpa), ICANN 2024-07-29 (internal).
    """
    name = hostname.rstrip(".").lower()
    return "." not in name or any(name.endswith(f".{local}") for local in _LOCAL_NAMES)
