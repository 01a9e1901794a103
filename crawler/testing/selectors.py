"""Which selectors a spider asks, and what each finds: heard while its callbacks run.

A selector is known by the way to it: `div.quote` and below it `.author::text` is
(`div.quote`, `.author::text`). So it stays the same selector when lines move.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from parsel import Selector

Way = tuple[str, ...]
"""The selectors from the page to this one, outermost first; XPath as `xpath:…`."""

_INSIDE = (str(Path(__file__).parents[1]), "parsel")


class Ask(NamedTuple):
    """One question to a page: by which way, from which element, and what it found."""

    way: Way
    context: Any  # the Selector it was asked of; None for the page
    found: list[Any]


class Place(NamedTuple):
    """Where in the spider's source a selector stands."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{Path(self.file).name}:{self.line}"


class Listener:
    """Hears every `css` and `xpath` of the pages of one crawl.

    `instead` gives for a way the query that is asked in its place. With `keep` the answers stay,
    page by page; otherwise only their numbers do.
    """

    def __init__(self, *, keep: bool = False, instead: Mapping[Way, str] | None = None) -> None:
        self._keep, self._instead = keep, instead or {}
        self.places: dict[Way, Place] = {}
        self.asked: dict[Way, int] = {}  # pages in which it was asked
        self.found: dict[Way, int] = {}  # pages in which it found something
        self.asks: dict[str, list[Ask]] = {}
        self._url = ""
        self._ways: dict[int, Way] = {}
        self._alive: list[Any] = []  # whose ids are in `_ways`
        self._hit: dict[Way, bool] = {}

    @contextmanager
    def page(self, url: str) -> Iterator[None]:
        """Hear what is asked of one page."""
        self._url, self._hit = url, {}
        if self._keep:
            self.asks[url] = []
        with _heard_by(self):
            yield
        for way, hit in self._hit.items():
            self.asked[way] = self.asked.get(way, 0) + 1
            self.found[way] = self.found.get(way, 0) + hit
        if not self._keep:
            self._ways.clear()
            self._alive.clear()

    def ask(self, selector: Selector, query: str, kind: str, ask: Any, **named: Any) -> Any:
        """Ask a selector what the spider asks it, and note the answer."""
        before = self._ways.get(id(selector), ())
        way = (*before, query if kind == "css" else f"xpath:{query}")
        other = self._instead.get(way)
        if other is None:
            found = ask(selector, query, **named)
        elif other.startswith("xpath:"):
            found = _original["xpath"](selector, other[6:])
        else:
            found = _original["css"](selector, other)
        self._hit[way] = self._hit.get(way, False) or bool(found)
        for each in found:
            self._ways[id(each)] = way
        self._alive.extend(found)
        if way not in self.places and (place := _place(sys._getframe(2))) is not None:
            self.places[way] = place
        if self._keep:
            self._alive.append(selector)
            self.asks[self._url].append(Ask(way, selector if before else None, list(found)))
        return found


_hearing: list[Listener] = []
_original: dict[str, Any] = {}


@contextmanager
def _heard_by(listener: Listener) -> Iterator[None]:
    from parsel import Selector

    if not _hearing:
        _original.update(css=Selector.css, xpath=Selector.xpath)
        Selector.css, Selector.xpath = _asking("css"), _asking("xpath")  # type: ignore[method-assign]
    _hearing.append(listener)
    try:
        yield
    finally:
        _hearing.pop()
        if not _hearing:
            Selector.css, Selector.xpath = _original["css"], _original["xpath"]  # type: ignore[method-assign]


_deep = False


def _asking(kind: str) -> Any:
    """Return what stands for a method of Selector; what it calls itself is not heard."""
    original = _original[kind]

    def asked(self: Selector, query: str, **named: Any) -> Any:
        global _deep
        if _deep or not _hearing:
            return original(self, query, **named)
        _deep = True
        try:
            return _hearing[-1].ask(self, query, kind, original, **named)
        finally:
            _deep = False

    return asked


def _place(frame: FrameType | None) -> Place | None:
    """Return the line of the spider that asks: the first that is not ours or parsel's."""
    while frame is not None:
        file = frame.f_code.co_filename
        ours = file.startswith(_INSIDE[0]) or f"{_INSIDE[1]}/" in file.replace("\\", "/")
        if not ours:
            return Place(file, frame.f_lineno)
        frame = frame.f_back
    return None
