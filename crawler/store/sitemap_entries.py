"""What sitemaps list, as rows: those of a sitemap that is read again take the place of the old."""

from __future__ import annotations

from collections.abc import Iterable

from crawler.store import Batch
from crawler.store.rows import to_json
from crawler.store.statements import Statements
from crawler.web.outcome import Outcome
from crawler.web.sitemap_entry import SitemapEntry

_TAKEN = "SELECT 1 FROM item_types WHERE name = 'sitemap_entries'"
_INSERT = (
    "INSERT INTO sitemap_entries (sitemap, url, lastmod, changefreq, priority, run_id)"
    " SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3,"
    " CAST(value ->> 4 AS DOUBLE PRECISION), ?1 FROM json_each(?2) WHERE true"
    " ON CONFLICT ({key}) DO UPDATE SET lastmod = excluded.lastmod,"
    " changefreq = excluded.changefreq, priority = excluded.priority, run_id = excluded.run_id"
)
_OLD = (
    "DELETE FROM sitemap_entries WHERE run_id <> ?1"
    " AND sitemap IN (SELECT value FROM json_each(?2))"
)


async def write(db: Statements, run_id: int, batch: Batch, *, key: str = "url, sitemap") -> None:
    """Write the entries of a batch; sitemaps that were read to their end forget older ones.

    `key` is what its unique index is over.

    Not where an item type of an older store has the table's name.
    """
    read = [
        visit.todo.url
        for visit in batch.visits
        if visit.outcome is Outcome.SITEMAP and visit.error is None
    ]
    rows = [*batch.entries, *_of_visits(batch)]
    if not (read or rows) or list(await db.execute_fetchall(_TAKEN)):
        return
    if rows:
        await db.execute(_INSERT.format(key=key), (run_id, to_json(rows)))
    if read:
        await db.execute(_OLD, (run_id, to_json(read)))


def _of_visits(batch: Batch) -> Iterable[SitemapEntry]:
    return (entry for visit in batch.visits for entry in visit.entries)
