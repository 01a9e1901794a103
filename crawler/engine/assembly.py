"""Assembly: the parts of one run, made from the configuration and put together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from msgspec import Struct, field

from crawler.browser import Browser
from crawler.clients.strategies import Strategies
from crawler.config.layers import Config
from crawler.engine.committer import Committer, Listener
from crawler.engine.engine import Engine
from crawler.engine.limits import RunLimits
from crawler.engine.naming import claim, hear
from crawler.engine.robots_gate import RobotsGate, own_rules_of
from crawler.engine.seeding import seed
from crawler.engine.shared_committer import SharedCommitter
from crawler.engine.signs import Signs
from crawler.engine.sitemap_reader import SitemapReader
from crawler.engine.spider_calls import adding
from crawler.engine.steering import Steering
from crawler.engine.worker_processes import processes_of
from crawler.errors import ConfigError, StopCrawl
from crawler.frontier.shared import SharedFrontier
from crawler.frontier.steered import SteeredFrontier
from crawler.http.address_guard import AddressGuard
from crawler.http.cookies import CookieJars
from crawler.http.fetcher import Fetcher
from crawler.http.pool import Pool, merged
from crawler.http.replay_cache import cached_answers
from crawler.links.duplicates import Duplicates, settled
from crawler.links.endless import ALL_TEXTS
from crawler.links.follow import LinkFollower, steps_of
from crawler.links.linker import Linker
from crawler.links.traps import ROOM, Traps
from crawler.parsers.inline import Inline
from crawler.spider import Spider, on_browser_of
from crawler.spider.collector import Collector
from crawler.spider.discover import Discovery
from crawler.spider.pipelines import Pipelines
from crawler.store import Committed, CrawlState, SharedStore, SteerableStore, Store
from crawler.urls.scope import Scope
from crawler.web.stats import Stats
from crawler.web.visit import Visit

if TYPE_CHECKING:
    from crawler.processes.launch import Launched

_LOOK = 0.25  # seconds between two looks whether another process has seeded
_CONTENTS = 100_000  # contents of earlier runs that are remembered


class Crawl(Struct, frozen=True):
    """What outlives a run: the spider, its store, and what stands between them.

    `listener` hears of every commit; while `taking` is not set, nothing more is committed.
    """

    spider: Spider
    config: Config
    address: str
    seeds: tuple[str, ...]
    state: CrawlState
    store: Store
    frontier: SteeredFrontier
    cookies: CookieJars
    listener: Listener
    taking: asyncio.Event
    stats: Stats = field(default_factory=Stats)
    launched: list[Launched] = field(default_factory=list)  # processes that wait for a run
    pools: dict[int, Pool] = field(default_factory=dict)  # of worker processes, by their ids


@asynccontextmanager
async def assembled(
    crawl: Crawl, *, keep_pages: bool
) -> AsyncIterator[tuple[Engine, Coroutine[Any, Any, None], Steering]]:
    """Return the engine of one run, its seeding, and who steers it, all still to be run."""
    config = crawl.config
    limits, linker = _limits(crawl), await _linker(crawl)
    discovery = _discovery(crawl, linker)
    engines, collectors = _kinds(config)
    collector = collectors(crawl.spider, discovery, timeout=config.engine.callback_timeout)
    guard = await _guard(crawl)
    crawl.cookies.restore(await crawl.store.cookies())
    crawl.spider.cookies = crawl.cookies
    async with (
        cached_answers(config.cache, crawl.address) as cache,
        Fetcher(
            config.fetch,
            agent=config.agent,
            guard=guard,
            connections=config.engine.workers,
            config=config,
            jars=crawl.cookies,
            cache=cache,
        ) as fetcher,
        _strategies(crawl, fetcher, collector, limits) as strategies,
        Browser(
            config,
            guard,
            crawl.cookies,
            files=_files_of(crawl),
            needs=await crawl.store.needs() if config.browser.mode == "auto" else (),
            on_browser=on_browser_of(crawl.spider),
        ) as browser,
    ):
        committer = _committer(crawl, fetcher, (strategies, collector.pipelines), guard, linker)
        sitemaps = SitemapReader(crawl.spider, discovery, committer)
        duplicates = await _duplicates(crawl, linker.traps)
        engine = engines(
            config,
            crawl.frontier,
            fetcher=fetcher,
            committer=committer,
            discovery=discovery,
            collector=collector,
            gate=_gate(crawl, fetcher, committer, sitemaps),
            browser=browser,
            parser=Inline(discovery, collector, config.engine.parse_timeout, committer.room),
            duplicates=duplicates,
            strategies=strategies,
            sitemaps=sitemaps,
            limits=limits,
            processes=processes_of(crawl, discovery, guard, linker, duplicates, committer),
            keep_pages=keep_pages,
        )
        crawl.spider.crawl.let_add(adding(discovery, committer, linker))
        steering = _steering(crawl, engine, linker)
        await steering.begin(crawl.state.runs)
        yield engine, _seeding(crawl, discovery, committer, guard, linker), steering
        await _settle_duplicates(crawl)


async def _guard(crawl: Crawl) -> AddressGuard:
    """Return what refuses private addresses, told which hosts the user has named."""
    guard = AddressGuard(allow_private=crawl.config.fetch.allow_private)
    for url in crawl.seeds:
        guard.name(url)
    if claim(crawl.spider, crawl.config, guard, crawl.state.scope):
        await hear(crawl.spider, guard)
    return guard


def _kinds(config: Config) -> tuple[type[Engine], type[Collector]]:
    """Return what runs the crawl: with spans or, as most do, without."""
    if not config.engine.traces:
        return Engine, Collector
    try:
        from crawler.engine.tracing import TracedCollector, TracedEngine
    except ImportError as missing:
        if missing.name is None or not missing.name.startswith("opentelemetry"):
            raise
        raise ConfigError(
            "engine.traces needs opentelemetry-api: pip install 'crawlkeep[otel]'"
        ) from None
    return TracedEngine, TracedCollector


def _limits(crawl: Crawl) -> RunLimits:
    """Return the limits of the run; where earlier runs have reached one, nothing is begun."""
    limits = RunLimits(crawl.config.engine, items=crawl.state.items)
    if limits.reached is not None:
        crawl.frontier.stop(limits.reached)
    return limits


def _steering(crawl: Crawl, engine: Engine, linker: Linker) -> Steering:
    def stop(reason: str) -> None:
        crawl.frontier.stop(reason)
        crawl.store.stop_waiting()

    return Steering(
        cast("SteerableStore", crawl.store),
        crawl.frontier,
        engine.committer,
        linker,
        Signs(engine, crawl.frontier, most=crawl.config.engine.workers),
        stop=stop,
        order=crawl.config.engine.order,
    )


async def _seeding(
    crawl: Crawl, discovery: Discovery, committer: Committer, guard: AddressGuard, linker: Linker
) -> None:
    """Seed, unless an earlier run did; then say again which hosts are named, if that is asked."""
    if not crawl.state.seeded and await _may_seed(crawl):
        try:
            await seed(
                crawl.spider,
                discovery,
                committer,
                guard=guard,
                linker=linker,
                known=crawl.seeds,
            )
        except StopCrawl as end:  # what it gave so far is queued; the next run begins it anew
            crawl.frontier.stop(end.reason)
            crawl.stats.end_in("start")
            return
    crawl.frontier.seeding = False
    crawl.frontier.check()
    await guard.asked.wait()
    if not guard.told.is_set():
        await hear(crawl.spider, guard)


async def _may_seed(crawl: Crawl) -> bool:
    """Return whether this process is to seed; of several one does, and the others wait for it."""
    if not isinstance(crawl.frontier, SharedFrontier):
        return True
    store = cast(SharedStore, crawl.store)
    mine = await store.take_seeding()
    while mine is None:  # on the store alone stands what another process does
        await asyncio.sleep(_LOOK)
        mine = await store.take_seeding()
    return mine


async def _linker(crawl: Crawl) -> Linker:
    scope = Scope(
        crawl.config.engine.scope,
        (*crawl.seeds, *crawl.state.scope),
        tuple(crawl.spider.allowed_domains),
    )
    for target in await crawl.store.seed_redirects():
        scope.include_redirect(target)
    return Linker(
        scope,
        crawl.spider.rules,
        traps=Traps(crawl.config.traps),
        steps=steps_of(crawl.config.links.canonicalize),
        settings=crawl.config.links,
    )


def _discovery(crawl: Crawl, linker: Linker) -> Discovery:
    config = crawl.config
    agent = config.politeness.user_agent
    return Discovery(
        linker,
        order=config.engine.order,
        max_depth=config.engine.max_depth,
        following=LinkFollower(linker, crawl.spider.rules, config.links, agent=agent),
        max_hops=config.fetch.max_redirects,
        retries=config.fetch.retries,
        checks=config.links.check_external,
        heeds=config.politeness.heed_usage,
    )


def _committer(
    crawl: Crawl,
    fetcher: Fetcher,
    told: tuple[Strategies | Pipelines, ...],
    guard: AddressGuard,
    linker: Linker,
) -> Committer:
    def after_commit(visits: list[Visit], committed: Committed) -> None:
        for hears in told:
            hears.after_commit(visits)

    settings = crawl.config.store
    options: dict[str, Any] = {
        "interval": settings.flush_interval,
        "size": settings.flush_visits,
        "jars": crawl.cookies,
        "listeners": (crawl.listener, after_commit),
        "taking": crawl.taking,
        "pool": lambda: merged([fetcher.pool, *crawl.pools.values()]),
        "counts": crawl.stats.taken,
        "state": crawl.spider.crawl.state_with,
        "asked_until": crawl.state.asked_until,
    }
    if not isinstance(crawl.frontier, SharedFrontier):
        return Committer(crawl.store, crawl.frontier, **options)

    async def rescope() -> None:
        await _widen(crawl, guard, linker)

    store = cast(SharedStore, crawl.store)
    return SharedCommitter(store, crawl.frontier, rescope=rescope, **options)


async def _widen(crawl: Crawl, guard: AddressGuard, linker: Linker) -> None:
    """Take into the scope what other worker processes have found since to belong to it."""
    store = cast(SharedStore, crawl.store)
    seeds, redirects = await store.widened()
    for url in seeds:
        linker.include(url)
    if claim(crawl.spider, crawl.config, guard, seeds):
        guard.asked.set()
        await guard.told.wait()
    for url in redirects:
        linker.widen(url)


@asynccontextmanager
async def _strategies(
    crawl: Crawl, fetcher: Fetcher, collector: Collector, limits: RunLimits
) -> AsyncIterator[Strategies]:
    """Return what files, streams and other ways of fetching need, and hear of their commits."""
    strategies = Strategies(
        crawl.config,
        fetcher,
        collector,
        files=_files_of(crawl),
        park=crawl.frontier.park,
        ready=crawl.frontier.unpark,
        room=limits.room,
    )
    if crawl.state.runs == 0:
        strategies.clear()
    async with strategies:
        yield strategies
    if crawl.frontier.stopped == "finished":
        strategies.clear()


async def _duplicates(crawl: Crawl, traps: Traps) -> Duplicates:
    """Return the judge over pages, with what it must know of earlier runs."""
    limits = crawl.config.traps
    found = Duplicates(limits, traps)
    if limits.max_pages_per_host is not None:
        for host_id, number in await crawl.store.host_pages():
            traps.restore(host_id, number)
    if found.contents is not None:
        for digest, url in await crawl.store.contents(_CONTENTS):
            found.contents.load(digest, url)
    if found.contents is not None and limits.near:
        for number, url in await crawl.store.simhashes(_CONTENTS):
            found.contents.load_near(number, url)
    if limits.endless_after:
        for pattern in await crawl.store.endless():
            traps.close(pattern)
        for note, texts in await crawl.store.patterns(ROOM, ALL_TEXTS):
            traps.resume(note, texts)
    return found


async def _settle_duplicates(crawl: Crawl) -> None:
    """Set right at the end of a run which pages are marked as near duplicates, and of which."""
    limits = crawl.config.traps
    if limits.near and limits.duplicates == "mark":
        texts = await crawl.store.near_texts(_CONTENTS)
        marks = await asyncio.to_thread(settled, texts, limits.near)
        if marks:
            await crawl.store.mark_duplicates(marks)


def _gate(
    crawl: Crawl, fetcher: Fetcher, committer: Committer, sitemaps: SitemapReader
) -> RobotsGate | None:
    politeness = crawl.config.politeness
    if not politeness.robots and not crawl.config.hosts.obeyed:
        if politeness.heed_usage:
            raise ConfigError(
                "politeness.heed_usage: what is reserved stands in robots.txt, which"
                " politeness.robots = false does not read; leave one of them out"
            )
        return None
    return RobotsGate(
        fetcher,
        crawl.store,
        committer,
        crawl.frontier,
        agent=politeness.user_agent,
        retries=crawl.config.fetch.retries,
        max_delay=politeness.max_delay,
        own_rules=own_rules_of(crawl.config),
        announce=sitemaps.announce if crawl.config.links.sitemaps else None,
        heeds=politeness.heed_usage,
    )


def _files_of(crawl: Crawl) -> Path:
    return Path(crawl.config.store.files or files_of(crawl.address, crawl.spider.name))


def files_of(address: str, spider: str) -> str:
    """Return the directory of downloaded files that belongs to a store: beside its file."""
    return f"{Path('data') / spider}.files" if "://" in address else f"{address}.files"


def _uncounted(reason: str) -> None:
    """Take a reason that comes after the end."""
