"""Dialling: connections to where a page in the browser wants to, as the address guard has it.

Every one goes to an address that was checked a moment before, so that a name that resolves anew
leads nowhere else; proxies by turns, TLS settings and time-outs are those of the fetcher.
"""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
import time
from base64 import b64encode
from urllib.parse import unquote, urlsplit

import aiohttp

from crawler import urls
from crawler.config.layers import Config
from crawler.errors import AddressRefused, FetchError
from crawler.http import tls
from crawler.http.address_guard import AddressGuard, GuardedResolver
from crawler.http.environment import Environment
from crawler.http.proxies import Proxies, ProxyRoute
from crawler.web.outcome import Outcome

_HEAD = 64 * 1024  # bytes of what a proxy answers
_NAMES = 10_000  # whose addresses are remembered

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Dialler:
    """Opens connections for the doors of a browser."""

    def __init__(self, config: Config, guard: AddressGuard) -> None:
        settings, proxy = config.fetch, config.proxy
        self._guard, self._settings, self._tls = guard, settings, config.tls
        self._resolver = GuardedResolver(guard, patience=settings.connect_timeout)
        in_turn = [*([settings.proxy] if settings.proxy else []), *proxy.urls]
        known = Environment() if proxy.trust_env else None
        self._proxies = Proxies(in_turn, proxy.hosts, rest=proxy.rest, environment=known)
        self._by_host = tls.exceptions_of(config.tls)
        self._context = tls.context_of(config.tls, verify=settings.verify_tls)
        self._addresses: dict[tuple[str, int], tuple[float, list[str]]] = {}

    @property
    def judges(self) -> bool:
        """Whether there are hosts whose certificates are for us to judge."""
        return bool(self._by_host) or not isinstance(self._context, bool)

    def vouches(self, hostname: str) -> bool:
        """Return whether a host's certificate is for us to judge, and not for the browser."""
        return hostname in self._by_host or not isinstance(self._context, bool)

    def route(self, hostname: str, url: str) -> ProxyRoute | None:
        """Return the proxy that the next connection to a host takes, None for none."""
        return self._proxies.pick(hostname, None, time.monotonic(), url=url)

    async def open(self, hostname: str, port: int, *, secure: bool) -> Connection:
        """Return a connection for a tunnel; FetchError says why there is none.

        `secure`: TLS is spoken by us, and the certificate was judged.
        """
        url = self.checked("https", hostname, port)
        route = self.route(hostname, url)
        try:
            async with asyncio.timeout(self._settings.connect_timeout):
                streams = await self._reached(route, hostname, port)
                if secure:
                    await self._handshake(streams, hostname)
        except FetchError:
            raise
        except ssl.SSLError as error:
            raise FetchError(f"{hostname}: {error}", Outcome.TLS_ERROR) from error
        except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError) as error:
            raise self._failure(error, hostname, port, route) from error
        return streams

    async def open_plain(
        self, hostname: str, port: int, route: ProxyRoute | None
    ) -> tuple[Connection, bool]:
        """Return a connection for one plain request, and whether it is to name the whole URL."""
        self.checked("http", hostname, port)
        whole = route is not None and not route.is_socks
        try:
            async with asyncio.timeout(self._settings.connect_timeout):
                if route is None or route.is_socks:
                    return await self._reached(route, hostname, port), whole
                self._guard.check_unresolved(hostname)
                return await self._to_proxy(route), whole
        except FetchError:
            raise
        except (OSError, TimeoutError) as error:
            raise self._failure(error, hostname, port, route) from error

    def checked(self, scheme: str, hostname: str, port: int) -> str:
        """Return the canonical URL of a host; AddressRefused where it may not be asked."""
        shown = f"[{hostname}]" if ":" in hostname else hostname
        url = urls.parse(f"{scheme}://{shown}:{port}/")
        if url is None:
            raise AddressRefused(f"{shown}:{port} is no place on the public internet")
        self._guard.check(url)
        return url

    def authorization(self, route: ProxyRoute) -> bytes:
        """Return the header that opens an HTTP proxy, empty where it asks for none."""
        parts = urlsplit(route.url)
        if parts.username is None:
            return b""
        said = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        return b"Proxy-Authorization: Basic " + b64encode(said.encode()) + b"\r\n"

    # ------------------------------------------------------------ one connection

    async def _reached(self, route: ProxyRoute | None, hostname: str, port: int) -> Connection:
        if route is None:
            return await self._direct(hostname, port)
        self._guard.check_unresolved(hostname)
        if route.is_socks:
            return await self._socks(route, hostname, port)
        reader, writer = await self._to_proxy(route)
        shown = f"[{hostname}]:{port}" if ":" in hostname else f"{hostname}:{port}"
        name = shown.encode()
        ask = b"CONNECT %b HTTP/1.1\r\nHost: %b\r\n" % (name, name)
        writer.write(ask + self.authorization(route) + b"\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        status = head.split(b" ", 2)[1:2]
        if status != [b"200"]:
            writer.close()
            said = head.split(b"\r\n", 1)[0][:100].decode("latin-1")
            raise ConnectionError(f"{route} answered {said}")
        self._proxies.worked(route)
        return reader, writer

    async def _direct(self, hostname: str, port: int) -> Connection:
        """Connect to one of a name's addresses, in their order."""
        found = await self._addresses_of(hostname, port)
        failure: OSError | None = None
        for address in found:
            try:
                return await asyncio.open_connection(address, port, limit=_HEAD)
            except OSError as error:
                failure = error
        raise failure or OSError(f"{hostname} has no address")

    async def _addresses_of(self, hostname: str, port: int) -> list[str]:
        if urls.is_address(hostname):
            return [hostname]
        key, now = (hostname, port), time.monotonic()
        until, known = self._addresses.get(key, (0.0, []))
        if now < until:
            return known
        try:
            rows = await self._resolver.resolve(hostname, port)
        except socket.gaierror as error:
            raise FetchError(f"{hostname}: {error}", Outcome.DNS_ERROR) from error
        if len(self._addresses) >= _NAMES:
            self._addresses.clear()
        found = [row["host"] for row in rows]
        self._addresses[key] = (now + self._settings.dns_cache, found)
        return found

    async def _to_proxy(self, route: ProxyRoute) -> Connection:
        parts = urlsplit(route.url)
        hostname = parts.hostname or ""
        port = parts.port or (443 if parts.scheme == "https" else 80)
        reader, writer = await self._direct(hostname, port)
        if parts.scheme == "https":
            await writer.start_tls(ssl.create_default_context(), server_hostname=hostname)
        return reader, writer

    async def _socks(self, route: ProxyRoute, hostname: str, port: int) -> Connection:
        from python_socks.async_.asyncio import Proxy  # comes with aiohttp-socks, an extra

        plain = route.url.replace("socks5h://", "socks5://", 1)
        opened = await Proxy.from_url(plain, rdns=True).connect(hostname, port)
        return await asyncio.open_connection(sock=opened, limit=_HEAD)

    async def _handshake(self, streams: Connection, hostname: str) -> None:
        """Speak TLS with a host whose certificate we judge."""
        verdict, context = self._by_host.get(hostname), self._context
        if isinstance(verdict, aiohttp.Fingerprint) or verdict is False:
            context = _trusting(context)
        elif isinstance(context, bool):
            context = ssl.create_default_context()
        await streams[1].start_tls(context, server_hostname=hostname)
        if isinstance(verdict, aiohttp.Fingerprint):
            channel: ssl.SSLObject = streams[1].get_extra_info("ssl_object")
            digest = hashlib.sha256(channel.getpeercert(binary_form=True) or b"").digest()
            if digest != verdict.fingerprint:
                streams[1].close()
                raise FetchError(f"{hostname}: another certificate than pinned", Outcome.TLS_ERROR)

    def _failure(
        self, error: Exception, hostname: str, port: int, route: ProxyRoute | None
    ) -> FetchError:
        said = f"{hostname}:{port}: {type(error).__name__}: {error}"
        if route is not None:
            self._proxies.failed(route, time.monotonic())
            return FetchError(f"through {route}: {said}", Outcome.PROXY_ERROR)
        late = isinstance(error, TimeoutError)
        return FetchError(said, Outcome.TIMEOUT if late else Outcome.CONNECT_ERROR)


def _trusting(known: ssl.SSLContext | bool) -> ssl.SSLContext:
    """Return a context that leaves the certificate to us, with what else is configured."""
    context = ssl.create_default_context()
    if not isinstance(known, bool):
        context.minimum_version = known.minimum_version
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
