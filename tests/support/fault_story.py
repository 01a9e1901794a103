"""Crawl a fault and a healthy host side by side, and see what each ended in and what is left."""

import asyncio
import gc
import sqlite3
from collections.abc import Awaitable, Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

from fault_server import FaultServer

from crawler import Crawler, ScrapedPage, Spider
from crawler.engine.crawler import Summary
from crawler.links.rule import Rule

QUICK: dict[str, dict[str, Any]] = {
    "politeness": {"delay": 0.0, "robots": False, "max_delay": 0.01, "max_retry_after": 0.05},
    "fetch": {
        **{"connect_timeout": 0.4, "read_timeout": 0.4, "total_timeout": 0.6},
        **{"retries": 1, "retry_delay": 0.0, "max_body": 200_000},
    },
    "engine": {"grace": 0.2},
    "store": {"flush_interval": 0.02},
}


Story = Callable[[Path], Awaitable[None]]
PLAYED: dict[str, list[str]] = {}


def plays(*ids: str) -> Callable[[Story], Callable[[Path], None]]:
    """Run a story as a plain test, and note which faults it plays."""

    def decorate(story: Story) -> Callable[[Path], None]:
        def test(tmp_path: Path) -> None:
            asyncio.run(asyncio.wait_for(story(tmp_path), 20))

        test.__doc__ = story.__doc__
        for name in ids:
            PLAYED.setdefault(name, []).append(story.__name__)
        return test

    return decorate


class Visitor(Spider):
    """Fetches what it is told to, and notes every page it is given."""

    name = "visitor"

    def __init__(self, urls: Iterable[str], follow: bool = False) -> None:
        super().__init__()
        self.start_urls = list(urls)
        self.rules = (Rule(),) if follow else ()
        self.seen: list[ScrapedPage] = []

    def parse(self, page: ScrapedPage) -> None:
        self.seen.append(page)


class Ended:
    """How a crawl ended: outcomes, tries and errors by URL, and the pages that were parsed."""

    def __init__(self, store: Path, summary: Summary, spider: Visitor) -> None:
        self.summary, self.spider, self.store = summary, spider, store
        with closing(sqlite3.connect(store)) as db:
            rows = db.execute("SELECT url, outcome, attempts, error, status FROM pages").fetchall()
        self.rows = {row[0]: row for row in rows}
        self.number = len(rows)

    def outcome(self, url: str) -> str:
        return str(self.rows[url][1])

    def tries(self, url: str) -> int:
        return int(self.rows[url][2])

    def error(self, url: str) -> str:
        return str(self.rows[url][3] or "")

    def page(self, url: str) -> ScrapedPage:
        return next(page for page in self.spider.seen if page.url == url)


def merged(*layers: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    settings: dict[str, dict[str, Any]] = {}
    for layer in layers:
        for section, values in layer.items():
            settings[section] = {**settings.get(section, {}), **values}
    return settings


async def crawl(
    urls: Iterable[str],
    store: Path,
    *,
    follow: bool = False,
    most: float = 10.0,
    **settings: dict[str, Any],
) -> Ended:
    """Crawl these URLs beside a healthy host within `most` seconds; nothing is left behind."""
    before = _left()
    async with FaultServer() as healthy:
        fine = healthy.at("/fine", lambda wire: _fine(wire))
        spider = Visitor([*urls, fine], follow)
        async with Crawler(spider, store=store, settings=merged(QUICK, settings)) as crawler:
            summary = await asyncio.wait_for(crawler.run(), most)
        ended = Ended(store, summary, spider)
    assert ended.outcome(fine) == "ok"  # the crawl goes on
    assert summary.queued == 0
    for _ in range(20):  # transports close over a few turns of the loop
        await asyncio.sleep(0)
    gc.collect()
    tasks, files = _left()
    assert tasks <= before[0] + len(_servers()), "a task was left behind"
    assert files <= before[1] + len(_servers()) + 1, "a socket was left behind"
    return ended


async def _fine(wire: Any) -> None:
    from fault_server import page

    await wire.send(page())


def _left() -> tuple[int, int]:
    gc.collect()
    return len(asyncio.all_tasks()), len(list(Path("/proc/self/fd").iterdir()))


def _servers() -> list[asyncio.Task[Any]]:
    """Tasks of a fault server that still play: they end with it, and hold a socket each."""
    return [t for t in asyncio.all_tasks() if "_serve" in getattr(t.get_coro(), "__qualname__", "")]
