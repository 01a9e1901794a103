"""A view of the page: its address, its key, and the parts that it is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from crawler.dashboard.sources import Look
from crawler.dashboard.state import State
from crawler.markup import Html


@dataclass(frozen=True, slots=True)
class PagePart:
    """A piece of a page that is sent anew when something has changed.

    `make` gives one element whose id is `id`. `every`: seconds between two times, at least; 0 for
    what is not sent anew at all.
    """

    id: str
    every: float
    make: Callable[[Look, State], Html]


@dataclass(frozen=True, slots=True)
class View:
    """A view: what it is called, and its parts in order; a tuple of two stands side by side."""

    path: str
    title: str
    parts: tuple[PagePart | tuple[PagePart, PagePart], ...]
    key: str = ""
    """The key that leads here after `g`; "" for a view that stands in no menu."""
    under: str = ""
    """The path of the view in whose place of the menu it stands."""

    @property
    def all(self) -> tuple[PagePart, ...]:
        """Its parts, one after the other."""
        found: list[PagePart] = []
        for part in self.parts:
            found += part if isinstance(part, tuple) else [part]
        return tuple(found)
