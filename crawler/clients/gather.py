"""fetch_all and fetch_each: many URLs at once, an error per URL as a value."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial

from crawler.clients.caller import Caller
from crawler.clients.retrying import Retries, persist
from crawler.config import Config
from crawler.errors import BadUrl, CrawlerError, FetchError
from crawler.page import Response


@dataclass(frozen=True, slots=True)
class Fetched:
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
    def outcome(self) -> str | None:
        """How it failed, as in `page.Outcome`; bad_url for a text that is none."""
        if self.error is None:
            return None
        return self.error.outcome if isinstance(self.error, FetchError) else "bad_url"


async def fetch_all(
    urls: Iterable[str],
    *,
    concurrency: int = 20,
    retries: int | Retries = 2,
    headers: Mapping[str, str] | None = None,
    config: Config | None = None,
) -> list[Fetched]:
    """Fetch every URL and give the results in the order of the input; redirects are followed.

    At most `concurrency` are in flight. Nothing that a URL or its server does is raised.
    """
    each = fetch_each(
        urls, concurrency=concurrency, retries=retries, headers=headers, config=config
    )
    async with aclosing(each):
        found = [result async for result in each]
    return sorted(found, key=lambda result: result.place)


async def fetch_each(
    urls: Iterable[str],
    *,
    concurrency: int = 20,
    retries: int | Retries = 2,
    headers: Mapping[str, str] | None = None,
    config: Config | None = None,
) -> AsyncGenerator[Fetched, None]:
    """Fetch as `fetch_all` does, and yield each result as it comes.

    `urls` may be endless: it is read as workers get free, and they wait for slow readers.
    """
    policy = retries if isinstance(retries, Retries) else Retries(retries)
    waiting = enumerate(urls)
    done: asyncio.Queue[Fetched | None] = asyncio.Queue(concurrency)
    async with Caller(config, connections=concurrency) as caller:
        # No TaskGroup: it would wrap the GeneratorExit of a reader who leaves early.
        workers = [
            asyncio.create_task(_work(caller, waiting, done, policy, headers or {}))
            for _ in range(concurrency)
        ]
        closing = asyncio.create_task(_close(workers, done))
        try:
            while (result := await done.get()) is not None:
                yield result
            await asyncio.gather(*workers)  # raises what the iterable of URLs raised
        finally:
            for task in (*workers, closing):
                task.cancel()
            await asyncio.gather(*workers, closing, return_exceptions=True)


async def _work(
    caller: Caller,
    waiting: Iterator[tuple[int, str]],
    done: asyncio.Queue[Fetched | None],
    retries: Retries,
    headers: Mapping[str, str],
) -> None:
    for place, url in waiting:
        fetch = partial(caller.fetch, "GET", url, headers=headers)
        try:
            result = Fetched(place, url, await persist(fetch, retries))
        except (FetchError, BadUrl) as error:
            result = Fetched(place, url, error=error)
        await done.put(result)


async def _close(workers: list[asyncio.Task[None]], done: asyncio.Queue[Fetched | None]) -> None:
    await asyncio.wait(workers)
    await done.put(None)
