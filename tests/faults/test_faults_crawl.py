"""Faults of whole hosts and of the machine, told as stories; `plays` names their ids."""

import asyncio
import json
import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from fault_server import FaultServer, Wire, page, says
from fault_story import QUICK, Visitor, crawl, merged, plays

from crawler import Crawler, Request, ScrapedPage
from crawler.errors import StoreError


@plays("fault-075")
async def test_a_host_that_flaps_gives_every_page_in_the_end(tmp_path: Path) -> None:
    chance = random.Random(5)

    async def flapping(wire: Wire) -> None:
        bad = chance.random() < 0.5
        await wire.send(page(status=b"503 Busy") if bad else page())
        wire.keep = True

    async with FaultServer() as server:
        server.at("*", flapping)
        urls = [server.url(f"/{number}") for number in range(60)]
        fetch = {"retries": 15}
        ended = await crawl(urls, tmp_path / "a.db", fetch=fetch)
        assert {ended.outcome(url) for url in urls} == {"ok"}
        assert len(server.hits) == 60 + ended.summary.retries


@plays("fault-082", "fault-087", "fault-072")
async def test_robots_txt_may_be_elsewhere_and_is_each_ports_own(tmp_path: Path) -> None:
    rules = page(b"User-agent: *\nDisallow: /page")

    def hop(to: str) -> bytes:
        return page(b"", b"Location: " + to.encode() + b"\r\n", b"301 Moved")

    async with FaultServer() as one, FaultServer() as two, FaultServer() as three:
        two.at("/r5", rules)
        for number in range(1, 5):
            one.at(f"/r{number}", hop(two.url("/r5") if number == 4 else f"/r{number + 1}"))
        one.at("/robots.txt", hop("/r1"))
        two.at("/robots.txt", hop("/robots.txt"))  # a loop is no file
        three.at("/robots.txt", page(b"<html><p>Disallow: /page</p></html>"))
        urls = [server.at("/page", page()) for server in (one, two, three)]
        ended = await crawl(urls, tmp_path / "a.db", politeness={"robots": True})
        assert [ended.outcome(url) for url in urls] == ["robots_denied", "ok", "ok"]


class Repeating(Visitor):
    """Yields one URL over and over, the last time when nothing else is left."""

    def parse(self, page: ScrapedPage) -> Any:
        for _ in range(50_000):
            yield Request(page.url.rpartition("/")[0] + "/again")


@plays("fault-100")
async def test_a_url_yielded_without_end_is_fetched_once(tmp_path: Path) -> None:
    async with FaultServer() as server:
        server.at("*", says(page(), keep=True))
        spider = Repeating([server.url("/first")])
        async with Crawler(spider, store=tmp_path / "a.db", settings=QUICK) as crawler:
            summary = await asyncio.wait_for(crawler.run(), 15)
        assert (server.count("/again"), summary.pages, summary.state) == (1, 2, "finished")


@plays("fault-099")
async def test_a_callback_that_hangs_raises_or_gives_nonsense_is_isolated(tmp_path: Path) -> None:
    class Faulty(Visitor):
        async def parse(self, page: ScrapedPage) -> Any:  # type: ignore[override]
            if page.url.endswith("/hangs"):
                await asyncio.Event().wait()
            if page.url.endswith("/raises"):
                raise RuntimeError("no")
            return 42 if page.url.endswith("/nonsense") else None

    async with FaultServer() as server:
        server.at("*", says(page(), keep=True))
        paths = ("/hangs", "/raises", "/nonsense", "/fine")
        settings = merged(QUICK, {"engine": {"callback_timeout": 0.2}})
        spider = Faulty([server.url(path) for path in paths])
        async with Crawler(spider, store=tmp_path / "a.db", settings=settings) as crawler:
            summary = await asyncio.wait_for(crawler.run(), 10)
        assert summary.outcomes["spider_error"] >= 2 and summary.outcomes["ok"] >= 1
        assert summary.state == "finished"


@plays("fault-094")
async def test_a_locked_store_is_waited_for_and_the_loop_goes_on(tmp_path: Path) -> None:
    store = tmp_path / "a.db"
    locker = (
        "import sqlite3, sys, time; db = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "db.execute('BEGIN IMMEDIATE'); print('locked', flush=True); time.sleep(0.8)"
    )
    async with FaultServer() as server:
        server.at("*", says(page(), keep=True))
        urls = [server.url(f"/{number}") for number in range(30)]
        async with Crawler(Visitor(urls), store=store, settings=QUICK) as crawler:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", locker, str(store)), stdout=subprocess.PIPE
            )
            assert process.stdout is not None
            await process.stdout.readline()
            run = asyncio.create_task(crawler.run())
            ticks = 0
            while not run.done():
                await asyncio.sleep(0.01)
                ticks += 1
            summary = await run
            await process.wait()
        assert ticks > 20  # the loop was free while the writer waited
        assert (summary.pages, summary.queued) == (30, 0)


@plays("fault-104")
async def test_a_row_that_cannot_be_read_ends_by_name_and_stops_no_other(tmp_path: Path) -> None:
    store = tmp_path / "a.db"
    async with FaultServer() as server:
        server.at("*", says(page(), keep=True))
        urls = [server.url(f"/{number}") for number in range(5)]
        spider = Visitor(urls)
        settings = merged(QUICK, {"engine": {"max_pages": 1, "workers": 1}})
        async with Crawler(spider, store=store, settings=settings) as crawler:
            await crawler.run()
        with closing(sqlite3.connect(store)) as db:
            db.execute("UPDATE todo SET extra = '{not json' WHERE url LIKE '%/3'")
            db.commit()
        async with Crawler(Visitor(urls), store=store, settings=QUICK) as crawler:
            summary = await asyncio.wait_for(crawler.run(), 10)
        with closing(sqlite3.connect(store)) as db:
            outcomes = dict(db.execute("SELECT url, outcome FROM pages").fetchall())
        assert summary.queued == 0 and summary.state == "finished"
        assert sorted(outcomes.values()) == ["internal_error", "ok", "ok", "ok", "ok"]


FEW_FILES = """
import asyncio, json, resource, sys
sys.path[:0] = [sys.argv[1]]
from fault_story import QUICK, Visitor, merged
from crawler import Crawler

async def story(url, store):
    urls = [f"{url}{n}" for n in range(300)]
    more = {"engine": {"workers": 200}, "politeness": {"per_host": 200},
            "fetch": {"total_timeout": 15.0, "read_timeout": 5.0}}
    async with Crawler(Visitor(urls), store=store, settings=merged(QUICK, more)) as crawler:
        return await crawler.run()

resource.setrlimit(resource.RLIMIT_NOFILE, (90, 90))
print(json.dumps(asyncio.run(story(*sys.argv[2:])).outcomes))
"""


@plays("fault-101")
async def test_too_few_file_descriptors_make_requests_wait_and_lose_no_page(
    tmp_path: Path,
) -> None:
    async def slow(wire: Wire) -> None:
        await asyncio.sleep(0.01)
        await wire.send(page())
        wire.keep = True

    async with FaultServer() as server:
        server.at("*", slow)
        store = str(tmp_path / "a.db")
        arguments = [str(Path(__file__).parents[1] / "support"), server.url("/"), store]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", FEW_FILES), *arguments, stdout=subprocess.PIPE
        )
        out, _ = await asyncio.wait_for(process.communicate(), 18)
        assert json.loads(out) == {"ok": 300}
        assert server.connections <= 90


@plays("fault-095")
async def test_a_damaged_store_is_refused_by_its_name_and_left_as_it_is(tmp_path: Path) -> None:
    store = tmp_path / "damaged.db"
    for content in (b"SQLite format 3\0" + b"\xff" * 5000, b"no database at all" * 50):
        store.write_bytes(content)
        try:
            async with Crawler(Visitor(["http://127.0.0.1:9/"]), store=store, settings=QUICK):
                raise AssertionError("it was opened")
        except StoreError as error:
            assert "damaged.db" in str(error)
        assert store.read_bytes() == content
