"""Which content was there before, asked for in a worker process: only the owner knows all of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import xxhash

from crawler.config.traps import TrapsSettings
from crawler.links.duplicates import Duplicates
from crawler.links.traps import Traps, near_number
from crawler.web.page import ScrapedPage
from crawler.web.visit import Visit

Ask = Callable[[Visit, str, bytes, int | None], Awaitable[str | None]]
"""Asks for a visit with the URL, the XXH3-128 of the body and its simhash: a URL, or None."""


class WorkerDuplicates(Duplicates):
    """Marks visits whose page says nothing new, by what the owner answers."""

    def __init__(self, limits: TrapsSettings, traps: Traps, ask: Ask) -> None:
        super().__init__(limits, traps)
        self._ask = ask

    async def judge(self, visit: Visit, page: ScrapedPage, *, suspected: bool) -> bool:
        """Return whether the page is to be parsed."""
        if page.body:
            near = near_number(page.html) if self._near and page.response.is_html else None
            digest = xxhash.xxh3_128_digest(page.body)
            visit.duplicate_of = await self._ask(visit, page.url, digest, near)
        return self._heed(visit)
