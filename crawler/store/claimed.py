"""A store that is claimed: no crawl runs into it, and all that is done is a transaction.

`claimed` gives the same verbs over a file and over a crawl in PostgreSQL, so that what is done
between two runs (`requeue`, `reparse`, `copy`) is written once.
"""

from __future__ import annotations

import functools
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from crawler.errors import QueryError, StoreDamaged, StoreRefused
from crawler.items import Record
from crawler.store import lock, revisit_queue
from crawler.store.address import DatabaseAddress, StoreAddress, StoreFile
from crawler.store.claim import Claim
from crawler.store.conditional import extra
from crawler.store.damage import whole
from crawler.store.item_marks import Left
from crawler.store.items import QUERY, ItemReport, ItemTables
from crawler.store.rows import to_json
from crawler.store.schema import migrate_now
from crawler.store.sql_functions import Functions
from crawler.store.sqlite_errors import to_store_error
from crawler.web.request import EARLY, FIRST, Todo

Records = list[tuple[Record, tuple[Any, ...]]]


class Again(NamedTuple):
    """Which stored pages are queued again, in SQL over `pages AS p`.

    `number` is what their requests are to their pages (`todo.again`), `asks` the headers whose
    validators they carry.
    """

    where: str
    number: str
    asks: str


class StatementAnswer(Protocol):
    """What a statement gave."""

    @property
    def rowcount(self) -> int:
        """How many rows it changed."""

    def fetchone(self) -> Any:
        """Return the next row, None if there is none."""

    def fetchall(self) -> list[Any]:
        """Return all rows that are left."""

    def __iter__(self) -> Iterator[Any]:
        """Yield the rows."""


class ClaimedStore(Protocol):
    """A store that is claimed, within a transaction."""

    @property
    def address(self) -> StoreAddress:
        """Which store it is."""

    def execute(self, sql: str, values: Any = (), /) -> StatementAnswer:
        """Run a statement that both databases take, with `?` for its values."""

    def executemany(self, sql: str, rows: Iterable[Any], /) -> Any:
        """Run a statement for each row."""

    def step(self) -> None:
        """Commit what was done, and begin the next transaction."""

    def mark(self, key: str, value: str | int, *, first: bool = False) -> None:
        """Write a row of the table `crawl`; `first`: only where there is none."""

    def unmark(self, key: str) -> None:
        """Remove a row of the table `crawl`."""

    def host_ids(self, names: Iterable[str]) -> dict[str, int]:
        """Return the ids of hosts, making those that are not there."""

    def unseen(self, keys: Sequence[tuple[int, int]]) -> set[tuple[int, int]]:
        """Note requests (host id, hash of the URL) as seen, and return those that were not."""

    def queue(self, rows: Sequence[Todo]) -> None:
        """Queue requests in their order; their `seq` is given here."""

    def queue_pages(self, again: Again) -> int:
        """Queue the requests of stored pages again, and return their number.

        Of each request the last row is taken, and none that is queued. QueryError for SQL that is
        wrong, StoreDamaged for a request that cannot be read.
        """

    def queue_revisits(self, where: str) -> int:
        """Queue stored pages that fulfil a condition for a recrawl; return how many are queued now.

        The crawl queues the rest of them, where the store lets it. QueryError and StoreDamaged as
        `queue_pages`.
        """

    def count(self, counts: Mapping[str, int]) -> None:
        """Add to the counters of the crawl."""

    def write_items(self, records: Records, left: Left) -> ItemReport:
        """Store items, in place of those of the pages of `left`."""


def claimed(
    store: StoreAddress, *, lock_timeout: float = lock.TIMEOUT
) -> AbstractContextManager[ClaimedStore]:
    """Return a store that the block alone writes into; all of the block is one transaction.

    Another program's lock is waited for: `lock_timeout` seconds, then StoreLocked. StoreClaimed
    while a crawl is running into it.
    """
    if isinstance(store, DatabaseAddress):
        from crawler.store.postgres.claimed import claimed_database

        return claimed_database(store, lock_timeout=lock_timeout)
    return _claimed_file(store, lock_timeout)


@contextmanager
def _claimed_file(path: Path, lock_timeout: float) -> Iterator[ClaimedFile]:
    if not path.is_file():
        raise StoreRefused(f"{path}: there is no such store; crawl into it first")
    claim = Claim(path)
    claim.take()
    try:
        db = sqlite3.connect(path, isolation_level=None, timeout=lock.MOMENT, factory=ClaimedFile)
        db.file, db.lock_timeout = StoreFile(path), lock_timeout
        Functions(db)
        try:
            lock.tried(lambda: migrate_now(db, path), lock.LockWait(path, lock_timeout))
            db.begin()
            db.file.note()
            yield db
            db.execute("COMMIT")
            db.file.check()
        except sqlite3.DatabaseError as error:
            raise to_store_error(path, error) from error
        finally:
            db.leave()
    finally:
        claim.release()


class ClaimedFile(sqlite3.Connection):
    """A connection to a file that is claimed."""

    file: StoreFile
    lock_timeout = lock.TIMEOUT
    _tables: ItemTables | None = None

    @property
    def address(self) -> Path:
        """Which file it is."""
        return self.file.path

    def begin(self) -> None:
        """Begin a transaction that writes, once nobody else has one; StoreLocked after a while."""
        wait = lock.LockWait(self.file.path, self.lock_timeout)
        lock.tried(lambda: self.execute("BEGIN IMMEDIATE"), wait)

    def step(self) -> None:
        """Commit what was done, and begin the next transaction; StoreGone if the file is gone."""
        self.execute("COMMIT")
        self.file.check()
        self.begin()

    def leave(self) -> None:
        """Roll back, and close; a file that was moved away is made complete."""
        if self.in_transaction:
            self.execute("ROLLBACK")
        with suppress(sqlite3.DatabaseError):  # what was wrong before is told already
            if self.file.missing:
                [(busy, *_)] = self.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                if not busy:
                    self.file.remove_rest()
        self.close()

    # ------------------------------------------------------------ the verbs

    def mark(self, key: str, value: str | int, *, first: bool = False) -> None:
        """Write a row of the table `crawl`; `first`: only where there is none."""
        kind = "IGNORE" if first else "REPLACE"
        self.execute(f"INSERT OR {kind} INTO crawl (key, value) VALUES (?, ?)", (key, value))

    def unmark(self, key: str) -> None:
        """Remove a row of the table `crawl`."""
        self.execute("DELETE FROM crawl WHERE key = ?", (key,))

    def host_ids(self, names: Iterable[str]) -> dict[str, int]:
        """Return the ids of hosts, making those that are not there."""
        wanted = sorted({(name,) for name in names})
        self.executemany("INSERT OR IGNORE INTO hosts (name) VALUES (?)", wanted)
        return dict(self.execute("SELECT name, host_id FROM hosts"))

    def unseen(self, keys: Sequence[tuple[int, int]]) -> set[tuple[int, int]]:
        """Note requests (host id, hash of the URL) as seen, and return those that were not."""
        sql = "INSERT OR IGNORE INTO seen VALUES (?, ?)"
        return {key for key in keys if self.execute(sql, key).rowcount}

    def queue(self, rows: Sequence[Todo]) -> None:
        """Queue requests in their order; their `seq` is given here."""
        seq = self._next_seq()
        numbered = [row._replace(seq=seq + place) for place, row in enumerate(rows)]
        marks = ", ".join("?" * len(Todo._fields))
        self.executemany(f"INSERT INTO todo ({', '.join(Todo._fields)}) VALUES ({marks})", numbered)
        more = Counter(row.host_id for row in rows)
        self.executemany(
            "UPDATE hosts SET pending = pending + ? WHERE host_id = ?",
            [(number, host_id) for host_id, number in more.items()],
        )
        self.mark("next_seq", seq + len(rows))

    def _next_seq(self) -> int:
        values = dict(self.execute("SELECT key, value FROM crawl"))
        return whole(values, "next_seq", 1, self.file.path)

    def queue_pages(self, again: Again) -> int:
        """Queue the requests of stored pages again, and return their number.

        No row passes through Python's memory, so that millions of them need no more than one.
        """
        seq = self._next_seq()
        try:
            self.execute(_CHOSEN.format(where=again.where))
        except sqlite3.OperationalError as error:
            raise _of_query(error) from None
        damaged: list[tuple[int, str]] = []
        extra_of = functools.partial(_extra_of, damaged)
        self.create_function("extra", 3, extra_of, deterministic=True)
        try:
            number = self.execute(
                _QUEUE.format(again=again.number, asks=again.asks), (seq,)
            ).rowcount
        except sqlite3.OperationalError as error:
            if not damaged:
                raise
            raise damaged_request(self.file.path, *damaged[0]) from error
        if number:
            self.execute(_PENDING)
            self.execute(revisit_queue.QUEUED_OTHERWISE, (seq,))
            self.mark("next_seq", seq + number)
            self.mark("revisits", 1)
        self.execute("DROP TABLE temp.chosen")
        return number

    def queue_revisits(self, where: str) -> int:
        """Choose the pages, and queue the first of them; the crawl goes on with the rest."""
        try:
            self.execute(revisit_queue.CHOOSE.format(where=where))
        except sqlite3.OperationalError as error:
            raise _of_query(error) from None
        number = 0
        while not number and self.execute(revisit_queue.LEFT).fetchone()[0]:
            number = self.queue_chosen()
        return number

    def queue_chosen(self) -> int:
        """Queue the next pages that a recrawl has chosen; return how many of them are queued."""
        number = (revisit_queue.AT_ONCE,)
        todos, damaged = revisit_queue.requests(self.execute(revisit_queue.NEXT, number), 0)
        if damaged:
            raise damaged_request(self.file.path, *damaged[0])
        self.execute(revisit_queue.TAKEN, number)
        if todos:
            self.queue(todos)
            self.mark("revisits", 1)
        return len(todos)

    def count(self, counts: Mapping[str, int]) -> None:
        """Add to the counters of the crawl."""
        self.executemany(
            "INSERT INTO counters VALUES (?, ?)"
            " ON CONFLICT DO UPDATE SET value = value + excluded.value",
            [(name, number) for name, number in counts.items() if number],
        )
        self.execute("DELETE FROM counters WHERE value = 0")

    def write_items(self, records: Records, left: Left) -> ItemReport:
        """Store items, in place of those of the pages of `left`."""
        steps = self._item_tables().writes(records, left)
        answer = None
        try:
            while True:
                sql, rows = steps.send(answer)  # type: ignore[arg-type]  # None starts it
                answer = list(self.execute(sql, () if rows is None else (to_json(rows),)))
        except StopIteration as end:
            told: ItemReport = end.value
            return told

    def _item_tables(self) -> ItemTables:
        if self._tables is None:
            self._tables = ItemTables()
            names = [name for (name,) in self.execute("SELECT name FROM sqlite_master")]
            self._tables.load(self.execute(QUERY), names)
        return self._tables


def queue_all_revisits(db: sqlite3.Connection, path: Path) -> None:
    """Queue what a recrawl has chosen and not queued yet, in a file that is claimed."""
    if db.execute(revisit_queue.LEFT).fetchone()[0]:
        with closing(sqlite3.connect(path, isolation_level=None, factory=ClaimedFile)) as file:
            file.file = StoreFile(path)
            file.begin()
            while file.execute(revisit_queue.LEFT).fetchone()[0]:
                file.queue_chosen()
            file.execute("COMMIT")


def _of_query(error: sqlite3.OperationalError) -> QueryError:
    return QueryError(f"--where: {error}; see the columns in docs/schema.md")


def damaged_request(store: StoreAddress, page_id: int, said: str) -> StoreDamaged:
    """Return what says that a stored request cannot be read, with the way out."""
    return StoreDamaged(
        f"{store}: the request of page_id {page_id} in pages is damaged ({said:.100});"
        f' leave it out: --where "page_id <> {page_id}"'
    )


_CHOSEN = (
    "CREATE TEMP TABLE chosen AS SELECT p.page_id, p.host_id"
    " FROM pages AS p JOIN (SELECT host_id, name AS host FROM hosts) USING (host_id)"
    " WHERE {where} AND (p.host_id, p.url_hash) NOT IN (SELECT host_id, url_hash FROM todo)"
    " AND NOT EXISTS (SELECT 1 FROM pages AS later"
    " WHERE later.url = p.url AND later.page_id > p.page_id"
    " AND later.url_hash = p.url_hash) ORDER BY p.page_id"
)
# The rowid of `chosen` counts its rows from 1.
_QUEUE = (
    "INSERT INTO todo (host_id, rank, seq, url_hash, url, depth, parent_id, callback, extra, again)"
    f" SELECT host_id, iif(again = {FIRST}, 0, {EARLY}), seq, url_hash, url, depth, parent_id,"
    " callback, iif(request IS NULL AND asks IS NULL, NULL, extra(page_id, request, asks)), again"
    " FROM (SELECT p.*, chosen.rowid + ? - 1 AS seq, {again} AS again, {asks} AS asks"
    " FROM chosen CROSS JOIN pages AS p USING (page_id))"
)
_PENDING = (
    "UPDATE hosts SET pending = pending + d.number FROM (SELECT host_id, count(*) AS number"
    " FROM chosen GROUP BY host_id) AS d WHERE hosts.host_id = d.host_id"
)


def _extra_of(
    damaged: list[tuple[int, str]], page_id: int, request: str | None, headers: str | None
) -> str | None:
    """Return the extra of a page's request; `damaged` hears why it cannot."""
    try:
        return extra(request, headers)
    except (ValueError, TypeError, AttributeError) as error:
        damaged.append((page_id, str(error)))
        raise
