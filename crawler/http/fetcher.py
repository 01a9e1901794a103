"""The fetcher: one try of one request over aiohttp.

It follows no redirect and tries nothing again: both go back through the frontier, where scope,
robots.txt, dedupe, politeness and the address guard hold for them as for any request.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, nullcontext
from ssl import SSLContext
from typing import Any, Self

import aiohttp

from crawler import urls
from crawler.config.auth import AuthSettings
from crawler.config.fetch import FetchSettings
from crawler.config.hosts import HostsSettings
from crawler.config.identity import IdentitySettings
from crawler.config.layers import Config
from crawler.config.proxy import ProxySettings
from crawler.config.secrets import may_leave, revealed
from crawler.config.tls import TlsSettings
from crawler.errors import FetchError, UsageError
from crawler.http import lazy_trust, tls
from crawler.http.address_guard import AddressGuard
from crawler.http.cookies import CookieJars, add_by_hand
from crawler.http.credentials import Credential, Credentials
from crawler.http.environment import Environment
from crawler.http.errors import of_proxy, to_fetch_error
from crawler.http.exchange import Deadline, is_plain, read, send
from crawler.http.identity import Signer
from crawler.http.pool import Pool
from crawler.http.proxies import Proxies, ProxyRoute
from crawler.http.replay_cache import Cache
from crawler.http.sessions import Sessions, kept_home, shake_hands
from crawler.web import body as bodies
from crawler.web.outcome import Outcome
from crawler.web.request import Request
from crawler.web.response import Response

log = logging.getLogger("crawler")

__all__ = ["Fetcher", "to_fetch_error"]

_NOTHING: dict[str, Any] = {}
_CHECKED = 100_000  # host names whose address check is remembered
_TOLD = 20  # origins of which it is said that they get no secret headers
_FORM = "application/x-www-form-urlencoded"
_OF_PROXY = frozenset({407, 502, 504})  # what a proxy says in its own name (RFC 9110 section 15)


class Fetcher:
    """Sends requests over shared connections; use it as an async context manager."""

    def __init__(
        self,
        settings: FetchSettings,
        *,
        agent: str,
        guard: AddressGuard,
        connections: int,
        config: Config | None = None,
        jars: CookieJars | None = None,
        cache: Cache | None = None,
        keys: Iterable[Credential] = (),
        context: SSLContext | None = None,
    ) -> None:
        """`config` gives the sections tls, proxy and auth; `jars` are kept by the caller.

        `keys` come before those of the configuration, `context` in place of its TLS.
        """
        self._settings, self._guard, self._cap = settings, guard, settings.max_body
        self._agent, self._connections = agent, connections
        self._tls = config.tls if config else TlsSettings()
        self._proxy = config.proxy if config else ProxySettings()
        self._auth = config.auth if config else AuthSettings()
        self._hosts = config.hosts if config else HostsSettings()
        self._identity = config.identity if config else IdentitySettings()
        self.jars = jars or CookieJars()
        self._cache, self._more_keys, self._context = cache, keys, context
        self._checked: set[str] = set()
        self._unsent: set[str] = set()
        self._deadline = Deadline(settings.total_timeout)
        self._sessions: Sessions

    async def __aenter__(self) -> Self:
        """Open; ConfigError for a setting that cannot work, such as a secret that is not set."""
        settings = self._settings
        in_turn = [*([settings.proxy] if settings.proxy else []), *self._proxy.urls]
        known = Environment() if self._proxy.trust_env else None
        self._proxies = Proxies(
            in_turn, self._proxy.hosts, rest=self._proxy.rest, environment=known
        )
        self._keys = Credentials(self._auth, self._more_keys, environment=known)
        self._by_host = tls.exceptions_of(self._tls)
        self._signer = Signer(self._identity) if self._identity.key_file else None
        self._guard.lead_through(*in_turn, *self._proxy.hosts.values())
        if self._proxy.trust_env:
            self._guard.lead_through_environment()
        own = self._settings.headers
        self._own = {name: value for name, value in own.items() if not may_leave(name)}
        self._special = bool(self._keys or self._by_host or self._proxies or self._own)
        self._special |= self._signer is not None or self._hosts.headed
        self._sessions = Sessions(
            settings,
            agent=self._agent,
            guard=self._guard,
            connections=self._connections,
            tls=self._tls,
            jars=self.jars,
            context=self._context,
        )
        self._session = self._sessions.get()
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._deadline.close()
        await self._sessions.close()

    @property
    def pool(self) -> Pool:
        """What the connections are doing: open, idle and waiting by host, addresses, memory."""
        return self._sessions.pool

    async def fetch(
        self,
        request: Request,
        *,
        keep: int | None = None,
        body: Any = None,
        unhurried: bool = False,
    ) -> Response:
        """Return the response to one try; FetchError names the outcome otherwise.

        `keep` cuts the body off at that many bytes instead of failing at `fetch.max_body`. `body`
        is sent in place of the request's own; `unhurried` lifts the total time-out.
        """
        if self._cache is not None:
            stored = await self._cache.find(request)
            if stored is not None:
                return stored
        way: ProxyRoute | None = None
        session, options = self._session, _NOTHING
        url = request.url
        try:
            if urls.host_of(url) not in self._checked:
                self._check_address(url)
            if self._special or unhurried or body is not None or not is_plain(request):
                session, options, way = self._prepared(request, body, unhurried)
            elif request.headers is not None:
                options = {"headers": dict(request.headers)}
            started, clock, whole = time.time(), time.perf_counter(), False
            # One frame for the whole try, and no `async with`: each would cost at every resumption.
            with self._deadline if "timeout" not in options else nullcontext():
                answer = await send(session, request.method, url, options)
                try:
                    cap = self._cap if keep is None else keep
                    data, size = await read(answer, cap, cut=keep is not None)
                    elapsed = time.perf_counter() - clock
                    if "data" in options:
                        await answer.wait_for_close()  # a body may still be on its way out
                    whole = True
                finally:
                    if not whole:
                        answer.close()
        except FetchError:
            raise
        except self._sessions.errors as error:
            raise self._failure(error, way) from error
        reason = answer.reason or ""
        if not reason.isascii():
            from crawler.http.content_disposition import header_text  # imports slowly

            reason = header_text(reason)
        response = Response(
            url, answer.status, answer.headers, data, started, elapsed, size, reason
        )
        return response if way is None else self._through(way, response)

    @asynccontextmanager
    async def open(
        self, request: Request, *, body: Any = None, unhurried: bool = False
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Send a request once and return the answer with its body still to be read.

        For what must not be in memory. `body` replaces the request's own; `unhurried` lifts the
        total time-out, so that a body may take its time as long as bytes come. FetchError names
        what goes wrong, also while the body is read inside the `with`.
        """
        way: ProxyRoute | None = None
        try:
            session, options, way = self._prepared(request, body, unhurried)
            options.setdefault("timeout", self._sessions.timeout({}))
            answer = await send(session, request.method, request.url, options)
        except FetchError:
            raise
        except self._sessions.errors as error:
            raise self._failure(error, way) from error
        try:
            async with answer:
                yield answer
        except (aiohttp.ClientError, TimeoutError) as error:  # an OSError may be the caller's own
            raise self._failure(error, way) from error

    async def connect(self, request: Request, *, largest: int) -> aiohttp.ClientWebSocketResponse:
        """Open a WebSocket (RFC 6455) where the request leads; `largest` caps one message.

        HandshakeRedirected for a redirect, which is for the caller to judge.
        """
        way: ProxyRoute | None = None
        try:
            _, options, way = self._prepared(request, None, False)
            socks = way.url if way and way.is_socks else ""
            session = self._sessions.get(request.session, socks, sockets=True)
            for name in ("timeout", "middlewares"):  # a handshake knows none of them
                options.pop(name, None)
            async with asyncio.timeout(self._settings.connect_timeout):
                elsewhere = _is_elsewhere(request)
                return await shake_hands(
                    session, request.url, options, largest=largest, elsewhere=elsewhere
                )
        except FetchError:
            raise
        except self._sessions.errors as error:
            raise self._failure(error, way) from error

    def _prepared(
        self, request: Request, body: Any, unhurried: bool
    ) -> tuple[aiohttp.ClientSession, dict[str, Any], ProxyRoute | None]:
        """Return the session, what aiohttp is told, and the proxy of one request."""
        if urls.host_of(request.url) not in self._checked:
            self._check_address(request.url)
        way = self._way(request)
        if way is not None:
            self._guard.check_unresolved(urls.hostname_of(request.url))
        try:
            options = self._options(request, way, body)
        except UsageError as error:  # a file that cannot be read, a secret that is not set
            raise FetchError(str(error), Outcome.SPIDER_ERROR, final=True) from error
        if unhurried or request.timeout is not None:
            options["timeout"] = self._sessions.timeout(_times(request, unhurried))
        session = self._sessions.get(request.session, way.url if way and way.is_socks else "")
        return session, options, way

    def _check_address(self, url: str) -> None:
        """Refuse an address that is not public; names are checked when they resolve."""
        self._guard.check(url)
        if len(self._checked) >= _CHECKED:
            self._checked.clear()
        self._checked.add(urls.host_of(url))
        if url.startswith("https:"):
            lazy_trust.read_soon()

    # ------------------------------------------------------------ what is sent

    def _options(self, request: Request, way: ProxyRoute | None, body: Any) -> dict[str, Any]:
        """Return what aiohttp is told beyond method and URL."""
        headers = {name: revealed(value) for name, value in (request.headers or {}).items()}
        if self._hosts.headed:
            self._add_of_host(request.url, headers)
        if self._own:
            self._add_own(request.url, headers)
        options: dict[str, Any] = {"headers": headers}
        data = body if body is not None else _body(request, headers)
        if data is not None:
            options["data"] = data
        if request.cookies:
            add_by_hand(headers, {k: revealed(v) for k, v in request.cookies.items()})
        if way is not None and not way.is_socks:
            options["proxy"] = way.url
        verdict = self._by_host.get(urls.hostname_of(request.url))
        if verdict is not None:
            options["ssl"] = verdict
        if self._sessions.middlewares and _is_elsewhere(request):
            options["middlewares"] = kept_home(self._sessions.middlewares)
        self._show_key(request, options)
        if self._signer is not None:
            headers |= self._signer.headers(request.method, request.url)
        return options

    def _add_of_host(self, url: str, headers: dict[str, str]) -> None:
        """Add the headers of the host's own settings, which are for it alone."""
        said = {name.lower() for name in headers}
        own = self._hosts.of(urls.host_of(url)).headers
        headers |= {name: value for name, value in own.items() if name.lower() not in said}

    def _add_own(self, url: str, headers: dict[str, str]) -> None:
        """Add what of `fetch.headers` may be secret, to an origin that the user has named."""
        host = urls.host_of(url)
        if self._guard.is_named(host):
            said = {name.lower() for name in headers}
            headers |= {name: v for name, v in self._own.items() if name.lower() not in said}
        elif len(self._unsent) < _TOLD and host not in self._unsent:
            self._unsent.add(host)
            log.warning(
                "fetch.headers: %s not sent to %s, which no seed names; name it in a seed, or bind"
                " the header to it in [auth]",
                ", ".join(self._own),
                host,
            )

    def _show_key(self, request: Request, options: dict[str, Any]) -> None:
        """Add the credential that the configuration has for this URL."""
        key = self._keys.of(request.url)
        if key is None:
            return
        if key.digest is not None:
            known = options.get("middlewares", self._sessions.middlewares)
            options["middlewares"] = [*known, key.digest]
        else:
            options["headers"].setdefault(key.header, key.value)

    # ------------------------------------------------------------ proxies

    def _way(self, request: Request) -> ProxyRoute | None:
        if not self._proxies and request.proxy is None:
            return None
        if request.proxy is not None:
            self._guard.lead_through(request.proxy)
        hostname = urls.hostname_of(request.url)
        return self._proxies.pick(hostname, request.proxy, time.monotonic(), url=request.url)

    def _failure(self, error: Exception, way: ProxyRoute | None) -> FetchError:
        """Return the FetchError of an exception; behind a proxy, no connection is the proxy's."""
        failure = to_fetch_error(error)
        if way is None:
            return failure
        if isinstance(error, (*self._sessions.socks_errors, aiohttp.ConnectionTimeoutError)) or (
            way.is_socks and isinstance(error, OSError) and not isinstance(error, TimeoutError)
        ):
            failure = FetchError(f"through {way}: {failure}", Outcome.PROXY_ERROR)
        if failure.outcome in (Outcome.PROXY_ERROR, Outcome.TIMEOUT):
            self._proxies.failed(way, time.monotonic())
        return failure

    def _through(self, way: ProxyRoute, response: Response) -> Response:
        """Take an answer that came through a proxy; what the proxy itself answers is no page."""
        tunnelled = way.is_socks or response.url.startswith("https://")
        if response.status in _OF_PROXY and not tunnelled:
            self._proxies.failed(way, time.monotonic())
            raise FetchError(of_proxy(str(way), response.status), Outcome.PROXY_ERROR)
        self._proxies.worked(way)
        return response


def _is_elsewhere(request: Request) -> bool:
    """Return whether redirects have led a request to another origin than they began at."""
    began = request.first_url
    return began is not None and urls.host_of(began) != urls.host_of(request.url)


def _times(request: Request, unhurried: bool) -> dict[str, float | None]:
    """Return the time-outs that a request has of its own."""
    own, times = request.timeout, dict[str, float | None]()
    if own is not None:
        times.update(own if isinstance(own, Mapping) else {"total": own})
    if unhurried:
        times["total"] = None
    return times


def _body(request: Request, headers: dict[str, str]) -> Any:
    """Return what aiohttp sends, and name its type in `headers` where they do not."""
    typed = any(name.lower() == "content-type" for name in headers)
    if request.files is not None:
        from crawler.http.multipart import body_of_files  # few requests carry files

        return body_of_files(request)
    if request.json is not None:
        if not typed:
            headers["Content-Type"] = "application/json"
        return request.body
    data = bodies.on_wire(request.data)
    if data is None:
        return None
    if not typed:
        is_form = not isinstance(request.data, bodies.RAW)
        headers["Content-Type"] = _FORM if is_form else "application/octet-stream"
        if isinstance(request.data, str):
            headers["Content-Type"] = "text/plain; charset=utf-8"
    return data if isinstance(data, bytes) else bodies.opened(data)
