"""stream(): the pieces of a body as they come."""

import asyncio
import gzip

import pytest
from aiohttp import web
from client_story import Naps, Served, on_site

from crawler.clients import Retries, stream
from crawler.errors import FetchError, UsageError
from crawler.practice import PracticeSite


@on_site()
async def test_pieces_come_with_progress(site: PracticeSite) -> None:
    seen: list[tuple[int, int | None]] = []
    url = site.add_page("/a", b"x" * 300_000)
    body = b""
    async for chunk in stream(url, progress=lambda done, total: seen.append((done, total))):
        body += chunk
    assert body == b"x" * 300_000 and seen[-1] == (300_000, 300_000)


@on_site()
async def test_a_stream_knows_its_answer_and_is_read_once(site: PracticeSite) -> None:
    url = site.add_page("/a", gzip.compress(b"hello"), headers={"Content-Encoding": "gzip"})
    async with stream(url) as body:
        assert (body.status, body.reason, body.total) == (200, "OK", None)
        assert b"".join([chunk async for chunk in body]) == b"hello"
        with pytest.raises(UsageError, match="once"):
            [chunk async for chunk in body]


@on_site()
async def test_leaving_early_ends_the_connection(site: PracticeSite) -> None:
    gone = asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        try:
            while True:
                await answer.write(b"tick")
                await asyncio.sleep(0.001)
        except (ConnectionError, asyncio.CancelledError):
            gone.set()
            raise

    async with Served({"/": endless}) as url:
        async with stream(url) as body:
            async for chunk in body:
                assert chunk
                break
        await gone.wait()
        gone.clear()

        async def read() -> None:
            async for _ in stream(url):
                pass

        task = asyncio.create_task(read())
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert task.cancelled()
        await gone.wait()


@on_site()
async def test_only_what_fails_before_the_first_byte_is_tried_again(site: PracticeSite) -> None:
    tries = 0

    async def late(request: web.Request) -> web.StreamResponse:
        nonlocal tries
        tries += 1
        if tries < 3:
            return web.Response(status=503)
        answer = web.StreamResponse(headers={"Content-Length": "100"})
        await answer.prepare(request)
        await answer.write(b"half")
        request.transport.close()  # type: ignore[union-attr]
        return answer

    naps = Naps()
    async with Served({"/": late}) as url:
        with pytest.raises(FetchError) as failed:
            async for chunk in stream(url, retries=Retries(5, sleep=naps)):
                assert chunk == b"half"
    assert (failed.value.outcome, tries, len(naps)) == ("protocol_error", 3, 2)


@on_site()
async def test_a_status_that_is_no_success_is_an_error(site: PracticeSite) -> None:
    with pytest.raises(FetchError) as failed:
        async with stream(site.at("/status/404")):
            pass
    assert failed.value.outcome == "not_found"
