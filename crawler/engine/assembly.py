"""Assembly: the parts of one run, made from the configuration and put together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crawler.clients.strategies import Strategies
from crawler.config.load import Config
from crawler.engine.committer import Committer
from crawler.engine.engine import Engine
from crawler.engine.robots_gate import RobotsGate, overrides_of
from crawler.engine.seeding import seed, widened
from crawler.engine.sitemap_reader import SitemapReader
from crawler.frontier import Frontier
from crawler.http.address_guard import AddressGuard
from crawler.http.cookies import CookieJars
from crawler.http.fetcher import Fetcher
from crawler.http.replay_cache import cached_answers
from crawler.links.duplicates import Duplicates
from crawler.links.endless import ALL_TEXTS
from crawler.links.follow import LinkFollower, steps_of
from crawler.links.rules import Linker
from crawler.links.traps import ROOM, Traps
from crawler.parsers import parser_for
from crawler.spider import Spider
from crawler.spider.collector import Collector
from crawler.store import Committed, CrawlState, Store
from crawler.urls.scope import Scope
from crawler.web.page import Visit

_CONTENTS = 100_000  # contents of earlier runs that are remembered


@dataclass(frozen=True, slots=True)
class Crawl:
    """What outlives a run: the spider, its store, and what stands between them."""

    spider: Spider
    config: Config
    address: str
    seeds: tuple[str, ...]
    state: CrawlState
    store: Store
    frontier: Frontier
    committer: Committer
    cookies: CookieJars


@asynccontextmanager
async def assembled(
    crawl: Crawl, *, keep_pages: bool
) -> AsyncIterator[tuple[Engine, Coroutine[Any, Any, None]]]:
    """Return the engine of one run and its seeding, both still to be run."""
    config = crawl.config
    linker = await _linker(crawl)
    collector = _collector(crawl, linker, keep_pages=keep_pages)
    guard = AddressGuard(allow_private=config.fetch.allow_private)
    for url in (*crawl.seeds, *crawl.state.scope):
        guard.name(url)
    crawl.cookies.restore(await crawl.store.cookies())
    crawl.committer.changed_cookies = crawl.cookies.changes
    crawl.cookies.count = lambda reason: crawl.committer.count(f"refused.{reason}")
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
        _strategies(crawl, fetcher, collector) as strategies,
    ):
        sitemaps = SitemapReader(crawl.spider, collector, crawl.committer)
        engine = Engine(
            config,
            crawl.frontier,
            fetcher=fetcher,
            committer=crawl.committer,
            collector=collector,
            gate=_gate(crawl, fetcher, sitemaps),
            parser=parser_for(crawl.spider, collector, config.engine),
            novelty=await _novelty(crawl, linker.traps),
            strategies=strategies,
            sitemaps=sitemaps,
        )
        yield engine, _seeding(crawl, collector, guard, linker)


async def _seeding(crawl: Crawl, collector: Collector, guard: AddressGuard, linker: Linker) -> None:
    """Seed, unless an earlier run did."""
    if not crawl.state.seeded:
        await seed(
            crawl.spider,
            collector,
            crawl.committer,
            guard=guard,
            linker=linker,
            known=crawl.seeds,
        )
    crawl.frontier.seeding = False
    crawl.frontier.check()


async def _linker(crawl: Crawl) -> Linker:
    scope = Scope(
        crawl.config.engine.scope,
        (*crawl.seeds, *crawl.state.scope),
        tuple(crawl.spider.allowed_domains),
    )
    for target in await crawl.store.seed_redirects():
        scope = widened(scope, target)
    return Linker(
        scope,
        crawl.spider.rules,
        traps=Traps(crawl.config.traps),
        steps=steps_of(crawl.config.links.canonicalize),
        settings=crawl.config.links,
    )


def _collector(crawl: Crawl, linker: Linker, *, keep_pages: bool) -> Collector:
    config = crawl.config
    following = LinkFollower(
        linker, crawl.spider.rules, config.links, agent=config.politeness.user_agent
    )
    collector = Collector(
        crawl.spider,
        linker,
        order=config.engine.order,
        max_depth=config.engine.max_depth,
        callback_timeout=config.engine.callback_timeout,
        keep_pages=keep_pages,
        following=following,
        max_hops=config.fetch.max_redirects,
    )

    def widen(target: str) -> None:
        linker.scope = widened(linker.scope, target)

    collector.on_seed_redirect = widen
    return collector


@asynccontextmanager
async def _strategies(
    crawl: Crawl, fetcher: Fetcher, collector: Collector
) -> AsyncIterator[Strategies]:
    """Return what files, streams and other ways of fetching need, and hear of their commits."""
    place = crawl.config.store.files or files_of(crawl.address, crawl.spider.name)
    strategies = Strategies(
        crawl.config,
        fetcher,
        collector,
        files=Path(place),
        ready=crawl.frontier.unpark,
    )
    if crawl.state.runs == 0:
        strategies.clear()

    def after_commit(visits: list[Visit], committed: Committed) -> None:
        strategies.after_commit(visits)

    crawl.committer.on_commit.append(after_commit)
    async with strategies:
        yield strategies
    if crawl.frontier.stopped == "finished":
        strategies.clear()


async def _novelty(crawl: Crawl, traps: Traps) -> Duplicates:
    """Return the judge over pages, with what it must know of earlier runs."""
    limits = crawl.config.traps
    novelty = Duplicates(limits, traps)
    if limits.max_pages_per_host is not None:
        for host_id, number in await crawl.store.host_pages():
            traps.stored(host_id, number)
    if novelty.contents is not None:
        for digest, url in await crawl.store.contents(_CONTENTS):
            novelty.contents.load(digest, url)
    if novelty.contents is not None and limits.near:
        for number, url in await crawl.store.simhashes(_CONTENTS):
            novelty.contents.load_near(number, url)
    if limits.endless_after:
        for pattern in await crawl.store.endless():
            traps.close(pattern)
        for note, texts in await crawl.store.patterns(ROOM, ALL_TEXTS):
            traps.resume(note, texts)
    return novelty


def _gate(crawl: Crawl, fetcher: Fetcher, sitemaps: SitemapReader) -> RobotsGate | None:
    politeness = crawl.config.politeness
    if not politeness.robots:
        return None
    gate = RobotsGate(
        fetcher,
        crawl.store,
        crawl.committer,
        crawl.frontier,
        agent=politeness.user_agent,
        retries=crawl.config.fetch.retries,
        max_delay=politeness.max_delay,
        overrides=overrides_of(politeness.robots_override),
    )
    if crawl.config.links.sitemaps:
        gate.announce = sitemaps.announce
    return gate


def files_of(address: str, spider: str) -> str:
    """Return the directory of downloaded files that belongs to a store: beside its file."""
    return f"{Path('data') / spider}.files" if "://" in address else f"{address}.files"
