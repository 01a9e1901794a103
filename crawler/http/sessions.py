"""aiohttp sessions: one for each cookie jar and proxy, over shared connection pools.

With `exchange` the one door to aiohttp's client: `send` and `shake_hands` alone call it, and
neither lets it follow a redirect, which nobody would have judged.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from importlib import import_module
from typing import Any

import aiohttp
from aiohttp import (
    ClientHandlerType,
    ClientRequest,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    ClientWebSocketResponse,
    TCPConnector,
)

from crawler import urls
from crawler.config.fetch import FetchSettings
from crawler.config.secrets import may_leave
from crawler.config.tls import TlsSettings
from crawler.errors import ConfigError, FetchError
from crawler.http.address_guard import AddressGuard, GuardedResolver
from crawler.http.content_encoding import ACCEPT
from crawler.http.cookies import CookieJars
from crawler.http.exchange import CookieRequest
from crawler.http.lenient import make_lenient
from crawler.http.pool import Pool, pool_of
from crawler.http.tls import context_of
from crawler.web import redirects
from crawler.web.outcome import Outcome
from crawler.web.response import Response

_EXPECTED = 1.0  # seconds that a body waits for "100 Continue", as curl has it
_COUNTED = 1 << 30  # no limit, but connections are counted by host: see `pool`
_RESERVED = 64  # file descriptors for the store, the resolver, the worker processes and the program


class Sessions:
    """Opens sessions as they are asked for, and closes them all.

    Sessions of one way out share one connector, so accounts do not multiply connections.
    """

    def __init__(
        self,
        settings: FetchSettings,
        *,
        agent: str,
        guard: AddressGuard,
        connections: int,
        tls: TlsSettings,
        jars: CookieJars,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._settings, self._tls, self._jars = settings, tls, jars
        self._agent, self._guard = agent, guard
        self._limit = _affordable(settings.pool_size or connections)  # 0: no limit of our own
        self.middlewares = [_loaded(name) for name in settings.middlewares]
        self.headers = {k: v for k, v in settings.headers.items() if may_leave(k)}
        self._connectors: dict[tuple[str, bool], aiohttp.BaseConnector] = {}
        self._open: dict[tuple[str, str, bool], ClientSession] = {}
        self._ssl = context or context_of(tls, verify=settings.verify_tls)
        self.note = jars.refuse
        self.socks_errors: tuple[type[Exception], ...] = ()

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What a request may raise: a client's error, the network's, or a SOCKS proxy's."""
        return (aiohttp.ClientError, OSError, ValueError, *self.socks_errors)

    def get(
        self, name: str | None = None, socks: str = "", *, sockets: bool = False
    ) -> ClientSession:
        """Return the session of a jar, through a SOCKS proxy where one is named.

        `sockets` have connections of their own: they stay open, and would use up the pool.
        """
        key = (name or "", socks, sockets)
        session = self._open.get(key)
        if session is None:
            session = self._open[key] = self._opened(*key)
        return session

    def _opened(self, name: str, socks: str, sockets: bool) -> ClientSession:
        settings = self._settings
        return ClientSession(
            connector=self._connector(socks, sockets),
            connector_owner=False,
            timeout=self.timeout({"total": None}),  # the fetcher's Deadline stands for it
            auto_decompress=False,
            cookie_jar=self._jars[name],  # type: ignore[arg-type]
            request_class=CookieRequest,
            middlewares=self._of_sockets() if sockets else self.middlewares,
            max_line_size=settings.max_header,
            max_field_size=settings.max_header,
            max_headers=settings.max_headers,
            headers={
                "User-Agent": self._agent,
                "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                "Accept-Encoding": ACCEPT,
                **self.headers,
            },
        )

    def _of_sockets(self) -> list[Callable[..., Any]]:
        """Return the middlewares of a session for sockets; `ws_connect` takes none of its own."""
        known = kept_home(self.middlewares) if self.middlewares else []
        return [_stop_at_redirect, *known]

    def timeout(self, own: Mapping[str, float | None]) -> ClientTimeout:
        """Return the time-outs of the settings, each replaced by a request's own."""
        settings = self._settings
        return ClientTimeout(
            total=own.get("total", settings.total_timeout),
            connect=own.get("pool", settings.pool_timeout),
            sock_connect=own.get("connect", settings.connect_timeout),
            sock_read=own.get("read", settings.read_timeout),
        )

    def _connector(self, socks: str, sockets: bool) -> aiohttp.BaseConnector:
        connector = self._connectors.get((socks, sockets))
        if connector is None:
            settings = self._settings
            options: dict[str, Any] = {
                "limit": 0 if sockets else self._limit,
                "limit_per_host": (0 if sockets else settings.pool_per_host) or _COUNTED,
                "ssl": self._ssl,
            }
            if settings.keep_alive:
                options["keepalive_timeout"] = settings.keep_alive
            else:
                options["force_close"] = True
            connector = self._socks(socks, options) if socks else self._direct(options)
            make_lenient(connector, self.note)
            self._connectors[socks, sockets] = connector
        return connector

    def _direct(self, options: dict[str, Any]) -> TCPConnector:
        settings = self._settings
        return TCPConnector(
            resolver=GuardedResolver(self._guard, patience=settings.connect_timeout),
            use_dns_cache=settings.dns_cache > 0,
            ttl_dns_cache=settings.dns_cache or None,
            **options,
        )

    def _socks(self, url: str, options: dict[str, Any]) -> aiohttp.BaseConnector:
        """Return a connector through a SOCKS proxy, which also resolves the names."""
        try:
            from aiohttp_socks import (
                ProxyConnectionError,
                ProxyConnector,
                ProxyError,
                ProxyTimeoutError,
            )
        except ImportError:
            raise ConfigError(
                "a SOCKS proxy needs aiohttp-socks; install it: pip install 'crawlkeep[socks]'"
            ) from None
        self.socks_errors = (ProxyError, ProxyConnectionError, ProxyTimeoutError)
        plain = url.replace("socks5h://", "socks5://", 1)
        connector: aiohttp.BaseConnector = ProxyConnector.from_url(plain, rdns=True, **options)
        return connector

    @property
    def pool(self) -> Pool:
        """What the connections are doing."""
        return pool_of(self._connectors.values())

    async def close(self) -> None:
        """Close all sessions and connections."""
        for session in self._open.values():
            await session.close()
        for connector in self._connectors.values():
            await connector.close()
        await asyncio.sleep(0)  # lets the transports say goodbye


class HandshakeRedirected(FetchError):
    """A WebSocket handshake was answered by a redirect, which is in `response`."""

    def __init__(self, response: Response) -> None:
        where = response.headers.get("Location", "")
        super().__init__(f"redirected to {where!r:.200}", Outcome.REDIRECT)
        self.response = response


async def shake_hands(
    session: ClientSession,
    url: str,
    options: Mapping[str, Any],
    *,
    largest: int,
    elsewhere: bool = False,
) -> ClientWebSocketResponse:
    """Open a WebSocket over a session for sockets; HandshakeRedirected instead of following.

    `elsewhere`: a redirect has led to another origin, see `kept_home`.
    """
    token = _led_away.set(elsewhere)
    try:
        socket: ClientWebSocketResponse = await session.ws_connect(
            urls.wire(url), max_msg_size=largest, **options
        )
    finally:
        _led_away.reset(token)
    return socket


async def _stop_at_redirect(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    """Raise HandshakeRedirected: `ws_connect` cannot be told to follow no redirect."""
    started, clock = time.time(), time.perf_counter()
    answer = await handler(request)
    if answer.status not in redirects.STATUSES:
        return answer
    cookies = answer.headers.getall("Set-Cookie", ())
    if cookies and request.session is not None:
        request.session.cookie_jar.update_cookies_from_headers(cookies, request.url)
    answer.close()
    elapsed = time.perf_counter() - clock
    url = urls.parse(str(request.url)) or str(request.url)
    raise HandshakeRedirected(Response(url, answer.status, answer.headers, b"", started, elapsed))


_before: ContextVar[frozenset[str]] = ContextVar("headers before the middlewares")
_led_away = ContextVar("a handshake at another origin", default=True)


def kept_home(middlewares: list[Callable[..., Any]]) -> list[Callable[..., Any]]:
    """Return middlewares for a request that a redirect has led to another origin.

    What they add then and may be secret is taken off again: they were written for another one.
    """
    return [_note_headers, *middlewares, _take_off_headers]


async def _note_headers(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    _before.set(frozenset(name.lower() for name in request.headers))
    return await handler(request)


async def _take_off_headers(request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
    known = _before.get()
    for name in {*request.headers} if _led_away.get() else ():
        if name.lower() not in known and not may_leave(name):
            del request.headers[name]
    return await handler(request)


def _affordable(connections: int) -> int:
    """Return how many connections the process may have open; requests wait for the others.

    Without this a low `ulimit -n` would fail whatever opens a file next, the store included.
    """
    if sys.platform == "win32":  # knows no such limit
        return connections
    import resource

    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most == resource.RLIM_INFINITY:
        return connections
    return max(1, min(connections or most, most - _RESERVED))


def _loaded(name: str) -> Callable[..., Any]:
    """Return the middleware that `module:function` names."""
    module, colon, function = name.partition(":")
    try:
        found = getattr(import_module(module), function) if colon else None
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"fetch.middlewares: {name!r} does not load: {error}") from None
    if not callable(found):
        raise ConfigError(f"fetch.middlewares: {name!r} is no module:function")
    middleware: Callable[..., Any] = found
    return middleware
