"""Parsing in the crawl's own process: on the event loop, a large page's scan on a thread."""

from __future__ import annotations

import asyncio
import time

from crawler.parse import fast_pass
from crawler.spider.collector import Collector
from crawler.spider.discover import Discovery
from crawler.web.outcome import UNKEPT, Outcome
from crawler.web.page import ScrapedPage
from crawler.web.request import Request
from crawler.web.visit import Visit


class Inline:
    """Parses where the crawl runs; `timeout` seconds bound the built-in part of it.

    Large pages take turns: a scan on a thread holds the GIL, and each page more that does, or that
    resolves thousands of links, would keep the event loop waiting for as long again.
    """

    def __init__(self, discovery: Discovery, collector: Collector, timeout: float) -> None:
        self._discovery, self._collector, self._timeout = discovery, collector, timeout
        self._turn = asyncio.Lock()

    async def run(self) -> None:
        """Return at once: nothing runs beside."""

    async def parse(self, visit: Visit, page: ScrapedPage, request: Request) -> None:
        """See `Parser.parse`."""
        if page.response.is_html:
            if len(page.body) < fast_pass.LARGE:
                await self._discovery.follow(visit, page)
            elif not await self._read_large(visit, page):
                return
            visit.title = page.title
        visit.encoding = page.encoding
        called = request.callback is not None or self._collector.reads_pages
        if called and visit.outcome not in UNKEPT:
            await self._collector.parse(visit, page, request)

    async def _read_large(self, visit: Visit, page: ScrapedPage) -> bool:
        """Scan a page on a thread and follow its links; False where that took too long."""
        async with self._turn:
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
        until = time.monotonic() + self._timeout
        xml = page.response.is_xml
        page.found = fast_pass.scan(page.html, lambda: time.monotonic() > until, xml=xml)
