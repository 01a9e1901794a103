"""Crawler: one crawl, in any running event loop, any number of them in one process."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

from crawler import urls
from crawler.browser import require
from crawler.config import layers as configuration
from crawler.config.layers import Config
from crawler.engine.assembly import Crawl, assembled
from crawler.engine.committer import Listener
from crawler.engine.engine import Engine
from crawler.engine.spider_calls import (
    closed,
    given_by,
    hand_over,
    opened,
    parts_closed,
)
from crawler.engine.summary import Summary as Summary
from crawler.engine.summary import settings_json
from crawler.engine.worker_processes import launched, let_go
from crawler.engine.workers import run_workers
from crawler.errors import ConfigError, SpiderError, StoreError, StoreFenced, StoreLocked
from crawler.frontier.page_limit import PageLimit, PageTickets
from crawler.frontier.shared import SharedFrontier
from crawler.frontier.steered import SteeredFrontier
from crawler.http.cookies import CookieJars
from crawler.http.pool import Pool
from crawler.links.rule import bound
from crawler.politeness import retry
from crawler.politeness.rate import Rate
from crawler.politeness.throttle import Pace
from crawler.spider import Spider, check, seeds_of
from crawler.spider.arguments import kept, refuse_other
from crawler.store import Committed, CrawlState, SharedStore, Store, open_store
from crawler.store.address import StoreAddress, address_of
from crawler.store.aside import set_aside
from crawler.urls.scope import registrable_domain
from crawler.web.page import ScrapedPage
from crawler.web.stats import Stats
from crawler.web.visit import Visit

if TYPE_CHECKING:
    from crawler.processes.launch import Launched

log = logging.getLogger("crawler")

_STATES = {"finished": "finished", "max_pages": "finished", "interrupted": "interrupted"}
"""The state of a run by the reason for its end; any other is "stopped": a limit, or the spider."""

_BACKLOG = 1000  # pages that `pages` keeps for a slow listener


class Crawler:
    """A crawl: a spider, a store, a configuration. Use it as an async context manager.

        async with Crawler(Quotes, store="data/quotes.db") as crawler:
            summary = await crawler.run()

    An unfinished crawl in `store` is resumed. UsageError and StoreError say what cannot work.
    """

    def __init__(
        self,
        spider: type[Spider] | Spider,
        *,
        store: str | StoreAddress | None = None,
        config: Config | None = None,
        settings: dict[str, dict[str, Any]] | None = None,
        fresh: bool = False,
    ) -> None:
        """`store` defaults to `data/<spider>.db`; `settings` wins over the spider's own.

        `fresh` starts over: the store there is moved aside when the context is entered.
        """
        self.spider = spider if isinstance(spider, Spider) else spider()
        check(self.spider)
        merged = {name: dict(values) for name, values in self.spider.settings.items()}
        for section, values in (settings or {}).items():
            merged.setdefault(section, {}).update(values)
        self.config = config or configuration.load(spider=merged)
        bound("include", self.config.links.include)
        bound("exclude", self.config.links.exclude)
        if store is None:
            store = Path("data") / f"{self.spider.name}.db"
        self.place = address_of(store, crawl=self.spider.name)
        self.address = str(self.place)
        self._fresh, self._ran = fresh, False
        self.stats = Stats()
        self.cookies = CookieJars()
        self.state: CrawlState
        self.frontier: SteeredFrontier
        self._store: Store
        self._listeners: list[Listener] = [self._count]
        self._taking = asyncio.Event()
        self._taking.set()
        self._started = 0.0
        self._more = 0  # pages stored beyond those that were there
        self._launched: list[Launched] = []
        self._engine: Engine | None = None  # of the run under way
        self._iterated: asyncio.Task[Summary] | None = None
        self.last = True
        """Whether no other worker process goes on with this run."""
        base = self.config.fetch.base_url
        if base:
            self.spider.start_urls = [urls.join(base, url) or url for url in self.spider.start_urls]
        self._seeds = seeds_of(self.spider)

    async def __aenter__(self) -> Self:
        if self._fresh:
            await asyncio.to_thread(set_aside, self.place)
            self._fresh = False
        await self._open()
        return self

    async def _open(self) -> None:
        require(self.config.browser)
        # Before the store has a thread.
        self._launched += launched(self.config.engine, self.config.browser)
        settings = self.config.store
        self._store = open_store(
            self.place,
            durable=settings.durable,
            bodies=settings.bodies,
            links=settings.links,
            versions=settings.versions,
            revisit=self.config.revisit,
            lock_timeout=settings.lock_timeout,
            lease=settings.lease,
            group_of=_domain_of if self.config.politeness.limit_by == "domain" else None,
            error_bodies=settings.error_bodies,
            delay=self.config.hosts.longest(self.config.politeness.delay),
        )
        async with AsyncExitStack() as undo:
            undo.push_async_callback(let_go, self._launched)
            self.state = await self._store.open()
            undo.push_async_callback(self._store.close)
            self._prepare()
            undo.pop_all()

    def _prepare(self) -> None:
        """Make what stands between the store and the workers."""
        owner = self.state.spider
        if owner is not None and owner != self.spider.name:
            raise SpiderError(
                f"{self.address} holds a crawl of the spider {owner!r}, not {self.spider.name!r};"
                " use another --store, or --fresh to start over"
            )
        if self._is_begun and self.state.arguments is not None:
            refuse_other(self.spider, self.state.arguments, self.address)
        politeness = self.config.politeness
        if self._store.shared and politeness.limit_by == "address":
            raise ConfigError(
                "politeness.limit_by = address does not work over PostgreSQL, where a host belongs"
                " to one worker process before its address is known: set it to host or domain"
            )
        self.frontier = (SharedFrontier if self._store.shared else SteeredFrontier)(
            Pace(
                politeness.delay,
                politeness.per_host,
                rate=Rate.parse(politeness.rate) if politeness.rate else None,
            ),
            limit=self._limit(),
            pace_of=self.config.hosts.pace_of if self.config.hosts.paced else None,
            gated=politeness.robots or self.config.hosts.obeyed,
            group_of=_domain_of if politeness.limit_by == "domain" else None,
            longest=max(retry.LONGEST, politeness.max_delay, politeness.max_retry_after),
        )
        self.frontier.pending = self.state.pending

    def _limit(self) -> PageLimit:
        most, again = self.config.engine.max_pages, self.state.again
        if self._store.shared and most is not None:
            return PageTickets(most, again=again)
        return PageLimit(most, stored=self.state.pages, again=again)

    async def __aexit__(self, *exc: object) -> None:
        if self._iterated is not None:
            await self._end(self._iterated)
        await self._store.close()
        await let_go(self._launched)

    @property
    def _is_begun(self) -> bool:
        """Whether the store holds anything of a crawl beside its name."""
        return self.state.seeded or self.state.pages > 0 or self.state.pending > 0

    @property
    def finished(self) -> bool:
        """Whether the crawl in the store has nothing left to do, as at the end of a run."""
        done = self.state.seeded and self.frontier.pending == 0 and not self.state.cut_short
        return done or self.frontier.stopped == "finished"

    @property
    def pool(self) -> Pool:
        """What the connections of a running crawl are doing: open, idle and waiting by host."""
        return self._engine.pool if self._engine is not None else Pool()

    def stop(self, reason: str = "interrupted") -> None:
        """Start nothing more; what is in flight gets `engine.grace` seconds, then `run` ends."""
        self.frontier.stop(reason)
        self._store.stop_waiting()

    def on_commit(self, listener: Listener) -> None:
        """Call `listener` after every commit with the visits that are now stored."""
        self._listeners.append(listener)

    async def run(self) -> Summary:
        """Crawl until nothing is left, a limit is reached, or `stop` is called.

        Once more, it goes on, as the command line does: a crawl that has nothing left to do ends at
        once, with the reason "nothing_to_do".
        """
        return await self._crawl(keep_pages=False)

    async def _again(self) -> None:
        """Open the store anew for another run."""
        await self._store.close()
        await let_go(self._launched)
        self.stats, self.cookies = Stats(), CookieJars()
        self._more, self.last = 0, True
        await self._open()

    async def _crawl(self, *, keep_pages: bool) -> Summary:
        if self._ran:
            await self._again()
        self._ran, self._started = True, time.monotonic()
        if self.finished and self.frontier.stopped is None:
            return self.summary("finished", "nothing_to_do")
        new = None if self._is_begun and self.state.arguments else kept(self.spider)
        hand_over(self.spider, self.config, self.stats, self.state, self.stop, store=self.place)
        await self._store.begin_run(self.spider.name, settings_json(self.spider, self.config), new)
        reason, state = "failed", "failed"
        try:
            await self._run(keep_pages=keep_pages)
            reason = self.frontier.stopped or "interrupted"
            state = _STATES.get(reason, "stopped")
        except asyncio.CancelledError:
            reason, state = "interrupted", "interrupted"
            raise
        except StoreLocked as error:
            if self.frontier.stopped != "interrupted":
                raise
            reason, state = "interrupted", "interrupted"
            log.warning("%s; what it kept from being stored is fetched again", error)
        finally:
            try:
                await self._end_run(state, reason)
            finally:
                if self.last:
                    await closed(self.spider, reason, self.stats, self.config, self._store)
                self.spider.crawl.end()
        return self.summary(state, reason)

    async def _end_run(self, state: str, reason: str) -> None:
        """Record the end; where the run failed, so may this, and must not hide why."""
        try:
            seconds = round(time.monotonic() - self._started, 3)
            self.last = await self._store.end_run(state, reason, seconds)
            if self._store.shared:  # others have stored, too
                stored = await cast(SharedStore, self._store).stored()
                self._more = stored - self.state.pages
        except StoreFenced:
            self.last = False  # others have its hosts, and go on
        except StoreError as error:
            if state != "failed" and not isinstance(error, StoreLocked):
                raise

    def pages(self) -> AsyncIterator[ScrapedPage]:
        """Run, and yield every page once it is stored."""
        return self._each(lambda visit: [visit.page] if visit.stored and visit.page else [])

    def items(self) -> AsyncIterator[Any]:
        """Run, and yield every item once it is stored; see docs/spiders.md for how they come."""
        return self._each(given_by)

    async def _each(self, pick: Callable[[Visit], list[Any]]) -> AsyncIterator[Any]:
        """Run, and yield what is picked of every visit once that is stored."""
        queue: asyncio.Queue[Any] = asyncio.Queue()
        end = object()

        def put(visits: list[Visit], committed: Committed) -> None:
            for visit in visits:
                for thing in pick(visit):
                    queue.put_nowait(thing)
            if queue.qsize() > _BACKLOG:
                self._taking.clear()

        self.on_commit(put)
        run = self._iterated = asyncio.create_task(self._crawl(keep_pages=True))
        run.add_done_callback(lambda _: queue.put_nowait(end))
        try:
            while (thing := await queue.get()) is not end:
                if queue.empty():
                    self._taking.set()
                yield thing
            await run
        finally:
            await self._end(run)

    async def _end(self, run: asyncio.Task[Summary]) -> None:
        """End a run that nobody listens to any more; the rest of it can be resumed.

        Called where the iteration ends, and at the end of the context: Python finalizes an
        abandoned iterator only some time later.
        """
        self.stop()
        self._taking.set()
        run.cancel()
        await asyncio.gather(run, return_exceptions=True)

    # ------------------------------------------------------------ the parts of a run

    async def _run(self, *, keep_pages: bool) -> None:
        crawl = Crawl(
            self.spider,
            self.config,
            self.address,
            tuple(self._seeds),
            self.state,
            self._store,
            self.frontier,
            self.cookies,
            self._hear,
            self._taking,
            self.stats,
            self._launched,
        )
        self.frontier.seeding = not self.state.seeded
        settings = self.config.engine
        async with assembled(crawl, keep_pages=keep_pages) as (engine, seeding, steering):
            self._engine = engine
            try:
                if await opened(self.spider, engine.parts, self.frontier, self.stats):
                    many, grace = settings.workers, settings.grace
                    end = settings.max_time
                    parts = engine, seeding, steering
                    await run_workers(*parts, workers=many, grace=grace, longest=end)
            finally:
                seeding.close()  # it may not even have begun
                await parts_closed(engine.parts, self.stats, settings.callback_timeout)
                self._engine = None

    def _hear(self, visits: list[Visit], committed: Committed) -> None:
        """Report a commit to those who listen."""
        for listener in self._listeners:
            listener(visits, committed)

    def _count(self, visits: list[Visit], committed: Committed) -> None:
        refusals, rejected, widened = committed.refusals, committed.rejected, committed.widened
        self.stats.add(visits, committed.new, refusals=refusals, rejected=rejected, widened=widened)
        self.stats.outcomes.update(committed.ended)
        self._more += committed.pages

    def summary(self, state: str, reason: str) -> Summary:
        """Return what is committed by now."""
        stats = self.stats
        return Summary(
            spider=self.spider.name,
            store=self.address,
            state=state,
            reason=reason,
            pages=stats.pages,
            total_pages=self.state.pages + self._more,
            items=stats.items,
            errors=stats.errors,
            retries=stats.retries,
            queued=self.frontier.pending,
            seconds=round(time.monotonic() - self._started, 3),
            resumed=self.state.runs > 0,
            outcomes={str(name): number for name, number in stats.outcomes.items()},
            refused={str(name): number for name, number in stats.refused.items()},
            widened=list(stats.widened),
            rejected=dict(stats.rejected.most_common()),
            dropped=dict(stats.dropped.most_common()),
            replaced=stats.replaced,
            hidden_pages=stats.hidden[0],
            hidden_characters=stats.hidden[1],
            counts=dict(stats.counts),
            raised=dict(stats.raised.values()),
            failed_callbacks=stats.failed_callbacks(self.spider.name),
            failed_fetches=stats.failed_fetches * (not stats.parsed),
            reasons={str(name): reason for name, reason in stats.reasons.items()},
            last=self.last,
            stayed=stats.pages > 0 and not stats.onward,
            ended_by=stats.ended_by,
        )


def _domain_of(host: str) -> str:
    return registrable_domain(urls.hostname_of(host + "/"))
