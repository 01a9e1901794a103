"""The address guard: no crawl is led to a private address.

Private, loopback, link-local and other addresses that are not on the public internet are refused
when the connection is made, so that neither a redirect, nor a link, nor a name that resolves anew
leads there. A host that a seed names is allowed, as is everything under `fetch.allow_private`.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit
from urllib.request import getproxies

from aiohttp.abc import AbstractResolver, ResolveResult

from crawler.address import addresses
from crawler.errors import AddressRefused

_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_public(text: str) -> bool:
    """Tell whether an IP address is on the public internet; embedded IPv4 addresses count."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(str(inner))
    return address.is_global and not address.is_multicast


class Guard:
    """Which host names may lead to addresses that are not public."""

    def __init__(self, trusted: Iterable[str] = (), *, allow_private: bool = False) -> None:
        self.allow_private = allow_private
        self._trusted = set(trusted)
        self._doors: set[str] = set()

    def trust(self, hostname: str) -> None:
        """Allow a host name (a seed's, a proxy's) to lead anywhere."""
        self._trusted.add(hostname)

    def lead_through(self, *proxies: str) -> None:
        """Let the names of proxies resolve to anything; as targets they stay as they are."""
        for proxy in proxies:
            self._doors.add(urlsplit(proxy).hostname or proxy)

    def lead_through_environment(self) -> None:
        """Do so with the proxies that HTTP_PROXY and its like name."""
        self.lead_through(*(url for name, url in getproxies().items() if name != "no"))

    def resolves(self, hostname: str) -> bool:
        """Tell whether the name may resolve to any address."""
        return self.trusts(hostname) or hostname in self._doors

    def trusts(self, hostname: str) -> bool:
        """Tell whether the name may lead anywhere."""
        return self.allow_private or hostname in self._trusted

    def check_literal(self, hostname: str) -> None:
        """Raise AddressRefused for an IP address that is not public; names pass."""
        if self.trusts(hostname):
            return
        try:
            public = is_public(hostname)
        except ValueError:
            return
        if not public:
            raise AddressRefused(_refusal(hostname, hostname))


class GuardedResolver(AbstractResolver):
    """Resolves names, and gives only the addresses that the guard lets through."""

    def __init__(self, guard: Guard, *, patience: float = 10.0) -> None:
        """Wait `patience` seconds for an answer: the system's resolver knows no end."""
        self._guard, self._patience = guard, patience

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Give the addresses of `host`; AddressRefused when none of them is allowed."""
        found = [
            ResolveResult(
                hostname=host, host=text, port=port, family=kind, proto=protocol, flags=_NUMERIC
            )
            for kind, protocol, text in await addresses(host, family, patience=self._patience)
        ]
        if self._guard.resolves(host):
            return found
        allowed = [entry for entry in found if is_public(entry["host"])]
        if not allowed:
            raise AddressRefused(_refusal(host, found[0]["host"]))
        return allowed

    async def close(self) -> None:
        """Do nothing: nothing is open."""


def _refusal(host: str, address: str) -> str:
    return (
        f"{host} leads to {address}, which is not on the public internet;"
        " name the host in a seed, or set fetch.allow_private"
    )
