"""Reading an answer where it was fetched: walls, duplicates, links, callbacks, text.

The same for a crawl in one process and for its worker processes. A large page's scan is done on a
thread, all else on the event loop.
"""

from __future__ import annotations

import asyncio
import logging
import time

from crawler.config.layers import Config
from crawler.links.anchors import anchors_of, fragments_of
from crawler.links.duplicates import Duplicates
from crawler.links.requisites import needed_by
from crawler.parse.usage import HEADERS, ROBOTS_HEADER, reserved, said_by
from crawler.parsers import Parser
from crawler.spider.collector import Collector
from crawler.spider.discover import Discovery
from crawler.web.outcome import UNKEPT, Outcome
from crawler.web.page import ScrapedPage
from crawler.web.refusal import Refusal
from crawler.web.request import Request
from crawler.web.visit import Visit
from crawler.web.walls import Walls

log = logging.getLogger("crawler")

_LARGE_TEXT = 64 * 1024  # bytes of a body whose text is taken on a thread


class Inline:
    """Parses where the crawl runs; `timeout` seconds bound the built-in part of it.

    Large pages take turns: a scan on a thread holds the GIL, and each page more that does, or that
    resolves thousands of links, would keep the event loop waiting for as long again. Each waits for
    `room`, too: a million links that nobody has stored yet are half a gigabyte.
    """

    def __init__(
        self,
        discovery: Discovery,
        collector: Collector,
        timeout: float,
        room: asyncio.Event | None = None,
    ) -> None:
        """`room`: set while not too much is still to be stored."""
        self._discovery, self._collector, self._timeout = discovery, collector, timeout
        self._turn, self._room = asyncio.Lock(), room

    async def parse(self, visit: Visit, page: ScrapedPage, request: Request) -> None:
        """See `Parser.parse`."""
        if page.response.is_html:
            from crawler.parse import fast_pass  # with the first page: a start need not wait for it

            if len(page.body) < fast_pass.LARGE:
                await self._discovery.follow(visit, page)
            elif not await self._read_large(visit, page):
                return
            visit.title = page.title
            if page.response.is_xml:
                visit.note_cut(page.html)
                if visit.error:
                    log.warning("%s is %s", page.url, visit.error)
        visit.encoding = page.encoding
        called = request.callback is not None or self._collector.reads_pages
        if called and visit.outcome not in UNKEPT:
            await self._collector.parse(visit, page, request)

    async def _read_large(self, visit: Visit, page: ScrapedPage) -> bool:
        """Scan a page on a thread and follow its links; False where that took too long."""
        async with self._turn:
            if self._room is not None:
                await self._room.wait()
            try:
                await asyncio.to_thread(self._scan, page)
            except TimeoutError as where:
                error = f"over {self._timeout:g} s, {where}; see engine.parse_timeout"
                visit.fail(Outcome.PARSE_TIMEOUT, error)
                return False
            await self._discovery.follow(visit, page)
        return True

    def _scan(self, page: ScrapedPage) -> None:
        """Scan a large page, on a thread that gives up by itself once the time is over."""
        from crawler.parse import fast_pass  # as above

        until = time.monotonic() + self._timeout
        xml = page.response.is_xml
        page.found = fast_pass.scan(page.html, lambda: time.monotonic() > until, xml=xml)


class PageReader:
    """Reads pages into their visits: walls, duplicates, the parser with its callbacks, the text."""

    def __init__(
        self,
        config: Config,
        parser: Parser,
        duplicates: Duplicates,
        discovery: Discovery,
        *,
        keep_pages: bool = False,
    ) -> None:
        """`keep_pages`: leave each page with its visit, for those who wait for pages."""
        self._config, self._parser, self._discovery = config, parser, discovery
        self._duplicates, self._traps = duplicates, duplicates.traps
        self._walls = Walls() if config.fetch.walls == "refuse" else None
        self._keep_pages = keep_pages
        self._turn = asyncio.Lock()  # of large pages, for their text

    def bars(self, visit: Visit, page: ScrapedPage) -> bool:
        """Return whether a wall stands in place of what was asked for; the visit says so."""
        if self._walls is None or page.status >= 300:  # which somebody has asked for
            return False
        return self._walls.bars(visit, page)

    def _reserved(self, visit: Visit, page: ScrapedPage) -> bool:
        """Note what headers say about uses; return whether that reserves the page, which ends."""
        headers = page.headers
        if ROBOTS_HEADER not in headers and not any(name in headers for name in HEADERS):
            return False
        visit.usage = tuple(said_by(headers, ()))
        found = reserved(visit.usage, self._config.politeness.heed_usage)
        if found is not None:
            visit.fail(Outcome.RESERVED, str(found))
        return found is not None

    def name_wall(self, visit: Visit, page: ScrapedPage) -> None:
        """Name the wall behind a status that is no answer, such as 403, if there is one."""
        if self._walls is not None:
            self._walls.name(visit, page)

    async def read(self, visit: Visit, page: ScrapedPage, request: Request) -> None:
        """Put what a page says and leads to into its visit, unless all of it was there before."""
        if self.bars(visit, page) or self._reserved(visit, page):
            return
        is_html = page.response.is_html
        suspected = self._traps.suspects(page.url) and is_html
        judged = suspected or self._duplicates.contents is not None
        if judged and not await self._duplicates.judge(visit, page, suspected=suspected):
            return
        await self._parser.parse(visit, page, request)
        if self._config.store.text and is_html:
            await self._text(visit, page)
        if page.styles_left_out:
            visit.refuse(Refusal.STYLES_LEFT_OUT)
        if self._config.links.requisites:
            self._discovery.need(visit, page, await needed_by(page))
        if self._config.links.check_fragments and is_html:
            await self.note_anchors(visit, page)
        if self._keep_pages:
            visit.page = page

    async def note_anchors(self, visit: Visit, page: ScrapedPage, *, own: bool = True) -> None:
        """Note the anchors of a page, and those that its links name where it is our `own`."""
        if own:
            visit.fragments = fragments_of(page, lambda url: self._discovery.target(url).url)
        if len(page.body) < _LARGE_TEXT:
            visit.anchors = anchors_of(page)
            return
        async with self._turn:
            visit.anchors = await asyncio.to_thread(anchors_of, page)

    async def _text(self, visit: Visit, page: ScrapedPage) -> None:
        """Note the text of a page; of large ones, each of which holds the GIL, one at a time."""

        def read() -> None:
            if self._config.store.hidden_text == "keep":
                visit.text = page.all_text
            else:
                visit.text, visit.hidden = page.text, page.hidden

        if len(page.body) < _LARGE_TEXT:
            read()
            return
        async with self._turn:
            await asyncio.to_thread(read)
