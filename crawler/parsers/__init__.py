"""Parsing: from the response to what the page and the spider's callback give.

`Parser` is the interface; `inline` does it in the crawl's own process, `processes` in others.
Either way links are resolved and sifted here, where the crawl's memory of them is.
"""

from __future__ import annotations

from typing import Protocol

from crawler.config.engine import EngineSettings
from crawler.spider import Spider
from crawler.spider.collector import Collector
from crawler.spider.discover import Discovery
from crawler.web.page import ScrapedPage
from crawler.web.request import Request
from crawler.web.visit import Visit


class Parser(Protocol):
    """Reads pages into their visits."""

    async def run(self) -> None:
        """Do what parsing needs beside `parse`; runs until it is cancelled, or returns at once."""

    async def parse(self, visit: Visit, page: ScrapedPage, request: Request) -> None:
        """Put the page's title, encoding and links into the visit, and what its callback gives.

        A page that takes too long, or breaks its parser, changes the visit's outcome.
        """


def parser_for(
    spider: Spider, discovery: Discovery, collector: Collector, settings: EngineSettings
) -> Parser:
    """Return parser that the settings ask for; SpiderError where the spider does not allow it."""
    if settings.parse_processes == 0:
        from crawler.parsers.inline import Inline

        return Inline(discovery, collector, settings.parse_timeout)
    from crawler.parsers.processes import Processes  # most crawls never need it

    return Processes(spider, discovery, collector, settings)
