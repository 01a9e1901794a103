"""Storing items without a crawl: what one page yields goes into a file, and comes back."""

import asyncio
import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow.parquet

from crawler import export
from crawler.inspect.query import Reader
from crawler.spider import Spider
from crawler.spider.collector import Invoker
from crawler.store import Batch, Committed, open_store
from crawler.web.outcome import Outcome
from crawler.web.request import Candidate, Todo
from crawler.web.visit import Visit

TODO = Todo(1, 1, 1, 1, "u", 0, 0, 0.0, None, None, None)


class Given(Spider):
    """Yields what it was given."""

    name = "given"
    things: Iterable[Any] = ()

    def parse(self, page: Any) -> Any:
        yield from self.things


def visit_of(things: Iterable[Any], todo: Todo, *, fails: str = "") -> Visit:
    """Give the visit of a page whose callback yields these things, and what it says if it fails."""
    spider = Given()
    spider.things = things
    visit = Visit(todo, outcome=Outcome.OK, at=0.0)
    failed = Invoker(spider, 5.0).begin(visit, "parse", None)
    assert fails in failed if fails and isinstance(failed, str) else failed is None
    return visit


def store(path: Path, *flushes: Iterable[Any]) -> list[Committed]:
    """Store what the pages of a crawl yield, a page and commit each, in a file that may exist."""

    async def tell() -> list[Committed]:
        backend = open_store(str(path))
        await backend.open()
        try:
            await backend.begin_run("given", "{}")
            told = []
            for number, things in enumerate(flushes):
                url = f"http://h.example/{number}"
                seed = Candidate("http://h.example:80", hash(url), url, 0, 0, None, None, True)
                [todo] = (await backend.commit(Batch(seeds=[seed]))).added
                told.append(await backend.commit(Batch(visits=[visit_of(things, todo)])))
            return told
        finally:
            await backend.close()

    return asyncio.run(tell())


def select(path: Path, sql: str) -> list[Any]:
    """Ask with plain SQLite."""
    db = sqlite3.connect(path)
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


def lines(path: Path, what: str) -> list[dict[str, Any]]:
    """Give the items of a type as JSON lines give them."""
    out = path.with_suffix(".jsonl")
    with Reader(path) as reader:
        rows, options = export.select(reader, what)
        export.write(rows, "jsonl", out, options)
    return [json.loads(line) for line in out.read_bytes().split(b"\n")[:-1]]


def arrow(path: Path, what: str) -> Any:
    """Give the items of a type as Parquet gives them."""
    out = path.with_suffix(".parquet")
    with Reader(path) as reader:
        rows, options = export.select(reader, what)
        export.write(rows, "parquet", out, options)
    return pyarrow.parquet.read_table(out)
