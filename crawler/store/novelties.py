"""What pages told of traps and of near duplicates, in the commit of the pages."""

from __future__ import annotations

from collections.abc import Iterable

import aiosqlite

from crawler.page import Visit

_OVERFLOW = 1 << 63  # SQLite's integers have a sign, a simhash has none


async def insert(db: aiosqlite.Connection, ended: Iterable[tuple[int, Visit]]) -> None:
    """Store the simhashes of new texts, and the patterns that turned out to be endless."""
    hashes, patterns = [], []
    for page_id, visit in ended:
        if visit.simhash is not None:
            hashes.append((page_id, visit.simhash - 2 * _OVERFLOW * (visit.simhash >= _OVERFLOW)))
        if visit.endless is not None:
            patterns.append((visit.endless, visit.todo.url))
    if hashes:
        await db.executemany("INSERT OR REPLACE INTO simhashes VALUES (?, ?)", hashes)
    if patterns:
        await db.executemany("INSERT OR IGNORE INTO endless VALUES (?, ?)", patterns)


async def simhashes(db: aiosqlite.Connection, limit: int) -> list[tuple[int, str]]:
    """Give the last simhashes and the URLs of their pages, the oldest first."""
    rows = list(
        await db.execute_fetchall(
            "SELECT simhash, url FROM simhashes JOIN pages USING (page_id)"
            " ORDER BY page_id DESC LIMIT ?",
            (limit,),
        )
    )
    return [(number % (2 * _OVERFLOW), url) for number, url in reversed(rows)]


async def endless(db: aiosqlite.Connection) -> list[str]:
    """Give the patterns that are closed."""
    return [pattern for (pattern,) in await db.execute_fetchall("SELECT pattern FROM endless")]
