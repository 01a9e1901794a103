"""Streams that are lost: which codes end one, how often it comes back, what is stored once."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from client_story import Naps, Served

from crawler import Crawler, Spider, Stream
from crawler.clients import Backoff, WebSocket
from crawler.clients.websocket import is_lasting
from crawler.errors import SocketClosed, UsageError

FAST = {
    "politeness": {"delay": 0.0, "robots": False},
    "fetch": {"retry_delay": 0.01, "retries": 3},
}


class Feed:
    """A server that says some texts on each opening and then goes, as a code (0: by a reset)."""

    def __init__(self, code: int, says: Callable[[int], list[Any]]) -> None:
        self.code, self.says, self.opened = code, says, 0
        self.heard: list[Any] = []

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        self.opened += 1
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        if "greeted" in request.query:
            self.heard.append((await socket.receive()).data)
        for value in self.says(self.opened):
            await socket.send_json(value)
        if self.code:
            await socket.close(code=self.code, message=b"go \x1b[2J away")
        elif request.transport:
            await asyncio.sleep(0.02)
            request.transport.abort()
        return socket


class Hears(Spider):
    name = "hears"

    def __init__(self, url: str, **options: Any) -> None:
        super().__init__()
        self.url, self.options = url, options

    def start(self) -> Any:
        yield Stream(self.url, callback=self.hear, **self.options)

    def hear(self, message: Any) -> Any:
        yield {"n": message.json()["n"]}

    def number(self, message: Any) -> Any:
        return message.json()["n"]

    def greeting(self, cursor: Any) -> Any:
        return {"text": '{"subscribe": 1}', "bytes": b"\x00\x01", "json": {"from": cursor}}[
            self.options["resume"]
        ]


def crawled(feed: Feed, store: Path, query: str = "", **options: Any) -> Any:
    """Crawl the feed to its end; give the summary, the numbers stored, and outcomes by page."""

    async def story() -> Any:
        async with Served({"/feed": feed.serve}) as url, asyncio.timeout(20):
            spider = Hears(f"{url}/feed{query}", **options)
            async with Crawler(spider, store=store, settings=FAST) as crawler:
                return await crawler.run()

    summary = asyncio.run(story())
    with closing(sqlite3.connect(store)) as db:
        try:
            numbers = [n for (n,) in db.execute("SELECT n FROM item ORDER BY item_id")]
        except sqlite3.OperationalError:  # there is no item
            numbers = []
        pages = db.execute("SELECT outcome, error FROM pages ORDER BY page_id").fetchall()
        assert db.execute("SELECT count(*) FROM todo").fetchone() == (0,)
    assert summary.state == "finished"
    return summary, numbers, pages


def test_which_close_codes_end_a_stream_is_a_table() -> None:
    lasting = {*(1002, 1003, 1007, 1008, 1009, 1010, 3000, 3003), *range(4000, 5000)}
    assert {code for code in (None, *range(6000)) if is_lasting(code)} == lasting


@pytest.mark.parametrize("code", [1002, 1003, 1008, 1010, 3000, 3003, 4001, 4999])
def test_a_close_that_coming_back_does_not_mend_ends_the_stream(code: int, tmp_path: Path) -> None:
    feed = Feed(code, lambda opened: [{"n": 1}])
    _, numbers, pages = crawled(feed, tmp_path / "a.db")
    assert (feed.opened, numbers) == (1, [1])
    [(outcome, error)] = pages
    assert outcome == "protocol_error" and f"closed with {code}" in error
    assert "\\x1b[2J away" in error and "\x1b" not in error


def test_a_close_before_the_first_message_that_nothing_mends_is_not_tried_again(
    tmp_path: Path,
) -> None:
    feed = Feed(1008, lambda opened: [])
    _, _, pages = crawled(feed, tmp_path / "a.db")
    assert feed.opened == 1 and [outcome for outcome, _ in pages] == ["protocol_error"]


@pytest.mark.parametrize("code", [1001, 1011, 1012, 1013, 1014, 3008, 0])
def test_a_lost_stream_counts_against_the_retries_though_messages_came(
    code: int, tmp_path: Path
) -> None:
    feed = Feed(code, lambda opened: [{"n": 1}, {"n": 2}])
    summary, numbers, pages = crawled(feed, tmp_path / "a.db")
    assert (feed.opened, numbers) == (4, [1, 2])
    assert [outcome for outcome, _ in pages] == ["ok", "ok", "ok", "connect_error"]
    assert summary.refused == {"message_repeated": 6, "stream_lost_without_cursor": 3}


def test_each_opening_after_a_loss_waits_longer(tmp_path: Path) -> None:
    began: list[float] = []

    def says(opened: int) -> list[Any]:
        began.append(asyncio.get_running_loop().time())
        return [{"n": opened}]

    crawled(Feed(1001, says), tmp_path / "a.db")
    gaps = [after - before for before, after in pairwise(began)]
    assert len(gaps) == 3 and gaps[0] >= 0.005 and gaps[1] >= 0.01 and gaps[2] >= 0.02


def test_what_is_new_after_an_opening_is_stored_though_its_text_is_old(tmp_path: Path) -> None:
    """A window that moves on, and then a price that is once more what it was."""
    lines = {1: [1, 2, 3], 2: [2, 3, 4, 1], 3: [1], 4: [9]}
    feed = Feed(1001, lambda opened: [{"n": n} for n in lines[opened]])
    summary, numbers, _ = crawled(feed, tmp_path / "a.db")
    assert numbers == [1, 2, 3, 4, 1, 9]  # the first 1 and the second are two
    assert summary.refused["message_repeated"] == 3


def test_a_cursor_that_moves_on_begins_the_count_anew(tmp_path: Path) -> None:
    def says(opened: int) -> list[Any]:
        feed.code = 1000 if opened == 9 else 1001
        return [{"n": opened}]

    feed = Feed(1001, says)
    summary, numbers, pages = crawled(feed, tmp_path / "a.db", cursor="number", resume="since")
    assert (feed.opened, numbers) == (9, list(range(1, 10)))
    assert {outcome for outcome, _ in pages} == {"ok"} and summary.refused == {}


def test_a_server_that_ignores_the_cursor_is_asked_a_bounded_number_of_times(
    tmp_path: Path,
) -> None:
    feed = Feed(1001, lambda opened: [{"n": 1}, {"n": 2}])
    _, numbers, _ = crawled(feed, tmp_path / "a.db", cursor="number", resume="since")
    assert numbers == [1, 2] and feed.opened <= 5


@pytest.mark.parametrize(
    ("kind", "sent"),
    [("text", '{"subscribe": 1}'), ("bytes", b"\x00\x01"), ("json", '{"from":null}')],
)
def test_text_and_bytes_of_opened_are_sent_as_they_are(
    kind: str, sent: Any, tmp_path: Path
) -> None:
    feed = Feed(1000, lambda opened: [{"n": 1}])
    crawled(feed, tmp_path / "a.db", "?greeted", opened="greeting", resume=kind)
    assert feed.heard == [sent]


# ---------------------------------------------------------------- the client by itself


async def drops(request: web.Request) -> Any:
    return await Feed(0, lambda opened: ["one"]).serve(request)


async def aborts(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse()
    await socket.prepare(request)
    if request.transport:
        request.transport.abort()
    return socket


async def heard(handler: Any, **options: Any) -> list[Any]:
    """What a socket hears until its end."""
    async with Served({"/": handler}) as url, asyncio.timeout(10):
        backoff = Backoff(2, sleep=Naps())
        url = options.pop("url", lambda url: url)(url)
        async with WebSocket(url, backoff=backoff, **options) as socket:
            return [json.loads(message.data) async for message in socket]


def test_a_server_that_goes_while_opened_sends_is_an_error_and_no_wait() -> None:
    async def greet(socket: WebSocket) -> None:
        await asyncio.sleep(0.02)
        while True:
            await asyncio.gather(socket.send("subscribe"))

    with pytest.raises(SocketClosed, match="while it was being opened"):
        asyncio.run(heard(aborts, opened=greet))


def test_a_server_that_goes_at_every_later_opening_is_given_up() -> None:
    opened: list[int] = []

    async def handler(request: web.Request) -> Any:
        return await (aborts(request) if opened else drops(request))

    async def greet(socket: WebSocket) -> None:
        opened.append(1)
        while len(opened) > 1:
            await socket.send("subscribe")
            await asyncio.sleep(0.005)

    with pytest.raises(SocketClosed):
        asyncio.run(heard(handler, opened=greet))
    assert len(opened) == 3


def test_what_opened_raises_at_a_later_opening_is_raised_where_messages_are_read() -> None:
    opened: list[int] = []

    async def greet(socket: WebSocket) -> None:
        opened.append(1)
        if len(opened) == 2:
            raise ValueError("the token cannot be had")

    with pytest.raises(ValueError, match="the token"):
        asyncio.run(heard(drops, opened=greet))


def test_what_url_raises_at_a_later_opening_is_raised_where_messages_are_read() -> None:
    def address(url: str) -> Callable[[], str]:
        urls = [url]
        return lambda: urls.pop()

    with pytest.raises(IndexError):
        asyncio.run(heard(drops, url=address))


def test_opened_that_receives_is_told_that_it_cannot() -> None:
    async def greet(socket: WebSocket) -> None:
        await socket.receive()

    with pytest.raises(UsageError, match="cannot receive"):
        asyncio.run(heard(drops, opened=greet))
