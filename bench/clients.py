"""What the client layer costs over bare aiohttp: CPU seconds for 10,000 small GETs, in turns.

    python bench/clients.py [--gets 10000] [--rounds 5]

The server is another process, so that only the client's own CPU is counted. The bodies are read as
text of 200 bytes; JSON is parsed by both sides where the client does.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp

from crawler.clients import ApiClient, Retries, fetch_all
from crawler.config import Config, Fetch

_AT_ONCE = 50
_SERVER = """
import asyncio
from aiohttp import web
async def answer(request):
    return web.json_response({"id": request.query.get("n"), "text": "x" * 160})
async def main():
    app = web.Application()
    app.router.add_get("/items", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.sleep(3600)
asyncio.run(main())
"""
Way = Callable[[str, int], Awaitable[None]]


@asynccontextmanager
async def served() -> AsyncIterator[str]:
    """Serve in another process and give the URL."""
    command = [sys.executable, "-c", _SERVER]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220
    try:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{int(server.stdout.readline())}"
    finally:
        server.terminate()
        server.wait()
        assert server.stdout is not None
        server.stdout.close()


async def in_turn(one: Callable[[int], Awaitable[object]], gets: int) -> None:
    """Call `one` for every number, `_AT_ONCE` at a time."""
    numbers = iter(range(gets))

    async def work() -> None:
        for number in numbers:
            await one(number)

    await asyncio.gather(*(work() for _ in range(_AT_ONCE)))


def session_of() -> aiohttp.ClientSession:
    """Give a session with the time-outs and headers that the client layer has by default."""
    fetch = Fetch()
    timeout = aiohttp.ClientTimeout(
        total=fetch.total_timeout,
        sock_connect=fetch.connect_timeout,
        sock_read=fetch.read_timeout,
    )
    headers = {"User-Agent": Config().agent, "Accept-Encoding": "gzip, deflate, br, zstd"}
    return aiohttp.ClientSession(timeout=timeout, headers=headers)


async def bare(url: str, gets: int) -> None:
    """Read bodies with aiohttp alone."""
    async with session_of() as session:

        async def one(number: int) -> None:
            async with session.get(f"{url}/items?n={number}") as answer:
                await answer.read()

        await in_turn(one, gets)


async def many(url: str, gets: int) -> None:
    """Read them with fetch_all."""
    found = await fetch_all((f"{url}/items?n={n}" for n in range(gets)), concurrency=_AT_ONCE)
    assert all(result.ok for result in found)


async def bare_json(url: str, gets: int) -> None:
    """Read JSON with aiohttp alone."""
    async with session_of() as session:

        async def one(number: int) -> None:
            async with session.get(f"{url}/items", params={"n": number}) as answer:
                json.loads(await answer.read())

        await in_turn(one, gets)


async def api(url: str, gets: int) -> None:
    """Read JSON with ApiClient."""
    async with ApiClient(url, retries=Retries(0)) as client:
        await in_turn(lambda number: client.get("items", params={"n": number}), gets)


PAIRS: dict[str, tuple[Way, Way]] = {"fetch_all": (bare, many), "ApiClient": (bare_json, api)}


async def seconds(way: Way, url: str, gets: int) -> float:
    """Give the CPU seconds (user + system) that one way takes."""
    started = time.process_time()
    await way(url, gets)
    return time.process_time() - started


async def main() -> None:
    """Measure every pair in turns, and print medians and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gets", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    async with served() as url:
        for name, ways in PAIRS.items():
            await asyncio.gather(*(way(url, 200) for way in ways))
            rounds = [
                [await seconds(way, url, given.gets) for way in ways] for _ in range(given.rounds)
            ]
            plain, ours = (statistics.median(column) for column in zip(*rounds, strict=True))
            print(f"{name}: aiohttp {plain:.2f} s, ours {ours:.2f} s, {ours / plain:.2f} times")


if __name__ == "__main__":
    asyncio.run(main())
