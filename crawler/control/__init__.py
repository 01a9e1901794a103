"""Ask a crawl to do something: pause, resume, stop, add, block, unblock, prioritize, set, retry.

    from crawler import control

    asked = control.ask("data/docs.db", "block", "shop.example/trap/*", reason="a calendar")
    print(control.wait("data/docs.db", asked).result)          # 14,240 URLs dropped

To ask is to add a row to the table `control` of the store; the process that crawls reads it within
a second, does it and writes down what came of it. Where none runs, it is done when the next run
begins. `crawler block …`, the live page and an INSERT do the same.
"""

from __future__ import annotations

import getpass
import sqlite3
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple

from crawler import urls
from crawler.errors import StoreRefused, UsageError
from crawler.inspect.query import Reader
from crawler.links.selection import CRAWL, Selection
from crawler.store.address import DatabaseAddress, StoreAddress, address_of
from crawler.store.control_rows import ACTIONS, COLUMNS, ControlRow
from crawler.store.sqlite_errors import to_store_error

__all__ = ["ACTIONS", "ControlRow", "Counted", "ask", "blocked", "count", "log", "one", "wait"]

_NAMES = ", ".join(COLUMNS)
_LOCKED = 10.0  # seconds that another program's lock is waited for
_FIRST = 10  # URLs that are named
_EVERY = 0.05  # seconds between two looks whether a row is answered


class Counted(NamedTuple):
    """What is queued of a selection: how many requests, and the first of them with their depth."""

    number: int
    first: list[tuple[str, int]]


def ask(
    store: str | StoreAddress,
    action: str,
    target: str = "",
    *,
    value: str | None = None,
    reason: str | None = None,
    expected: int | None = None,
    who: str | None = None,
    via: str = "python",
) -> int:
    """Ask the crawl of a store to do something, and return the number of the row.

    `target` is "" for the crawl, a host, a pattern with `*`, or a URL; of `add` it is URLs, one a
    line. `value` is what `set` sets (`delay=4`), or by how much `prioritize` moves (`10`).
    `expected`: how many queued URLs a block was said to drop; where the queue has grown by a tenth
    since, it is refused. UsageError for what cannot be meant, StoreRefused for no store.
    """
    if action not in ACTIONS:
        raise UsageError(f"{action} is no action; there are: {', '.join(ACTIONS)}")
    if action not in ("add", "reopen"):
        selection = Selection.parse(target)
        if action == "block" and (selection.kind == CRAWL or selection.takes_all):
            raise UsageError(
                "block: it would take every URL; name a host or a path, or stop the crawl"
            )
    if action == "add":
        _check_urls(target)
    columns = ("who", "via", "action", "target", "value", "reason", "expected")
    row = (_user() if who is None else who, via, action, target, value, reason, expected)
    place = address_of(store)
    if isinstance(place, DatabaseAddress):
        from crawler.store.postgres.asking import insert_control

        return insert_control(place, columns, row)
    return _insert(place, columns, row)


def _insert(path: Path, columns: tuple[str, ...], row: tuple[Any, ...]) -> int:
    if not path.is_file():
        raise StoreRefused(f"{path}: there is no such store; crawl into it first")
    try:
        with closing(sqlite3.connect(path, timeout=_LOCKED, isolation_level=None)) as db:
            marks = ", ".join("?" * len(columns))
            sql = f"INSERT INTO control ({', '.join(columns)}) VALUES ({marks})"
            return db.execute(sql, row).lastrowid or 0
    except sqlite3.OperationalError as error:
        if "no such table" not in str(error):
            raise to_store_error(path, error) from error
        raise StoreRefused(
            f"{path}: made by an older version, or by another program; run the crawl with this"
            " version once"
        ) from None
    except sqlite3.DatabaseError as error:
        raise to_store_error(path, error) from error


def _check_urls(target: str) -> None:
    """Raise UsageError for what is no URL, or says a password: a row of `control` is not secret."""
    for line in filter(None, map(str.strip, target.splitlines())):
        try:
            urls.from_cli(line)
        except ValueError as error:
            raise UsageError(f"add: {error}") from None


def _user() -> str:
    with suppress(OSError, KeyError, ImportError):
        return getpass.getuser()
    return ""


def one(store: str | StoreAddress, control_id: int) -> ControlRow:
    """Return one row; UsageError where there is none."""
    with Reader(store) as reader:
        sql = f"SELECT {_NAMES} FROM control WHERE control_id = ?"
        found = list(reader.query(sql, (control_id,)).rows)
    if not found:
        raise UsageError(f"{store}: nothing was asked under the number {control_id}")
    return ControlRow(*found[0])


def wait(store: str | StoreAddress, control_id: int, seconds: float = 5.0) -> ControlRow:
    """Wait until a row is answered, `seconds` at most, and return it: its `state` tells."""
    until = time.monotonic() + seconds
    while (row := one(store, control_id)).state == "asked" and time.monotonic() < until:
        time.sleep(_EVERY)
    return row


def log(store: str | StoreAddress, limit: int = 100) -> list[ControlRow]:
    """Return what was asked last, the latest first."""
    with Reader(store) as reader:
        return rows(reader, limit)


def rows(reader: Reader, limit: int = 100) -> list[ControlRow]:
    """Return what was asked last, the latest first, of a store that is open."""
    sql = f"SELECT {_NAMES} FROM control ORDER BY control_id DESC LIMIT ?"
    return [ControlRow(*row) for row in reader.query(sql, (limit,)).rows]


def blocked(reader: Reader) -> list[ControlRow]:
    """Return what is blocked now: the row of each selection that blocked it last."""
    sql = (
        f"SELECT {_NAMES} FROM control WHERE action IN ('block', 'unblock') AND state = 'applied'"
        " ORDER BY control_id"
    )
    found: dict[str, ControlRow] = {}
    for row in map(ControlRow._make, reader.query(sql).rows):
        with suppress(UsageError):
            text = Selection.parse(row.target).text
            if row.action == "block":
                found[text] = row
            else:
                found.pop(text, None)
    return list(found.values())


def count(reader: Reader, target: str, first: int = _FIRST) -> Counted:
    """Return what is queued of a host, pattern or URL: what a block of it would drop."""
    selection = Selection.parse(target)
    hosts = [
        host_id
        for host_id, name in reader.query("SELECT host_id, name FROM hosts WHERE pending > 0").rows
        if selection.takes_host(name)
    ]
    globs = selection.sql_globs()
    among = f"host_id IN ({', '.join(map(str, hosts))})" if hosts else "false"
    where = f"{among} AND ({' OR '.join(['url GLOB ?'] * len(globs))})"
    [(number,)] = reader.query(f"SELECT count(*) FROM todo WHERE {where}", globs).rows
    sql = f"SELECT url, depth FROM todo WHERE {where} ORDER BY host_id, rank, seq LIMIT {first:d}"
    return Counted(number, [(url, depth) for url, depth in reader.query(sql, globs).rows])
