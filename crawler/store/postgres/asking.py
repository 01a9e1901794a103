"""Asking a crawl over PostgreSQL for something: a row of `control`, from outside of the crawl."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crawler.errors import StoreRefused
from crawler.store.address import DatabaseAddress
from crawler.store.postgres.connection import Connection, asyncpg_module
from crawler.store.postgres.thread import LoopThread

if TYPE_CHECKING:
    import asyncpg


def insert_control(address: DatabaseAddress, columns: tuple[str, ...], row: tuple[Any, ...]) -> int:
    """Insert a row of `control`, and return its number; StoreRefused where there is no crawl."""
    marks = ", ".join(f"${place}" for place in range(1, len(columns) + 1))
    sql = f"INSERT INTO control ({', '.join(columns)}) VALUES ({marks}) RETURNING control_id"

    async def asked(db: asyncpg.Connection) -> int:
        try:
            return int(await db.fetchval(sql, *row))
        except asyncpg_module().UndefinedTableError:
            raise StoreRefused(
                f"{address}: there is no such crawl, or it was made by an older version; run it"
                " with this version once"
            ) from None

    async def connected() -> int:
        connection = Connection(address, patience=5.0)
        await connection.open()
        try:
            return await connection.run(asked)
        finally:
            await connection.close()

    thread = LoopThread()
    try:
        return thread.wait(connected())
    finally:
        thread.close()
