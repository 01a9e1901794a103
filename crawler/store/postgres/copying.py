"""A crawl in PostgreSQL, as what is copied and as what comes of it.

The copy is one transaction: it is there at its end, and nobody has to clear up after one that was
stopped. Rows go in by COPY, and indexes are made when the tables are full.
"""

from __future__ import annotations

import json
import time
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future, wait
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from crawler.errors import StoreError, StoreRefused
from crawler.store.address import DatabaseAddress
from crawler.store.copying import GivenNumbers, Row, Unfinished, rows_at_once
from crawler.store.damage import whole
from crawler.store.item_sql import TableShape
from crawler.store.postgres import schema
from crawler.store.postgres.claimed import claimed_database
from crawler.store.postgres.connection import (
    Connection,
    asyncpg_module,
    server_errors,
    to_store_error,
)
from crawler.store.postgres.fitted_values import FittedValues, not_taken
from crawler.store.postgres.item_sql import PostgresItems
from crawler.store.postgres.leases import Leases
from crawler.store.postgres.thread import LoopThread

if TYPE_CHECKING:
    import asyncpg

T = TypeVar("T")
_LONG = 24 * 3600.0  # seconds that one statement may take: an index over a hundred million rows
_SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_OWN = {"crawl_hosts": "hosts", "crawl_counters": "counters"}
_FROM_SQLITE = {name: own for own, name in _OWN.items()}
_SHARED = ("shares", "taken_by")  # of `control`: what workers have done of it that are gone by now
_NOT_COPIED = (
    *("crawl_control", "crawl_workers", "crawl_groups", "crawl_values"),
    *("search_waiting", "search_words"),
)
_SQLITE_HOSTS = ("host_id", "name", "pending", "pages", "next_at", "delay", "failures")
_COLUMNS = (
    "SELECT relname::text, attname::text, format_type(atttypid, NULL) FROM pg_attribute"
    " JOIN pg_class AS c ON c.oid = attrelid WHERE relnamespace = current_schema()::regnamespace"
    " AND relkind = 'r' AND attnum > 0 AND NOT attisdropped ORDER BY relname, attnum"
)
_KEYS = (  # of the tables that have a primary key: its columns, in their order
    "SELECT c.relname::text, string_agg(quote_ident(attname), ', ' ORDER BY ordinality)"
    " FROM pg_index AS i JOIN pg_class AS c ON c.oid = indrelid,"
    " unnest(indkey::smallint[]) WITH ORDINALITY AS k (number, ordinality), pg_attribute AS a"
    " WHERE indisprimary AND relnamespace = current_schema()::regnamespace"
    " AND a.attrelid = indrelid AND a.attnum = k.number GROUP BY c.relname"
)
_INDEXES = (
    "SELECT quote_ident(c.relname), pg_get_indexdef(indexrelid) FROM pg_index JOIN pg_class AS c"
    " ON c.oid = indexrelid WHERE relnamespace = current_schema()::regnamespace AND NOT EXISTS"
    " (SELECT 1 FROM pg_constraint WHERE conindid = indexrelid) ORDER BY c.relname"
)
_IDENTITIES = (
    "SELECT relname::text, attname::text FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid"
    " WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r' AND attidentity = 'd'"
)
_VIEWS = (
    "SELECT relname::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace"
    " AND relkind IN ('v', 'm') ORDER BY 1"
)
_VIEWS_OF_TABLES = {"hosts", "counters", "crawl", "sqlite_master"}
_INTEGERS = ("seeded", "pages", "revisits")  # of the table `crawl`, whose values are texts here
_BEYOND = 1 << 63


class _Work:
    """A connection and the thread on which it runs; `db` is in a transaction."""

    def __init__(self, address: DatabaseAddress, stack: ExitStack, begin: str = "") -> None:
        self.address, self._thread = address, LoopThread()
        stack.callback(self._thread.close)
        self.start = self._thread.start
        self.connection = Connection(address, patience=10.0, timeout=_LONG)
        stack.callback(lambda: self.wait(self.connection.close()))
        self.wait(self.connection.open())
        self.transaction = self.connection.transaction(begin)
        self.db: asyncpg.Connection = self.wait(_entered(self.transaction))
        self._over = False
        stack.callback(self.leave)

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end; what the server says is an error of this store."""
        return self.result(self.start(work))

    def result(self, begun: Future[T]) -> T:
        """Wait for what was started."""
        try:
            return begun.result()
        except server_errors() as error:
            raise to_store_error(self.address, error) from error
        finally:
            begun.cancel()  # of what has ended, nothing

    @property
    def ahead(self) -> int:
        """By how many seconds the server's clock is ahead of this machine's."""
        sql = "SELECT extract(epoch FROM clock_timestamp())::double precision"
        return round(float(self.fetchval(sql)) - time.time())

    def leave(self) -> None:
        """Roll back what is not committed."""
        if not self._over:
            self._over = True
            cause = StoreError("rolled back")
            with suppress(StoreError):
                self.wait(self.transaction.__aexit__(type(cause), cause, None))

    def commit(self) -> None:
        """Commit."""
        self._over = True
        self.wait(self.transaction.__aexit__(None, None, None))

    def fetch(self, sql: str, *values: Any) -> list[Any]:
        return list(self.wait(self.db.fetch(sql, *values)))

    def fetchval(self, sql: str, *values: Any) -> Any:
        return self.wait(self.db.fetchval(sql, *values))

    def execute(self, sql: str, *values: Any) -> None:
        self.wait(self.db.execute(sql, *values))

    def columns(self) -> dict[str, dict[str, str]]:
        """Return the tables with their columns and types, as they are called here."""
        found: dict[str, dict[str, str]] = {}
        for table, column, kind in self.fetch(_COLUMNS):
            if table not in _NOT_COPIED:
                found.setdefault(table, {})[column] = kind
        return found

    def count(self, table: str) -> int:
        """Return how many rows a table has."""
        return int(self.fetchval(f'SELECT count(*) FROM "{table}"'))


async def _entered(transaction: Any) -> Any:
    return await transaction.__aenter__()


@contextmanager
def database_source(address: DatabaseAddress) -> Iterator[PostgresSource]:
    """Claim a crawl, bring it to this version, and read it in one snapshot."""
    with claimed_database(address), ExitStack() as stack:
        yield PostgresSource(_Work(address, stack, _SNAPSHOT))


class PostgresSource:
    """A crawl that is claimed, in a transaction that reads."""

    def __init__(self, work: _Work) -> None:
        self._work = work
        self._columns = work.columns()
        self._keys: dict[str, str] = dict(map(tuple, work.fetch(_KEYS)))
        self.count = work.count
        self.ahead = work.ahead
        work.wait(_as_sqlite(work.db))

    def tables(self) -> dict[str, tuple[str, ...]]:
        """Return its tables and their columns, as SQLite names them."""
        found = {_OWN.get(table, table): tuple(each) for table, each in self._columns.items()}
        found["control"] = tuple(column for column in found["control"] if column not in _SHARED)
        return {**found, "hosts": _SQLITE_HOSTS, "counters": ("name", "value")}

    def others(self) -> list[str]:
        """Return its views that are none of a crawl's."""
        own = schema.statements().keys() | _VIEWS_OF_TABLES
        return [f"{name} (view)" for (name,) in self._work.fetch(_VIEWS) if name not in own]

    def values(self) -> dict[str, Any]:
        """Return the table `crawl`."""
        rows = self._work.fetch("SELECT key, value FROM crawl WHERE key <> 'views'")
        return {key: int(value) if key in _INTEGERS else value for key, value in rows}

    def numbers(self, items: Sequence[str]) -> GivenNumbers:
        """Return which numbers it has given."""
        given = {}
        for name in items:
            sequence = self._work.fetchval(
                "SELECT pg_get_serial_sequence(quote_ident($1), 'item_id')", name
            )
            given[name] = self._next(sequence, 1) - 1
        return GivenNumbers(
            self._next("crawl_page_ids", 200), self._next("crawl_seqs", 1000), given
        )

    def _next(self, sequence: str, by: int) -> int:
        [(last, called)] = self._work.fetch(f"SELECT last_value, is_called FROM {sequence}")
        return int(last) + (by if called else 0)

    def unfinished(self) -> Unfinished:
        """Return nothing: of workers that died the hosts say when they may be asked."""
        return Unfinished(0.0, 0.0)

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[list[Row]]:
        """Yield the rows of a table in pieces, by its key."""
        key = self._keys.get(table)
        order = f" ORDER BY {key}" if key else ""
        types = self._columns.get(table, {})
        as_integer = "::integer"
        chosen = ", ".join(
            f'"{column}"{as_integer if types.get(column) == "boolean" else ""}'
            for column in columns
        )
        sql, number = f'SELECT {chosen} FROM "{table}"{order}', rows_at_once(table)
        cursor = self._work.wait(_cursor(self._work, sql))
        coming = self._work.start(cursor.fetch(number))
        try:
            while rows := self._work.result(coming):
                # While these are stored, the server reads the next ones.
                coming = self._work.start(cursor.fetch(number))
                yield [tuple(row) for row in rows]
        finally:
            wait([coming])  # nothing else may use the connection meanwhile


async def _cursor(work: _Work, sql: str) -> Any:
    """Return a cursor; its statement has no name where a pooler stands between."""
    statement = await work.db.prepare(sql, name="" if work.connection.pooled else None)
    return await statement.cursor()


async def _as_sqlite(db: asyncpg.Connection) -> None:
    await db.set_type_codec("jsonb", encoder=str, decoder=_value, schema="pg_catalog")


def _value(text: str) -> Any:
    """Return what a column of values of any type holds, as SQLite has it."""
    value = json.loads(text)
    if isinstance(value, int) and not -_BEYOND <= value < _BEYOND:
        return float(value)
    return value


@contextmanager
def database_target(address: DatabaseAddress) -> Iterator[PostgresTarget]:
    """Make a crawl's schema; StoreRefused where there is one with something in it.

    What ends the block before `keep` leaves nothing.
    """
    with ExitStack() as stack:
        work = _Work(address, stack)
        work.execute("SET LOCAL maintenance_work_mem = '256MB'")
        work.wait(schema.refuse_full(work.db, work.connection))
        work.wait(_made(work.db, address))
        yield PostgresTarget(work)


async def _made(db: asyncpg.Connection, address: DatabaseAddress) -> None:
    try:
        await schema.make_tables(db, address.crawl)
    except asyncpg_module().DuplicateSchemaError:
        raise StoreRefused(f"{address}: somebody else has made it just now; look, and copy again"
                           " into another: ?crawl=NAME") from None  # fmt: skip


class PostgresTarget:
    """A schema that is filled."""

    def __init__(self, work: _Work) -> None:
        self._work = work
        self.ahead = work.ahead
        self._values = FittedValues()
        self._under_way: Future[None] | None = None
        self._columns: dict[str, dict[str, str]] = {}
        self._indexes: list[Any] = []

    @property
    def changed(self) -> int:
        """How many texts it could not take as they were."""
        return self._values.changed

    def make_items(self, shapes: Sequence[TableShape], histories: Sequence[str]) -> None:
        """Make the tables of items, and put all indexes off until they are full."""
        sql = PostgresItems()
        for shape in shapes:
            for statement in sql.create(shape):
                self._work.execute(statement)
            if shape.name in histories:
                for statement in sql.history(shape):
                    self._work.execute(statement)
                for statement in sql.forget(shape.name) if not shape.history else ():
                    self._work.execute(statement)
        self._indexes = self._work.fetch(_INDEXES)
        for name, _ in self._indexes:
            self._work.execute(f"DROP INDEX {name}")
        self._columns = self._work.columns()

    def tables(self) -> dict[str, tuple[str, ...]]:
        """Return its tables and their columns, as SQLite names them."""
        return {_OWN.get(table, table): tuple(each) for table, each in self._columns.items()}

    def insert(self, table: str, columns: Sequence[str], rows: list[Row]) -> None:
        """Store rows."""
        if table == "counters":
            columns, rows = ("worker_id", *columns), [(0, *row) for row in rows]
        own = _FROM_SQLITE.get(table, table)
        rows = self._values.fitted(own, self._columns[own], columns, rows)
        self._arrive()
        self._under_way = self._work.start(self._copied(own, columns, rows))

    def _arrive(self) -> None:
        """Wait for the rows that are under way: while they are, the next ones are read."""
        last, self._under_way = self._under_way, None
        if last is not None:
            self._work.result(last)

    async def _copied(self, table: str, columns: Sequence[str], rows: list[Row]) -> None:
        try:
            await self._work.db.copy_records_to_table(table, records=rows, columns=columns)
        except (asyncpg_module().DataError, ValueError, TypeError, OverflowError) as error:
            said = (str(error).splitlines() or [""])[0]
            raise not_taken(f"the table {table} has a value", f"{said:.100}") from None

    def finish(
        self, values: Mapping[str, Any], numbers: GivenNumbers, left: Unfinished, later: int
    ) -> None:
        """Write what is no row of a table, and make the indexes."""
        work = self._work
        self._arrive()
        self._write_values(values)
        if later:
            work.execute(f"UPDATE crawl_hosts SET next_at = next_at + {later} WHERE next_at > 0")
            sql = f"UPDATE todo SET not_before = not_before + {later} WHERE not_before > 0"
            work.execute(sql)
        if left.until:
            work.execute(
                "UPDATE crawl_hosts SET next_at = greatest(next_at, $1 + coalesce(delay, $2))",
                *(left.until + later, left.delay),
            )
        for _, sql in self._indexes:
            work.execute(sql)
        self._set_sequences(numbers)
        work.wait(Leases().sweep(work.db))
        work.wait(schema.bring(work.db, work.connection))
        for table in self._columns:
            work.execute(f'ANALYZE "{table}"')

    def _write_values(self, values: Mapping[str, Any]) -> None:
        texts = {
            key: self._values.text(str(value))
            for key, value in values.items()
            if key not in ("seeded", "pages", "next_seq", "next_page_id")
        }
        self._work.execute(
            "INSERT INTO crawl_values SELECT * FROM unnest($1::text[], $2::text[])",
            *(list(texts), list(texts.values())),
        )
        self._work.execute(
            "UPDATE crawl_control SET seeded = $1, pages = $2, scope_version = 1",
            *(bool(values.get("seeded")), whole(values, "pages", 0)),
        )

    def _set_sequences(self, numbers: GivenNumbers) -> None:
        work = self._work
        work.execute("SELECT setval('crawl_page_ids', $1, false)", numbers.page_id)
        work.execute("SELECT setval('crawl_seqs', $1, false)", numbers.seq)
        for table, column in work.fetch(_IDENTITIES):
            highest = work.fetchval(f'SELECT coalesce(max("{column}"), 0) FROM "{table}"')
            highest = max(highest, numbers.items.get(table, 0))
            if highest:
                work.execute(
                    "SELECT setval(pg_get_serial_sequence(quote_ident($1), $2), $3)",
                    *(table, column, highest),
                )

    def count(self, table: str) -> int:
        """Return how many rows a table has."""
        return self._work.count(table)

    def keep(self) -> None:
        """Commit."""
        self._work.commit()
