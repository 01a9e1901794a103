"""A queue far larger than the memory, told as a story; `plays` names its id."""

import asyncio
import os
import sqlite3
from contextlib import closing
from pathlib import Path

from fault_server import FaultServer, page, says
from fault_story import QUICK, Visitor, merged, plays

from crawler import Crawler
from crawler.frontier.host_queue import QueueLimits

QUEUED = 500_000
QUEUE = """
WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ?2)
INSERT INTO todo (host_id, rank, seq, url_hash, url, depth, attempts, not_before)
SELECT 1, 0, 1000 + i, i, ?1 || '/a/page/with/a/path/of/usual/length/' || i, 1, 0, 0.0 FROM n
"""


def resident() -> int:
    """Bytes of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def queue(store: Path, host: str) -> None:
    """Queue half a million URLs of the one host in a store."""
    with closing(sqlite3.connect(store)) as db:
        db.execute(QUEUE, (host, QUEUED))
        db.execute("UPDATE hosts SET pending = pending + ?", (QUEUED,))
        db.execute("UPDATE crawl SET value = value + ? WHERE key = 'next_seq'", (2 * QUEUED,))
        db.commit()


@plays("fault-102")
async def test_a_queue_of_half_a_million_urls_is_on_disk_and_not_in_memory(tmp_path: Path) -> None:
    store = tmp_path / "a.db"
    async with FaultServer() as server:
        server.at("*", says(page(), keep=True))
        seeds = [server.url("/")]
        async with Crawler(Visitor(seeds), store=store, settings=QUICK) as crawler:
            await crawler.run()
        queue(store, server.url().rstrip("/"))
        before, most = resident(), 0
        settings = merged(QUICK, {"engine": {"max_pages": 300}, "traps": {"endless_after": 0}})
        async with Crawler(Visitor(seeds), store=store, settings=settings) as crawler:

            def look(*_: object) -> None:
                nonlocal most
                most = max(most, crawler.frontier.in_memory)

            crawler.on_commit(look)
            summary = await asyncio.wait_for(crawler.run(), 15)
        assert (summary.reason, summary.total_pages) == ("max_pages", 300)
        assert summary.queued == QUEUED + 1 - 300
        assert 0 < most <= 2 * QueueLimits().most
        assert resident() - before < 100 << 20  # as Todo alone the queue would be 200 MB
