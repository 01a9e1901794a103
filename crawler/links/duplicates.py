"""What a fetched page adds: whether its content was there before, and whether its space is endless.

Looked at between the fetch and the parse. With the default settings only pages of patterns with
very many URLs cost anything here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from crawler.config.traps import TrapsSettings
from crawler.links import endless
from crawler.links.traps import SeenContents, Traps
from crawler.web.outcome import Outcome
from crawler.web.page import ScrapedPage
from crawler.web.visit import Visit

_THREAD = 64 * 1024  # bytes of a body from which its text is taken on a thread


class Duplicates:
    """Marks visits whose page says nothing new; see `[traps]`."""

    def __init__(self, limits: TrapsSettings, traps: Traps) -> None:
        self.traps = traps
        self._skips = limits.duplicates == "skip"
        self._near = limits.near
        self._turn = asyncio.Lock()  # of pages that are looked at on a thread
        marks = limits.duplicates == "mark"
        self.contents = (
            SeenContents(limits.near, every=marks) if limits.duplicates != "follow" else None
        )

    async def judge(self, visit: Visit, page: ScrapedPage, *, suspected: bool) -> bool:
        """Return whether the page is to be parsed; `suspected` is what `Traps.suspects` says.

        Without that, and without `contents`, there is nothing to judge.
        """
        text = None
        title = endless.title_of(page.url, page.html) if suspected else None
        asked = suspected and self.traps.asks(page.url, title)
        if len(page.body) >= _THREAD and (asked or self._near):
            async with self._turn:  # each of them holds the GIL
                text = await asyncio.to_thread(self._look, visit, page, asked)
        else:
            text = self._look(visit, page, asked)
        if suspected:
            visit.endless, visit.pattern = self.traps.hear(page.url, title, text)
        return self._heed(visit)

    async def hear(self, visit: Visit, page: ScrapedPage) -> None:
        """Judge only whether the space of a suspected page is endless."""
        text, title = None, endless.title_of(page.url, page.html)
        if self.traps.asks(page.url, title):
            if len(page.body) >= _THREAD:
                async with self._turn:
                    text = await asyncio.to_thread(endless.text_of, page.url, page.html)
            else:
                text = endless.text_of(page.url, page.html)
        visit.endless, visit.pattern = self.traps.hear(page.url, title, text)

    def _heed(self, visit: Visit) -> bool:
        """Return whether a page is parsed all the same; else the visit has its outcome."""
        if visit.duplicate_of is None or not self._skips:
            return True
        visit.outcome = Outcome.DUPLICATE
        return False

    def _look(self, visit: Visit, page: ScrapedPage, asked: bool) -> int | None:
        """Look for the page's content among the others; return what stands for its text."""
        if self.contents is not None and page.body:
            html = page.html if self._near and page.response.is_html else None
            found = self.contents.original(page.body, html, page.url)
            visit.duplicate_of, visit.simhash = found
        return endless.text_of(page.url, page.html) if asked else None


def settled(
    texts: Sequence[tuple[int, str, int, str | None]], near: int
) -> list[tuple[int, str | None]]:
    """Return the pages whose mark depends on the order in which they came, with the right mark.

    Of texts near each other in a chain, the one in the middle may come first or last, and more or
    fewer of them seem new. Here all are known: those that hang together are one content, and its
    page is the one with the shortest URL, of several the first by the alphabet. `texts` are page
    ids, URLs, simhashes and marks.
    """
    from crawler.links.simhash import groups

    texts = sorted(texts, key=lambda text: (len(text[1]), text[1]))
    leads = groups([number for _, _, number, _ in texts], near)
    wrong = []
    for at, (page_id, _, _, mark) in enumerate(texts):
        right = None if leads[at] == at else texts[leads[at]][1]
        if right != mark:
            wrong.append((page_id, right))
    # In one order: two processes that settle one store do not wait for each other.
    return sorted(wrong, key=lambda mark: mark[0])
