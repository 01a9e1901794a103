"""Strategies: what a request may ask for beyond a page over the crawl's own fetcher.

`kind` decides what is made of the answer, `via` who fetches it. Each is imported and opened when a
request first asks for it: most crawls never do.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Self

from crawler.config.layers import Config
from crawler.errors import ConfigError, FetchError
from crawler.http.fetcher import Fetcher
from crawler.spider.collector import Collector
from crawler.web.download_stream import DOWNLOAD, FEED, RECORDS, STREAM, is_download
from crawler.web.outcome import Outcome
from crawler.web.request import Request, Todo, is_part
from crawler.web.response import Response
from crawler.web.visit import Visit

if TYPE_CHECKING:
    from crawler.clients.feed_parts import FeedParts
    from crawler.clients.file_store import FileStore
    from crawler.clients.scraper_api import ScraperApi
    from crawler.clients.streams import Streams


class Strategies:
    """The other ways to visit; use it as an async context manager around a run."""

    def __init__(
        self,
        config: Config,
        fetcher: Fetcher,
        collector: Collector,
        *,
        files: Path,
        park: Callable[[Todo], None],
        ready: Callable[[Todo], None],
        room: Callable[[], int | None] = lambda: None,
    ) -> None:
        """`park` is told of a request that waits for its site, `ready` when it may go on.

        `room` tells how many more items the run may have, None for any number.
        """
        self._room = room
        self._config, self._fetcher, self._collector = config, fetcher, collector
        self._files, self._park, self._ready = files, park, ready
        self._stack = AsyncExitStack()
        self._keeper: FileStore | None = None
        self._feeds: FeedParts | None = None
        self._streams: Streams | None = None
        self._service: ScraperApi | None = None
        self._opening = asyncio.Lock()

    async def __aenter__(self) -> Self:
        """Open; ConfigError if every page goes to a service that has no key."""
        if self._config.scraper_api.enabled:
            await self._rendering()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    async def visit(self, todo: Todo, request: Request) -> Visit | None:
        """Return all that a request of another kind leads to, None for a stream that waits."""
        if request.kind == DOWNLOAD:
            return await self._downloads().visit(todo, request)
        if request.kind == FEED:
            return await self._records().visit(todo, request)
        if request.kind == RECORDS:  # one that failed, once more
            visit = Visit(todo, Outcome.RECORDS, time.time())
            await self._records().read(visit)
            return visit
        if request.kind == STREAM:
            found = await self._sockets().visit(todo, request)
            if found is None:
                self._park(todo)
            return found
        raise FetchError(f"there is no kind {request.kind!r}", Outcome.SPIDER_ERROR)

    async def read_part(self, visit: Visit) -> bool:
        """Put the next records of a feed that is on disk into the visit of their request.

        False where it is none: a request that has something to send.
        """
        if not is_part(visit.todo):
            return False
        await self._records().read(visit)
        return True

    async def drop(self, todo: Todo) -> None:
        """Let go of what a request holds that is not sent any more: a stream's connection."""
        if self._streams is not None:
            await self._streams.drop(todo)

    async def fetch(self, request: Request) -> Response:
        """Return the response of a request that goes another way; FetchError where it failed."""
        if request.via not in (None, "scraper_api"):
            raise FetchError(
                f"there is no way {request.via!r}; known: scraper_api, direct",
                Outcome.SPIDER_ERROR,
                final=True,
            )
        try:
            return await (await self._rendering()).fetch(request)
        except ConfigError as error:
            raise FetchError(str(error), Outcome.SPIDER_ERROR, final=True) from error

    def after_commit(self, visits: list[Visit]) -> None:
        """Hear of what is committed."""
        if any(visit.todo.extra is not None and is_download(visit) for visit in visits):
            self._downloads().after_commit(visits)

    def clear(self) -> None:
        """Forget what an unfinished download left: nothing will go on with it."""
        if self._files.is_dir():
            self._downloads().clear()

    def _downloads(self) -> FileStore:
        if self._keeper is None:
            from crawler.clients.file_store import FileStore

            largest = self._config.fetch.max_file
            self._keeper = FileStore(self._files, self._fetcher, self._collector, largest=largest)
        return self._keeper

    def _records(self) -> FeedParts:
        if self._feeds is None:
            from crawler.clients.feed_parts import FeedParts

            files, order = self._downloads(), self._config.engine.order
            self._feeds = FeedParts(files, self._collector, order=order, room=self._room)
            self._stack.callback(self._feeds.close)
        return self._feeds

    def _sockets(self) -> Streams:
        if self._streams is None:
            from crawler.clients.streams import Streams

            self._streams = Streams(
                self._fetcher,
                self._collector,
                self._ready,
                most=self._config.engine.streams,
                retries=self._config.fetch.retries,
                first=self._config.fetch.retry_delay,
            )
            self._stack.push_async_callback(self._streams.close)
        return self._streams

    async def _rendering(self) -> ScraperApi:
        async with self._opening:
            if self._service is None:
                from crawler.clients.scraper_api import ScraperApi

                known = self._config.scraper_api
                service = ScraperApi(
                    base_url=known.base_url,
                    render=known.render,
                    country_code=known.country_code,
                    device_type=known.device_type,
                    premium=known.premium,
                    concurrency=known.concurrency,
                    timeout=known.timeout,
                    config=self._config,
                )
                self._service = await self._stack.enter_async_context(service)
        return self._service
