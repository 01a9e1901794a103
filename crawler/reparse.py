"""Run a spider's callbacks over the stored bodies, without the network, in several processes.

Each process reads its own pages from the file and gives back what the callbacks yielded. What is
stored and what would be is compared first; `apply` then replaces the items of each page in one
transaction, so that a reader sees the old or the new ones.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import zstandard
from multidict import CIMultiDict

from crawler.callbacks import Collector
from crawler.errors import QueryError
from crawler.items import Record
from crawler.page import Outcome, Response, ScrapedPage, Visit
from crawler.query import Reader
from crawler.request import Todo, from_todo
from crawler.rules import Linker
from crawler.scope import Scope
from crawler.spider import Spider
from crawler.store.items import ItemTables
from crawler.store.rows import to_json, unpack

CHUNK = 200
_SHOWN = 20

_PAGES = (
    "SELECT page_id, url, depth, status, headers, fetched_at, run_id, callback, request, body"
    " FROM pages JOIN bodies USING (page_id)"
    " WHERE page_id IN (SELECT value FROM json_each(?))"
)


class Parsed(NamedTuple):
    """What the callbacks gave for one stored page."""

    origin: tuple[int, str, int, str]  # page_id, page_url, run_id, fetched_at
    records: list[Record]
    problems: list[tuple[str, str, str]]
    error: str | None


@dataclass(slots=True)
class Diff:
    """What parsing again would change."""

    pages: int = 0
    errors: int = 0
    same: int = 0
    added: int = 0
    removed: int = 0
    changed: int = 0
    examples: list[tuple[str, str, str, str]] = field(default_factory=list)

    def note(self, kind: str, table: str, url: str, shown: str) -> None:
        """Count one difference, and keep the first ones to be shown."""
        setattr(self, kind, getattr(self, kind) + 1)
        if len(self.examples) < _SHOWN:
            self.examples.append((kind, table, url, shown))


def chosen(reader: Reader, where: str = "") -> list[int]:
    """Give the ids of stored pages that fulfil `where`, SQL over `pages`."""
    rows = reader.query(
        "SELECT page_id FROM pages WHERE page_id IN (SELECT page_id FROM bodies)"
        f" AND ({where or 'true'}) ORDER BY page_id"
    ).rows
    return [page_id for (page_id,) in rows]


def parsed(
    path: Path, pages: list[int], spider: Callable[[], Spider], processes: int
) -> Iterator[list[Parsed]]:
    """Yield what the callbacks give, in the order of the pages, some pages at a time.

    `spider` makes the spider in each process, so it must be picklable.
    """
    chunks = [pages[at : at + CHUNK] for at in range(0, len(pages), CHUNK)]
    if processes <= 1 or len(chunks) <= 1:
        made = spider()
        for chunk in chunks:
            yield _parse(path, chunk, made)
        return
    context = multiprocessing.get_context("spawn")  # a fork would copy a running event loop
    with ProcessPoolExecutor(
        min(processes, len(chunks)), context, initializer=_start, initargs=(spider,)
    ) as pool:
        yield from pool.map(_parse_here, [(path, chunk) for chunk in chunks])


_made: list[Spider] = []  # the one spider of a child process


def _start(spider: Callable[[], Spider]) -> None:
    _made.append(spider())


def _parse_here(task: tuple[Path, list[int]]) -> list[Parsed]:
    return _parse(*task, _made[0])


def _parse(path: Path, pages: list[int], spider: Spider) -> list[Parsed]:
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=60)
    try:
        rows = db.execute(_PAGES, (to_json(pages),)).fetchall()
    finally:
        db.close()
    collector = Collector(spider, Linker(Scope("any", (), ()), ()))
    return asyncio.run(_call(collector, rows))


async def _call(collector: Collector, rows: list[tuple[Any, ...]]) -> list[Parsed]:
    return [await _one(collector, row) for row in rows]


async def _one(collector: Collector, row: tuple[Any, ...]) -> Parsed:
    page_id, url, depth, status, headers, fetched_at, run_id, callback, request, stored = row
    origin = (page_id, url, run_id, fetched_at)
    try:
        body = unpack(stored)
    except zstandard.ZstdError as error:
        return Parsed(origin, [], [], f"the stored body is damaged: {error}")
    started = datetime.fromisoformat(fetched_at).timestamp()
    fields = CIMultiDict(msgspec.json.decode(headers or "{}"))
    response = Response(url, status, fields, body, started, 0.0)
    todo = Todo(1, 0, 0, 0, url, depth, 0, 0.0, None, callback, request)
    asked = from_todo(todo, 0)
    visit = Visit(todo, Outcome.OK, started, status, response)
    await collector.parse(visit, ScrapedPage(response, asked), asked)
    failed = visit.outcome is Outcome.SPIDER_ERROR
    return Parsed(origin, visit.items, visit.problems, visit.error if failed else None)


# ---------------------------------------------------------------- what would change


def compare(reader: Reader, results: list[Parsed], diff: Diff) -> None:
    """Add to `diff` how these pages' items differ from the stored ones."""
    diff.pages += len(results)
    diff.errors += sum(result.error is not None for result in results)
    ids = to_json([result.origin[0] for result in results if result.error is None])
    urls = {result.origin[0]: result.origin[1] for result in results}
    new = _new_items(results)
    for table, columns, key in _types(reader):
        names = ", ".join(f'"{name}"' for name in columns)
        rows = reader.query(
            f'SELECT page_id, {names} FROM "{table}"'
            " WHERE page_id IN (SELECT value FROM json_each(?))",
            (ids,),
        ).rows
        old: dict[int, list[dict[str, Any]]] = {}
        for page_id, *values in rows:
            item = {k: v for k, v in zip(columns, values, strict=True) if v is not None}
            old.setdefault(page_id, []).append(item)
        theirs = new.pop(table, {})
        for page_id in {**old, **theirs}:
            pair = old.get(page_id, []), theirs.get(page_id, [])
            _compare_page(diff, table, key, urls[page_id], *pair)
    for table, theirs in new.items():
        for page_id, items in theirs.items():
            _compare_page(diff, table, (), urls[page_id], [], items)


def _new_items(results: list[Parsed]) -> dict[str, dict[int, list[dict[str, Any]]]]:
    found: dict[str, dict[int, list[dict[str, Any]]]] = {}
    for result in results:
        for record in result.records if result.error is None else ():
            names = [column.name for column in record.table.columns]
            pairs = zip(names, record.values, strict=True)
            item = {name: value for name, value in pairs if value is not None}
            page = found.setdefault(record.table.name, {}).setdefault(result.origin[0], [])
            keyed = [k for k in page if record.table.key and _same_key(k, item, record.table.key)]
            for earlier in keyed:
                page.remove(earlier)  # within a page too, a later item replaces an earlier one
            page.append(item)
    return found


def _same_key(one: dict[str, Any], other: dict[str, Any], key: tuple[str, ...]) -> bool:
    return all(one.get(name) == other.get(name) for name in key)


def _compare_page(
    diff: Diff,
    table: str,
    key: tuple[str, ...],
    url: str,
    old: list[dict[str, Any]],
    new: list[dict[str, Any]],
) -> None:
    gone, come = list(old), []
    for item in new:
        if item in gone:
            gone.remove(item)
            diff.same += 1
        else:
            come.append(item)
    for item in come:
        was = next((g for g in gone if key and _same_key(g, item, key)), None)
        if was is None:
            diff.note("added", table, url, _shown(item))
            continue
        gone.remove(was)
        fields = [name for name in {**was, **item} if was.get(name) != item.get(name)]
        shown = ", ".join(f"{n}: {was.get(n)!r:.40} → {item.get(n)!r:.40}" for n in fields)
        diff.note("changed", table, url, shown)
    for item in gone:
        diff.note("removed", table, url, _shown(item))


def _shown(item: dict[str, Any]) -> str:
    return ", ".join(f"{name}={value!r:.40}" for name, value in item.items())[:200]


def _types(reader: Reader) -> list[tuple[str, list[str], tuple[str, ...]]]:
    rows = reader.query("SELECT name, columns, key FROM item_types").rows
    decode = msgspec.json.decode
    return [(name, list(decode(columns)), tuple(decode(key))) for name, columns, key in rows]


# ---------------------------------------------------------------- storing it


class Writer:
    """Replaces the items of pages in a file that it alone may write (see `store.upkeep`)."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._tables = ItemTables()
        names = [name for (name,) in db.execute("SELECT name FROM sqlite_master")]
        self._tables.load(db.execute("SELECT name, columns, key, history FROM item_types"), names)

    def replace(self, results: list[Parsed]) -> None:
        """Store what the callbacks gave; a page whose callback failed keeps what it has."""
        good = [result for result in results if result.error is None]
        ids = [result.origin[0] for result in good]
        records = [(record, result.origin) for result in good for record in result.records]
        statements, unfit = self._tables.statements(
            [(record, (*origin[:2], origin[2], origin[3])) for record, origin in records], ids
        )
        for sql, rows in statements:
            self._db.execute(sql, () if rows is None else (to_json(rows),))
        problems = [(*r.origin[:3], *problem) for r in good for problem in r.problems] + unfit
        marks = to_json(ids)
        self._db.execute(
            "DELETE FROM problems WHERE page_id IN (SELECT value FROM json_each(?))", (marks,)
        )
        self._db.executemany(
            "INSERT INTO problems (page_id, page_url, run_id, item, reason, value)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            problems,
        )
        self._db.executemany(
            "UPDATE pages SET outcome = ?, error = ? WHERE page_id = ?",
            [("spider_error" if r.error else "ok", r.error, r.origin[0]) for r in results],
        )


def check(pages: list[int], path: Path) -> None:
    """Raise QueryError where there is nothing to parse."""
    if not pages:
        raise QueryError(
            f"{path}: no stored body fits; bodies are kept with store.bodies = true (the default)"
        )
