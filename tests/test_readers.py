"""Readers never stop a crawl, and the log does not stay long when they have left."""

import asyncio
import sqlite3
from pathlib import Path

import aiosqlite

from crawler.store.wal import Log


def test_the_log_is_cut_when_it_is_long_and_readers_are_gone(tmp_path: Path) -> None:
    path = tmp_path / "a.db"

    async def story() -> None:
        async with aiosqlite.connect(path, isolation_level=None, timeout=60) as db:
            await asyncio.wait_for(tell(db), 20)

    async def tell(db: aiosqlite.Connection) -> None:
        await db.execute_fetchall("PRAGMA journal_mode = WAL")
        await db.execute("CREATE TABLE t (a)")
        reader = sqlite3.connect(path, isolation_level=None)
        cursor = reader.execute("SELECT 1 FROM t UNION ALL SELECT 2 UNION ALL SELECT 3")
        cursor.fetchone()
        await db.execute("INSERT INTO t VALUES (zeroblob(3000000))")
        await Log(path, limit=1_000_000).shrink(db)
        assert Log(path).path.stat().st_size > 1_000_000
        cursor.close()
        reader.close()
        await Log(path).shrink(db)
        assert Log(path).path.stat().st_size > 1_000_000
        await Log(path, limit=1_000_000).shrink(db)
        assert Log(path).path.stat().st_size == 0
        assert await db.execute_fetchall("PRAGMA busy_timeout") == [(60000,)]

    asyncio.run(story())
