"""A store in an SQLite file, as what is copied and as what comes of it.

The copy grows in a file of its own beside the target and gets its name when it is whole, so that
there is never half a store. What a killed copy has left is removed by the next one.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from crawler.errors import StoreRefused
from crawler.store import item_sql, lock
from crawler.store.address import make_private
from crawler.store.claim import Claim
from crawler.store.claimed import queue_all_revisits
from crawler.store.copying import GivenNumbers, Row, Unfinished, rows_at_once
from crawler.store.damage import whole
from crawler.store.item_sql import TableShape
from crawler.store.schema import made, migrate_now
from crawler.store.sqlite_errors import to_store_error
from crawler.store.views import views

log = logging.getLogger(__name__)

_TABLES = (
    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
    " AND name <> 'search' AND name NOT IN ('search_data', 'search_idx', 'search_docsize',"
    " 'search_config')"
)
_INDEXES = "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
_OTHERS = (
    "SELECT type, name FROM sqlite_master WHERE type IN ('view', 'trigger', 'index')"
    " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY type, name"
)
_OF_ITEMS = ("page", "key", "history_item", "changed", "removed")  # indexes and triggers of a type
_ANYTHING = ("hosts", "seen", "todo", "pages", "runs", "control")
_BESIDE = ("-journal", "-wal", "-shm")


def tables(db: sqlite3.Connection) -> dict[str, tuple[str, ...]]:
    """Return the tables of a file and their columns, but for those of the text index."""
    names = [name for (name,) in db.execute(_TABLES)]
    info = "SELECT name FROM pragma_table_info(?) ORDER BY cid"
    return {name: tuple(row[0] for row in db.execute(info, (name,))) for name in names}


@contextmanager
def file_source(path: Path) -> Iterator[SqliteSource]:
    """Claim a store, bring it to this version, and read it in one snapshot."""
    if not path.is_file():
        raise StoreRefused(f"{path}: there is no such store; crawl into it first")
    claim = Claim(path)
    claim.take()
    try:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=lock.MOMENT)) as db:
            try:
                lock.tried(lambda: migrate_now(db, path), lock.LockWait(path, lock.TIMEOUT))
                queue_all_revisits(db, path)
                db.execute("BEGIN")
            except sqlite3.DatabaseError as error:
                raise to_store_error(path, error) from error
            yield SqliteSource(db, path, claim.left_at)
    finally:
        claim.release()


class SqliteSource:
    """A file that is claimed, in a transaction that reads; its errors name it, not the copy."""

    ahead = 0

    def __init__(self, db: sqlite3.Connection, path: Path, left_at: float | None) -> None:
        """`left_at`: what a holder that died promised, as `Claim` has it."""
        self._db, self._path, self._left_at = db, path, left_at

    def tables(self) -> dict[str, tuple[str, ...]]:
        """Return its tables and their columns."""
        with self._named_errors():
            return tables(self._db)

    def others(self) -> list[str]:
        """Return its views, triggers and indexes that are none of a crawl's."""
        items = [name for (name,) in self._all("SELECT name FROM item_types")]
        own = {f"{name}_{what}" for name in items for what in _OF_ITEMS}
        own |= _names_of_a_crawl()
        return [f"{name} ({kind})" for kind, name in self._all(_OTHERS) if name not in own]

    def values(self) -> dict[str, Any]:
        """Return the table `crawl`."""
        return dict(self._all("SELECT key, value FROM crawl"))

    def numbers(self, items: Sequence[str]) -> GivenNumbers:
        """Return which numbers it has given."""
        values = self.values()
        given = dict(self._all("SELECT name, seq FROM sqlite_sequence")) if items else {}
        return GivenNumbers(
            max(whole(values, "next_page_id", 1, self._path), self._next("pages", "page_id")),
            max(whole(values, "next_seq", 1, self._path), self._next("todo", "seq")),
            {name: given.get(name, 0) for name in items},
        )

    def _next(self, table: str, column: str) -> int:
        [(highest,)] = self._all(f"SELECT coalesce(max({column}), 0) FROM {table}")
        return int(highest) + 1

    def unfinished(self) -> Unfinished:
        """Return what is to be known of a last run that did not finish; see `SqliteStore`."""
        runs = self._all("SELECT state, ended_at, settings FROM runs ORDER BY run_id DESC LIMIT 1")
        if not runs or runs[0][0] == "finished":
            return Unfinished(0.0, 0.0)
        state, ended_at, settings = runs[0]
        delay, until = 0.0, self._left_at or time.time()
        with suppress(ValueError, TypeError, AttributeError):
            delay = float((json.loads(settings).get("politeness") or {}).get("delay") or 0.0)
        if state != "running":
            with suppress(TypeError, ValueError):
                until = datetime.fromisoformat(ended_at).timestamp()
        return Unfinished(min(time.time(), until), delay)

    def count(self, table: str) -> int:
        """Return how many rows a table has."""
        [(number,)] = self._all(f'SELECT count(*) FROM "{table}"')
        return int(number)

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[list[Row]]:
        """Yield the rows of a table in pieces, as they stand."""
        number = rows_at_once(table)
        with self._named_errors():
            cursor = self._db.execute(f'SELECT {item_sql.names(columns)} FROM "{table}"')
        while True:
            with self._named_errors():
                rows = cursor.fetchmany(number)
            if not rows:
                return
            yield rows

    def _all(self, sql: str) -> list[Any]:
        with self._named_errors():
            return self._db.execute(sql).fetchall()

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise to_store_error(self._path, error) from error


@cache
def _names_of_a_crawl() -> frozenset[str]:
    """Return the names of the views, triggers and indexes that every store has."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        for script in made():
            db.executescript(script)
        return frozenset([*views(), *(name for _, name in db.execute(_OTHERS))])


@contextmanager
def file_target(path: Path) -> Iterator[SqliteTarget]:
    """Make a store beside where it is to be; StoreRefused where there is one with something in it.

    What ends the block before `keep` leaves nothing.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreRefused(f"{path}: {error.strerror}; name another") from None
    claim = Claim(path)
    claim.take()
    part = path.with_name(f"{path.name}.copying")
    try:
        _refuse_full(path)
        if part.exists():
            log.warning("%s: left by a copy that did not end; it is begun anew", part)
        _remove(part)
        make_private(part)
        with closing(sqlite3.connect(part, isolation_level=None)) as db:
            try:
                target = SqliteTarget(db, path, part)
                yield target
            except sqlite3.DatabaseError as error:
                raise to_store_error(path, error) from error
    finally:
        _remove(part)
        claim.release()


def _refuse_full(path: Path) -> None:
    if not path.exists() or not path.stat().st_size:
        return
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        try:
            migrate_now(db, path)  # refuses what is no store
            full = any(db.execute(f"SELECT 1 FROM {each} LIMIT 1").fetchone() for each in _ANYTHING)
        except sqlite3.DatabaseError as error:
            raise to_store_error(path, error) from error
    if full:
        raise StoreRefused(f"{path}: there is a crawl in it; copy into a file that is not there")


def _remove(part: Path) -> None:
    part.unlink(missing_ok=True)
    _remove_beside(part)


def _remove_beside(path: Path) -> None:
    for ending in _BESIDE:
        path.with_name(path.name + ending).unlink(missing_ok=True)


class SqliteTarget:
    """A file that is filled: without a journal, as nobody sees it before it is whole."""

    ahead = changed = 0

    def __init__(self, db: sqlite3.Connection, path: Path, part: Path) -> None:
        self._db, self._path, self._part = db, path, part
        for pragma in (
            "page_size = 4096",
            "journal_mode = OFF",
            "synchronous = OFF",
            "locking_mode = EXCLUSIVE",
            "cache_size = -64000",
            "temp_store = MEMORY",
        ):
            db.execute(f"PRAGMA {pragma}")
        for script in made():
            db.executescript(script)
        self._indexes: dict[str, str] = {}

    def make_items(self, shapes: Sequence[TableShape], histories: Sequence[str]) -> None:
        """Make the tables of items, and put all indexes off until they are full."""
        for shape in shapes:
            for sql in item_sql.create(shape):
                self._db.execute(sql)
            if shape.name in histories:
                for sql in item_sql.history(shape):
                    self._db.execute(sql)
                for sql in item_sql.forget(shape.name) if not shape.history else ():
                    self._db.execute(sql)
        self._indexes = dict(self._db.execute(_INDEXES).fetchall())
        for name in self._indexes:
            self._db.execute(f'DROP INDEX "{name}"')
        self._db.execute("BEGIN")

    def tables(self) -> dict[str, tuple[str, ...]]:
        """Return its tables and their columns."""
        return tables(self._db)

    def insert(self, table: str, columns: Sequence[str], rows: list[Row]) -> None:
        """Store rows."""
        marks = ", ".join("?" * len(columns))
        sql = f'INSERT INTO "{table}" ({item_sql.names(columns)}) VALUES ({marks})'
        self._db.executemany(sql, rows)

    def finish(
        self, values: Mapping[str, Any], numbers: GivenNumbers, left: Unfinished, later: int
    ) -> None:
        """Write what is no row of a table, and make the indexes.

        The runs tell of one that did not finish.
        """
        kept = {**values, "next_seq": numbers.seq, "next_page_id": numbers.page_id}
        self._db.executemany("INSERT INTO crawl VALUES (?, ?)", kept.items())
        for name, highest in numbers.items.items():  # without items there is no such table
            self._db.execute("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
            self._db.execute("INSERT INTO sqlite_sequence VALUES (?, ?)", (name, highest))
        if later:
            self._db.execute("UPDATE hosts SET next_at = next_at + ? WHERE next_at > 0", (later,))
            self._db.execute("UPDATE todo SET not_before = not_before + ? WHERE not_before > 0",
                             (later,))  # fmt: skip
        self._db.execute(
            "UPDATE hosts SET pending = (SELECT count(*) FROM todo"
            " WHERE todo.host_id = hosts.host_id)"
        )
        for sql in self._indexes.values():
            self._db.execute(sql)
        self._db.execute("INSERT INTO search (search) VALUES ('rebuild')")
        self._db.execute("COMMIT")
        migrate_now(self._db, self._part)

    def count(self, table: str) -> int:
        """Return how many rows a table has."""
        return int(self._db.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0])

    def keep(self) -> None:
        """Bring the file to disk, and give it its name."""
        self._db.execute("PRAGMA locking_mode = NORMAL")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.close()
        descriptor = os.open(self._part, os.O_RDWR)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        # SQLite takes a log that is there for this file's, whosever it was, and plays it back.
        _remove_beside(self._path)
        self._part.replace(self._path)
