"""Readers never stop a crawl, and the log does not stay long when they have left."""

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiosqlite
from data_story import FAST, SmallWeb, on_web, page

from crawler import SiteSpider, export
from crawler.engine.crawler import Crawler
from crawler.inspect.query import Reader
from crawler.inspect.search import search
from crawler.store import Committed
from crawler.store.wal import WalFile
from crawler.web.visit import Visit


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
        await WalFile(path, limit=1_000_000).shrink(db)
        assert WalFile(path).path.stat().st_size > 1_000_000
        cursor.close()
        reader.close()
        await WalFile(path).shrink(db)
        assert WalFile(path).path.stat().st_size > 1_000_000
        await WalFile(path, limit=1_000_000).shrink(db)
        assert WalFile(path).path.stat().st_size == 0
        assert await db.execute_fetchall("PRAGMA busy_timeout") == [(60000,)]

    asyncio.run(story())


def test_readers_that_hold_long_selects_see_their_snapshot_and_the_crawl_goes_on(
    tmp_path: Path,
) -> None:
    path, out = tmp_path / "a.db", tmp_path / "pages.jsonl"
    held: list[tuple[Reader, int, Iterator[Any]]] = []
    found, exported = [], []

    def look(visits: list[Visit], committed: Committed) -> None:
        """Hold one more SELECT half read, search, and export: between two commits."""
        if not visits:
            return
        reader = Reader(path)
        [(number,)] = reader.query("SELECT count(*) FROM pages").rows
        rows = iter(reader.query("SELECT page_id FROM pages ORDER BY page_id").rows)
        next(rows)
        held.append((reader, number, rows))
        with Reader(path) as other:
            found.append(len(list(search(other, "apples", limit=99).rows)))
            pages, options = export.select(other, "pages")
            exported.append(export.write(pages, "jsonl", out, options))

    async def tell(web: SmallWeb) -> None:
        for number in range(40):
            web.add(f"/{number or ''}", page("p", f"/{(number + 1) % 40 or ''}", text="apples"))
        settings = {**FAST, "store": {"text": True, "flush_interval": 0.001, "flush_visits": 1}}
        spider = SiteSpider(web.url + "/")
        async with Crawler(spider, store=path, settings=settings) as crawler:
            crawler.on_commit(look)
            summary = await crawler.run()
        assert (summary.pages, summary.state) == (40, "finished")

    on_web(tell)
    assert len(held) >= 10
    assert found == exported and found == sorted(found) and found[-1] == 40
    for reader, number, rows in held:
        assert len(list(rows)) == number - 1
        reader.__exit__()
    assert not path.with_name("a.db-wal").exists()
