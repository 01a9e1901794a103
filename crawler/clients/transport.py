"""Transport: the fetcher for the clients. It follows redirects and keeps secrets out of errors.

Every client goes through here, so what the fetcher can do (proxies, keys, TLS, cookies, codings,
middlewares, the address guard) they all can.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from ssl import SSLContext
from typing import Any, Self

import aiohttp
from aiohttp import ClientResponse, encode_basic_auth
from msgspec.structs import replace

from crawler import urls
from crawler.config.layers import Config
from crawler.config.secrets import may_leave
from crawler.errors import FetchError, UsageError
from crawler.http.address_guard import AddressGuard
from crawler.http.cookies import CookieJars
from crawler.http.credentials import Credential
from crawler.http.fetcher import Fetcher
from crawler.http.pool import Pool
from crawler.http.sessions import HandshakeRedirected
from crawler.urls.userinfo import userinfo
from crawler.web import redirects
from crawler.web.outcome import Outcome
from crawler.web.request import Request
from crawler.web.response import Response

Body = bytes | Callable[[], Any] | None
"""What is sent: bytes, or a function that gives a fresh aiohttp payload for every try."""

Timeout = float | Mapping[str, float] | None
"""The total in seconds, or a mapping with `total`, `connect`, `read` and `pool`."""


class Transport:
    """A fetcher of one's own; use it as an async context manager.

    A host that the caller names is trusted, one that only a redirect names must be public.
    `private` headers, and those of `headers` that may be secret, go to the host of `home` alone.
    Texts of `secrets` never show in an error.
    `timeout` is the total in seconds for one request, `patience` the time for two pieces of an
    answer, where they differ from the configuration; the other `headers` go with every request.
    At most `connections` are open, 0 for no limit. `ssl` stands in place of the TLS settings.
    A user and password in a URL are sent as Basic, to its origin alone.
    """

    def __init__(
        self,
        config: Config | None = None,
        *,
        connections: int = 100,
        timeout: float | None = None,
        patience: float | None = None,
        headers: Mapping[str, str] | None = None,
        home: str = "",
        private: Mapping[str, str] | None = None,
        secrets: tuple[str, ...] = (),
        keys: Iterable[Credential] = (),
        jars: CookieJars | None = None,
        ssl: SSLContext | None = None,
    ) -> None:
        open_to_all = {k: v for k, v in (headers or {}).items() if may_leave(k)}
        self.config = _changed(config or Config(), timeout, patience, open_to_all)
        own = {k: v for k, v in (headers or {}).items() if not may_leave(k)}
        self._home, self._private = home, {**own, **(private or {})}
        self._secrets = tuple(secret for secret in secrets if secret)
        self._known: set[str] = set()
        self._is_open = False
        self._guard = AddressGuard(allow_private=self.config.fetch.allow_private)
        self._fetcher = Fetcher(
            self.config.fetch,
            agent=self.config.agent,
            guard=self._guard,
            connections=connections,
            config=self.config,
            jars=jars,
            keys=keys,
            context=ssl,
        )
        self.jars = self._fetcher.jars

    async def __aenter__(self) -> Self:
        await self._fetcher.__aenter__()
        self._is_open = True
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._is_open = False
        await self._fetcher.__aexit__(*exc)

    @asynccontextmanager
    async def open(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Body = None,
        unhurried: bool = False,
        timeout: Timeout = None,
    ) -> AsyncIterator[ClientResponse]:
        """Return the answer at the end of the redirects, its body still to be read.

        FetchError names what went wrong, also while the body is read inside the `with`; BadUrl
        where `url` is none. `unhurried` lifts the total time-out.
        """
        request = self._request(method, url, headers, timeout=timeout)
        try:
            while True:
                async with self._open_one(request, body, unhurried) as answer:
                    following = self._following(request, answer.status, answer.headers)
                    if following is None:
                        yield answer
                        return
                body = body if following.method == request.method else None
                request = following
        except FetchError as error:
            raise self._named(error) from None

    def _request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        *,
        found: bool = False,
        timeout: Timeout = None,
    ) -> Request:
        if not self._is_open:
            raise UsageError("the client is not open; use it inside `async with`")
        if (known := userinfo(url)) is not None:
            headers = _joined({"Authorization": encode_basic_auth(*known)}, headers or {})
        url = urls.parse(url) or url
        request = Request(url, method, headers=headers or None, timeout=timeout)
        host = urls.host_of(request.url)
        if not found and host not in self._known:
            self._known.add(host)
            self._guard.name(request.url)
        return request

    def _dressed(self, request: Request) -> Request:
        if not self._private or urls.host_of(request.url) != self._home:
            return request
        return request.replace(headers=_joined(self._private, request.headers or {}))

    @asynccontextmanager
    async def _open_one(
        self, request: Request, body: Body, unhurried: bool
    ) -> AsyncIterator[ClientResponse]:
        sent = body() if callable(body) else body
        opened = self._fetcher.open(self._dressed(request), body=sent, unhurried=unhurried)
        async with opened as answer:
            yield answer

    def _following(
        self, request: Request, status: int, headers: Mapping[str, str]
    ) -> Request | None:
        """Return the request that a redirect asks for, None if the answer is no redirect.

        A user and password in its Location are for its origin, as in browsers and curl.
        """
        most = self.config.fetch.max_redirects
        found = redirects.following(request, status, headers, most=most)
        if found is not None and (known := redirects.credentials_of(headers, request.url)):
            basic = {"Authorization": encode_basic_auth(*known)}
            return found.replace(headers=_joined(found.headers or {}, basic))
        return found

    async def fetch(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Body = None,
        unhurried: bool = False,
        found: bool = False,
        timeout: Timeout = None,
    ) -> Response:
        """Return the whole answer, decoded; its `url` is where the redirects ended.

        `found`: a server has named the URL and not the caller, so its host is not trusted.
        """
        request = self._request(method, url, headers, found=found, timeout=timeout)
        if body is not None and not callable(body):
            request = request.replace(data=body)
        try:
            while True:
                dressed = self._dressed(request) if self._private else request
                sent = body() if callable(body) else None
                answer = await self._fetcher.fetch(dressed, body=sent, unhurried=unhurried)
                following = self._following(request, answer.status, answer.headers)
                if following is None:
                    return answer
                body = body if following.method == request.method else None
                request = following
        except FetchError as error:
            raise self._named(error) from None

    async def connect(
        self, url: str, *, headers: Mapping[str, str] | None = None, largest: int
    ) -> aiohttp.ClientWebSocketResponse:
        """Open a WebSocket (RFC 6455); `url` is ws(s) or http(s), `largest` caps one message."""
        request = self._request("GET", redirects.http_url(url), headers)
        while True:
            try:
                return await self._fetcher.connect(self._dressed(request), largest=largest)
            except HandshakeRedirected as error:
                request = self._after(request, error)
            except FetchError as error:
                raise self._named(error) from None

    def _after(self, request: Request, answer: HandshakeRedirected) -> Request:
        """Return the request to which a handshake redirects; FetchError if it does not."""
        said = answer.response
        most = self.config.fetch.max_redirects
        try:
            found = redirects.following(request, said.status, said.headers, most=most, socket=True)
        except FetchError as error:
            raise self._named(error) from None
        if found is None:
            raise FetchError("a redirect without a Location", Outcome.BAD_REDIRECT)
        return found

    @property
    def pool(self) -> Pool:
        """What the connections are doing; nothing before it is open."""
        return self._fetcher.pool if self._is_open else Pool()

    def redacted(self, text: str) -> str:
        """Return a text without the secrets."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def _named(self, error: FetchError) -> FetchError:
        text = self.redacted(str(error))
        return error if text == str(error) else FetchError(text, error.outcome)


class Client:
    """A client with a transport of its own; use it as an async context manager."""

    _caller: Transport

    @property
    def pool(self) -> Pool:
        """What its connections are doing: open, idle and waiting by host, addresses, memory."""
        return self._caller.pool

    async def __aenter__(self) -> Self:
        await self._caller.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._caller.__aexit__(*exc)


def _joined(headers: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return the headers with those of `over` in place of the same name, in any case."""
    said = {name.lower() for name in over}
    return {**{k: v for k, v in headers.items() if k.lower() not in said}, **over}


def _changed(
    config: Config,
    timeout: float | None,
    patience: float | None,
    headers: Mapping[str, str] | None,
) -> Config:
    """Return the configuration with a client's own times and headers."""
    fetch = config.fetch
    fetch = replace(
        fetch,
        total_timeout=timeout or fetch.total_timeout,
        read_timeout=patience or fetch.read_timeout,
        headers={**fetch.headers, **(headers or {})},
    )
    return replace(config, fetch=fetch)
