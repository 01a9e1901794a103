"""Read-only SQL over a crawl in PostgreSQL: the same questions as over SQLite."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from crawler.errors import QueryError, StoreRefused
from crawler.inspect.postgres_guard import QueryGuard
from crawler.inspect.query import Reader, Rows
from crawler.inspect.queue_counts import QueueCounts
from crawler.store.address import DatabaseAddress, StoreAddress, address_of
from crawler.store.postgres.connection import server_errors
from crawler.store.postgres.item_sql import as_json, key_among
from crawler.store.postgres.reading import ReadOnly, is_of_query, store_error

_KINDS = {
    **{"int8": "INTEGER", "int4": "INTEGER", "int2": "INTEGER", "float8": "REAL"},
    **{"bool": "BOOLEAN", "text": "TEXT", "bytea": "BLOB", "jsonb": "ANY"},
}
_ALIVE = (
    "SELECT 1 FROM crawl_workers WHERE expires_at > now()"
    " AND run_id = (SELECT max(run_id) FROM runs)"
)
_UNCOUNTED = (
    "SELECT coalesce(sum(run_pages), 0), coalesce(sum(run_errors), 0) FROM crawl_workers"
    " WHERE run_id = ?"
)
_CANCELED = "57014"
_MOVED = (
    "SELECT (SELECT coalesce(sum(flush_no), 0) FROM crawl_workers), (SELECT max(at) FROM workers),"
    " (SELECT count(*) FROM workers), (SELECT max(run_id) FROM runs), (SELECT max(control_id) FROM"
    " control), (SELECT max(applied_at) FROM control)"
)
"""Counts the commits of all workers: those that are gone took one row of `workers` with them."""
_MANY_HOSTS = (
    "(SELECT h.host_id, h.name, coalesce(q.pending, 0) AS pending, h.pages, h.next_at, h.delay,"
    " h.failures FROM crawl_hosts AS h LEFT JOIN unnest('{}'::bigint[], '{}'::bigint[])"
    " AS q (host_id, pending) USING (host_id)) AS hosts"
)
_ITEM_TYPES = "SELECT name, columns FROM item_types"


class PostgresReader(Reader):
    """A crawl in PostgreSQL opened for reading."""

    path: DatabaseAddress
    insertion = "ctid"

    def __init__(self, path: str | StoreAddress) -> None:
        """Connect; StoreRefused where there is no such crawl."""
        address = address_of(path)
        assert isinstance(address, DatabaseAddress)
        self.path = address
        self._guard: QueryGuard | None = None
        self._limit = 0.0
        self._reader = ReadOnly(address)
        with ExitStack() as undo:
            undo.callback(self._reader.close)
            there = "SELECT to_regclass('crawl_control') IS NOT NULL"
            if not next(iter(self.query(there).rows))[0]:
                raise StoreRefused(
                    f"{address}: there is no such crawl; crawl into it first, or name another"
                )
            undo.pop_all()

    def __exit__(self, *exc: object) -> None:
        self._reader.close()

    def query(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> Rows:
        """Run one statement that only reads; QueryError says what is wrong with it."""
        try:
            if self._guard is not None:
                self._guard.check(sql)
            found = self._reader.query(sql, values)
        except server_errors() as error:
            raise self._told_of(error, sql) from None
        return Rows(found.columns, self._checked(found.rows, sql))

    def _checked(self, rows: Iterator[tuple[Any, ...]], sql: str) -> Iterator[tuple[Any, ...]]:
        try:
            yield from rows
        except server_errors() as error:
            raise self._told_of(error, sql) from None

    def _told_of(self, error: Exception, sql: str) -> BaseException:
        if getattr(error, "sqlstate", None) == _CANCELED:
            return QueryError(f"stopped after {self._limit:g} s")
        if not is_of_query(error):
            return store_error(self.path, error)
        text = str(error).partition("\n")[0]
        if "read-only transaction" in text:
            return QueryError(
                "a query can only read, with SELECT: INSERT, UPDATE, DELETE are refused"
            )
        if "multiple commands" in text:
            return QueryError(
                "a query is one statement; leave out what stands behind the semicolon"
            )
        missing = re.search(r'(relation|column) "?([^" ]+)"? does not exist', text)
        near = self._near(missing[1], missing[2]) if missing else ""
        place = getattr(error, "position", None)
        return QueryError(text + near + (_caret(sql, int(place) - 1) if place else ""))

    def _near(self, kind: str, name: str) -> str:
        known = self.names()
        every = known if kind == "relation" else {c: 0 for cs in known.values() for c in cs}
        near = difflib.get_close_matches(name.rpartition(".")[2], every, 1, 0.5)
        return f"; did you mean {near[0]}?" if near else ""

    def own(self, sql: str) -> Iterator[tuple[Any, ...]]:
        """Return the rows of a query of ours, which no guard looks at."""
        try:
            yield from self._reader.query(sql).rows
        except server_errors() as error:
            raise self._told_of(error, sql) from None

    def explain(self, sql: str) -> Rows:
        """Return the plan by which PostgreSQL would answer a query."""
        return Rows(("plan",), self.query(f"EXPLAIN {sql}").rows)

    def kinds(self, sql: str) -> list[str]:
        """Return the types of a SELECT's columns, those of item tables as the spider has them."""
        try:
            found = self._reader.query(f"SELECT * FROM ({sql.rstrip().rstrip(';')}) AS q LIMIT 0")
        except server_errors():
            return []
        own = self._declared(sql)
        return [
            own.get(name, _KINDS.get(kind, ""))
            for name, kind in zip(found.columns, found.types, strict=True)
        ]

    def _declared(self, sql: str) -> dict[str, str]:
        """Return the declared types of the columns of the item tables that a query names."""
        import json

        words = set(re.findall(r"\w+", sql))
        found: dict[str, str] = {}
        for name, columns in self.query(_ITEM_TYPES).rows:
            if name in words:
                found |= json.loads(columns)
        return found

    def in_bytes(self, column: str) -> str:
        """Return what sorts texts as Python does, by code points."""
        return f'{column} COLLATE "C"'

    def json_array(self, columns: Mapping[str, str]) -> str:
        """Return an array of columns (name → declared type), in JSON, as SQLite writes it."""
        parts = ", ".join(as_json(column, kind) for column, kind in columns.items())
        return f"'[' || concat_ws(',', {parts}) || ']' COLLATE \"C\""

    def among(self, key: Mapping[str, str]) -> str:
        """Return the condition that a row has one of the keys (name → declared type) of `?`."""
        return key_among(key, "(SELECT value::json AS value FROM json_each(?)) AS keys")

    def floor(self, number: str) -> str:
        """Return the SQL of the whole part of a number that is not negative: a cast rounds."""
        return f"floor({number})::bigint"

    def moved(self) -> Any:
        """Return what is another value whenever a worker has committed, or somebody has asked."""
        return next(iter(self.query(_MOVED).rows))

    def many_hosts(self, counts: QueueCounts) -> str:
        """Return what stands behind FROM for all hosts: with the queue counted once for them."""
        return _MANY_HOSTS.format(*counts.latest(self._queues).split())

    def _queues(self) -> str:
        """Return the ids of the hosts with a queue, and how long it is, as two arrays."""
        rows = list(self.own("SELECT host_id, count(*) FROM todo GROUP BY host_id"))
        return " ".join("{" + ",".join(str(row[place]) for row in rows) + "}" for place in (0, 1))

    def guard(self, *secret: str) -> None:
        """Make what strangers ask harmless: one query that reads tables of this crawl alone."""
        if self._guard is None:
            self._guard = QueryGuard.of(self, secret)

    @contextmanager
    def limited(self, seconds: float) -> Iterator[None]:
        """Stop what takes longer than so many seconds: QueryError says so."""
        self._reader.limit(seconds)
        self._limit = seconds
        try:
            yield
        finally:
            self._reader.limit(None)

    def size(self) -> int:
        """Return how many bytes the crawl takes."""
        sql = (
            "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class"
            " WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'"
        )
        return int(next(self.own(sql))[0])

    def values(self) -> dict[str, Any]:
        """Return the rows of the view `crawl`."""
        found = dict(self.query("SELECT key, value FROM crawl").rows)
        return {key: int(v) if key in ("pages", "seeded") else v for key, v in found.items()}

    def runs_on(self, pid: int) -> bool:
        """Return whether a worker of the last run holds its lease."""
        return bool(list(self.query(_ALIVE).rows))

    def uncounted(self, run_id: int) -> tuple[int, int]:
        """Return the pages and errors of the workers that have not left the run."""
        [(pages, errors)] = self.query(_UNCOUNTED, (run_id,)).rows
        return int(pages), int(errors)

    def names(self) -> dict[str, list[str]]:
        """Return the columns of every table and view, for completion."""
        found: dict[str, list[str]] = {}
        sql = (
            "SELECT c.relname::text, a.attname::text FROM pg_class AS c JOIN pg_attribute AS a"
            " ON a.attrelid = c.oid WHERE c.relnamespace = current_schema()::regnamespace"
            " AND c.relkind IN ('r', 'v') AND a.attnum > 0 AND NOT a.attisdropped"
            " ORDER BY 1, a.attnum"
        )
        for table, column in self.own(sql):
            found.setdefault(table, []).append(column)
        return found


def _caret(sql: str, at: int) -> str:
    """Show the line of the SQL, and a caret below the place."""
    if not 0 <= at < len(sql):
        return ""
    start = sql.rfind("\n", 0, at) + 1
    line = sql[start:].partition("\n")[0]
    return f"\n  {line}\n  {' ' * (at - start)}^"
