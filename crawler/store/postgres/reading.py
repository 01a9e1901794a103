"""Reading from PostgreSQL without an event loop of one's own: one thread, server-side cursors.

All of a reader's queries see the same snapshot only within one query, as over SQLite. Rows come in
pieces, so that memory stays flat however many there are.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, NamedTuple

from crawler.errors import QueryError
from crawler.store.address import DatabaseAddress
from crawler.store.postgres.connection import (
    Connection,
    asyncpg_module,
    to_store_error,
)
from crawler.store.postgres.statements import clean, inlined, spelled
from crawler.store.postgres.thread import LoopThread

if TYPE_CHECKING:
    import asyncpg

_PIECE = 500  # rows fetched at once
_LONG = 3600.0  # seconds that one answer may take: a question over all pages is slow
_BEGIN = "SET TRANSACTION READ ONLY"


class Found(NamedTuple):
    """The answer to a query: its columns, their types, and the rows as they come."""

    columns: tuple[str, ...]
    types: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]]


class ReadOnly:
    """A read-only connection to one crawl, for callers that are not asynchronous."""

    def __init__(self, address: DatabaseAddress) -> None:
        self.address = address
        self._thread = LoopThread()
        self._wait = self._thread.wait
        self._connection = Connection(address, patience=5.0, timeout=_LONG)
        self._until: float | None = None
        with ExitStack() as undo:
            undo.callback(self.close)
            self._wait(self._connection.open())
            undo.pop_all()

    def limit(self, seconds: float | None) -> None:
        """Let the server stop what it still does in so many seconds; None for no limit."""
        self._until = None if seconds is None else time.monotonic() + seconds

    def _first(self) -> str:
        """Return what a transaction begins with: it reads, and within the time that is left."""
        if self._until is None:
            return _BEGIN
        left = max(1, round(1000 * (self._until - time.monotonic())))
        return f"{_BEGIN}; SET LOCAL statement_timeout = {left}"

    def close(self) -> None:
        """Close the connection, and end the thread."""
        try:
            self._wait(self._connection.close())
        finally:
            self._thread.close()

    def query(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> Found:
        """Run one statement that only reads; what asyncpg raises says what is wrong with it."""
        text, kept = _bound(sql, values)
        steps = self._steps(text, kept)
        first = self._wait(_next(steps))
        if first is None:
            raise QueryError("a query gives rows: write a SELECT")
        columns, types, rows = first
        return Found(columns, types, self._rows(steps, rows))

    def _rows(self, steps: Any, rows: list[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        try:
            while True:
                yield from rows
                more = self._wait(_next(steps))
                if more is None:
                    return
                rows = more[2]
        finally:
            self._wait(steps.aclose())

    async def _steps(self, sql: str, values: list[Any]) -> Any:
        """Yield (columns, types, rows) piece by piece, in a transaction of its own.

        What is first and whole needs no cursor; a second query while rows are still to come has a
        connection of its own.
        """
        connection, own = self._connection, False
        if connection.lock.locked():
            connection = Connection(self.address, patience=5.0, timeout=_LONG)
            own = True
            await connection.open()
        try:
            async with connection.lock, connection.transaction(self._first()) as db:
                await plain(db)
                statement = await db.prepare(sql, name="" if connection.pooled else None)
                shape = statement.get_attributes()
                if not shape:
                    return
                columns = tuple(attribute.name for attribute in shape)
                types = tuple(attribute.type.name for attribute in shape)
                cursor = await statement.cursor(*values)
                made = _as_integers if "bool" in types else tuple
                while rows := await cursor.fetch(_PIECE):
                    yield columns, types, [made(row.values()) for row in rows]
                    if len(rows) < _PIECE:
                        return
                yield columns, types, []
        finally:
            if own:
                await connection.close()


def _as_integers(values: Iterable[Any]) -> tuple[Any, ...]:
    """Return a row with 1 and 0 for true and false, as SQLite has them."""
    return tuple(int(value) if isinstance(value, bool) else value for value in values)


def _number(text: str) -> float:
    """Return a sum of integers, or an exact number, as SQLite has it."""
    return int(text) if text.lstrip("-").isdigit() else float(text)


async def plain(db: asyncpg.Connection) -> None:
    """Let a connection give JSON and exact numbers as SQLite does."""
    for name, decode in (("jsonb", json.loads), ("numeric", _number)):
        await db.set_type_codec(name, encoder=str, decoder=decode, schema="pg_catalog")


async def _next(steps: Any) -> Any:
    return await anext(steps, None)


def _bound(sql: str, values: Sequence[Any] | Mapping[str, Any]) -> tuple[str, list[Any]]:
    """Return a statement as PostgreSQL takes it, and its parameters."""
    sql = spelled(sql)
    if not values:
        return sql, []
    if isinstance(values, Mapping):
        return _named(sql, values)
    return inlined(sql, values)


def _named(sql: str, values: Mapping[str, Any]) -> tuple[str, list[Any]]:
    """Return a statement with `:name` replaced: numbers in place, texts as parameters."""
    import re

    kept: list[Any] = []

    def mark(found: re.Match[str]) -> str:
        if found[1] is None or found[1] not in values:
            return found[0]
        value = values[found[1]]
        if value is None or isinstance(value, (int, float)):
            return "NULL" if value is None else repr(value)
        kept.append(clean(value))
        return f"${len(kept)}::text"

    return re.sub(r"'(?:[^']|'')*'|(?<!:):([a-z_]+)\b", mark, sql), kept


def store_error(address: DatabaseAddress, error: BaseException) -> BaseException:
    """Return the error of the store for what a query raised that is not the query's fault."""
    return to_store_error(address, error)


def is_of_query(error: BaseException) -> bool:
    """Return whether an error says what is wrong with the SQL, not with the store."""
    state = getattr(error, "sqlstate", None) or ""
    asyncpg = asyncpg_module()
    return state[:2] in ("42", "22", "25", "0A", "21", "2B", "26") or isinstance(
        error, asyncpg.InterfaceError
    )
