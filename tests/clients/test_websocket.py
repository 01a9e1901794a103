"""WebSocket over real sockets: messages, coming back, pings, a bounded queue."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import WSMsgType, web
from client_story import Naps, Served, on_site

from crawler.clients import Backoff, WebSocket
from crawler.errors import FetchError, SocketClosed
from crawler.practice import PracticeSite


def at(site: PracticeSite, path: str) -> str:
    return site.at(path).replace("http://", "ws://")


@on_site()
async def test_says_and_hears_text_bytes_and_json(site: PracticeSite) -> None:
    async with WebSocket(at(site, "/ws/echo")) as socket:
        await socket.send("ebb")
        await socket.send(b"\0\1")
        await socket.send_json({"n": 1})
        heard = [await socket.receive() for _ in range(2)]
        assert [message and message.data for message in heard] == ["ebb", b"\0\1"]
        assert await socket.receive_json() == {"n": 1}


@on_site()
async def test_ends_when_the_server_has_said_all(site: PracticeSite) -> None:
    async with WebSocket(at(site, "/ws/ticker?until=20")) as socket:
        numbers = [message.json()["n"] async for message in socket]
        assert numbers == list(range(1, 21))
        assert await socket.receive() is None
        with pytest.raises(SocketClosed):
            await socket.send("too late")


@on_site()
async def test_comes_back_and_goes_on_where_it_was(site: PracticeSite) -> None:
    numbers: list[int] = []
    naps = Naps()

    def address() -> str:
        return at(site, f"/ws/ticker?since={last}&until=20&drop_after=6")

    last = 0
    async with WebSocket(address, backoff=Backoff(sleep=naps), queue=1) as socket:
        async for message in socket:
            last = message.json()["n"]
            numbers.append(last)
    assert sorted(set(numbers)) == list(range(1, 21))
    assert socket.connections >= 4 and len(naps) == socket.connections - 1
    assert max(naps) <= 0.5  # every connection brought something, so the wait never grew


@on_site()
async def test_subscribes_again_after_each_opening(site: PracticeSite) -> None:
    greeted = 0

    async def greet(socket: WebSocket) -> None:
        nonlocal greeted
        greeted += 1

    url = at(site, "/ws/ticker?until=4&drop_after=2")
    async with WebSocket(url, opened=greet, backoff=Backoff(2, sleep=Naps())) as socket:
        for _ in range(6):
            await socket.receive()
    assert greeted == socket.connections >= 3


@on_site()
async def test_gives_up_after_so_many_failures(site: PracticeSite) -> None:
    naps = Naps()
    url = at(site, "/ws/ticker?drop_after=1&interval=1")
    async with WebSocket(url, backoff=Backoff(3, first=1, sleep=naps)) as socket:
        await socket.receive()
        await site.__aexit__(None, None, None)  # nobody is there any more
        with pytest.raises(SocketClosed, match="closed with"):
            while True:
                await socket.receive()
    assert [round(nap * 2) / 2 <= whole for nap, whole in zip(naps[-3:], [1, 2, 4], strict=True)]
    assert len(naps) >= 3


@on_site()
async def test_without_backoff_a_lost_connection_is_the_end(site: PracticeSite) -> None:
    async with WebSocket(at(site, "/ws/ticker?drop_after=2"), backoff=None) as socket:
        with pytest.raises(SocketClosed):
            async for _ in socket:
                pass
    assert socket.connections == 1


def test_a_server_that_is_not_there_is_a_fetch_error() -> None:
    async def story() -> None:
        with pytest.raises(FetchError):
            async with WebSocket("ws://127.0.0.1:9/"):
                pass

    asyncio.run(story())


@on_site()
async def test_a_page_that_is_no_socket_is_a_fetch_error(site: PracticeSite) -> None:
    with pytest.raises(FetchError) as caught:
        async with WebSocket(at(site, "/shop/")):
            pass
    assert caught.value.outcome == "protocol_error"


def serving(talk: Callable[[web.WebSocketResponse], Awaitable[None]], **options: object) -> Served:
    async def handler(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(**options)  # type: ignore[arg-type]
        await socket.prepare(request)
        await talk(socket)
        return socket

    return Served({"/": handler})


def test_a_slow_reader_slows_the_server_down() -> None:
    sent = 0

    async def flood(socket: web.WebSocketResponse) -> None:
        nonlocal sent
        while True:
            await socket.send_str("x" * 10_000)
            sent += 1

    async def story() -> None:
        async with serving(flood) as url, WebSocket(url, queue=5) as socket:
            for _ in range(20):
                await socket.receive()
            before = -1
            while before != sent:  # until the buffers between us are full
                before = sent
                await asyncio.sleep(0.02)
            assert 20 <= sent < 5_000

    asyncio.run(story())


def test_a_server_that_answers_no_ping_is_left_and_asked_again() -> None:
    opened = asyncio.Event()

    async def deaf(socket: web.WebSocketResponse) -> None:
        await socket.send_str("hello")
        if opened.is_set():
            await socket.close()
        opened.set()
        await asyncio.sleep(10)  # reads nothing, so no pong goes out

    async def story() -> None:
        async with serving(deaf, autoping=False) as url:
            backoff = Backoff(sleep=Naps())
            async with WebSocket(url, ping=0.02, backoff=backoff) as socket:
                assert await socket.receive() is not None
                assert await socket.receive() is not None
                assert socket.connections == 2

    asyncio.run(asyncio.wait_for(story(), 10))


def test_a_server_that_answers_pings_is_kept_though_it_is_silent() -> None:
    async def quiet(socket: web.WebSocketResponse) -> None:
        pings = 0
        while pings < 4:
            message = await socket.receive()
            if message.type is not WSMsgType.PING:
                return
            await socket.pong(message.data)
            pings += 1
        await socket.send_str("at last")
        await socket.close()

    async def story() -> None:
        async with serving(quiet, autoping=False) as url, WebSocket(url, ping=0.15) as socket:
            assert [message.data async for message in socket] == ["at last"]
            assert socket.connections == 1

    asyncio.run(asyncio.wait_for(story(), 10))


def test_a_message_over_the_cap_ends_it_and_is_not_asked_for_again() -> None:
    async def large(socket: web.WebSocketResponse) -> None:
        await socket.send_str("x" * 2000)
        await socket.receive()

    async def story() -> None:
        async with serving(large) as url, WebSocket(url, largest=1000) as socket:
            with pytest.raises(SocketClosed):
                await socket.receive()
            assert socket.connections == 1

    asyncio.run(story())


@on_site()
async def test_leaves_in_the_middle_without_a_trace(site: PracticeSite) -> None:
    async with WebSocket(at(site, "/ws/ticker?until=5000"), queue=2) as socket:
        await socket.receive()
    assert len(asyncio.all_tasks()) < 12
