"""A crawl over recorded answers: the spider, the links and the callbacks as in a real crawl.

What a crawl does with an answer is done by its own parts (`spider.collector`, `spider.discover`,
`links`, `parsers`); only fetching, waiting and storing are left out. No socket is opened, and where
nothing of the spider is asynchronous, no event loop is made either.
"""

from __future__ import annotations

import heapq
import inspect
from collections import Counter
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from crawler.config import layers
from crawler.errors import CrawlerError, FetchError, StopCrawl
from crawler.parse import fast_pass
from crawler.spider import Spider, check, seeds_of
from crawler.testing.network import refused
from crawler.testing.recording import Pages, Recording
from crawler.testing.site_parts import SiteParts
from crawler.web.error_place import error_line
from crawler.web.outcome import Outcome
from crawler.web.request import Candidate, Request, Todo, from_todo
from crawler.web.visit import Visit

Item = dict[str, Any]
"""The fields of an item by name, as a store would have them; lists and dicts as such."""


@dataclass(slots=True)
class ParsedPage:
    """What one recorded answer led to."""

    url: str
    status: int | None
    outcome: str
    callback: str
    items: list[tuple[str, Item]] = field(default_factory=list)  # with their tables
    requests: list[str] = field(default_factory=list)
    problems: list[tuple[str, str]] = field(default_factory=list)  # what is no item, and why
    error: str | None = None  # the line that a callback raised in, and what


@dataclass(slots=True)
class Crawled:
    """What a crawl over recorded answers gave.

    `missing` are the URLs that it asked for and the recording has not, `left` the requests of other
    kinds (downloads, streams), which no test plays; `refused` counts what was not taken, by reason,
    `dropped` the items that pipelines dropped.
    """

    spider: str
    pages: list[ParsedPage] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    counts: dict[str, int] = field(default_factory=dict)
    stopped: str = "finished"

    @property
    def items(self) -> list[Item]:
        """All items in the order of the pages."""
        return [item for page in self.pages for _, item in page.items]

    @property
    def errors(self) -> list[str]:
        """What callbacks raised, one line each, with the URL."""
        return [f"{page.url}: {page.error}" for page in self.pages if page.error]

    def of(self, table: str | type) -> list[Item]:
        """Return the items of one type, by the name of its table or by its class."""
        from crawler.items import table_of

        name = table if isinstance(table, str) else table_of(table).name
        return [item for page in self.pages for each, item in page.items if each == name]


def crawl(
    spider: type[Spider] | Spider,
    answers: Recording | Pages,
    *,
    arguments: Mapping[str, Any] | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    max_pages: int | None = None,
) -> Crawled:
    """Crawl recorded answers, or a dict of pages by URL, to the end; nothing is fetched or stored.

    A class is made with `arguments`, by default those of the recording. `settings` wins over the
    spider's own and `config.toml`; the environment is not read. UsageError for what cannot be
    crawled; what opens a socket meanwhile raises OfflineOnly there.
    """
    recording = answers if isinstance(answers, Recording) else None
    if not isinstance(spider, Spider):
        given = arguments if arguments is not None else recording.arguments if recording else {}
        spider = spider(**given)
    check_once(spider)
    if recording is None:
        recording = Recording.of(answers, next(iter(seeds_of(spider)), "https://example.com/"))  # type: ignore[arg-type]
    return Offline(spider, recording, settings=settings, max_pages=max_pages).run()


_checked: set[type] = set()


def check_once(spider: Spider) -> None:
    """Check a spider as a run does: its class once, as that reads its source."""
    if type(spider) not in _checked:
        check(spider)
        _checked.add(type(spider))


class Offline:
    """One crawl of one spider over one recording."""

    def __init__(
        self,
        spider: Spider,
        recording: Recording,
        *,
        settings: Mapping[str, Mapping[str, Any]] | None = None,
        max_pages: int | None = None,
        follow: bool = True,
    ) -> None:
        """`follow` False: only what the recording starts with is parsed."""
        self.spider, self.recording = spider, recording
        merged = {name: dict(values) for name, values in spider.settings.items()}
        for section, values in (settings or {}).items():
            merged.setdefault(section, {}).update(values)
        self._config = layers.load(None, spider=merged, environ={})
        self._most, self._follow = max_pages, follow
        self._seen: set[tuple[str, int]] = set()
        self._queue: list[tuple[int, int, Candidate]] = []
        self._number = 0
        self.result = Crawled(spider.name)
        seeds = seeds_of(spider) or [start.url for start in recording.starts]
        self._parts = SiteParts(spider, self._config, seeds)

    def run(self) -> Crawled:
        """Crawl to the end; sockets are refused meanwhile."""
        large = any(len(each.body) >= fast_pass.LARGE for each in self.recording)
        needs_loop = large or is_async(self.spider)  # a large page is scanned on a thread
        with refused(loop=needs_loop) as drive:
            drive(self._crawl())
        return self.result

    def page_context(self, url: str) -> AbstractContextManager[object]:
        """Return what stands around the callbacks of one page."""
        return nullcontext()

    async def _crawl(self) -> None:
        running = self._parts.hand_over(self._stop, self._add)
        try:
            await self._parts.open()
            async for request in self._parts.starts(self.recording.starts):
                self._parts.reach(request.url)
                self._put(self._parts.discovery.candidate(request, request.depth))
        except StopCrawl as end:
            self._stop(end.reason)
        while self._queue and self.result.stopped == "finished":
            if self._most is not None and len(self.result.pages) >= self._most:
                self._stop("max_pages")
                break
            await self._visit(heapq.heappop(self._queue)[2])
        for name, error in (await self._parts.close(self.result.stopped)).items():
            raise CrawlerError(f"{name} failed: {error_line(error) or error}")
        self.result.counts = dict(running.stats.counts)

    def _stop(self, reason: str) -> None:
        self.result.stopped = reason

    def _add(self, request: Request) -> None:
        self._put(self._parts.discovery.candidate(request, 0))

    def _put(self, candidate: Candidate) -> None:
        """Queue what is new, as a store would: a URL, method and body once."""
        key = (candidate.url, candidate.url_hash)
        if key in self._seen and not candidate.force:
            return
        self._seen.add(key)
        self._number += 1
        heapq.heappush(self._queue, (candidate.rank, self._number, candidate))

    async def _visit(self, candidate: Candidate) -> None:
        todo = _todo(candidate, self._number)
        request = from_todo(todo, 0)
        if not self._parts.plays(request):
            self.result.left.append(request.url)
            return
        answer = self.recording.find(request)
        started = answer.started if answer is not None else 0.0
        visit = Visit(todo, Outcome.INTERNAL_ERROR, started)
        with self.page_context(request.url):
            try:
                if not await self._parts.visit(visit, request, answer):
                    self.result.missing.append(request.url)
                    return
            except FetchError as error:
                visit.fail(Outcome(error.outcome), str(error))
            await self._parts.give_up(visit, request)
        self._note(visit, request)
        if visit.stop is not None:
            self._stop(visit.stop)

    def _note(self, visit: Visit, request: Request) -> None:
        page = ParsedPage(
            request.url, visit.status, str(visit.outcome), request.callback_name or "parse"
        )
        page.items = [(record.table.name, record.fields()) for record in visit.items]
        page.requests = sorted({each.url for each in visit.candidates})
        page.problems = [(kind, reason) for kind, reason, _ in visit.problems]
        if visit.outcome is Outcome.SPIDER_ERROR and visit.error:
            page.error = error_line(visit.error) or visit.error.strip().rpartition("\n")[2]
        self.result.pages.append(page)
        self.result.refused.update({str(k): number for k, number in visit.refusals.items()})
        self.result.dropped.update(visit.dropped)
        self.spider.stats.counts.update(visit.counted or {})
        if visit.asked is not None:
            self.result.refused["asked_again"] += 1
        if self._follow:
            for each in visit.candidates:
                self._put(each)


def is_async(spider: Spider) -> bool:
    """Return whether anything of a spider may have to be awaited: then an event loop is needed."""
    own = (kind for kind in type(spider).__mro__ if kind.__module__.partition(".")[0] != "crawler")
    methods: Iterable[Any] = (value for kind in own for value in vars(kind).values())
    listed = [getattr(spider, name, None) for name in ("before_fetch", "after_fetch")]
    if spider.pipelines or spider.hooks or any(isinstance(one, (list, tuple)) for one in listed):
        return True  # any of them may give what is to be awaited
    return any(
        inspect.iscoroutinefunction(each) or inspect.isasyncgenfunction(each) for each in methods
    )


def _todo(candidate: Candidate, number: int) -> Todo:
    return Todo(
        1,
        candidate.rank,
        number,
        candidate.url_hash,
        candidate.url,
        candidate.depth,
        0,
        0.0,
        None,
        candidate.callback,
        candidate.extra,
    )
