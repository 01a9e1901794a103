"""A store that somebody else has made leads to no file and to no private address."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from crawl_story import crawl, read
from data_story import page
from fault_server import FaultServer, says
from fault_server import page as answer

FOREIGN = ("file:///etc/passwd", "ftp://h.example/x", "javascript:alert(1)")


def _filled(store: Path, private: str, *, scope: bool) -> None:
    """Put URLs of others into the queue, and a private host among those that were named."""
    with closing(sqlite3.connect(store)) as db, db:
        columns = [row[1] for row in db.execute("PRAGMA table_info(hosts)")]
        [host] = db.execute(f"SELECT {', '.join(columns)} FROM hosts").fetchall()
        queued = [row[0] for row in db.execute("SELECT url_hash FROM todo ORDER BY seq")]
        for number, (key, url) in enumerate(zip(queued, (private, *FOREIGN), strict=True), 100):
            origin = url[: url.find("/", 8)] if url.startswith("http") else url.partition(":")[0]
            values = dict(zip(columns, host, strict=True))
            values |= {"host_id": number, "name": origin, "pending": 1}
            marks = ", ".join("?" * len(values))
            db.execute(f"INSERT INTO hosts VALUES ({marks})", list(values.values()))
            db.execute(
                "UPDATE todo SET url = ?, host_id = ? WHERE url_hash = ?", (url, number, key)
            )
        db.execute("UPDATE hosts SET pending = 0 WHERE host_id < 100")
        if scope:
            db.execute("UPDATE crawl SET value = ? WHERE key = 'scope'", (f'["{private}"]',))


@pytest.mark.parametrize("robots", [True, False])
@pytest.mark.parametrize("scope", [False, True])
def test_its_queue_reaches_no_private_host_and_no_file(
    tmp_path: Path, scope: bool, robots: bool
) -> None:
    store = tmp_path / "a.db"

    async def story() -> None:
        async with FaultServer() as site, FaultServer() as private:
            site.at("*", says(answer(page("home", "/1", "/2", "/3", "/4").encode())))
            private.at("*", says(answer(b"secret")))
            await crawl(site.url("/"), store, engine__max_pages=1)
            _filled(store, private.url("/secret"), scope=scope)
            await crawl("http://site.example/", store, politeness__robots=robots)
            assert not private.hits

    asyncio.run(story())
    found = dict(read(store, "SELECT url, outcome FROM pages WHERE page_id > 1"))
    assert set(found.values()) == {"address_refused"} and len(found) == 4
    assert not any("Traceback" in str(error) for error in read(store, "SELECT error FROM pages"))
