"""A spider's streams: messages become items, batch by batch, with the durability of pages."""

import asyncio
import json
import sqlite3
import textwrap
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

from aiohttp import web
from client_story import Served, on_site, run_killed, until

from crawler import Crawler, Request, Spider, Stream
from crawler.practice import PracticeSite

FAST = {"politeness": {"delay": 0.0, "robots": False}, "fetch": {"retry_delay": 0.0}}


def rows(store: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(store)) as db:
        return db.execute(sql).fetchall()


class Ticks(Spider):
    name = "ticks"
    settings: ClassVar[Any] = FAST

    def __init__(self, *streams: Any) -> None:
        super().__init__()
        self.streams = streams

    def start(self) -> Any:
        return self.streams

    def tick(self, message: Any) -> Any:
        yield {"n": message.json()["n"]}

    def number(self, message: Any) -> int:
        return int(message.json()["n"])

    def enough(self, message: Any) -> bool:
        return bool(message.json()["n"] >= 7)

    def subscribe(self, cursor: Any) -> Any:
        return {"from": cursor or 0}


async def crawl(store: Path, *streams: Any, **settings: Any) -> Any:
    async with Crawler(Ticks(*streams), store=store, settings=settings) as crawler:
        return await crawler.run()


def numbers(store: Path) -> list[int]:
    return [n for (n,) in rows(store, "SELECT n FROM item ORDER BY item_id")]


def ws(site: PracticeSite, path: str) -> str:
    return site.at(path).replace("http://", "ws://")


@on_site()
async def test_messages_become_items_until_the_server_has_said_all(
    site: PracticeSite, tmp_path: Path
) -> None:
    store = tmp_path / "c.db"
    summary = await crawl(store, Stream(ws(site, "/ws/ticker?until=50"), callback="tick", batch=20))
    assert numbers(store) == list(range(1, 51))
    assert summary.state == "finished" and summary.queued == 0
    assert site.count("/ws/ticker") == 1  # one connection over all batches
    batches = rows(store, "SELECT outcome, status FROM pages")
    assert len(batches) >= 3 and set(batches) == {("ok", 101)}
    assert rows(store, "SELECT DISTINCT page_url FROM item") == [(site.at("/ws/ticker?until=50"),)]


@on_site()
async def test_a_stream_ends_after_so_many_messages(site: PracticeSite, tmp_path: Path) -> None:
    store = tmp_path / "c.db"
    url = ws(site, "/ws/ticker?until=5000")
    await crawl(store, Stream(url, callback="tick", until=25, batch=10))
    assert numbers(store) == list(range(1, 26))


@on_site()
async def test_a_stream_ends_when_the_spider_says_so(site: PracticeSite, tmp_path: Path) -> None:
    store = tmp_path / "c.db"
    url = ws(site, "/ws/ticker?until=5000")
    await crawl(store, Stream(url, callback="tick", until=Ticks.enough))
    assert numbers(store) == list(range(1, 8))


@on_site()
async def test_a_stream_ends_when_its_time_is_up(site: PracticeSite, tmp_path: Path) -> None:
    store = tmp_path / "c.db"
    url = ws(site, "/ws/ticker?until=3&interval=5000")
    summary = await crawl(store, Stream(url, callback="tick", until=timedelta(seconds=0.1)))
    assert summary.state == "finished" and rows(store, "SELECT count(*) FROM pages") == [(1,)]


@on_site()
async def test_a_connection_that_breaks_is_taken_up_at_the_cursor(
    site: PracticeSite, tmp_path: Path
) -> None:
    store = tmp_path / "c.db"
    url = ws(site, "/ws/ticker?since=0&until=30&drop_after=8")
    await crawl(store, Stream(url, callback="tick", cursor="number", resume="since"))
    assert numbers(store) == list(range(1, 31))
    assert site.count("/ws/ticker") == 4


def test_a_server_is_told_the_cursor_after_each_opening(tmp_path: Path) -> None:
    asked: list[Any] = []

    async def feed(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        asked.append(json.loads(await socket.receive_str())["from"])
        for n in range(asked[-1] + 1, asked[-1] + 4):
            await socket.send_json({"n": n})
        await socket.close(code=1000 if n >= 9 else 1001)
        return socket

    async def story() -> None:
        async with Served({"/feed": feed}) as url:
            stream = Stream(f"{url}/feed", callback="tick", cursor="number", opened="subscribe")
            await crawl(tmp_path / "c.db", stream)

    asyncio.run(story())
    assert asked == [0, 3, 6]
    assert numbers(tmp_path / "c.db") == list(range(1, 10))


@on_site()
async def test_a_socket_that_never_opens_is_retried_and_given_up(
    site: PracticeSite, tmp_path: Path
) -> None:
    store = tmp_path / "c.db"
    await crawl(store, Stream(ws(site, "/shop/"), callback="tick"), fetch={"retries": 2})
    assert rows(store, "SELECT outcome, attempts FROM pages") == [("protocol_error", 3)]


@on_site()
async def test_a_callback_that_fails_is_an_outcome_and_the_stream_goes_on(
    site: PracticeSite, tmp_path: Path
) -> None:
    class Fragile(Ticks):
        def tick(self, message: Any) -> Any:
            n = message.json()["n"]
            if n == 3:
                raise ValueError("three")
            yield {"n": n}

    store = tmp_path / "c.db"
    spider = Fragile(Stream(ws(site, "/ws/ticker?until=6"), callback="tick", batch=2))
    async with Crawler(spider, store=store) as crawler:
        await crawler.run()
    assert numbers(store) == [1, 2, 4, 5, 6]
    [(error,)] = rows(store, "SELECT error FROM pages WHERE outcome = 'spider_error'")
    assert "three" in error


@on_site()
async def test_stopped_while_it_waits_it_stays_queued(site: PracticeSite, tmp_path: Path) -> None:
    store = tmp_path / "c.db"
    url = ws(site, "/ws/ticker?until=3&interval=60000")
    async with Crawler(Ticks(Stream(url, callback="tick")), store=store) as crawler:
        run = asyncio.create_task(crawler.run())
        await until(lambda: site.count("/ws/ticker") > 0)
        crawler.stop()
        summary = await run
    assert (summary.state, summary.queued) == ("interrupted", 1)
    assert rows(store, "SELECT count(*) FROM pages") == [(0,)]


@on_site()
async def test_waiting_streams_hold_up_neither_workers_nor_their_host(
    site: PracticeSite, tmp_path: Path
) -> None:
    class Both(Ticks):
        def parse(self, page: Any) -> Any:
            yield {"page": page.url}

    store = tmp_path / "c.db"
    silent = [ws(site, f"/ws/ticker?until=3&interval=60000&n={n}") for n in range(5)]
    pages = [Request(site.at(f"/status/200?{n}")) for n in range(6)]
    spider = Both(*(Stream(url, callback="tick") for url in silent), *pages)
    settings = {"engine": {"workers": 2}, "politeness": {"per_host": 1}}
    async with Crawler(spider, store=store, settings=settings) as crawler:
        run = asyncio.create_task(crawler.run())
        await until(lambda: site.count("/status/200") == 6 and site.count("/ws/ticker") == 5)
        crawler.stop()
        summary = await run
    assert (summary.outcomes, summary.queued) == ({"ok": 6}, 5)


@on_site()
async def test_no_more_streams_are_open_than_the_settings_allow(
    site: PracticeSite, tmp_path: Path
) -> None:
    store = tmp_path / "c.db"
    urls = [ws(site, f"/ws/ticker?until=5&n={n}") for n in range(4)]
    streams = [Stream(url, callback="tick", batch=2) for url in urls]
    summary = await crawl(store, *streams, engine={"streams": 1})
    assert summary.state == "finished" and sorted(numbers(store)) == sorted([1, 2, 3, 4, 5] * 4)
    assert rows(
        store,
        "SELECT count(*) FROM (SELECT url, min(page_id) AS a, max(page_id) AS b FROM pages"
        " GROUP BY url) AS x JOIN pages AS p ON p.page_id BETWEEN a AND b AND p.url <> x.url",
    ) == [(0,)]  # one after the other


@on_site()
async def test_a_stream_that_may_not_go_on_leaves_its_place_to_the_next_in_line(
    site: PracticeSite, tmp_path: Path
) -> None:
    url = ws(site, "/ws/ticker?until=5000")
    streams = [
        Stream(url, callback="tick", batch=2),
        Stream(url.replace("127.0.0.1", "localhost"), callback="tick", batch=2),
    ]
    settings = {"engine": {"streams": 1}, "traps": {"max_pages_per_host": 2}}
    summary = await asyncio.wait_for(crawl(tmp_path / "c.db", *streams, **settings), 5)
    assert summary.outcomes == {"ok": 4, "trapped": 2}


CHILD = """
    import asyncio, sys
    from crawler import Crawler, Request, Spider, Stream

    class Ticks(Spider):
        name = "ticks"
        settings = {"politeness": {"delay": 0.0}, "store": {"flush_interval": 0.02},
                    "fetch": {"allow_private": True}}
        def start(self):
            url = f"{sys.argv[1]}ws/ticker?since=0&until=400&interval=2"
            yield Stream(url, callback=self.tick, cursor=self.number, resume="since", batch=10)
        def tick(self, message):
            yield {"n": message.json()["n"]}
        def number(self, message):
            return message.json()["n"]

    async def main():
        async with Crawler(Ticks, store=sys.argv[2]) as crawler:
            await crawler.run()

    asyncio.run(main())
"""


@on_site()
async def test_killed_and_run_again_it_stores_every_message_exactly_once(
    site: PracticeSite, tmp_path: Path
) -> None:
    store, script = tmp_path / "c.db", tmp_path / "child.py"
    script.write_text(textwrap.dedent(CHILD))

    async def some_batches() -> None:
        stored = count()
        await until(lambda: count() > stored + 2)

    def count() -> int:
        try:
            return int(rows(store, "SELECT count(*) FROM pages")[0][0])
        except sqlite3.OperationalError:  # not made yet
            return 0

    assert await run_killed(script, site.url, str(store), kills=3, when=some_batches) == 3
    assert numbers(store) == list(range(1, 401))
    assert rows(store, "SELECT count(*) FROM todo") == [(0,)]
