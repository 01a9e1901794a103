"""Parsing: from the response to what the page and the spider's callback give."""

from __future__ import annotations

from typing import Protocol

from crawler.web.page import ScrapedPage
from crawler.web.request import Request
from crawler.web.visit import Visit


class Parser(Protocol):
    """Reads pages into their visits."""

    async def parse(self, visit: Visit, page: ScrapedPage, request: Request) -> None:
        """Put the page's title, encoding and links into the visit, and what its callback gives.

        A page that takes too long, or breaks its parser, changes the visit's outcome.
        """
