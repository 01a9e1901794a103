"""What is said of an exchange that failed."""

import asyncio

import aiohttp
import pytest
from fault_server import FaultServer, says

from crawler.clients.transport import Transport
from crawler.errors import FetchError
from crawler.http.errors import to_fetch_error
from crawler.web.outcome import Outcome


def test_of_a_head_that_is_cut_off_no_field_is_told() -> None:
    cut = says(b"HTTP/1.1 203 Fine\r\nSet-Cookie: session=xyzzy\r\nConte")

    async def story() -> None:
        async with FaultServer() as server, Transport() as caller:
            with pytest.raises(FetchError) as caught:
                await caller.fetch("GET", server.at("/", cut), timeout=5)
        assert caught.value.outcome is Outcome.CONNECT_ERROR
        assert "xyzzy" not in str(caught.value) and "203" in str(caught.value)

    asyncio.run(story())


def test_a_connection_that_ended_before_any_head_is_told_as_such() -> None:
    error = to_fetch_error(aiohttp.ServerDisconnectedError())
    assert str(error) == "ServerDisconnectedError: Server disconnected"
