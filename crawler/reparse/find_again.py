"""Finding again what an earlier run refused, once a later one takes more.

A refused URL is counted and not kept, but the page it stands on is: where `engine.max_depth` was
raised, say, the stored pages are read once more, by the bounds of now, and what they lead to is
queued in one transaction. `seen` says which of it is new. Their items stay as they are.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from crawler.config.layers import Config
from crawler.inspect.query import Reader
from crawler.links.follow import LinkFollower, steps_of
from crawler.links.linker import Linker
from crawler.links.traps import Traps
from crawler.reparse.pages import Pages, choose, read
from crawler.reparse.replay import DAMAGED, revived
from crawler.spider import Spider, seeds_of
from crawler.spider.collector import Collector
from crawler.spider.discover import Discovery
from crawler.store import damage
from crawler.store.address import StoreAddress
from crawler.store.claimed import claimed
from crawler.store.requeue import add_excluded, add_found
from crawler.urls.scope import Scope
from crawler.web.request import Candidate, Request
from crawler.web.visit import Visit


def find_again(path: StoreAddress, spider: Spider, config: Config, where: str = "") -> int:
    """Queue what stored pages lead to by the bounds of `config`, and return how much is new.

    `where` is SQL over `pages`. QueryError where no body is stored.
    """
    with Reader(path) as reader:
        discovery = _discovery(_linker(reader, spider, config), config)
        finder = _Finder(spider, discovery, timeout=config.engine.callback_timeout)
        chunks = choose(reader, where).chunks
        with claimed(path) as db, asyncio.Runner() as runner:
            again = add_excluded(db)
            found = (runner.run(_found(reader, discovery, finder, chunk)) for chunk in chunks)
            return again + sum(add_found(db, part) for part in found)


def _linker(reader: Reader, spider: Spider, config: Config) -> Linker:
    values = dict(reader.query("SELECT key, value FROM crawl").rows)
    with damage.told(reader.path, "the row 'scope' of the table crawl"):
        seeds = (*seeds_of(spider), *json.loads(values.get("scope", "[]")))
    scope = Scope(config.engine.scope, seeds, tuple(spider.allowed_domains))
    sql = "SELECT redirect_to FROM pages WHERE redirect_to IS NOT NULL AND depth = 0"
    for (target,) in reader.query(sql).rows:
        scope.include_redirect(target)
    steps = steps_of(config.links.canonicalize)
    traps, links = Traps(config.traps), config.links
    return Linker(scope, spider.rules, traps=traps, steps=steps, settings=links)


def _discovery(linker: Linker, config: Config) -> Discovery:
    agent = config.politeness.user_agent
    return Discovery(
        linker,
        order=config.engine.order,
        max_depth=config.engine.max_depth,
        following=LinkFollower(linker, linker.rules, config.links, agent=agent),
        max_hops=config.fetch.max_redirects,
        checks=config.links.check_external,
    )


class _Finder(Collector):
    """Collects what pages lead to, and not what they hold."""

    def _take_one(self, visit: Visit, result: Any, given: Any, results: Any = None) -> None:
        if isinstance(result, Request):
            self.on_request(visit, result)


async def _found(
    reader: Reader, discovery: Discovery, finder: _Finder, chunk: Pages
) -> Sequence[tuple[Candidate, int | None]]:
    """Return what the stored pages of a chunk lead to, each with the id of its page."""
    found: list[tuple[Candidate, int | None]] = []
    for stored in read(reader, chunk):
        try:
            page, visit = revived(stored)
        except DAMAGED:
            continue  # which `crawler reparse` tells
        if page.response.is_html:
            await discovery.follow(visit, page)
        await finder.parse(visit, page, page.request)
        found += [(candidate, stored.page_id) for candidate in visit.candidates]
    return found
