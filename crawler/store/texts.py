"""The readable text of pages, and with it the full-text index, in the commit of the pages."""

from __future__ import annotations

from collections.abc import Iterable

import aiosqlite

from crawler.web.visit import Visit

INSERT = "INSERT INTO texts (page_id, url, title, text, hidden) VALUES (?, ?, ?, ?, ?)"


async def insert(db: aiosqlite.Connection, ended: Iterable[tuple[int, Visit]]) -> None:
    """Store the texts; triggers bring them into the index."""
    rows = [
        (page_id, visit.todo.url, visit.title, visit.text, visit.hidden)
        for page_id, visit in ended
        if visit.text is not None and visit.stored
    ]
    if rows:
        await db.executemany(INSERT, rows)
