"""Caller: the fetcher for the clients. It follows redirects itself and blots secrets out of errors.

Every client goes through here, so what the fetcher can do (proxies, keys, TLS, cookies, codings,
middlewares, the address guard) they all can.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Self

import aiohttp
from aiohttp import ClientResponse
from msgspec.structs import replace

from crawler import redirects, urls
from crawler.config import Config
from crawler.errors import FetchError, UsageError
from crawler.fetcher import Fetcher
from crawler.guard import Guard
from crawler.page import Outcome, Response
from crawler.request import Request

Body = bytes | Callable[[], Any] | None
"""What is sent: bytes, or a function that gives a fresh aiohttp payload for every try."""

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


class Caller:
    """A fetcher of one's own; use it as an async context manager.

    A host that the caller names is trusted, one that only a redirect names must be public.
    `private` headers go to the host of `home` alone. Texts of `secrets` never show in an error.
    `timeout` is the total in seconds for one request, `patience` the time for two pieces of an
    answer, where they differ from the configuration; `headers` are sent with every request.
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
    ) -> None:
        self.config = _changed(config or Config(), timeout, patience, headers)
        self._home, self._private = home, dict(private or {})
        self._secrets = tuple(secret for secret in secrets if secret)
        self._trusted: set[str] = set()
        self._is_open = False
        self._guard = Guard(allow_private=self.config.fetch.allow_private)
        self._fetcher = Fetcher(
            self.config.fetch,
            agent=self.config.agent,
            guard=self._guard,
            connections=connections,
            config=self.config,
        )

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
    ) -> AsyncIterator[ClientResponse]:
        """Give the answer at the end of the redirects, its body still to be read.

        FetchError names what went wrong, also while the body is read inside the `with`; BadUrl
        where `url` is none. `unhurried` lifts the total time-out.
        """
        request = self._request(method, url, headers)
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

    def _request(self, method: str, url: str, headers: Mapping[str, str] | None) -> Request:
        if not self._is_open:
            raise UsageError("the client is not open; use it inside `async with`")
        request = Request(url, method, headers=headers or None)
        host = urls.host_of(request.url)
        if host not in self._trusted:
            self._trusted.add(host)
            self._guard.trust(urls.hostname_of(request.url))
        return request

    def _dressed(self, request: Request) -> Request:
        if not self._private or urls.host_of(request.url) != self._home:
            return request
        return request.replace(headers={**(request.headers or {}), **self._private})

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
        """Give the request that a redirect asks for, None where the answer is none."""
        if status not in _REDIRECTS or "Location" not in headers:
            return None
        target = redirects.location_of(headers, request.url)
        if target is None:
            location = headers["Location"]
            raise FetchError(f"no http(s) URL in Location: {location!r:.200}", Outcome.BAD_REDIRECT)
        if request.hops >= self.config.fetch.max_redirects:
            raise FetchError(
                f"{request.hops} redirects from {request.origin}, then to {target}",
                Outcome.TOO_MANY_REDIRECTS,
            )
        return redirects.onward(request, status, target)

    async def fetch(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Body = None,
        unhurried: bool = False,
    ) -> Response:
        """Give the whole answer, decoded; its `url` is where the redirects ended."""
        request = self._request(method, url, headers)
        if body is not None and not callable(body):
            request = request.replace(data=body)
        try:
            while True:
                dressed = self._dressed(request) if self._private else request
                sent = body() if callable(body) else None
                answer = await self._fetcher.fetch(dressed, body=sent, unhurried=unhurried)
                if answer.status not in _REDIRECTS:
                    return answer
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
        request = self._dressed(self._request("GET", http_url(url), headers))
        try:
            return await self._fetcher.connect(request, largest=largest)
        except FetchError as error:
            raise self._named(error) from None

    def redacted(self, text: str) -> str:
        """Give a text with the secrets blotted out."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    def _named(self, error: FetchError) -> FetchError:
        text = self.redacted(str(error))
        return error if text == str(error) else FetchError(text, error.outcome)


class Client:
    """What stands on a caller of its own; use it as an async context manager."""

    _caller: Caller

    async def __aenter__(self) -> Self:
        await self._caller.__aenter__()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._caller.__aexit__(*exc)


def _changed(
    config: Config,
    timeout: float | None,
    patience: float | None,
    headers: Mapping[str, str] | None,
) -> Config:
    """Give the configuration with a client's own times and headers."""
    fetch = config.fetch
    fetch = replace(
        fetch,
        total_timeout=timeout or fetch.total_timeout,
        read_timeout=patience or fetch.read_timeout,
        headers={**fetch.headers, **(headers or {})},
    )
    return replace(config, fetch=fetch)


def http_url(url: str) -> str:
    """Give the http(s) URL of a ws(s) one: the same host and target, opened by a GET (RFC 6455)."""
    scheme, colon, rest = url.partition(":")
    known = {"ws": "http", "wss": "https"}.get(scheme.lower())
    return f"{known}:{rest}" if known and colon else url
