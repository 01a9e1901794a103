"""stream: the body of one answer as it comes, with progress, never in memory as a whole."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from ssl import SSLContext
from typing import Self

from aiohttp import ClientError, ClientResponse

from crawler.clients.download_attempt import Progress, decoded
from crawler.clients.retrying import Retries
from crawler.clients.transport import Body, Timeout, Transport
from crawler.config.layers import Config
from crawler.errors import BodyTooLarge, FetchError, UsageError
from crawler.http.errors import to_fetch_error
from crawler.http.exchange import length_of
from crawler.web.outcome import Outcome, outcome_of
from crawler.web.response import Response


def stream(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: Body = None,
    progress: Progress | None = None,
    retries: int | Retries = 2,
    timeout: Timeout = None,
    ssl: SSLContext | None = None,
    config: Config | None = None,
) -> ByteStream:
    """Return the body of a URL, to be read piece by piece:

        async for chunk in stream(url): ...
        async with stream(url) as body:      # closed at once also where the loop is left
            print(body.status, body.total)
            async for chunk in body: ...

    Content codings are undone. What fails before the first byte is tried again, what fails later is
    a FetchError; so are a status that is no success, and more than `fetch.max_file` bytes. There is
    no time-out in all unless `timeout` says so, only between two pieces. `progress` is called with
    the bytes that came and those in all, None where nobody said.
    """
    policy = retries if isinstance(retries, Retries) else Retries(retries)
    request = _Asked(method, url, headers, body, timeout)
    return ByteStream(request, Transport(config, ssl=ssl), policy, progress)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is sent, at every try."""

    method: str
    url: str
    headers: Mapping[str, str] | None
    body: Body
    timeout: Timeout

    @property
    def is_unhurried(self) -> bool:
        """Whether the whole may take as long as it takes."""
        timeout = self.timeout
        return timeout is None or (isinstance(timeout, Mapping) and "total" not in timeout)


class ByteStream:
    """The body of one answer. It is read once; leaving the `async with`, or the loop, ends it."""

    def __init__(
        self, asked: _Asked, caller: Transport, retries: Retries, progress: Progress | None
    ) -> None:
        self._asked, self._caller, self._retries = asked, caller, retries
        self._progress = progress
        self._stack = AsyncExitStack()
        self._answer: ClientResponse | None = None
        self.url = asked.url
        self.status = 0
        self.reason = ""
        self.headers: Mapping[str, str] = {}
        self.total: int | None = None
        self.received = 0

    async def __aenter__(self) -> Self:
        async with self._stack:
            await self._stack.enter_async_context(self._caller)
            answer = self._answer = await self._opened()
            self._stack = self._stack.pop_all()
        self.url, self.status, self.headers = str(answer.url), answer.status, answer.headers
        self.reason = answer.reason or ""
        self.total = None if "Content-Encoding" in answer.headers else length_of(answer)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    async def aclose(self) -> None:
        """End it, wherever it is."""
        await self._stack.aclose()

    async def __aiter__(self) -> AsyncGenerator[bytes, None]:
        """Yield the pieces of the body, as they come."""
        if self._answer is not None:
            async for piece in self._pieces(self._answer):
                yield piece
            return
        async with self:
            assert self._answer is not None
            async for piece in self._pieces(self._answer):
                yield piece

    async def _pieces(self, answer: ClientResponse) -> AsyncIterator[bytes]:
        if self.received:
            raise UsageError("a stream is read once; open another one")
        largest = self._caller.config.fetch.max_file
        coming = decoded(answer, largest)
        while True:
            try:
                piece = await anext(coming, None)
            except (ClientError, TimeoutError) as error:
                raise to_fetch_error(error) from error
            if piece is None:
                return
            self.received += len(piece)
            if self.received > largest:
                raise BodyTooLarge(f"over the cap of {largest:,} bytes for a file")
            if self._progress is not None:
                self._progress(self.received, self.total)
            if piece:
                yield piece

    async def _opened(self) -> ClientResponse:
        """Return the answer of the first try that succeeds; FetchError if none does."""
        attempts = 0
        while True:
            answer, error = None, None
            try:
                async with AsyncExitStack() as one:
                    answer = await one.enter_async_context(self._once())
                    if 200 <= answer.status < 300:
                        self._stack.push_async_exit(one.pop_all())
                        return answer
                outcome = outcome_of(answer.status)
            except FetchError as problem:
                error, outcome = problem, Outcome(problem.outcome)
            said = None
            if answer is not None:
                said = Response(str(answer.url), answer.status, answer.headers, b"", 0.0, 0.0)
            seconds = self._retries.wait(outcome, attempts, said)
            if seconds is None:
                status = answer.status if answer is not None else ""
                raise error or FetchError(f"{self.url}: the answer is {status}", outcome)
            await self._retries.sleep(seconds)
            attempts += 1

    def _once(self) -> AbstractAsyncContextManager[ClientResponse]:
        asked = self._asked
        return self._caller.open(
            asked.method,
            asked.url,
            headers=asked.headers,
            body=asked.body,
            unhurried=asked.is_unhurried,
            timeout=asked.timeout,
        )
