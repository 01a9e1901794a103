"""Webhook: items are sent to a URL once they are stored."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from crawler.errors import ApiError, CrawlerError
from crawler.markup.words import plural

if TYPE_CHECKING:
    from crawler.clients import ApiClient
    from crawler.spider.pipelines import StoredItem
    from crawler.spider.running import RunningCrawl

T = TypeVar("T")

_BACKLOG = 10_000  # items that wait to be sent; beyond, the oldest batch is given up


class Webhook:
    """POST items to `url` as a JSON list, in batches of at most `batch`, once they are stored.

    An entry is `{"table": "quote", "page_url": "https://…", "item": {…}}`. What fails for a while
    is tried again with the same Idempotency-Key; what fails for good is counted (`spider.webhook
    failed`), and told at the end with exit code 1. `headers` go only to the host of `url`. Nothing
    is sent before its commit, nor by `crawler reparse` or in a test. What a killed process had
    stored and not yet sent stays in the store: `crawler export --follow` sends from where it was.
    """

    def __init__(
        self, url: str, *, headers: Mapping[str, str] | None = None, batch: int = 100
    ) -> None:
        self.url, self.headers, self.batch = url, dict(headers or {}), batch
        self._waiting: list[StoredItem] = []
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._crawl: RunningCrawl | None = None
        self._failed = 0
        self._why = ""
        self._over = False

    def item(self, item: T) -> T:
        """Return the item: it is sent when it is stored."""
        return item

    async def open(self, crawl: RunningCrawl) -> None:
        """Begin to send; only where the store is kept."""
        self._news, self._over, self._failed = asyncio.Event(), False, 0
        if crawl.store is not None:
            self._crawl = crawl
            self._task = asyncio.create_task(self._send())

    def stored(self, items: Sequence[StoredItem]) -> None:
        """Take items that a commit has stored."""
        if self._task is None:
            return
        self._waiting += items
        if len(self._waiting) > _BACKLOG:
            lost = len(self._waiting) - _BACKLOG
            del self._waiting[:lost]
            self._give_up(lost, f"over {_BACKLOG:,} items wait to be sent")
        self._news.set()

    async def close(self) -> None:
        """Send what waits; CrawlerError where something could not be sent."""
        if self._task is None:
            return
        self._over = True
        self._news.set()
        try:
            await self._task
        finally:
            self._task.cancel()
            self._task = None
        if self._failed:
            raise CrawlerError(
                f"{self.url}: {plural(self._failed, 'item')} not sent ({self._why}), but stored"
            )

    async def _send(self) -> None:
        from crawler.clients import ApiClient  # only where something is sent

        async with ApiClient(self.url, headers=self.headers) as api:
            while self._waiting or not self._over:
                await self._news.wait()
                while self._waiting:
                    batch, self._waiting = self._waiting[: self.batch], self._waiting[self.batch :]
                    await self._post(api, batch)
                self._news.clear()
                if self._over:
                    return

    async def _post(self, api: ApiClient, batch: Sequence[StoredItem]) -> None:
        told = [{"table": one.table, "page_url": one.page_url, "item": one.fields} for one in batch]
        try:
            await api.post("", json=told, accept="*/*")
        except ApiError as error:
            self._give_up(len(batch), str(error))
        else:
            if self._crawl is not None:
                self._crawl.stats.count("webhook sent", len(batch))

    def _give_up(self, number: int, why: str) -> None:
        self._failed += number
        self._why = self._why or why
        if self._crawl is not None:
            self._crawl.stats.count("webhook failed", number)
