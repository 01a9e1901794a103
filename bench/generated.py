"""A site that is made up while it is asked for, served by a process of its own.

    with serving("tree", pages=100_000) as url: ...

Kinds: `tree`, many pages of 10 KB of which each leads to ten more; `prose`, `markup` and `links`,
a few pages of 2 MB that are mostly text, mostly tags, or 20,000 different links.
"""

import asyncio
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

WORDS = "the crawl keeps what it has found and asks again only for what may have changed".split()
VOCABULARY = [f"{number * 2654435761 % (1 << 24):x}" for number in range(5000)]
LARGE = 2_000_000  # characters
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\n\r\n"
BRANCHES = 10


def tree(number: int, pages: int) -> str:
    """Return a page of a tree: navigation, ten children while pages are left, cousins."""
    children = range(number * BRANCHES + 1, min(number * BRANCHES + BRANCHES + 1, pages))
    cousins = [(number * 7919 + step * 104729) % pages for step in range(10)]
    links = [*range(20), *children, *cousins]
    return _page(number, "".join(f'<li><a href="/p/{n}">page {n}</a></li>' for n in links), 8_000)


def prose(number: int, pages: int) -> str:
    """Return a page of 2 MB of text that is as hard to compress as text is, and links to all."""
    words = random.Random(number).choices(VOCABULARY, k=LARGE // 7)
    return _page(number, _all_of(pages) + f"<p>{' '.join(words)}</p>", 0)


def markup(number: int, pages: int) -> str:
    """Return a page of 2 MB of small elements, and links to all others."""
    cell = '<td class="n"><span title="x">1</span></td>'
    return _page(number, _all_of(pages) + f"<table><tr>{cell * (LARGE // len(cell))}</table>", 0)


def links(number: int, pages: int) -> str:
    """Return a page of 2 MB of 20,000 links to other sites, and links to all others."""
    one = '<a class="external reference" href="http://other{n}.test/{page}/a-path-as-long-as-usual/">{n}</a>\n'
    return _page(
        number, _all_of(pages) + "".join(one.format(n=n, page=number) for n in range(20_000)), 0
    )


KINDS: dict[str, Callable[[int, int], str]] = {
    "tree": tree,
    "prose": prose,
    "markup": markup,
    "links": links,
}


def _all_of(pages: int) -> str:
    return "".join(f'<a href="/p/{n}">page {n}</a>' for n in range(pages))


def _page(number: int, body: str, text: int) -> str:
    sentence = f"{' '.join(WORDS[number % 7 :])} {number}. "
    prose = sentence * (text // len(sentence))
    return f"<!DOCTYPE html><title>Page {number}</title><h1>{number}</h1>{body}<p>{prose}</p>"


@contextmanager
def serving(kind: str, *, pages: int) -> Iterator[str]:
    """Serve a generated site of so many pages; give the URL of its first."""
    command = [sys.executable, __file__, kind, str(pages)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(server.stdout.readline())}/p/0"
        finally:
            server.terminate()


class Connection(asyncio.Protocol):
    """As little HTTP as a crawler needs: GET and keep-alive; `answer` makes it of a path."""

    def __init__(self, answer: Callable[[str], bytes]) -> None:
        self._answer, self._received = answer, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            head, _, self._received = self._received.partition(b"\r\n\r\n")
            self._transport.write(self._answer(head.split(b" ", 2)[1].decode()))


def answered(path: str, kind: str, pages: int) -> bytes:
    """Return the answer for a page of a kind of site, 404 for what is no page."""
    number = path.removeprefix("/p/")
    if not number.isdecimal() or int(number) >= pages:
        return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    body = KINDS[kind](int(number), pages).encode()
    return HEAD % len(body) + body


async def serve(kind: str, pages: int) -> None:
    """Serve until terminated; the first line on standard output is the port."""
    loop = asyncio.get_running_loop()
    answer = partial(answered, kind=kind, pages=pages)
    server = await loop.create_server(lambda: Connection(answer), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
