"""What a page costs by the shape of its site: larger pages, redirects, cookies, many hosts.

    .venv/bin/python bench/shapes.py --rounds 3
    .venv/bin/python bench/shapes.py --only hosts cookies

A server made here answers; each shape takes its turn beside the plain site, and a ratio is taken
within a turn. CPU ms a page of the crawl alone, start-up left out. Hosts are addresses of
127.0.0.0/8, so that each is a host of its own to politeness, queue and connections.
"""

import argparse
import asyncio
import os
import random
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from generated import WORDS, Connection

OPTIONS = (
    *("politeness.delay=0", "politeness.per_host=32", "politeness.robots=false"),
    "fetch.allow_private=true",  # all hosts are on this machine
)


@dataclass(frozen=True, slots=True)
class Shape:
    """So many pages of so many bytes; what else there is about their answers and addresses."""

    pages: int
    size: int = 12_000
    redirects: bool = False
    cookies: bool = False
    hosts: int = 1


SHAPES = {
    "plain: 12 KB": Shape(2_000),
    "64 KB": Shape(1_000, size=64_000),
    "1 MB": Shape(100, size=1_000_000),
    "a redirect before each": Shape(2_000, redirects=True),
    "a cookie with each": Shape(2_000, cookies=True),
    "10,000 hosts, a page each": Shape(10_000, hosts=10_000),
}


def address(number: int, shape: Shape) -> str:
    """Return the address of the host that has a page."""
    host = number % shape.hosts
    return f"127.1.{host // 250}.{host % 250 + 1}"


def url(number: int, shape: Shape, port: int) -> str:
    """Return the URL under which pages lead to a page."""
    name = "to" if shape.redirects and number else "page"
    return f"http://{address(number, shape)}:{port}/{name}/{number}.html"


def page(number: int, shape: Shape, port: int) -> bytes:
    """Return a page with links to ten more, and to twenty that are known."""
    ahead = range(number * 10 + 1, min(number * 10 + 11, shape.pages))
    known = ((number * 7919 + step) % max(1, number) for step in range(20))
    links = "".join(
        f'<li><a href="{url(n, shape, port)}">Page {n}</a></li>' for n in (*ahead, *known)
    )
    chance = random.Random(number)  # texts that repeat would be taken for a trap
    own = "".join(f"<p>{' '.join(chance.choices(WORDS, k=40))}.</p>\n" for _ in range(10))
    filled = own * max(1, (shape.size - len(links)) // len(own))
    return f"<!doctype html><title>Page {number}</title><ul>{links}</ul>{filled}".encode()


def answered(path: str, shape: Shape, port: int) -> bytes:
    """Return the answer for a page, or the redirect to it."""
    _, kind, name = path.split("/")
    number = int(name.removesuffix(".html"))
    if kind == "to":
        return (
            f"HTTP/1.1 302 Found\r\nLocation: /page/{number}.html\r\nContent-Length: 0\r\n\r\n"
        ).encode()
    body = page(number, shape, port)
    cookie = f"Set-Cookie: visit={number}; Path=/\r\n" if shape.cookies else ""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n{cookie}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def serve(shape: Shape) -> None:
    """Serve until terminated; the first line on standard output is the port."""
    loop = asyncio.get_running_loop()
    port = 0

    def answer(path: str) -> bytes:
        return answered(path, shape, port)

    server = await loop.create_server(lambda: Connection(answer), "0.0.0.0", 0)
    port = server.sockets[0].getsockname()[1]
    print(port, flush=True)
    await server.serve_forever()


@contextmanager
def serving(name: str) -> Iterator[int]:
    """Serve a shape in a process of its own; give the port."""
    command = [sys.executable, __file__, "--serve", name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield int(server.stdout.readline())
        finally:
            server.terminate()


def cpu(start: str, pages: int | None) -> tuple[float, int, float]:
    """Return CPU seconds of one crawl, the pages that it stored, and its peak memory in MB."""
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "crawler", "crawl", start, "--quiet", "--store", "s.db"]
        command += ["--max-pages", str(pages)] if pages else []
        for setting in (*OPTIONS, 'engine.scope="any"'):
            command += ["--set", setting]
        process = subprocess.Popen(command, cwd=directory)
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
        sql = "SELECT count(*) FROM pages WHERE outcome = 'ok'"
        [(stored,)] = sqlite3.connect(Path(directory, "s.db")).execute(sql)
    return usage.ru_utime + usage.ru_stime, stored, usage.ru_maxrss / 1024


def one_shape(name: str) -> tuple[float, float]:
    """Return CPU ms a page and the peak memory of one crawl of a shape."""
    shape = SHAPES[name]
    with serving(name) as port:
        first = url(0, shape, port)
        idle, _, _ = cpu(first, 1)
        seconds, stored, peak = cpu(first, None)
    if stored != shape.pages:
        print(f"{name}: {stored} pages of {shape.pages}", file=sys.stderr)
    return (seconds - idle) / stored * 1000, peak


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", help="shapes whose names contain one of these")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(SHAPES[options.serve]))
        return
    plain, *others = SHAPES
    chosen = [n for n in others if not options.only or any(word in n for word in options.only)]
    print("| shape | CPU ms a page | times the plain site | peak MB |\n|---|---|---|---|")
    for name in chosen:
        turns = [(one_shape(plain)[0], *one_shape(name)) for _ in range(options.rounds)]
        mine = statistics.median(cost for _, cost, _ in turns)
        times = statistics.median(cost / base for base, cost, _ in turns)
        peak = max(peak for _, _, peak in turns)
        print(f"| {name} | {mine:.2f} | {times:.2f} | {peak:.0f} |", flush=True)


if __name__ == "__main__":
    main()
