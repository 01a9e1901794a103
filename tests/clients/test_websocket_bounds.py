"""A WebSocket that a server leaves again and again comes to an end."""

from typing import Any

import pytest
from aiohttp import web
from client_story import Naps, Served, on_site

from crawler.clients import Backoff, WebSocket
from crawler.errors import SocketClosed
from crawler.practice import PracticeSite


@pytest.mark.parametrize("says", [None, "one"])
@on_site()
async def test_a_server_that_goes_away_each_time_is_given_up(site: PracticeSite, says: Any) -> None:
    async def leave(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        if says:
            await socket.send_str(says)
        await socket.close(code=1001, message=b"going away")
        return socket

    naps = Naps()
    async with Served({"/": leave}) as url:
        async with WebSocket(url, backoff=Backoff(4, sleep=naps)) as socket:
            with pytest.raises(SocketClosed, match="1001"):
                async for message in socket:
                    assert message.data == says
        assert socket.connections == 5 and len(naps) == 4


@on_site()
async def test_a_connection_that_held_sets_the_count_back(site: PracticeSite) -> None:
    left = 12

    async def leave(request: web.Request) -> web.WebSocketResponse:
        nonlocal left
        left -= 1
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.close(code=1001 if left else 1000)
        return socket

    async with Served({"/": leave}) as url:
        async with WebSocket(url, backoff=Backoff(3, sleep=Naps(), steady=0.0)) as socket:
            assert [message async for message in socket] == []
        assert socket.connections == 12
