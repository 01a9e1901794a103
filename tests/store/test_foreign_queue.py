"""A store that somebody else has made leads to no file and to no private address."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from crawl_story import Follow, crawl, read
from data_story import page
from fault_server import FaultServer, says
from fault_server import page as answer
from stub_names import names

from crawler import Request

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


class Named(Follow):
    """Names its hosts in `start`, which a run that goes on may have to ask again."""

    name = "follow"
    hosts: tuple[str, ...] = ()

    def start(self):
        yield from map(Request, self.hosts)


def _named(*hosts: str) -> Named:
    spider = Named()
    spider.hosts = hosts
    return spider


@pytest.mark.parametrize("robots", [True, False])
@pytest.mark.parametrize("scope", [False, True])
@pytest.mark.parametrize("by_start", [False, True])
def test_its_queue_reaches_no_private_host_and_no_file(
    tmp_path: Path, scope: bool, robots: bool, by_start: bool
) -> None:
    store = tmp_path / "a.db"

    async def story() -> None:
        async with FaultServer() as site, FaultServer() as private:
            site.at("*", says(answer(page("home", "/1", "/2", "/3", "/4").encode())))
            private.at("*", says(answer(b"secret")))
            begun = _named(site.url("/")) if by_start else site.url("/")
            await crawl(begun, store, engine__max_pages=1)
            _filled(store, private.url("/secret"), scope=scope)
            left = "http://site.example/"
            again = _named(left) if by_start else left
            await crawl(again, store, politeness__robots=robots)
            assert not private.hits

    asyncio.run(story())
    found = dict(read(store, "SELECT url, outcome FROM pages WHERE page_id > 1"))
    assert set(found.values()) == {"address_refused"} and len(found) == 4
    assert not any("Traceback" in str(error) for error in read(store, "SELECT error FROM pages"))


@pytest.mark.parametrize("named", ["address", "name", "by nobody"])
@pytest.mark.parametrize("key", [False, True])
def test_a_run_that_goes_on_opens_the_private_host_that_start_itself_names(
    tmp_path: Path, named: str, key: bool
) -> None:
    store = tmp_path / "a.db"
    own = {"fetch__headers": {"X-Key": "k"}} if key else {}

    async def story() -> None:
        async with FaultServer() as site:
            site.at("*", says(answer(page("home", "/1", "/2").encode())))
            first = site.url("/")
            if named != "address":
                first = first.replace("127.0.0.1", "inner.example")
            with names(inner=["127.0.0.1"]):
                await crawl(_named("http://gone.example/", first), store, engine__max_pages=1)
                hosts = ("http://gone.example/", *(() if named == "by nobody" else (first,)))
                await crawl(_named(*hosts), store, **own)
            pages = [hit for hit in site.hits if hit.target in ("/1", "/2")]
            assert all(("x-key" in hit.headers) == key for hit in pages)

    asyncio.run(story())
    found = set(read(store, "SELECT outcome FROM pages WHERE depth > 0"))
    assert found == ({"address_refused"} if named == "by nobody" else {"ok"})
