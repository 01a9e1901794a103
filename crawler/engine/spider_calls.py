"""What a run does with its spider beside its pages: opens it, hands it the crawl, closes it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from typing import Any

from crawler.config.layers import Config
from crawler.engine.committer import Committer
from crawler.errors import StopCrawl, UsageError
from crawler.frontier import Frontier
from crawler.links.linker import Linker
from crawler.spider import Spider
from crawler.spider.discover import Discovery
from crawler.spider.hooks import Hooks
from crawler.spider.lifecycle import close_spider, open_spider
from crawler.spider.pipelines import Pipelines
from crawler.spider.running import RunningCrawl
from crawler.store import Batch, CrawlState, Store
from crawler.store.address import StoreAddress
from crawler.web.error_place import error_line
from crawler.web.request import Request
from crawler.web.stats import Stats
from crawler.web.visit import Visit

log = logging.getLogger("crawler")


def hand_over(
    spider: Spider,
    config: Config,
    stats: Stats,
    state: CrawlState,
    stop: Callable[[str], None],
    *,
    store: StoreAddress,
) -> RunningCrawl:
    """Hand a spider its crawl, for one run; it can `add` to it once there is a queue."""
    running = spider._running = RunningCrawl(
        config, stats, state=state.state, stop=stop, spider=spider, store=store
    )
    return running


def adding(discovery: Discovery, committer: Committer, linker: Linker) -> Callable[[Request], None]:
    """Return what queues a request that no page has led to; UsageError for one that is refused."""

    def add(request: Request) -> None:
        settled = discovery.prepared(request)
        refusal = linker.refusal_of(settled.url) if settled is not None else "dropped"
        if settled is None or refusal is not None:
            raise UsageError(
                f"{request.url} is not taken: {refusal}; see allowed_domains, engine.scope and"
                " [traps]"
            )
        committer.put_seed(discovery.candidate(settled, 0))

    return add


def given_by(visit: Visit) -> list[Any]:
    """Return the items of a stored visit as its spider gave them, else as dicts of columns."""
    if visit.retry_at is not None:
        return []
    if visit.given is not None and len(visit.given) == len(visit.items):
        return visit.given
    return [
        dict(zip((column.name for column in record.table.columns), record.values, strict=True))
        for record in visit.items
    ]


def refuse_running_loop() -> None:
    """Raise UsageError inside a running event loop, with what to write there."""
    with contextlib.suppress(RuntimeError):
        asyncio.get_running_loop()
        raise UsageError(
            "crawl() starts an event loop, and there is one running; write"
            " `async with Crawler(SiteSpider(url), store=…) as crawler: await crawler.run()`"
        )


Parts = Iterable[Pipelines | Hooks]
"""What a spider lists beside its own methods, opened and closed in each run."""


async def opened(spider: Spider, parts: Parts, frontier: Frontier, stats: Stats) -> bool:
    """Let the spider and its parts open what they need; False where one raises StopCrawl."""
    try:
        await open_spider(spider)
        for part in parts:
            await part.open(spider.crawl)
    except StopCrawl as end:
        frontier.stop(end.reason)
        stats.end_in("opened")
        return False
    return True


async def parts_closed(parts: Parts, stats: Stats, timeout: float) -> None:
    """Let pipelines and hooks close what they have; what one raises then is told."""
    for part in parts:
        for name, error in (await part.close(timeout)).items():
            line = error_line(error) or error
            stats.raised[name] = (line, 1)
            log.error("%s failed: %s", name, line)


async def closed(spider: Spider, reason: str, stats: Stats, config: Config, store: Store) -> None:
    """Let the spider hear of the end; what it raises then is told, as the crawl is stored.

    What it changes in its state or counts then is stored as well.
    """
    error = await close_spider(spider, reason, config.engine.callback_timeout)
    if error is not None:
        line = error_line(error) or error
        stats.raised[f"{spider.name}.closed()"] = (line, 1)
        log.error("%s.closed() failed: %s", spider.name, line)
    if spider.crawl.state and not spider.crawl.settled:
        log.warning("self.state is kept as of the last commit: not all pages behind it are stored")
    batch = Batch(counts=stats.taken(), state=spider.crawl.state_with(()))
    if batch:
        with contextlib.suppress(asyncio.CancelledError):
            await store.commit(batch)
