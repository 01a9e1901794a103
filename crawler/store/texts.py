"""The readable text of pages, and with it the full-text index, in the commit of the pages."""

from __future__ import annotations

from collections.abc import Iterable

from crawler.store.statements import Statements
from crawler.web.visit import Visit

INSERT = "INSERT INTO texts (page_id, url, title, text, hidden) VALUES (?, ?, ?, ?, ?)"
INDEX = "INSERT INTO search (rowid, title, text) VALUES (?, ?, ?)"
"""What goes with each row of `texts`; a row that is deleted leaves the index by itself."""

Row = tuple[int, str, str | None, str, int]


def index_rows(rows: Iterable[Row]) -> list[tuple[int, str | None, str]]:
    """Return what `INDEX` takes for rows of `texts`."""
    return [(page_id, title, text) for page_id, _, title, text, _ in rows]


async def insert(db: Statements, ended: Iterable[tuple[int, Visit]], *, index: bool = True) -> None:
    """Store the texts, and index them: what searches PostgreSQL indexes after the crawl."""
    rows: list[Row] = [
        (page_id, visit.todo.url, visit.title, visit.text, visit.hidden)
        for page_id, visit in ended
        if visit.text is not None and visit.stored
    ]
    if rows:
        await db.executemany(INSERT, rows)
        if index:
            await db.executemany(INDEX, index_rows(rows))
