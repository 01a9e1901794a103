"""Parts of a page that the live page and the report share: sections, tables, notes, states."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources
from typing import Any

from crawler.markup import Html, el, join, words


@cache
def styles() -> str:
    """Return the style sheet: of screens of every width, both themes, and paper."""
    return (resources.files("crawler.markup") / "page.css").read_text(encoding="utf-8")


def section(id_: str, title: Any, *body: Any, links: Iterable[Any] = (), level: str = "h2") -> Html:
    """Return a section with its heading and what is linked beside it."""
    head = el("div", el(level, title), *links, class_="title")
    return el("section", head, *body, id=id_)


def lead(id_: str, title: Any, *paragraphs: Any) -> Html:
    """Return the sentence that answers the question of a view, and what stands below it."""
    body = el("div", el("h1", title), *(el("p", p) for p in paragraphs if p), class_="lead")
    return el("section", body, id=id_)


class TableColumn:
    """A column of a table: its heading, its class, and by what it is sorted."""

    __slots__ = ("class_", "href", "name", "sort")

    def __init__(
        self, name: Any, class_: str = "", *, href: str | None = None, sort: str | None = None
    ) -> None:
        self.name, self.class_, self.href, self.sort = name, class_, href, sort


def table(caption: str, columns: Sequence[TableColumn], rows: Iterable[Sequence[Any]]) -> Html:
    """Return a table; a cell is a value, or an element `td` of its own.

    A row that is a pair of an id and cells gets the id.
    """
    head = el("tr", *(_heading(column) for column in columns))
    body = el("tbody", *(_row(columns, row) for row in rows))
    shown = el("table", el("caption", caption, class_="unseen"), el("thead", head), body)
    return el("div", shown, class_="scroll", tabindex="0", role="region", aria_label=caption)


def _heading(column: TableColumn) -> Html:
    name = el("a", column.name, href=column.href) if column.href else column.name
    if not column.name:
        return el("td", class_=column.class_ or None)
    return el("th", name, scope="col", class_=column.class_ or None, aria_sort=column.sort)


def _row(columns: Sequence[TableColumn], row: Sequence[Any]) -> Html:
    id_, cells = (row[0], row[1]) if len(row) == 2 and isinstance(row[1], tuple) else (None, row)
    made = (
        cell
        if isinstance(cell, Html) and cell.startswith("<td")
        else el("td", cell, class_=column.class_ or None)
        for column, cell in zip(columns, cells, strict=True)
    )
    return el("tr", *made, id=id_)


def soft(value: Any) -> Html:
    """Return what is context."""
    return el("span", value, class_="soft")


def bad(value: Any) -> Html:
    """Return what is wrong."""
    return el("span", value, class_="bad")


def warn(value: Any) -> Html:
    """Return what may need somebody."""
    return el("span", value, class_="warn")


def count(value: float, *, wrong: bool = False) -> Html:
    """Return a number that is soft where it is 0, and bad where it should be."""
    shown = words.number(value)
    if not value:
        return soft(shown)
    return bad(shown) if wrong else Html(shown)


def prose(text: str) -> Html:
    """Return a sentence in which names stand between backticks."""
    parts = text.split("`")
    return join(el("code", part) if at % 2 else part for at, part in enumerate(parts))


def empty(*said: Any) -> Html:
    """Return what is said where there is nothing."""
    return el("div", *(el("p", one) for one in said), class_="empty")


def note(*said: Any) -> Html:
    """Return a note below a table."""
    return el("p", *said, class_="note")


_LONG = re.compile(r"\S{40}")
_MARKS = re.compile(r"(?<=[/?&=])(?=[^/\s]\S{7})")


def breakable(value: str) -> Html:
    """Return a text in which a long URL may break behind its marks, and no word does."""
    return join(_MARKS.split(value) if _LONG.search(value) else [value], Html("<wbr>"))
