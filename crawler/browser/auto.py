"""`browser.mode = "auto"`: which pages are rendered, and what is learnt of the pages of a path.

A page is fetched as ever. One that is empty without its scripts becomes a request for the browser,
which goes back through the frontier as a redirect does. Once three pages of a path agreed, the next
go straight to the browser, or never; every twentieth is looked at anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from crawler.browser.need import Need, needed, shown_of
from crawler.links.traps import folder_of
from crawler.web.need_note import NeedNote
from crawler.web.outcome import Outcome
from crawler.web.page import ScrapedPage
from crawler.web.request import Request
from crawler.web.visit import Visit

_AGREED = 3  # pages in a row after which a path is known
_AGAIN = 20
_ROOM = 50_000  # paths that are remembered
_MORE = 1.5  # times the words, after which rendering was worth it


class Auto:
    """What decides over the pages of a crawl."""

    def __init__(self, notes: Iterable[NeedNote] = ()) -> None:
        self._known = {note.pattern: note for note in notes}
        self._turns: Counter[str] = Counter()

    def takes(self, request: Request) -> str | None:
        """Return why a request goes straight to the browser, None where it does not."""
        note = self._sure(request.url)
        if note is None or not note.renders or self._turn(note.pattern):
            return None
        return f"learnt of {note.pattern}: {note.reason}"

    def judge(self, visit: Visit, page: ScrapedPage, request: Request) -> Request | None:
        """Return the request for the browser that a fetched page needs, None if it needs none."""
        note = self._sure(page.url)
        if note is not None and not note.renders and not self._turn(note.pattern):
            return None
        need = needed(page.html)
        if not need.renders:
            if folder_of(page.url) in self._known:
                visit.need = self._learn(page.url, False, need.reason)
            return None
        visit.fail(Outcome.NEEDS_BROWSER, need.reason)
        told = {"why": need.reason, "words": need.words, "links": need.links}
        return request.replace(browser=True, options={**(request.options or {}), "auto": told})

    def learn(self, visit: Visit, page: ScrapedPage, request: Request) -> None:
        """Learn of a rendered page whether that was worth it."""
        told = (request.options or {}).get("auto")
        if told is None:
            return
        words, links = shown_of(page.html)
        before = Need(True, told["why"], told["words"], told["links"])
        worth = words > max(before.words * _MORE, before.words + 5) or links > before.links + 2
        reason = before.reason if worth else "rendering added nothing"
        visit.need = self._learn(page.url, worth, reason)

    def _sure(self, url: str) -> NeedNote | None:
        note = self._known.get(folder_of(url))
        return note if note is not None and note.agreed >= _AGREED else None

    def _turn(self, pattern: str) -> bool:
        """Return whether it is time to look anew whether what is known still holds."""
        self._turns[pattern] += 1
        return self._turns[pattern] % _AGAIN == 0

    def _learn(self, url: str, renders: bool, reason: str) -> NeedNote:
        pattern = folder_of(url)
        before = self._known.get(pattern)
        agreed = before.agreed + 1 if before is not None and before.renders == renders else 1
        if len(self._known) >= _ROOM:
            self._known.clear()
        note = self._known[pattern] = NeedNote(pattern, renders, agreed, reason)
        return note
