"""Calling a spider's callbacks with stored pages, as the crawl did with fetched ones."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import xxhash
import zstandard
from multidict import CIMultiDict

from crawler.errors import SpiderFailed
from crawler.inspect.query import Reader
from crawler.items import Record
from crawler.reparse.pages import Pages, StoredPage, read
from crawler.spider import Spider
from crawler.spider.collector import Invoker
from crawler.store.rows import unpack
from crawler.web.error_place import error_line
from crawler.web.outcome import Outcome
from crawler.web.page import ScrapedPage
from crawler.web.refusal import Refusal
from crawler.web.rendered import Rendered, Xhr
from crawler.web.request import Request, Todo, from_todo
from crawler.web.response import Response
from crawler.web.visit import Visit

if TYPE_CHECKING:
    import asyncio

_TIMEOUT = 60.0  # seconds for what a callback awaits, as engine.callback_timeout has it
DAMAGED = (zstandard.ZstdError, msgspec.MsgspecError, MemoryError, TypeError, ValueError)


class Provenance(NamedTuple):
    """Where the items of a page come from, as their rows have it."""

    page_id: int
    page_url: str
    run_id: int
    fetched_at: str


class Parsed(NamedTuple):
    """What the callback gave for one stored page; nothing of it counts where there is an error."""

    origin: Provenance
    records: list[Record]
    problems: list[tuple[str, str, str]]
    requests: int = 0
    error: str | None = None  # the traceback of the callback
    dropped: int = 0  # items, by pipelines
    damage: str | None = None  # why what is stored could not be read


class Replay(Invoker):
    """Parses stored pages with one spider; close it when done."""

    def __init__(self, spider: Spider) -> None:
        super().__init__(spider, _TIMEOUT)
        self._requests = 0
        self._loop: asyncio.Runner | None = None
        if any(hasattr(thing, "open") for thing in spider.pipelines):
            self._runner().run(self.pipelines.open(spider.crawl))

    def close(self) -> None:
        """Close the pipelines, and end the event loop, where one was needed."""
        failed: dict[str, str] = {}
        if any(hasattr(thing, "close") for thing in self.spider.pipelines):
            failed = self._runner().run(self.pipelines.close(_TIMEOUT))
        if self._loop is not None:
            self._loop.close()
        for name, error in failed.items():
            raise SpiderFailed(f"pipeline {name} failed: {error_line(error) or error}")

    def on_request(self, visit: Visit, request: Request) -> None:
        """Count a Request: there is no network to follow it on."""
        self._requests += 1

    def parse(self, reader: Reader, chunk: Pages) -> Iterator[Parsed]:
        """Yield what the callbacks give for the pages of a chunk, in their order."""
        return map(self._parse, read(reader, chunk))

    def _parse(self, stored: StoredPage) -> Parsed:
        origin = Provenance(stored.page_id, stored.url, stored.run_id, stored.fetched_at)
        try:
            page, visit = revived(stored)
        except DAMAGED as error:
            return Parsed(origin, [], [], damage=f"the stored page is damaged: {error}")
        self._requests, page.visit = 0, visit
        error_ = self.begin(visit, stored.callback or "parse", page, **page.request.args)
        if error_ is not None and not isinstance(error_, str):
            error_ = self._runner().run(error_)
        dropped = visit.refusals.get(Refusal.ITEM_DROPPED, 0)
        return Parsed(origin, visit.items, visit.problems, self._requests, error_, dropped)

    def _runner(self) -> asyncio.Runner:
        if self._loop is None:
            import asyncio  # only where a callback or a pipeline has to be awaited

            self._loop = asyncio.Runner()
        return self._loop


def revived(stored: StoredPage) -> tuple[ScrapedPage, Visit]:
    """Return the page as it was fetched, and a visit for what its callback gives."""
    body = unpack(stored.body)
    if stored.content_hash not in (None, xxhash.xxh3_128_hexdigest(body)):
        raise ValueError("its content_hash is another")
    started = datetime.fromisoformat(stored.fetched_at).timestamp()
    headers = CIMultiDict(msgspec.json.decode(stored.headers or "{}"))
    response = Response(stored.url, stored.status, headers, body, started, 0.0)
    if stored.rendered is not None:
        from crawler.web.axe_finding import AxeFinding  # of few crawls

        browser, errors, findings, answers = stored.rendered
        told = [Xhr(url, status, unpack(body)) for url, status, body in answers]
        found = [AxeFinding(**row) for row in msgspec.json.decode(findings)]
        response.rendered = Rendered(
            browser, errors=msgspec.json.decode(errors), findings=found, xhr=told
        )
    todo = Todo(1, 0, 0, 0, stored.url, stored.depth, 0, 0.0, None, stored.callback, stored.request)
    visit = Visit(todo, Outcome.OK, started, stored.status, response)
    if response.rendered is not None:
        visit.find(response.rendered.findings)
    return ScrapedPage(response, from_todo(todo, 0)), visit
