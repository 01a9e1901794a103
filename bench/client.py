"""What the fetcher costs beside bare aiohttp: CPU for 10,000 small GETs, one process each.

"bare" is a ClientSession as it comes; "same" is one with the fetcher's time-outs and headers.

    python bench/client.py [--gets 10000] [--rounds 3]

The server runs in a process of its own. Both sides keep 16 requests in flight on one session.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import statistics
import subprocess
import sys
from typing import Any

import aiohttp

BODY = b"<title>Small</title>" + b"x" * 1000
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nServer: bench\r\n"
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


async def same(url: str, number: int) -> None:
    from crawler.coding import ACCEPT

    timeout = aiohttp.ClientTimeout(total=60, sock_connect=10, sock_read=20)
    headers = {"User-Agent": "bench/1", "Accept": "text/html,*/*;q=0.8", "Accept-Encoding": ACCEPT}
    await bare(url, number, timeout=timeout, headers=headers)


async def bare(url: str, number: int, **settings: Any) -> None:
    async with aiohttp.ClientSession(**settings) as session:

        async def work(share: int) -> None:
            for n in range(share):
                async with session.get(f"{url}{n}") as answer:
                    await answer.read()

        await asyncio.gather(*(work(number // IN_FLIGHT) for _ in range(IN_FLIGHT)))


async def ours(url: str, number: int) -> None:
    from crawler.config import Fetch
    from crawler.fetcher import Fetcher
    from crawler.guard import Guard
    from crawler.request import Request

    guard = Guard(allow_private=True)
    async with Fetcher(Fetch(), agent="bench/1", guard=guard, connections=IN_FLIGHT) as fetcher:

        async def work(share: int) -> None:
            for n in range(share):
                await fetcher.fetch(Request(f"{url}{n}"))

        await asyncio.gather(*(work(number // IN_FLIGHT) for _ in range(IN_FLIGHT)))


def cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def measure(side: str, url: str, number: int) -> None:
    """Print the CPU seconds of one side, after a warm-up."""
    import uvloop

    run = {"bare": bare, "same": same, "ours": ours}[side]

    async def story() -> float:
        await run(url, 500)
        before = cpu()
        await run(url, number)
        return cpu() - before

    print(json.dumps(uvloop.run(story())))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gets", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--side", choices=["bare", "same", "ours", "serve"])
    parser.add_argument("--url")
    options = parser.parse_args()
    if options.side == "serve":
        return asyncio.run(serve())
    if options.side:
        return measure(options.side, options.url, options.gets)
    me = [sys.executable, __file__]
    with subprocess.Popen([*me, "--side", "serve"], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        url = f"http://127.0.0.1:{int(server.stdout.readline())}/"
        seconds: dict[str, list[float]] = {"bare": [], "same": [], "ours": []}
        try:
            for _ in range(options.rounds):
                for side, found in seconds.items():
                    arguments = ["--side", side, "--url", url, "--gets", str(options.gets)]
                    found.append(json.loads(subprocess.check_output([*me, *arguments])))
        finally:
            server.terminate()
    for side, found in seconds.items():
        best = statistics.median(found)
        print(f"{side}: {1000 * best / options.gets:.3f} ms CPU per GET (rounds: {found})")
    for side in ("bare", "same"):
        ratio = statistics.median(seconds["ours"]) / statistics.median(seconds[side])
        print(f"ours / {side}: {ratio:.2f}")
    return None


if __name__ == "__main__":
    main()
