"""The page beside a crawl of the command line: where it listens, and when it ends."""

import asyncio
import re
import socket
import sys
from contextlib import closing

import aiohttp
import pytest
from page_story import told

from crawler.cli.page_beside import page_beside
from crawler.dashboard.serve import Listening, served
from crawler.errors import UsageError


def taken() -> tuple[socket.socket, int]:
    """Return a socket that listens, and its port, behind which some are free."""
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    held.listen()
    return held, held.getsockname()[1]


def test_a_port_that_is_taken_is_told_with_the_way_out(tmp_path):
    held, port = taken()

    async def story():
        with pytest.raises(UsageError, match=rf"127.0.0.1:{port}: another program listens there"):
            async with served([tmp_path / "x.db"], Listening("127.0.0.1", port)):
                pass

    with closing(held):
        told(story())


def test_where_nobody_asked_for_a_port_the_next_free_one_is_taken(tmp_path):
    held, port = taken()

    async def story():
        place = Listening("127.0.0.1", port)._replace(spare=Listening.usual().spare)
        async with served([tmp_path / "x.db"], place) as base, aiohttp.ClientSession() as session:
            found = int(base.rstrip("/").rpartition(":")[2])
            assert port < found <= port + place.spare
            async with session.get(base + "healthz") as answer:
                assert answer.status == 200

    with closing(held):
        told(story())


def test_the_page_beside_a_crawl_answers_and_ends_with_it(tmp_path, capfd, monkeypatch):
    """It is told that the crawl has gone by the end of its input, so a kill -9 ends it as well."""
    monkeypatch.setattr(sys.stderr, "fileno", lambda: 2, raising=False)

    async def address() -> str:
        seen = ""
        async with asyncio.timeout(30):
            while not (found := re.search(r"(http://127\.0\.0\.1:\d+/)  \(it ends", seen)):
                await asyncio.sleep(0.02)
                seen += capfd.readouterr().err
        return found[1]

    async def status(url: str) -> int:
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            return answer.status

    async def story():
        with page_beside(tmp_path / "x.db", ("--listen", "127.0.0.1:0")):
            url = await address()
            assert await status(url + "healthz") == 200
        with pytest.raises(aiohttp.ClientConnectionError):
            await status(url + "healthz")

    told(story())
