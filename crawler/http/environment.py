"""What the environment says about the way out: HTTP_PROXY and its like, NO_PROXY, ~/.netrc.

As curl reads them: names in small letters come first, ALL_PROXY stands for every scheme, a proxy
without a scheme speaks HTTP, NO_PROXY takes names and what is below them, addresses, networks
(CIDR) and ports. Read once, when a crawl starts. A proxy that cannot be used is an error; it never
means to go directly.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit
from urllib.request import getproxies

from aiohttp import encode_basic_auth
from aiohttp.helpers import netrc_from_env
from msgspec import Struct

from crawler import urls

_PORTS = {"http": 80, "https": 443}


class _Exception(Struct, frozen=True):
    """One entry of NO_PROXY: a name or a network, at a port or at all of them."""

    name: str
    network: ipaddress.IPv4Network | ipaddress.IPv6Network | None
    port: int | None

    def covers(self, hostname: str, port: int) -> bool:
        if self.port not in (None, port):
            return False
        if self.name == "*":
            return True
        if self.network is None:
            return f".{hostname}".endswith(f".{self.name}")
        if not urls.is_address(hostname):
            return False
        address = ipaddress.ip_address(hostname.strip("[]").partition("%")[0])
        return address.version == self.network.version and address in self.network


def _exception(entry: str) -> _Exception:
    """Return what an entry of NO_PROXY covers."""
    host, port = entry, None
    head, _, tail = entry.rpartition(":")
    if tail.isdecimal() and (":" not in head or head.endswith("]")):  # else an address of IPv6
        host, port = head, int(tail)
    host = host.strip("[]").lower()
    try:
        return _Exception("", ipaddress.ip_network(host, strict=False), port)
    except ValueError:
        name = (host.removeprefix("*") if host.startswith("*.") else host).strip(".")
        url = None if name.isascii() else urls.parse(f"http://{name}/")  # as it stands in URLs
        return _Exception(name if url is None else urls.hostname_of(url), None, port)


class Environment:
    """The proxies of the environment and what goes without them, and the keys of ~/.netrc."""

    def __init__(self, proxies: dict[str, str] | None = None) -> None:
        """Read it; `proxies` in place of what `urllib.request.getproxies` finds."""
        found = getproxies() if proxies is None else proxies
        said = found.get("no", "")
        self._exceptions = [_exception(entry) for entry in re.split(r"[\s,]+", said) if entry]
        self._proxies = {scheme: _whole(url) for scheme, url in found.items() if scheme != "no"}
        self._netrc = netrc_from_env()

    def proxy_of(self, url: str) -> str | None:
        """Return the URL of the proxy for a canonical URL, None for none."""
        scheme = url.partition(":")[0]
        proxy = self._proxies.get(scheme) or self._proxies.get("all")
        if not proxy:
            return None
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(scheme, 0)
        hostname = urls.hostname_of(url)
        return None if any(one.covers(hostname, port) for one in self._exceptions) else proxy

    def key_of(self, hostname: str) -> str | None:
        """Return the Authorization that ~/.netrc has for a host, None for none."""
        known = self._netrc.authenticators(hostname) if self._netrc is not None else None
        if known is None:
            return None
        login, account, password = known
        return encode_basic_auth(login or account or "", password or "")


def _whole(url: str) -> str:
    return url if "://" in url or not url else f"http://{url}"
