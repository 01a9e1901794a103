"""Sitemaps in a crawl: a sitemap is a request like any other; its entries become requests.

Entries are read off the event loop and handed over in slices, so that a sitemap of 50 MB neither
stalls other hosts nor is ever in memory as entries. Index files nest at most `_NESTING` deep.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING

from crawler import urls
from crawler.engine.committer import Committer
from crawler.errors import SpiderError
from crawler.links.rule import Rule, compiled
from crawler.robots import Robots
from crawler.spider import Spider
from crawler.spider.discover import Discovery
from crawler.urls.userinfo import with_userinfo
from crawler.web.outcome import Outcome
from crawler.web.refusal import Refusal
from crawler.web.request import Request
from crawler.web.response import Response
from crawler.web.sitemap_entry import SitemapEntry
from crawler.web.visit import Ahead, Visit

if TYPE_CHECKING:  # lxml is slow to import, and most crawls read no sitemap
    from crawler.sitemap import Entry

SITEMAP = "sitemap"
"""The `kind` of a request for a sitemap."""

LARGEST = 50 * 1024 * 1024
"""Bytes of a sitemap that are read: the protocol's limit for one file."""

_NESTING = 5  # the protocol knows two levels
_SLICE = 500  # entries between two looks at the event loop: about 5 ms
# Entries that are committed together with the visit: all that the protocol allows one sitemap.
# More go ahead of it, 50,000 at a time, and do not know where they were found.
_AT_ONCE = 50_000
_THREAD = 64 * 1024  # bytes from which a sitemap is read on a thread


def sitemap_request(url: str, nesting: int = 0) -> Request:
    """Return the request for a sitemap; robots.txt is one for those that it names."""
    return Request(url, kind=SITEMAP, meta={"nesting": nesting} if nesting else {})


def since_of(spider: Spider) -> datetime | None:
    """Return `sitemap_since` as an aware datetime; SpiderError where it is no date."""
    given = spider.sitemap_since
    if given is None or given == "":
        return None
    if isinstance(given, str):
        try:
            given = datetime.fromisoformat(given)
        except ValueError:
            raise SpiderError(
                f"{spider.name}: sitemap_since = {given!r} is no date; write it like 2026-01-31"
            ) from None
    return given if given.tzinfo else given.replace(tzinfo=UTC)


class SitemapReader:
    """Makes requests of the entries of sitemaps, by the spider's `sitemap_…` attributes."""

    def __init__(self, spider: Spider, discovery: Discovery, committer: Committer) -> None:
        self._discovery, self._committer = discovery, committer
        self._rules = tuple(spider.sitemap_rules)
        self._follow = compiled(spider.sitemap_follow)
        self._alternates = spider.sitemap_alternates
        self._since = since_of(spider)

    def announce(self, names: Iterable[str], base: str) -> None:
        """Queue the sitemaps that a robots.txt names."""
        for name in names:
            url = urls.parse(name, base)
            if url is not None:
                self._committer.put_seed(self._discovery.candidate(sitemap_request(url), 0))

    async def read(
        self, visit: Visit, request: Request, response: Response
    ) -> AsyncIterator[Ahead]:
        """Put the entries of a sitemap into its visit; yield those of a large one, to go ahead."""
        visit.outcome = Outcome.SITEMAP
        entries = self._entries(visit, request, response)
        large = len(response.body) >= _THREAD
        number = 0
        while found := await _some(entries, threaded=large):
            for entry in found:
                self._take(visit, request, entry)
            number += len(found)
            if max(len(visit.candidates), len(visit.entries)) >= _AT_ONCE:
                ahead, visit.candidates, visit.entries = (visit.candidates, visit.entries), [], []
                yield ahead
        if not number:
            visit.error = "no entries could be read"

    def _entries(self, visit: Visit, request: Request, response: Response) -> Iterator[Entry]:
        from crawler import sitemap  # as above

        # A robots.txt that leads elsewhere stays one, unless that is a sitemap itself.
        asked = (request.url, request.first_url or request.url)
        is_xml = response.body.lstrip().startswith((b"<", b"\x1f\x8b"))
        if not is_xml and any(urls.split(url)[1] == "/robots.txt" for url in asked):
            names = Robots.parse(response.body).sitemaps
            visit.refuse(Refusal.URL_CREDENTIALS, with_userinfo(request.url, names))
            found = (urls.parse(name, request.url) for name in names)
            return (sitemap.Entry(url, "sitemap") for url in found if url is not None)
        return sitemap.stream(
            response.body, request.url, lambda reason: visit.refuse(Refusal(reason))
        )

    def _take(self, visit: Visit, request: Request, entry: Entry) -> None:
        """Make candidates of one entry, or count why not."""
        if entry.kind == "page":
            visit.entries.append(self._row(request.url, entry))
        modified = entry.modified if self._since is not None else None
        if modified is not None and self._since is not None and modified < self._since:
            visit.refuse(Refusal.NOT_MODIFIED_SINCE)
        elif entry.kind == "sitemap":
            self._nested(visit, request, entry.url)
        else:
            for url in (entry.url, *(entry.alternates if self._alternates else ())):
                self._page(visit, url)

    def _row(self, sitemap: str, entry: Entry) -> SitemapEntry:
        url = self._discovery.target(entry.url).url
        return SitemapEntry(sitemap, url, entry.lastmod, entry.changefreq, entry.priority)

    def _nested(self, visit: Visit, request: Request, url: str) -> None:
        nesting = int(request.meta.get("nesting", 0)) + 1
        if nesting > _NESTING:
            visit.refuse(Refusal.SITEMAP_TOO_DEEP)
        elif self._follow is not None and not self._follow.search(url):
            visit.refuse(Refusal.NO_RULE)
        else:
            asked = sitemap_request(url, nesting)
            self._discovery.admit(visit, self._discovery.candidate(asked, visit.todo.depth))

    def _page(self, visit: Visit, url: str) -> None:
        target = self._discovery.target(url)
        rule: Rule | None = None
        if self._rules:
            rule = next((rule for rule in self._rules if rule.takes(target.url)), None)
            if rule is None or not rule.follow:
                visit.refuse(Refusal.NO_RULE)
                return
        elif target.refusal is not Refusal.NO_RULE:
            rule = target.rule
        candidate = self._discovery.of_link(target, visit.todo.depth + 1, rule)
        self._discovery.admit(visit, candidate)


async def _some(entries: Iterator[Entry], *, threaded: bool) -> list[Entry]:
    """Return the next entries, none at the end; other tasks run meanwhile or afterwards."""
    if threaded:
        return await asyncio.to_thread(lambda: list(islice(entries, _SLICE)))
    await asyncio.sleep(0)
    return list(islice(entries, _SLICE))
