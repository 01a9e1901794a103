"""Healing: selectors that find nothing on a site that changed, and what could stand in their place.

What a selector found on the old pages is what it should find on the new ones. A candidate is made
from where that stands now, and is proven only if the spider, with it, gives on every page what it
gave before, in everything that depends on it.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from parsel import Selector

from crawler.spider import Spider
from crawler.testing import changes, snapshot
from crawler.testing.candidates import Fit, Labelled, distinct, for_elements, for_texts, texts_of
from crawler.testing.fields import uses_of
from crawler.testing.pages import page_from
from crawler.testing.recording import Recording, StartPage
from crawler.testing.selectors import Listener, Place, Way
from crawler.testing.snapshot import ItemSnapshot

Make = Callable[[], Spider]
"""Makes the spider anew for each try."""

_ENOUGH = 3  # labelled pages or elements below which nothing is proven
_STEPS = 12  # selectors that are healed one after the other
_TRIED = 3  # candidates of each that are tried in the spider


class Proposal(NamedTuple):
    """What could stand in a selector's place; `proven` only where everything agrees, or `why` not.

    `right` of `of` pages give everything that depends on it as before.
    """

    way: Way
    new: str
    place: Place | None
    right: int
    of: int
    proven: bool
    why: str

    @property
    def old(self) -> str:
        """The selector as it stands in the source."""
        return self.way[-1]


class Healer:
    """Compares one spider over old pages and new ones."""

    def __init__(self, make: Make, old: Recording, new: Recording) -> None:
        """Take the answers from before and those of the site as it is now."""
        self._make, self._new = make, new
        crawled = snapshot.taken(make(), old)[1]
        urls = {answer.url for answer in new}
        starts = [
            StartPage(page.url, page.callback)
            for page in crawled.pages
            if page.outcome == "ok" and page.url in urls
        ]
        self.pages = len(starts)
        self._starts = starts
        self.before, _, self._old = self._parse(old, {})
        self._uses = uses_of(make())
        self._queries: dict[Way, str] = {}

    def _parse(
        self, recording: Recording, instead: dict[Way, str]
    ) -> tuple[ItemSnapshot, Any, Listener]:
        """Call the callbacks for the same pages of a recording, and follow nothing."""
        listener = Listener(keep=True, instead=instead)
        same = Recording(recording, starts=self._starts)
        return snapshot.taken(self._make(), same, listener, follow=False)

    def heal(self) -> list[Proposal]:
        """Return a proposal for each selector that finds nothing now, outermost first."""
        chosen: dict[Way, Fit] = {}
        given_up: set[Way] = set()
        _, _, now = self._parse(self._new, {})
        for _ in range(_STEPS):
            lost = self._lost(now) - given_up - set(chosen)
            way = min(lost, key=lambda each: (len(each), each), default=None)
            if way is None:
                break
            fit = self._best(way, now)
            if fit is None:
                given_up.add(way)
                continue
            chosen[way] = fit
            self._queries[way] = fit.query
            _, _, now = self._parse(self._new, self._queries)
        after, crawled, _ = self._parse(self._new, self._queries)
        found = [self._judged(way, fit, after, bool(crawled.errors)) for way, fit in chosen.items()]
        return [*found, *(self._hopeless(way) for way in sorted(given_up))]

    def _lost(self, now: Listener) -> set[Way]:
        """Return the selectors that found something before, and find nothing now."""
        before = {way for way, hits in self._old.found.items() if hits}
        return {
            way for way in before if not now.found.get(way) and (len(way) == 1 or way in now.asked)
        }

    def _hopeless(self, way: Way) -> Proposal:
        why = "nothing that it found before stands on the new pages"
        return Proposal(way, "", self._old.places.get(way), 0, self.pages, False, why)

    # ------------------------------------------------------------ candidates

    def _best(self, way: Way, now: Listener) -> Fit | None:
        """Return the candidate with which the spider gives most of what it gave before."""
        fits = [fit for fit in self._fits(way, now) if fit.right][:_TRIED]
        scored = []
        for number, fit in enumerate(fits):
            after, crawled, _ = self._parse(self._new, {**self._queries, way: fit.query})
            scored.append((-self._right(way, after), len(crawled.errors), number, fit))
        return min(scored)[3] if scored else None

    def _fits(self, way: Way, now: Listener) -> list[Fit]:
        texts, elements = self._labels(way, now)
        return for_texts(texts) if texts else for_elements(elements)

    def _labels(
        self, way: Way, now: Listener
    ) -> tuple[list[Labelled], list[tuple[Selector, list[frozenset[str]]]]]:
        """Return what a selector should find in the new pages: texts in elements, or elements."""
        texts: list[Labelled] = []
        elements: list[tuple[Selector, list[frozenset[str]]]] = []
        for url, asks in self._old.asks.items():
            for ask in (each for each in asks if each.way == way):
                known = self._known(url, ask.context)
                context = self._context(url, way, known, now)
                if context is None:
                    continue
                if all(isinstance(each.root, str) for each in ask.found) and self._gives_texts(way):
                    texts.append(Labelled(url, context, [each.get() for each in ask.found]))
                else:
                    groups = [self._known(url, each) or _links(each) for each in ask.found]
                    elements.append((context, [group for group in groups if group]))
        return texts, elements

    def _gives_texts(self, way: Way) -> bool:
        asked = (ask for asks in self._old.asks.values() for ask in asks if ask.way == way)
        return any(isinstance(each.root, str) for ask in asked for each in ask.found)

    def _known(self, url: str, element: Any) -> frozenset[str]:
        """Return the texts that selectors found below an element of an old page."""
        if element is None:
            return frozenset()
        below = (ask for ask in self._old.asks[url] if ask.context is element)
        found = (each for ask in below for each in ask.found if isinstance(each.root, str))
        return frozenset(text for text in (" ".join(each.get().split()) for each in found) if text)

    def _context(self, url: str, way: Way, known: frozenset[str], now: Listener) -> Selector | None:
        """Return the new element of which the selector is asked: the one with most known texts."""
        if len(way) == 1:
            answer = next(each for each in self._new if each.url == url)
            return page_from(answer.body, url=url, headers=answer.headers).selector
        asked = (ask for ask in now.asks.get(url, []) if ask.way == way[:-1])
        there = [each for ask in asked for each in ask.found if not isinstance(each.root, str)]
        scored = [(len(known & texts_of(each.root)), -number) for number, each in enumerate(there)]
        if not scored or max(scored)[0] == 0:
            return None
        found: Selector = there[-max(scored)[1]]
        return found

    # ------------------------------------------------------------ proof

    def _right(self, way: Way, after: ItemSnapshot) -> int:
        """Return in how many pages all that depends on a selector is as it was."""
        differing: set[str] = set()
        queries = {each for each in self._old.found if each[: len(way)] == way}
        inner = {each[-1] for each in queries}
        fields = {use.field for use in self._uses if use.query in inner}
        names = {
            (table, name)
            for found in self.before.items.values()
            for table, i in found
            for name in i
        }
        for table, name in names:
            if name in fields or not fields:
                old, new = (changes.values(each, table, name) for each in (self.before, after))
                differing |= {
                    url for url in {**old, **new} if _same(old.get(url)) != _same(new.get(url))
                }
        differing |= {
            start.url
            for start in self._starts
            if not fields and self.before.requests.get(start.url) != after.requests.get(start.url)
        }
        return self.pages - len(differing)

    def _judged(self, way: Way, fit: Fit, after: ItemSnapshot, raised: bool) -> Proposal:
        """Return the proposal, called proven only where nothing speaks against it."""
        right = self._right(way, after)
        _, _, now = self._parse(self._new, self._queries)
        texts, elements = self._labels(way, now)
        why = ""
        if raised:
            why = "a callback raises with it"
        elif right < self.pages:
            why = "it gives another value in some pages"
        elif texts and (len(texts) < _ENOUGH or distinct(texts) < 2):
            why = "too few different values to tell it from others"
        elif not texts and sum(len(groups) for _, groups in elements) < _ENOUGH:
            why = "too few elements to tell it from others"
        elif fit.right < fit.of:
            why = "it does not find what it should in all places"
        elif other := self._rival(way, fit):
            why = f"`{other}` fits as well, and gives something else on pages without items"
        return Proposal(way, fit.query, self._old.places.get(way), right, self.pages, not why, why)

    def _rival(self, way: Way, fit: Fit) -> str | None:
        """Return another candidate that fits, but differs on pages that nothing labels."""
        if len(way) > 1:
            return None
        known = {start.url for start in self._starts}
        others = [each for each in self._new if each.url not in known and each.status == 200]
        _, _, now = self._parse(self._new, {k: v for k, v in self._queries.items() if k != way})
        rivals = [each for each in self._fits(way, now) if each.right == each.of][:_TRIED]
        for answer in others:
            page = page_from(answer.body, url=answer.url, headers=answer.headers)
            mine = page.css(fit.query).getall()
            for rival in rivals:
                if page.css(rival.query).getall() != mine:
                    return rival.query
        return None


def _same(given: list[Any] | None) -> list[str]:
    return sorted(map(repr, given or []))


def _links(element: Any) -> frozenset[str]:
    """Return where an element leads, or else its text: what tells it where nothing else does."""
    attributes = element.root.attrib if hasattr(element.root, "attrib") else {}
    for name in ("href", "src"):
        if name in attributes:
            return frozenset([" ".join(attributes[name].split())])
    return frozenset(filter(None, [" ".join(element.xpath("string()").get("").split())]))


def diff_of(proposals: list[Proposal]) -> str:
    """Return the changes of the spider's files as a unified diff, for its author to take."""
    texts: dict[str, list[str]] = {}
    for each in proposals:
        if each.place is None or not each.new:
            continue
        file = each.place.file
        lines = texts.setdefault(file, Path(file).read_text(encoding="utf-8").splitlines(True))
        for at in range(each.place.line - 1, len(lines)):
            if each.old in lines[at]:
                lines[at] = _replaced(lines[at], each.old.removeprefix("xpath:"), each.new)
                break
    return "".join(
        line
        for file, lines in texts.items()
        for line in difflib.unified_diff(
            Path(file).read_text(encoding="utf-8").splitlines(True),
            lines,
            f"a/{_shown(file)}",
            f"b/{_shown(file)}",
        )
    )


def _replaced(line: str, old: str, new: str) -> str:
    """Return a line with the query in its quotes replaced, in quotes that the new one bears."""
    for quote, other in (('"', "'"), ("'", '"')):
        if f"{quote}{old}{quote}" in line:
            mark = other if quote in new else quote
            return line.replace(f"{quote}{old}{quote}", f"{mark}{new}{mark}", 1)
    return line


def _shown(file: str) -> str:
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file
