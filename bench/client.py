"""What the client layer costs beside bare aiohttp: CPU for 10,000 small GETs, in turns.

"bare" is a ClientSession as it comes, "same" one with our time-outs and headers; "bare_json" gives
parameters and parses the body, as ApiClient does. All sides keep their answers, as fetch_all does.

    python bench/client.py [--gets 10000] [--rounds 5]

The server runs in a process of its own. All sides keep 16 requests in flight, over connections that
each turn opens anew.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import uvloop

from crawler.clients import ApiClient, Retries, fetch_all
from crawler.config.fetch import FetchSettings
from crawler.config.layers import Config
from crawler.http.address_guard import AddressGuard
from crawler.http.content_encoding import ACCEPT
from crawler.http.fetcher import Fetcher
from crawler.web.request import Request

BODY = json.dumps({"id": 1, "text": "x" * 1000}).encode()
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nServer: bench\r\n"
    b"Content-Length: %d\r\n\r\n%s" % (len(BODY), BODY)
)
IN_FLIGHT = 16


class Answerer(asyncio.Protocol):
    """Answers each request at once, without reading it."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(ANSWER * data.count(b"\r\n\r\n"))  # type: ignore[attr-defined]


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Answerer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def in_turn(one: Callable[[str], Awaitable[object]], urls: list[str]) -> None:
    """Call `one` for every URL, 16 at a time, and keep what it gives."""
    waiting, found = iter(urls), []

    async def work() -> None:
        for url in waiting:
            found.append(await one(url))  # noqa: PERF401

    await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
    assert len(found) == len(urls)


async def bare(urls: list[str], **settings: Any) -> None:
    async with aiohttp.ClientSession(**settings) as session:

        async def one(url: str) -> object:
            async with session.get(url) as answer:
                return answer.status, answer.headers, await answer.read()

        await in_turn(one, urls)


async def same(urls: list[str]) -> None:
    timeout = aiohttp.ClientTimeout(
        total=FetchSettings().total_timeout,
        sock_connect=FetchSettings().connect_timeout,
        sock_read=FetchSettings().read_timeout,
    )
    headers = {"User-Agent": Config().agent, "Accept": "text/html", "Accept-Encoding": ACCEPT}
    await bare(urls, timeout=timeout, headers=headers)


async def bare_json(urls: list[str]) -> None:
    async with aiohttp.ClientSession() as session:
        path = urls[0].partition("?")[0]

        async def one(url: str) -> object:
            async with session.get(path, params={"n": url[len(path) + 3 :]}) as answer:
                return answer.status, answer.headers, json.loads(await answer.read())

        await in_turn(one, urls)


async def fetcher(urls: list[str]) -> None:
    guard = AddressGuard(allow_private=True)
    async with Fetcher(
        FetchSettings(), agent="bench/1", guard=guard, connections=IN_FLIGHT
    ) as fetcher:
        await in_turn(lambda url: fetcher.fetch(Request(url)), urls)


async def many(urls: list[str]) -> None:
    found = await fetch_all(urls, concurrency=IN_FLIGHT)
    assert all(result.ok for result in found)


async def api(urls: list[str]) -> None:
    path = urls[0].partition("?")[0]
    async with ApiClient(path, retries=Retries(0)) as client:
        await in_turn(lambda url: client.get("", params={"n": url[len(path) + 3 :]}), urls)


SIDES = {
    "bare": bare,
    "bare_json": bare_json,
    "same": same,
    "Fetcher": fetcher,
    "fetch_all": many,
    "ApiClient": api,
}
BESIDE = {"same": "bare", "Fetcher": "bare", "fetch_all": "bare", "ApiClient": "bare_json"}


async def seconds(side: Callable[[list[str]], Awaitable[None]], urls: list[str]) -> float:
    """Return the CPU seconds (user + system) that one side takes."""
    gc.collect()
    started = time.process_time()
    await side(urls)
    return time.process_time() - started


async def measure(root: str, gets: int, rounds: int) -> None:
    """Run all sides in turns, and print the median of each and what it is beside the bare one."""
    urls = [f"{root}items?n={n}" for n in range(gets)]
    found: dict[str, list[float]] = {name: [] for name in SIDES}
    for side in SIDES.values():
        await side(urls[:500])
    for _ in range(rounds):
        for name, side in SIDES.items():
            found[name].append(await seconds(side, urls))
    medians = {name: statistics.median(column) for name, column in found.items()}
    for name, median in medians.items():
        beside = f"  {median / medians[BESIDE[name]]:.2f} times" if name in BESIDE else ""
        print(f"{name:10} {1e6 * median / gets:6.1f} µs of CPU per GET{beside}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gets", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        return asyncio.run(serve())
    me = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(me, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        root = f"http://127.0.0.1:{int(server.stdout.readline())}/"
        try:
            uvloop.run(measure(root, options.gets, options.rounds))
        finally:
            server.terminate()
    return None


if __name__ == "__main__":
    main()
