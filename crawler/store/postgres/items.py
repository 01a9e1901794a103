"""Item tables in PostgreSQL: made and changed in transactions of their own, while others write.

A flush that needs a table to be otherwise changes it first, holding the one row that all who
change tables lock. A flush that brings items holds that row in share, and is told by its number
whether the tables are as it knows them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crawler.items import Record
from crawler.store import Batch
from crawler.store.item_marks import Left
from crawler.store.item_parts import ItemPart
from crawler.store.item_sql import Statement
from crawler.store.items import NO_PAGES, QUERY, ItemReport, ItemTables
from crawler.store.postgres.item_sql import PostgresItems
from crawler.store.postgres.statements import clean
from crawler.store.rows import to_json

if TYPE_CHECKING:
    import asyncpg

Records = list[tuple[Record, tuple[Any, ...]]]
_NAMES = "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
_LOCK = "SET LOCAL lock_timeout = '10s'"


class ItemStore:
    """The item tables of a crawl as this worker knows them."""

    def __init__(self) -> None:
        self._tables = ItemTables(PostgresItems())
        self.version = -1  # of the tables, as `crawl_control` counts them
        self._widened: list[str] = []  # told with the next flush

    async def load(self, db: asyncpg.Connection) -> None:
        """Take up how the tables are."""
        self.version = await db.fetchval("SELECT items_version FROM crawl_control")
        names = [name for (name,) in await db.fetch(_NAMES)]
        rows = [(*tuple(row)[:3], bool(row[3]), row[4]) for row in await db.fetch(QUERY)]
        self._tables.load(rows, names)

    def fits(self, batch: Batch) -> bool:
        """Return whether the tables have all that the items of a batch need."""
        records = _records(batch)
        if not records:
            return True
        steps = self._tables.shapes(records)
        try:
            next(steps)
        except StopIteration:
            return True
        return False

    async def change(self, db: asyncpg.Connection, batch: Batch) -> None:
        """Bring the tables to what the items of a batch need; the caller commits."""
        await db.execute(_LOCK)
        await db.execute("SELECT 1 FROM crawl_control FOR UPDATE")
        await self.load(db)
        steps = self._tables.shapes(_records(batch))
        answer: Any = None
        try:
            while True:
                answer = await _answer(db, steps.send(answer))
        except StopIteration as end:
            _, told = end.value
        self.version = await db.fetchval(
            "UPDATE crawl_control SET items_version = items_version + 1 RETURNING items_version"
        )
        self._widened += told.widened

    async def write(
        self, db: asyncpg.Connection, records: Records, left: Left = NO_PAGES
    ) -> ItemReport:
        """Store records in tables that fit them."""
        steps = self._tables.shapes(records)
        try:
            statement = next(steps)
        except StopIteration as end:
            parts: list[ItemPart] = end.value[0]
            told: ItemReport = end.value[1]
        else:
            raise RuntimeError(f"item tables do not fit: {statement.sql}")
        for each in self._tables.rows(parts, left):
            await _answer(db, each)
        told.widened, self._widened = self._widened, []
        return told

    async def write_alone(
        self, db: asyncpg.Connection, records: Records, left: Left = NO_PAGES
    ) -> ItemReport:
        """Store records, and bring the tables to what they need; nobody else may be at them."""
        steps = self._tables.writes(records, left)
        answer: Any = None
        try:
            while True:
                answer = await _answer(db, steps.send(answer))
        except StopIteration as end:
            told: ItemReport = end.value
        return told

    async def forget_given(self, db: asyncpg.Connection, visits: list[tuple[int, str]]) -> None:
        """Remove the items without a key that these visits (page_id, fetched_at) gave."""
        for statement in self._tables.given_at(visits):
            await _answer(db, statement)

    async def highest(self, db: asyncpg.Connection) -> str:
        """Return the highest item_id of each item type, as a JSON object."""
        found = {}
        for (name,) in await db.fetch("SELECT name FROM item_types"):
            found[name] = await db.fetchval(f'SELECT coalesce(max(item_id), 0) FROM "{name}"')
        return to_json(found)


async def hold(db: asyncpg.Connection) -> None:
    """Keep the item tables as they are until the end of the transaction."""
    await db.execute("SELECT 1 FROM crawl_control FOR KEY SHARE")


def _records(batch: Batch) -> Records:
    """Return the items of a batch; where they come from is of no matter to their tables."""
    return [
        (record, (0, "", 0, ""))
        for visit in batch.visits
        if visit.retry_at is None
        for record in visit.items
    ]


async def _answer(db: asyncpg.Connection, statement: Statement) -> list[tuple[Any, ...]]:
    sql, rows = statement
    values = () if rows is None else (clean(to_json(rows)),)
    return [tuple(row) for row in await db.fetch(sql, *values)]
