"""The readable text of pages, and with it the full-text index, in the commit of the pages."""

from __future__ import annotations

from collections.abc import Iterable

from crawler.store.statements import Statements
from crawler.web.visit import Visit

COLUMNS = ("page_id", "url", "title", "text", "hidden")
INSERT = f"INSERT INTO texts ({', '.join(COLUMNS)}) VALUES (?, ?, ?, ?, ?)"
INDEX = "INSERT INTO search (rowid, title, text) VALUES (?, ?, ?)"
"""What goes with each row of `texts`; a row that is deleted leaves the index by itself."""

Row = tuple[int, str, str | None, str, int]


def index_rows(rows: Iterable[Row]) -> list[tuple[int, str | None, str]]:
    """Return what `INDEX` takes for rows of `texts`."""
    return [(page_id, title, text) for page_id, _, title, text, _ in rows]


def text_rows(ended: Iterable[tuple[int, Visit]]) -> list[Row]:
    """Return the rows of `texts` for some pages."""
    return [
        (page_id, visit.todo.url, visit.title, visit.text, visit.hidden)
        for page_id, visit in ended
        if visit.text is not None and visit.stored
    ]


async def insert(db: Statements, ended: Iterable[tuple[int, Visit]]) -> None:
    """Store the texts, and index them."""
    if rows := text_rows(ended):
        await db.executemany(INSERT, rows)
        await db.executemany(INDEX, index_rows(rows))
