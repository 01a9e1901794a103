"""Fields that say where in a page their value stands: `price: float = css(".price", number)`.

What reads them is `crawler.web.loading`; here they are only declared, so that `@item` can name them
to type checkers as its field specifiers (PEP 681).
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from typing import Any, Literal

from msgspec import Struct

KEY = "crawler.selected"
"""Where the metadata of a dataclass field keeps its `Selected`."""

Convert = Callable[..., Any]


class Selected(Struct, frozen=True):
    """Where the value of a field stands, and what makes it of the text found there."""

    language: Literal["css", "xpath"]
    query: str
    convert: Convert | None
    all: bool

    def __str__(self) -> str:
        return f'{self.language} "{self.query}"'


def css(
    query: str, convert: Convert | None = None, *, all: bool = False, default: Any = ...
) -> Any:
    """Return a dataclass field whose value a CSS selector finds, `::text`, `::attr(x)` included.

    `convert` makes the value of the text found: `text`, `number`, `date`, `url`, or any function
    that raises ValueError for what it refuses; without one the annotation decides. `all` takes
    every match, as a list, in place of the first. `default` stands where nothing is found.
    """
    return _field(Selected("css", query, convert, all), default)


def xpath(
    query: str, convert: Convert | None = None, *, all: bool = False, default: Any = ...
) -> Any:
    """Return a dataclass field whose value an XPath 1.0 expression finds; see `css`."""
    return _field(Selected("xpath", query, convert, all), default)


def _field(selected: Selected, default: Any) -> Any:
    metadata = {KEY: selected}
    if default is ...:
        return dataclasses.field(metadata=metadata)
    if isinstance(default, (list, dict, set)):  # each item has its own
        return dataclasses.field(default_factory=lambda: copy.copy(default), metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)
