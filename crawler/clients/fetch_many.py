"""fetch_all and fetch_each: many URLs at once, an error per URL as a value."""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
)
from contextlib import asynccontextmanager
from functools import partial
from ssl import SSLContext
from typing import Any

from msgspec import Struct

from crawler.clients.retrying import Retries, with_retries
from crawler.clients.transport import Transport
from crawler.config.layers import Config
from crawler.errors import BadUrl, CrawlerError, FetchError, UsageError
from crawler.web.response import Response


class Fetched(Struct, frozen=True):
    """What became of one URL: a response (of any status) or an error, never both.

    `place` is its index in the input. `outcome` is None where there is a response.
    """

    place: int
    url: str
    response: Response | None = None
    error: CrawlerError | None = None

    @property
    def ok(self) -> bool:
        """Whether there is a response and its status is 2xx."""
        return self.response is not None and 200 <= self.response.status < 300

    @property
    def status(self) -> int | None:
        """The status, None where there is no response."""
        return self.response.status if self.response is not None else None

    @property
    def reason(self) -> str:
        """The phrase behind the status; where there is no response, what went wrong."""
        return self.response.reason if self.response is not None else str(self.error)

    @property
    def text(self) -> str:
        """The body as text; raises the error where there is no response."""
        return self._answer().text

    def json(self) -> Any:
        """Return the body parsed as JSON; ValueError where it is none, the error without one."""
        return self._answer().json()

    def _answer(self) -> Response:
        if self.response is None:
            assert self.error is not None
            raise self.error
        return self.response

    @property
    def outcome(self) -> str | None:
        """How it failed, as in `page.Outcome`; bad_url for a text that is no URL."""
        if self.error is None:
            return None
        return self.error.outcome if isinstance(self.error, FetchError) else "bad_url"


async def fetch_all(
    urls: Iterable[str],
    *,
    concurrency: int = 20,
    retries: int | Retries = 2,
    headers: Mapping[str, str] | None = None,
    timeout: float | None = None,
    ssl: SSLContext | None = None,
    config: Config | None = None,
) -> list[Fetched]:
    """Fetch every URL and return the results in the order of the input; redirects are followed.

    At most `concurrency` are in flight; `timeout` is in seconds for one try, `ssl` stands in place
    of the configuration's TLS. Nothing that a URL or its server does is raised;
    UsageError for a single text in place of several, or a concurrency below 1.
    """
    policy = retries if isinstance(retries, Retries) else Retries(retries)
    waiting = _waiting(urls, concurrency)
    found: list[Fetched] = []
    async with Transport(config, connections=concurrency, timeout=timeout, ssl=ssl) as caller:

        async def work() -> None:
            for place, url in waiting:
                found.append(await _fetched(caller, place, url, policy, headers))

        async with _at_work(work, concurrency) as workers:
            await asyncio.gather(*workers)
    return sorted(found, key=lambda result: result.place)


async def fetch_each(
    urls: Iterable[str],
    *,
    concurrency: int = 20,
    retries: int | Retries = 2,
    headers: Mapping[str, str] | None = None,
    timeout: float | None = None,
    ssl: SSLContext | None = None,
    config: Config | None = None,
) -> AsyncGenerator[Fetched, None]:
    """Fetch as `fetch_all` does, and yield each result as it comes.

    `urls` may be endless: it is read as workers get free, and they wait for slow readers.
    """
    policy = retries if isinstance(retries, Retries) else Retries(retries)
    waiting = _waiting(urls, concurrency)
    done: asyncio.Queue[Fetched | None] = asyncio.Queue(concurrency)
    async with Transport(config, connections=concurrency, timeout=timeout, ssl=ssl) as caller:

        async def work() -> None:
            for place, url in waiting:
                await done.put(await _fetched(caller, place, url, policy, headers))

        async with _at_work(work, concurrency) as workers:
            closing = asyncio.create_task(_close(workers, done))
            try:
                while (result := await done.get()) is not None:
                    yield result
                await asyncio.gather(*workers)  # raises what the iterable of URLs raised
            finally:
                closing.cancel()


def _waiting(urls: Iterable[str], concurrency: int) -> Iterator[tuple[int, str]]:
    """Return the URLs with their places; UsageError for nothing, or for a single text."""
    if isinstance(urls, str):
        raise UsageError(f"give a list of URLs; of one it is [{urls!r:.80}]")
    if concurrency < 1:
        raise UsageError(f"a concurrency of {concurrency} fetches nothing; give 1 or more")
    return enumerate(urls)


@asynccontextmanager
async def _at_work(
    work: Callable[[], Coroutine[Any, Any, None]], number: int
) -> AsyncIterator[list[asyncio.Task[None]]]:
    """Run workers, and end those that are left.

    No TaskGroup: it would wrap what the URLs raise, and the GeneratorExit of who leaves early.
    """
    workers = [asyncio.create_task(work()) for _ in range(number)]
    try:
        yield workers
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


async def _fetched(
    caller: Transport, place: int, url: str, retries: Retries, headers: Mapping[str, str] | None
) -> Fetched:
    fetch = partial(caller.fetch, "GET", url, headers=headers)
    try:
        return Fetched(place, url, await with_retries(fetch, retries))
    except (FetchError, BadUrl) as error:
        return Fetched(place, url, error=error)


async def _close(workers: list[asyncio.Task[None]], done: asyncio.Queue[Fetched | None]) -> None:
    await asyncio.wait(workers)
    await done.put(None)
