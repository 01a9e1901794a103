"""The sketch: the least code that crawls a site and stores everything durably.

A bare loop of aiohttp, lexbor, ada and SQLite that stores bodies (zstd), pages, links, seen and
todo, all in one transaction per flush. No robots, no politeness, no retries, no redirects, no
limits, no spider: it is the reference that says what those may cost (issue: at most half as much
again), and never a crawler to use.

Usage: sketch.py SEED RESULT_DIR
"""

import asyncio
import sqlite3
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ada_url
import aiohttp
import uvloop
import xxhash
import zstandard
from selectolax.lexbor import LexborHTMLParser

WORKERS = 32
FLUSH_VISITS, FLUSH_SECONDS = 200, 0.25
SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
PRAGMA cache_size = -8000;
CREATE TABLE seen(hash INTEGER PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE urls(id INTEGER PRIMARY KEY, url TEXT NOT NULL);
CREATE TABLE todo(id INTEGER PRIMARY KEY);
CREATE TABLE pages(id INTEGER PRIMARY KEY, title TEXT, status INTEGER, fetched_at REAL);
CREATE TABLE bodies(id INTEGER PRIMARY KEY, body BLOB);
CREATE TABLE links(source INTEGER, target INTEGER, PRIMARY KEY(source, target)) WITHOUT ROWID;
"""


class Sketch:
    """One crawl. `ids` maps every URL met to its small id; `todo` holds those in scope to fetch."""

    def __init__(self, seed: str, store: Path) -> None:
        self.prefix = seed.rpartition("/")[0] + "/"
        self.db = sqlite3.connect(store, check_same_thread=False, isolation_level=None)
        self.db.executescript(SCHEMA)
        self.writer = ThreadPoolExecutor(1)
        self.ids: dict[str, int] = {}
        self.joined: dict[tuple[str, str], str] = {}
        self.todo: asyncio.Queue[tuple[int, str] | None] = asyncio.Queue()
        self.unfinished = 0
        self.new: list[tuple[int, str]] = []
        self.new_todo: list[tuple[int]] = []
        self.visits: list[tuple[int, str, int, float, bytes]] = []
        self.links: list[tuple[int, int]] = []
        self.add(seed)

    def add(self, url: str) -> int:
        """Return the id of `url`; queue it when it is new and in scope."""
        if (known := self.ids.get(url)) is not None:
            return known
        number = self.ids[url] = len(self.ids)
        self.new.append((number, url))
        if url.startswith(self.prefix):
            self.unfinished += 1
            self.new_todo.append((number,))
            self.todo.put_nowait((number, url))
        return number

    def join(self, base: str, directory: str, href: str) -> str:
        """Resolve `href`; one cache entry serves all the pages of a directory."""
        key = (base if href[:1] in ("", "#", "?") else directory, href)
        url = self.joined.get(key)
        if url is None:
            try:
                url = ada_url.join_url(base, href).partition("#")[0]
            except ValueError:
                url = ""
            self.joined[key] = url
        return url

    async def work(self, session: aiohttp.ClientSession) -> None:
        while (entry := await self.todo.get()) is not None:
            number, url = entry
            async with session.get(url, allow_redirects=False) as response:
                body = await response.read()
            html = response.status == 200 and response.content_type == "text/html"
            self.visit(number, url, response.status, body, html=html)
            self.unfinished -= 1
            if not self.unfinished:
                for _ in range(WORKERS):
                    self.todo.put_nowait(None)

    def visit(self, number: int, url: str, status: int, body: bytes, *, html: bool) -> None:
        title = self.parse(number, url, body) if html else ""
        self.visits.append((number, title, status, time.time(), body))

    def parse(self, number: int, url: str, body: bytes) -> str:
        tree = LexborHTMLParser(body)
        hrefs = dict.fromkeys(node.attributes.get("href") for node in tree.tags("a"))
        self.links += [(number, target) for target in self.resolve(url, hrefs)]
        title = tree.css_first("title")
        return title.text() if title else ""

    def resolve(self, url: str, hrefs: dict[str | None, None]) -> list[int]:
        """Return the ids of what a page links to, each once."""
        directory = url.rpartition("/")[0]
        targets = dict.fromkeys(self.join(url, directory, href) for href in hrefs if href)
        return [self.add(target) for target in targets if target]

    async def flush_often(self) -> None:
        while self.unfinished:
            deadline = time.monotonic() + FLUSH_SECONDS
            while self.unfinished and len(self.visits) < FLUSH_VISITS:
                if time.monotonic() > deadline:
                    break
                await asyncio.sleep(0.02)
            await self.flush()
        await self.flush()

    async def flush(self) -> None:
        batch = (self.visits, self.new, self.new_todo, self.links)
        self.visits, self.new, self.new_todo, self.links = [], [], [], []
        await asyncio.get_running_loop().run_in_executor(self.writer, self.commit, *batch)

    def commit(self, visits, new, new_todo, links) -> None:
        compress = zstandard.ZstdCompressor(level=1).compress
        pages = [visit[:4] for visit in visits]
        bodies = [(visit[0], compress(visit[4])) for visit in visits]
        hashes = [(xxhash.xxh3_64_intdigest(url.encode()) - (1 << 63),) for _, url in new]
        db = self.db
        db.execute("BEGIN IMMEDIATE")
        db.executemany("INSERT OR IGNORE INTO seen VALUES (?)", hashes)
        db.executemany("INSERT INTO urls VALUES (?, ?)", new)
        db.executemany("INSERT INTO todo VALUES (?)", new_todo)
        db.executemany("INSERT INTO pages VALUES (?, ?, ?, ?)", pages)
        db.executemany("INSERT INTO bodies VALUES (?, ?)", bodies)
        db.executemany("INSERT INTO links VALUES (?, ?)", links)
        db.executemany("DELETE FROM todo WHERE id = ?", [(visit[0],) for visit in visits])
        db.execute("COMMIT")

    async def run(self) -> None:
        connector = aiohttp.TCPConnector(limit=WORKERS)
        jar = aiohttp.DummyCookieJar()
        async with (
            aiohttp.ClientSession(connector=connector, cookie_jar=jar) as session,
            asyncio.TaskGroup() as group,
        ):
            group.create_task(self.flush_often())
            for _ in range(WORKERS):
                group.create_task(self.work(session))
        self.writer.shutdown()
        self.db.close()


async def crawl(seed: str, result: str) -> None:
    await Sketch(seed, Path(result, "pages.db")).run()


def main() -> None:
    uvloop.run(crawl(*sys.argv[1:3]))


if __name__ == "__main__":
    main()
