"""What stored pages say about their uses: a row for each page that says anything."""

from __future__ import annotations

from collections.abc import Iterable

from crawler.store.rows import to_json
from crawler.store.statements import Statements
from crawler.web.visit import Visit

INSERT = "INSERT INTO page_usages (page_id, said) VALUES (?, ?)"


async def insert(db: Statements, ended: Iterable[tuple[int, Visit]]) -> None:
    """Store what the pages say."""
    rows = [(page_id, to_json(visit.usage)) for page_id, visit in ended if visit.usage]
    if rows:
        await db.executemany(INSERT, rows)
