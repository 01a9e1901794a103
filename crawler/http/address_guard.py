"""The address guard: no crawl is led to a private address.

Private, loopback, link-local and other addresses that are not on the public internet are refused
when the connection is made, so that neither a redirect, nor a link, nor a name that resolves anew
leads there. A host that a seed names is allowed, as is everything under `fetch.allow_private`.
A store only claims that a seed named a host: it may be somebody else's, so the spider is asked.

It also knows which origins the user has named: headers of the configuration that may be secret go
to them alone.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable, Set
from urllib.parse import urlsplit
from urllib.request import getproxies

from aiohttp.abc import AbstractResolver, ResolveResult

from crawler import urls
from crawler.errors import AddressRefused
from crawler.http.resolver import addresses
from crawler.http.special_purpose import is_local_name, is_loopback_name, is_public

_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV
_PORTS = {"http": 80, "https": 443}  # of proxies; the SOCKS client resolves its own


class AddressGuard:
    """Which host names may lead to addresses that are not public."""

    def __init__(self, trusted: Iterable[str] = (), *, allow_private: bool = False) -> None:
        self.allow_private = allow_private
        self._trusted = set(trusted)
        self._named: set[str] = set()
        self._claimed: set[str] = set()
        self.asked, self.told = asyncio.Event(), asyncio.Event()
        """Set when the spider is to say which hosts it names, and when it has."""
        self._proxies: set[tuple[str, int]] = set()

    def trust(self, hostname: str) -> None:
        """Allow a host name (a seed's) to lead anywhere."""
        self._trusted.add(hostname)

    def name(self, url: str) -> None:
        """Note that the user names a canonical URL: its host name is trusted, its origin known."""
        self.trust(urls.hostname_of(url))
        self._named.add(urls.host_of(url))
        self._claimed.discard(f"{urls.host_of(url)}/")

    def claim(self, url: str) -> None:
        """Note that a store says that the user has named a canonical URL."""
        if (host := urls.host_of(url)) not in self._named:
            self._claimed.add(f"{host}/")

    @property
    def claims(self) -> bool:
        """Whether there are origins of which only the store says that the user has named them."""
        return bool(self._claimed)

    @property
    def claims_private(self) -> bool:
        """Whether one of them leads, as it is spelled, to an address that would be refused."""
        return not self.allow_private and any(
            is_local_name(name) or (urls.is_address(name) and not is_public(name))
            for name in map(urls.hostname_of, self._claimed)
        )

    async def confirms(self, hostname: str) -> bool:
        """Return whether the spider names a host itself of which the store says so."""
        if hostname in map(urls.hostname_of, self._claimed):
            self.asked.set()
            await self.told.wait()
        return self.trusts(hostname)

    @property
    def origins(self) -> Set[str]:
        """The origins that the user has named."""
        return self._named

    def is_named(self, host: str) -> bool:
        """Return whether the user has named this origin (scheme://name:port)."""
        return host in self._named

    def lead_through(self, *proxies: str) -> None:
        """Let the names of proxies resolve to anything; as targets they stay as they are."""
        self._proxies.update(map(_endpoint, proxies))

    def lead_through_environment(self) -> None:
        """Let the proxies that HTTP_PROXY and its like name resolve to anything."""
        self.lead_through(*(url for name, url in getproxies().items() if name != "no"))

    def resolves(self, hostname: str, port: int) -> bool:
        """Return whether the name may resolve to any address for a connection to this port."""
        return self.trusts(hostname) or (hostname, port) in self._proxies

    def trusts(self, hostname: str) -> bool:
        """Return whether the name may lead anywhere."""
        return self.allow_private or hostname in self._trusted

    def check(self, url: str) -> None:
        """Raise AddressRefused for a target that is not public; names pass until they resolve.

        A proxy is no target: its name may resolve to anything, so nobody would check it later.
        """
        hostname = urls.hostname_of(url)
        if self.trusts(hostname):
            return
        if self._proxies and _endpoint(url) in self._proxies:
            raise AddressRefused(
                f"{hostname} is a proxy; name it in a seed, or set fetch.allow_private"
            )
        if is_loopback_name(hostname):
            raise AddressRefused(_refusal(hostname, "this machine"))
        if urls.is_address(hostname) and not is_public(hostname):
            raise AddressRefused(_refusal(hostname, hostname))

    def check_unresolved(self, hostname: str) -> None:
        """Raise AddressRefused for a name that a proxy resolves, and that is of no public DNS."""
        if self.trusts(hostname) or urls.is_address(hostname) or not is_local_name(hostname):
            return
        raise AddressRefused(
            f"{hostname} is not a name of the public internet, and a proxy would resolve it;"
            " name the host in a seed, or set fetch.allow_private"
        )


def _endpoint(url: str) -> tuple[str, int]:
    """Return the host name and the port that a connection to a URL is made to."""
    parts = urlsplit(url if "://" in url else f"http://{url}")
    try:
        port = parts.port
    except ValueError:
        port = None
    return parts.hostname or "", port or _PORTS.get(parts.scheme, 0)


class GuardedResolver(AbstractResolver):
    """Resolves names to the addresses that the guard lets through, and to no others."""

    def __init__(self, guard: AddressGuard, *, patience: float = 10.0) -> None:
        """Wait `patience` seconds for an answer: the system's resolver knows no end."""
        self._guard, self._patience = guard, patience

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of `host`; AddressRefused if none of them is allowed."""
        found = [
            ResolveResult(
                hostname=host, host=text, port=port, family=kind, proto=protocol, flags=_NUMERIC
            )
            for kind, protocol, text in await addresses(host, family, patience=self._patience)
        ]
        if self._guard.resolves(host, port):
            return found
        allowed = [entry for entry in found if is_public(entry["host"])]
        if not allowed and await self._guard.confirms(host):
            return found
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
