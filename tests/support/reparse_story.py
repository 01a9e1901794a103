"""Stores made without a crawl, spiders to parse them again, and a `--apply` that is killed.

Run as `reparse_story.py STORE FOLDER` it applies the changed spider to copies of the store, in a
process that dies before its first statement, before its second … until one lives to its end. Run as
`reparse_story.py STORE` it is killed while two processes have results for it.
"""

import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import xxhash
import zstandard

from crawler import Request, ScrapedPage, Spider, item
from crawler.inspect.query import Reader
from crawler.reparse import pages, work
from crawler.reparse.diff import Diff
from crawler.reparse.writer import Writer
from crawler.store import views
from crawler.store.requeue import claimed
from crawler.store.schema import APPLICATION_ID, MIGRATIONS

AT = "2026-01-01T00:00:00.000Z"


@item
class Part:
    number: int
    version: str


@item(key="url", history=True)
class Head:
    url: str
    title: str | None


class Parts(Spider):
    """Two items of one type and one of another, all of the same version."""

    name = "parts"
    version = "new"

    def parse(self, page: ScrapedPage):
        yield Part(1, self.version)
        yield Part(2, self.version)
        yield Head(page.url, f"{page.title} {self.version}")


class Fragile(Parts):
    """Ends its process on page 25."""

    def parse(self, page: ScrapedPage):
        if page.title == "25":
            os._exit(7)
        yield from super().parse(page)


class Asking(Parts):
    """Yields Requests besides its items."""

    def parse(self, page: ScrapedPage):
        yield Request("http://elsewhere.example/")
        yield from super().parse(page)
        yield page.follow("/more")


class Heavy(Parts):
    """Items too large for the buffer of a pipe."""

    version = "x" * 200_000


def made(path: Path, number: int, html: Callable[[int], str] | None = None) -> Path:
    """Make a store of so many pages, whose titles are their numbers."""
    html = html or (lambda n: f"<html><head><title>{n}</title></head><body></body></html>")
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        for file in MIGRATIONS:
            db.executescript(file.read_text())
        db.executescript(views.script((), []))
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        for n in range(1, number + 1):
            body = html(n).encode()
            db.execute(
                "INSERT INTO pages (page_id, url, title, status, outcome, depth, fetched_at, size,"
                " content_hash, attempts, run_id, host_id, url_hash, headers)"
                " VALUES (?, ?, ?, 200, 'ok', ?, ?, ?, ?, 1, 1, 1, ?, ?)",
                (
                    *(n, f"http://site.example/{n}", str(n), n % 3, AT, len(body)),
                    *(xxhash.xxh3_128_hexdigest(body), n, '{"Content-Type":"text/html"}'),
                ),
            )
            db.execute("INSERT INTO bodies VALUES (?, ?)", (n, zstandard.compress(body)))
        db.commit()
    return path


def reparse(
    path: Path,
    make: Callable[[], Spider],
    *,
    where: str = "",
    processes: int = 1,
    apply: bool = True,
    connected: Callable[[sqlite3.Connection], Any] = lambda db: None,
) -> Diff:
    """Parse again as the command does, and give the difference."""
    diff = Diff()
    with Reader(path) as reader:
        chosen = pages.choose(reader, where)
    todo = work.ReparseJob(path, chosen.chunks, make, apply)
    with work.results(todo, processes) as results:
        if not apply:
            for result in results:
                diff.add(result.diff)
            return diff
        with claimed(path) as db:
            connected(db)
            writer = Writer(db)
            for result in results:
                diff.add(result.diff)
                writer.replace(result.parsed)
    return diff


def killed(copy: Path, number: int) -> int:
    """Apply in a child that dies before its statement of that number, and give its status."""
    pid = os.fork()
    if pid == 0:
        count = 0

        def step(sql: str) -> None:
            nonlocal count
            count += 1
            if count == number:
                os.kill(os.getpid(), signal.SIGKILL)

        reparse(copy, Parts, connected=lambda db: db.set_trace_callback(step))
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def main(store: Path, folder: Path) -> None:
    pages.CHUNK = 10
    for number in range(1, 1000):
        status = killed(Path(shutil.copy(store, folder / f"{number}.db")), number)
        if status != -signal.SIGKILL:
            sys.exit(status)


def orphan(store: Path) -> None:
    pages.CHUNK = 4
    with Reader(store) as reader:
        chunks = pages.choose(reader).chunks
    with work.results(work.ReparseJob(store, chunks, Heavy, keep=True), 2) as results:
        next(results)
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    (main if len(sys.argv) > 2 else orphan)(*map(Path, sys.argv[1:]))
