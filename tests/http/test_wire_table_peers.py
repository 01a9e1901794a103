"""The rows of the wire table that aiohttp alone and httpx answer otherwise, and how."""

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from fault_server import FaultServer, says

from tests.http.test_wire_table import ROWS, Row

ERROR, TAKEN, OTHERWISE = "an error", "taken", "another body"

Ask = Callable[[Row, str], Awaitable[bytes]]

CODED = {
    "x-gzip": OTHERWISE,  # as it came
    "half a gzip": TAKEN,
    "half a brotli": TAKEN,
    "a dictionary of brotli": TAKEN,
    "a redirect to two places": TAKEN,
    "a redirect to what is no URL": TAKEN,
    "a redirect to another scheme": TAKEN,
}
TRANSFERS = [
    "chunked in a list with empty elements",
    "a transfer in gzip",
    "a transfer in gzip and chunks",
    "a transfer in x-gzip and chunks",
    "a transfer in deflate and chunks",
    "content and transfer in gzip",
    "chunked before identity",
    "chunked before gzip",
    "chunked before gzip, in two lines",
    "gzip before chunked, in two lines",
]
UNASKED = {
    row.what: TAKEN
    for row in ROWS
    if row.what[:4] in ("206 ", "304 ") and row.value == "protocol_error"
}
BY_AIOHTTP = {
    **UNASKED,
    **{row.what: ERROR for row in ROWS if row.lax},
    **dict.fromkeys(TRANSFERS, OTHERWISE),
    **CODED,
    "half a transfer in gzip": TAKEN,
    "a transfer in compress": TAKEN,
    "gzip twice": OTHERWISE,
    "gzip and identity": OTHERWISE,
    "deflate with bytes behind": ERROR,
    "half a zstd": TAKEN,
    "101, which was not asked for": TAKEN,
    "gzip over brotli": OTHERWISE,
    "gzip with zeros behind": ERROR,
    "gzip with a page behind": ERROR,
    "a long value": ERROR,
}
LAX_IN_HTTPX = {
    "two lengths that are equal",
    "three lengths that are equal",
    "a list of equal lengths",
    "a length and chunks",
    "chunks and a length",
    "more than the length",
    "more than a length of none",
    "more, and the connection closes",
    "more than the chunks",
    "a trailer with a length",
    "HTTP/1.2",
    "204 with a body",
    "304 with a body",
    "HEAD with a body",
    "HEAD with a body and no length",
    "HEAD with chunks",
}
BY_HTTPX = {
    **UNASKED,
    **{row.what: ERROR for row in ROWS if row.lax and row.what not in LAX_IN_HTTPX},
    **dict.fromkeys(TRANSFERS, ERROR),
    **CODED,
    "a length of thousands of zeros before": ERROR,
    "gzip of two members": OTHERWISE,  # the first of them
    "chunked said twice": ERROR,
    "a transfer nobody knows, and chunks": ERROR,
    "a transfer whose name holds chunked": ERROR,
    "a line that begins with a space, first": ERROR,
    "empty lines before": ERROR,
    "more lines than are taken": TAKEN,
    "a value that is too long": TAKEN,
}


async def differing(ask: Ask) -> dict[str, str]:
    """Give what a client makes of the rows that it answers otherwise."""
    found = dict[str, str]()
    async with FaultServer() as server:
        for number, row in enumerate(ROWS):
            url = server.at(f"/{number}", says(row.data))
            is_error = isinstance(row.value, str)
            try:
                value = await asyncio.wait_for(ask(row, url), 3)
            except Exception:  # whatever it calls its errors
                found |= {} if is_error else {row.what: ERROR}
            else:
                if value != row.value:
                    found[row.what] = TAKEN if is_error else OTHERWISE
    return found


async def of_aiohttp() -> dict[str, str]:
    async with aiohttp.ClientSession() as session:

        async def ask(row: Row, url: str) -> bytes:
            async with session.request(row.method, url, allow_redirects=False) as answer:
                return await answer.read()

        return await differing(ask)


async def of_httpx() -> dict[str, str]:
    httpx = pytest.importorskip("httpx", reason="httpx is not installed: the extra dev has it")
    async with httpx.AsyncClient() as client:

        async def ask(row: Row, url: str) -> bytes:
            body: bytes = (await client.request(row.method, url, timeout=2)).content
            return body

        return await differing(ask)


def test_aiohttp_alone_answers_these_otherwise() -> None:
    assert asyncio.run(of_aiohttp()) == BY_AIOHTTP


def test_httpx_answers_these_otherwise() -> None:
    assert asyncio.run(of_httpx()) == BY_HTTPX
