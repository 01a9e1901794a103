"""A crawl in PostgreSQL that is claimed: the verbs of `store.claimed`, for who is not asynchronous.

Who claims has a row among the workers, marked so: no worker begins a run beside it, and it begins
beside none. Each of its transactions holds that row, so that nobody takes it for dead.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from crawler.errors import QueryError, StoreClaimed, StoreError, StoreRefused
from crawler.store.address import DatabaseAddress
from crawler.store.claimed import Again, Records, damaged_request
from crawler.store.conditional import extra
from crawler.store.item_marks import Left
from crawler.store.items import ItemReport
from crawler.store.postgres.connection import Connection, server_errors, to_store_error
from crawler.store.postgres.items import ItemStore
from crawler.store.postgres.leases import Leases, remove
from crawler.store.postgres.reading import is_of_query, plain
from crawler.store.postgres.schema import migrate
from crawler.store.postgres.statements import PostgresStatements, clean, cleaned, inlined, spelled
from crawler.store.postgres.thread import LoopThread
from crawler.store.revisit_queue import ASKS, NUMBER
from crawler.web.request import EARLY, FIRST, Todo

if TYPE_CHECKING:
    import asyncpg

T = TypeVar("T")
_LONG = 3600.0  # seconds that one statement may take: it may be over all pages
_PIECE = 1000  # rows that are in memory at once

_CHOSEN = (
    "CREATE TEMP TABLE chosen ON COMMIT DROP AS SELECT row_number() OVER (ORDER BY p.page_id) AS"
    " number, p.page_id FROM pages AS p JOIN (SELECT host_id, name AS host FROM crawl_hosts) AS h"
    " USING (host_id) WHERE {where} AND NOT EXISTS (SELECT 1 FROM todo AS t"
    " WHERE t.host_id = p.host_id AND t.url_hash = p.url_hash) AND NOT EXISTS (SELECT 1 FROM pages"
    " AS later WHERE later.host_id = p.host_id AND later.url_hash = p.url_hash"
    " AND later.page_id > p.page_id AND later.url = p.url)"
)
_QUEUED = (
    "SELECT c.number, p.page_id, p.host_id, p.url_hash, p.url, p.depth, p.parent_id, p.callback,"
    " p.request, {asks} AS asks, {again} AS again FROM chosen AS c JOIN pages AS p USING (page_id)"
    " WHERE c.number > $1 AND c.number <= $2 ORDER BY c.number"
)


@contextmanager
def claimed_database(
    address: DatabaseAddress, *, lock_timeout: float = 60.0
) -> Iterator[ClaimedDatabase]:
    """Return a crawl that the block alone writes into; all of the block is one transaction.

    StoreClaimed while worker processes are at it, StoreRefused where there is no such crawl.
    """
    db = ClaimedDatabase(address, lock_timeout)
    try:
        with db.named_errors():
            db.open()
            yield db
            db.commit()
    finally:
        db.leave()


class DatabaseAnswer(list[tuple[Any, ...]]):
    """The rows that a statement gave, and how many it changed."""

    def __init__(self, rows: Iterable[Any], status: str) -> None:
        super().__init__(tuple(row) for row in rows)
        last = status.rpartition(" ")[2]
        self.rowcount = int(last) if last.isdigit() else -1

    def fetchone(self) -> Any:
        """Return the next row, None if there is none."""
        return self.pop(0) if self else None

    def fetchall(self) -> list[Any]:
        """Return all rows that are left."""
        rows = list(self)
        self.clear()
        return rows


class ClaimedDatabase:
    """A connection to a crawl that is claimed."""

    def __init__(self, address: DatabaseAddress, lock_timeout: float) -> None:
        self.address = address
        self._thread = LoopThread()
        self._connection = Connection(address, patience=lock_timeout, timeout=_LONG)
        self._leases = Leases()
        self._items: ItemStore | None = None
        self._open: Any = None  # the transaction
        self._db: asyncpg.Connection | None = None

    @property
    def db(self) -> asyncpg.Connection:
        """The connection, which is in a transaction."""
        assert self._db is not None
        return self._db

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end."""
        return self._thread.wait(work)

    @contextmanager
    def named_errors(self) -> Iterator[None]:
        """Turn what the server says into errors of the store."""
        try:
            yield
        except server_errors() as error:
            raise to_store_error(self.address, error) from error

    # ------------------------------------------------------------ from claim to release

    def open(self) -> None:
        """Claim the crawl, and begin a transaction."""
        self.wait(self._joined())
        self.begin()

    async def _joined(self) -> None:
        connection, crawl = self._connection, self.address.crawl
        await connection.open()

        async def there(db: asyncpg.Connection) -> bool:
            name = f'"{crawl}".crawl_control'
            return bool(await db.fetchval("SELECT to_regclass($1) IS NOT NULL", name))

        if not await connection.run(there):
            raise StoreRefused(f"{self.address}: there is no such crawl; crawl into it first")
        await migrate(connection)
        await connection.run(self._claim)

    async def _claim(self, db: asyncpg.Connection) -> None:
        await db.execute("SELECT 1 FROM crawl_control FOR UPDATE")
        await self._leases.reap(db)
        others = await db.fetch("SELECT node, pid FROM crawl_workers ORDER BY worker_id")
        if others:
            node, pid = others[0]
            more = f" and {len(others) - 1} more" if len(others) > 1 else ""
            raise StoreClaimed(
                f"{self.address}: process {pid} on {node.partition('/')[0]}{more} is at it; stop it"
                " first (crawler workers shows who takes part)"
            )
        await self._leases.join(db)
        await db.execute(
            "UPDATE crawl_workers SET claims = true WHERE worker_id = $1", self._leases.worker_id
        )

    def begin(self) -> None:
        """Begin a transaction, which holds the claim."""
        self.wait(self._begun())

    async def _begun(self) -> None:
        self._open = self._connection.transaction()
        self._db = await self._open.__aenter__()
        await self._leases.renew(self.db)
        await plain(self.db)

    def commit(self) -> None:
        """Commit what was done: hosts that were given work may be taken."""
        self.wait(self._leases.sweep(self.db))
        done, self._open = self._open, None
        self.wait(done.__aexit__(None, None, None))
        self._db = None

    def step(self) -> None:
        """Commit what was done, and begin the next transaction."""
        self.commit()
        self.begin()

    def leave(self) -> None:
        """Roll back what is not committed, give the claim back, and close."""
        own = self._leases.worker_id
        try:
            if self._open is not None:
                cause = StoreError("rolled back")
                with suppress(StoreError, *server_errors()):
                    self.wait(self._open.__aexit__(type(cause), cause, None))
            if own:
                self._connection.stop_waiting()
                with suppress(StoreError):  # its lease runs out then
                    self.wait(self._connection.run(lambda db: remove(db, own, died=False)))
            self.wait(self._connection.close())
        finally:
            self._thread.close()

    # ------------------------------------------------------------ statements

    def execute(self, sql: str, values: Any = (), /) -> DatabaseAnswer:
        """Run a statement that both databases take, with `?` for its values."""
        return self.wait(self._answer(sql, values))

    async def _answer(self, sql: str, values: Sequence[Any]) -> DatabaseAnswer:
        text, kept = inlined(spelled(sql), values)
        statement = await self.db.prepare(text, name="" if self._connection.pooled else None)
        return DatabaseAnswer(await statement.fetch(*kept), statement.get_statusmsg())

    def executemany(self, sql: str, rows: Iterable[Any], /) -> None:
        """Run a statement for each row."""
        self.wait(PostgresStatements(self.db).executemany(sql, rows))

    def copy(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Insert many rows."""
        self.wait(self._copied(table, columns, rows))

    async def _copied(self, table: str, columns: Sequence[str], rows: Iterable[Any]) -> None:
        records = cleaned(list(rows))
        if records:
            await self.db.copy_records_to_table(table, records=records, columns=columns)

    # ------------------------------------------------------------ the verbs

    def mark(self, key: str, value: str | int, *, first: bool = False) -> None:
        """Write a row of the view `crawl`; `first`: only where there is none."""
        then = "NOTHING" if first else "UPDATE SET value = excluded.value"
        sql = f"INSERT INTO crawl_values VALUES (?, ?) ON CONFLICT (key) DO {then}"
        self.execute(sql, (key, str(value)))

    def unmark(self, key: str) -> None:
        """Remove a row of the view `crawl`."""
        self.execute("DELETE FROM crawl_values WHERE key = ?", (key,))

    def host_ids(self, names: Iterable[str]) -> dict[str, int]:
        """Return the ids of hosts, making those that are not there."""
        wanted = sorted({clean(name) for name in names})

        async def made() -> list[Any]:
            await self.db.execute(
                "INSERT INTO crawl_hosts (name) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING",
                wanted,
            )
            sql = "SELECT name, host_id FROM crawl_hosts WHERE name = ANY($1::text[])"
            return list(await self.db.fetch(sql, wanted))

        return {row[0]: row[1] for row in self.wait(made())}

    def unseen(self, keys: Sequence[tuple[int, int]]) -> set[tuple[int, int]]:
        """Note requests (host id, hash of the URL) as seen, and return those that were not."""
        if not keys:
            return set()
        rows = self.wait(
            self.db.fetch(
                "INSERT INTO seen SELECT * FROM unnest($1::bigint[], $2::bigint[])"
                " ON CONFLICT DO NOTHING RETURNING host_id, url_hash",
                *map(list, zip(*sorted(set(keys)), strict=True)),
            )
        )
        return {(row[0], row[1]) for row in rows}

    def queue(self, rows: Sequence[Todo]) -> None:
        """Queue requests in their order; their `seq` is given here."""
        first = self.wait(self._numbers(len(rows)))
        self.copy("todo", Todo._fields, [r._replace(seq=first + n) for n, r in enumerate(rows)])

    async def _numbers(self, number: int) -> int:
        """Return the first of so many numbers for `seq`, which nobody else has."""
        first = int(await self.db.fetchval("SELECT nextval('crawl_seqs')"))
        await self.db.execute(f"SELECT setval('crawl_seqs', {first + number}, false)")
        return first

    def queue_pages(self, again: Again) -> int:
        """Queue the requests of stored pages again, and return their number."""
        try:
            number = self.execute(_CHOSEN.format(where=again.where)).rowcount
        except server_errors() as error:
            if not is_of_query(error):
                raise
            said = str(error).partition("\n")[0]
            raise QueryError(f"--where: {said}; see the columns in docs/schema.md") from None
        if number:
            self.execute("ALTER TABLE chosen ADD PRIMARY KEY (number)")
            self.execute("ANALYZE chosen")
            self.wait(self._put_back(again, number))
            self.mark("revisits", 1)
        self.execute("DROP TABLE chosen")
        return number

    def queue_revisits(self, where: str) -> int:
        """Queue stored pages that fulfil a condition for a recrawl, all at once."""
        return self.queue_pages(Again(where, NUMBER, ASKS))

    async def _put_back(self, again: Again, number: int) -> None:
        first = await self._numbers(number)
        sql = _QUEUED.format(asks=again.asks, again=again.number)
        statement = await self.db.prepare(sql, name="" if self._connection.pooled else None)
        for last in range(0, number, _PIECE):
            todos = [self._todo(row, first) for row in await statement.fetch(last, last + _PIECE)]
            await self._copied("todo", Todo._fields, todos)

    def _todo(self, row: Any, first: int) -> Todo:
        number, page_id, host_id, digest, url, depth, parent, callback, request, asks, kind = row
        try:
            carried = extra(request, asks)
        except (ValueError, TypeError, AttributeError) as error:
            raise damaged_request(self.address, page_id, str(error)) from error
        rank, seq = (0 if kind == FIRST else EARLY), first + number - 1
        return Todo(
            host_id, rank, seq, digest, url, depth, 0, 0.0, parent, callback, carried, kind
        )  # fmt: skip

    def count(self, counts: Mapping[str, int]) -> None:
        """Add to the counters of the crawl; 0 stands for the workers that are gone."""
        self.executemany(
            "INSERT INTO crawl_counters VALUES (0, ?, ?) ON CONFLICT (worker_id, name)"
            " DO UPDATE SET value = crawl_counters.value + excluded.value",
            sorted((name, number) for name, number in counts.items() if number),
        )

    def write_items(self, records: Records, left: Left) -> ItemReport:
        """Store items, in place of those of the pages of `left`."""
        return self.wait(self._written(records, left))

    async def _written(self, records: Records, left: Left) -> ItemReport:
        if self._items is None:
            self._items = ItemStore()
            await self._items.load(self.db)
        return await self._items.write_alone(self.db, records, left)
