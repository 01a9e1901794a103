"""The store on PostgreSQL: the contract of `store.Store` for one of several worker processes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from crawler.errors import StoreClaimed, StoreError
from crawler.store import (
    Batch,
    Committed,
    CookieRow,
    CrawlState,
    HostRow,
    Retention,
    RobotsRow,
    cookies,
    damage,
    fingerprints,
    rendered,
)
from crawler.store.address import DatabaseAddress
from crawler.store.postgres import items, runs
from crawler.store.postgres.connection import Connection, server_errors
from crawler.store.postgres.control import SteeredPostgres
from crawler.store.postgres.flush import PostgresFlush
from crawler.store.postgres.groups import Groups
from crawler.store.postgres.leases import LEASE, Leases, remove, steady
from crawler.store.postgres.numbering import Numbering
from crawler.store.postgres.schema import migrate
from crawler.store.postgres.statements import PostgresStatements
from crawler.web.need_note import NeedNote
from crawler.web.outcome import names
from crawler.web.pattern_note import PatternNote
from crawler.web.request import Todo

if TYPE_CHECKING:
    import asyncpg

T = TypeVar("T")
log = logging.getLogger(__name__)

_CLAIMED = 0.25  # seconds between two looks whether a claim was given back
_COUNTED = 1_000_000  # requests up to which the queue is counted when a store is opened


class PostgresStore(SteeredPostgres):
    """A crawl's durable state in one schema, for one worker process of any number."""

    shared = True

    def __init__(
        self,
        address: DatabaseAddress,
        *,
        keep: Retention,
        lock_timeout: float = 60.0,
        lease: float = LEASE,
        delay: float = 0.0,
        group_of: Callable[[str], str] | None = None,
    ) -> None:
        """`lock_timeout`: seconds for which a server that does not answer is waited for.

        `group_of` gives what hosts have in common that are limited together.
        """
        self.address = address
        self.leases = Leases(
            lease=lease, delay=delay, groups=Groups(group_of) if group_of else None
        )
        self.order: str | None = None
        self._connection, self._patience = Connection(address, patience=lock_timeout), lock_timeout
        self._numbering = Numbering(self.leases)
        self._flush = PostgresFlush(self.leases, self._numbering, keep)
        self._flush_no, self._lag = 0, 0.0
        self._attempt: Committed | None = None  # what the flush that is tried would come to
        self._reaped_at = 0.0
        self._scope_version = 0
        self._begun = self._ended = False

    async def open(self) -> CrawlState:
        """Join the crawl, making or migrating its schema; StoreError says why not."""
        await self._connection.open()
        async with AsyncExitStack() as undo:
            undo.push_async_callback(self.close)
            await migrate(self._connection)
            await self._run(self.leases.join)
            await self._renew()
            if (groups := self.leases.groups) is not None:
                while await self._run(groups.name_rest):
                    await self._renew()
            state = await self._run(self._state)
            undo.pop_all()
        return state

    async def _state(self, db: asyncpg.Connection) -> CrawlState:
        await self._flush.items.load(db)
        values = {row[0]: row[1] for row in await db.fetch("SELECT key, value FROM crawl")}
        self._flush.again = bool(values.get("revisits"))
        pending = await db.fetchval(
            f"SELECT count(*) FROM (SELECT 1 FROM todo LIMIT {_COUNTED}) AS part"
        )
        again = await db.fetchval("SELECT count(*) FROM todo WHERE again > 0")
        return CrawlState(
            values.get("spider"),
            bool(values.get("seeded")),
            pending,
            int(values.get("pages") or 0),
            await db.fetchval("SELECT count(*) FROM runs"),
            damage.scope(values.get("scope"), self.address),
            values.get("arguments"),
            again,
            values.get("state"),
            await db.fetchval(
                "SELECT coalesce(sum(value), 0)::bigint FROM crawl_counters"
                " WHERE name = 'items.stored'"
            ),
            cut_short=await runs.is_cut_short(db),
        )

    async def close(self) -> None:
        """Leave the crawl: what this worker had leased is free at once."""
        own, self.leases.worker_id = self.leases.worker_id, 0
        if own:
            died = self._begun and not self._ended
            with suppress(StoreError):  # its lease runs out then
                self._connection.stop_waiting()
                await self._run(lambda db: remove(db, own, died=died))
                await self._run(self._numbering.give_back)
        await self._connection.close()

    async def _run(self, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
        return await self._connection.run(work)

    async def _renew(self) -> Any:
        row = await self._run(self.leases.renew)
        self.leases.committed()
        return row

    # ------------------------------------------------------------ runs

    async def begin_run(self, spider: str, settings: str, arguments: str | None = None) -> int:
        """Begin a run, or join the one under way; StoreRefused where that is of other settings."""
        how, until = runs.Beginning(spider, settings, arguments), time.monotonic() + self._patience
        highest = self._flush.items.highest
        while True:
            try:
                run_id = await self._run(lambda db: runs.begin(db, self.leases, how, highest))
                break
            except StoreClaimed:  # a command between two runs: it is soon done
                if time.monotonic() > until or self._connection.ended:
                    raise
            await asyncio.sleep(_CLAIMED)
            await self._renew()
        self._flush.run_id, self._begun = run_id, True
        self.joined = await self._run(lambda db: runs.joined(db, self.leases.worker_id, run_id))
        return run_id

    async def end_run(self, state: str, reason: str | None, seconds: float = 0.0) -> bool:
        """Leave the run; the last worker ends it. Return whether this was the last one."""
        own, run_id = self.leases.worker_id, self._flush.run_id
        how = runs.Ending(state, reason, seconds)
        while True:
            last = await self._run(lambda db: runs.end(db, own, run_id, how))
            if last is not None:
                self._ended = how.told_all
                return last
            await asyncio.sleep(0.1)  # it is the one that ends the run: others leave just now
            await self._renew()
            await self._run(self.leases.reap)

    # ------------------------------------------------------------ the flush

    async def commit(self, batch: Batch) -> Committed:
        """Store everything in `batch` in one transaction, whatever becomes of the connection."""
        began = time.monotonic()
        self._attempt = None
        while True:
            try:
                async with self._connection.lock:
                    if self._attempt is None or not await self._came_through():
                        await self._try(batch)
                break
            except _Stale:
                await self._run(self._flush.items.load)
            except server_errors() as error:
                await self._connection.mend(error, began)
        self._flush_no += 1
        self.leases.committed()
        self._lag = time.monotonic() - began
        if foreign := self._flush.foreign:
            await self._run(lambda db: self.leases.wake(db, foreign))
        assert self._attempt is not None
        return self._attempt

    async def _try(self, batch: Batch) -> None:
        """Commit a batch; what raises has left nothing, or cut off the answer to COMMIT."""
        self._attempt = None
        transaction, tables = self._connection.transaction, self._flush.items
        async with transaction() as db:
            met = await self._numbering.name_hosts(db, batch)
            await self._numbering.reserve(db, batch)
        has_items = any(visit.items for visit in batch.visits)
        if has_items and not tables.fits(batch):
            async with transaction() as db:
                await tables.change(db, batch)
        async with transaction() as db:
            if has_items:
                await items.hold(db)
            row = await self.leases.renew(db, flushes=1, lag=self._lag)
            if row["flush_no"] != self._flush_no + 1:
                raise self.leases.fenced()
            self._hear(row)
            if has_items and row["items_version"] != tables.version:
                raise _Stale
            self._attempt = await self._flush.write(db, batch, met)

    async def _came_through(self) -> bool:
        """Return whether a commit without an answer was one: this worker's row counts them.

        StoreFenced where the server has lost an earlier one, as a stand-by may that takes over.
        """
        async with self._connection.transaction() as db:
            number = await db.fetchval(
                "SELECT flush_no FROM crawl_workers WHERE worker_id = $1", self.leases.worker_id
            )
        if number is None or number < self._flush_no:
            raise self.leases.fenced()
        return bool(number == self._flush_no + 1)

    def _hear(self, row: Any) -> None:
        """Take what the shared row says: an order for all workers."""
        self.order = row["order"]

    # ------------------------------------------------------------ leases

    async def claim(self, limit: int, *, again: bool = False) -> list[HostRow]:
        """Take up to `limit` hosts that have work and may be asked now."""
        return await self._run(lambda db: self.leases.claim(db, limit, again=again))

    async def release(self, hosts: list[int]) -> None:
        """Release hosts of which nothing is left here; others may have added to them since."""
        await self._run(lambda db: self.leases.park(db, hosts))
        self.leases.held.difference_update(hosts)
        await self._run(lambda db: self.leases.wake(db, hosts))

    async def take_seeding(self) -> bool | None:
        """Return whether this worker is to seed: False where that is done, None to ask again."""
        found = await self._fetch(
            "UPDATE crawl_control SET seeder = CASE WHEN seeded OR EXISTS (SELECT 1 FROM"
            " crawl_workers WHERE worker_id = seeder AND worker_id <> $1) THEN seeder ELSE $1 END"
            " RETURNING seeded, seeder = $1 AS mine",
            self.leases.worker_id,
        )
        return False if found[0]["seeded"] else (True if found[0]["mine"] else None)

    async def widened(self) -> tuple[Sequence[str], Sequence[str]]:
        """Return what widens the scope beyond `start_urls`, if that is other than before."""
        version = await self._fetch("SELECT scope_version FROM crawl_control")
        if version[0][0] == self._scope_version:
            return (), ()
        self._scope_version = version[0][0]
        rows = await self._fetch("SELECT value FROM crawl_values WHERE key = 'scope'")
        return damage.scope(rows[0][0] if rows else None, self.address), await self.seed_redirects()

    async def tickets(self, wanted: int, most: int) -> tuple[int, int]:
        """Return how many more pages this worker may begin, and how many are still to be stored."""
        return await self._run(lambda db: self.leases.tickets(db, wanted, most))

    async def stored(self) -> int:
        """Return how many pages all workers have stored, in all runs."""
        sql = (
            "SELECT (pages + coalesce((SELECT sum(pages) FROM crawl_workers), 0))::bigint"
            " FROM crawl_control"
        )
        return int(await self._run(lambda db: db.fetchval(sql)))

    async def over(self) -> bool:
        """Return whether the crawl is seeded and nothing of it is left, in one snapshot."""
        sql = "SELECT seeded AND NOT EXISTS (SELECT 1 FROM todo) FROM crawl_control"
        return bool(await self._run(lambda db: db.fetchval(sql)))

    async def check(self) -> None:
        """Prolong the lease, and look after the dead; StoreFenced if it has run out."""
        now = steady()
        if now - self.leases.renewed_at > self.leases.lease / 6:
            self._hear(await self._renew())
        if now - self._reaped_at > self.leases.lease / 6:
            self._reaped_at = now
            if await self._run(self.leases.reap):
                await self._run(self.leases.sweep)

    def promise(self, until: float) -> None:
        """Raise StoreFenced where others may ask this worker's hosts: its lease is nearly over."""
        if not self.leases.sure:
            raise self.leases.fenced()

    def stop_waiting(self) -> None:
        """End a wait for a server that does not answer, now and from now on."""
        self._connection.stop_waiting()

    # ------------------------------------------------------------ reading back

    async def hosts(self, after: int, limit: int, *, again: bool = False) -> list[HostRow]:
        """Take what is free, and return up to `limit` of this worker's hosts with work, by id."""

        async def found(db: asyncpg.Connection) -> list[HostRow]:
            await self.leases.claim(db, limit, ahead=1e9, again=again)
            return await self.leases.mine(db, after, limit, again=again)

        return await self._run(found)

    async def queue(self, host_id: int, after: tuple[int, int], limit: int) -> list[Todo]:
        """Return up to `limit` rows of one host's todo behind the key `after`, in order."""
        rows = await self._fetch(
            f"SELECT {', '.join(Todo._fields)} FROM todo WHERE host_id = $1"
            " AND (rank, seq) > ($2, $3) ORDER BY rank, seq LIMIT $4",
            *(host_id, *after, limit),
        )
        late = self.leases.seconds_ahead
        todos = [Todo(*row) for row in rows]
        return [t._replace(not_before=t.not_before - late) if t.not_before else t for t in todos]

    async def _fetch(self, sql: str, *values: Any) -> list[Any]:
        return await self._run(lambda db: db.fetch(sql, *values))

    async def _shared(self, work: Callable[[PostgresStatements], Awaitable[T]]) -> T:
        return await self._run(lambda db: work(PostgresStatements(db)))

    async def host_pages(self) -> list[tuple[int, int]]:
        """Return how many pages are stored of each host that has any."""
        rows = await self._fetch("SELECT host_id, pages FROM crawl_hosts WHERE pages > 0")
        return [(row[0], row[1]) for row in rows]

    async def contents(self, limit: int) -> list[tuple[str, str]]:
        """Return the content hashes of the last stored pages, and their URLs, the oldest first."""
        rows = await self._fetch(
            "SELECT content_hash, url FROM pages WHERE content_hash IS NOT NULL"
            f" AND outcome IN ({names('stored')}) AND duplicate_of IS NULL"
            " ORDER BY page_id DESC LIMIT $1",
            limit,
        )
        return [(row[0], row[1]) for row in reversed(rows)]

    async def simhashes(self, limit: int) -> list[tuple[int, str]]:
        """Return the simhashes of the last new texts, and their URLs, the oldest first."""
        return await self._shared(lambda sql: fingerprints.simhashes(sql, limit))

    async def near_texts(self, limit: int) -> list[tuple[int, str, int, str | None]]:
        """Return the last pages with a simhash: page id, URL, simhash, `duplicate_of`."""
        return await self._shared(lambda sql: fingerprints.near_texts(sql, limit))

    async def mark_duplicates(self, marks: Sequence[tuple[int, str | None]]) -> None:
        """Set `duplicate_of` of pages, by their ids, all at once."""
        sql = "UPDATE pages SET duplicate_of = $1 WHERE page_id = $2"
        await self._run(lambda db: db.executemany(sql, [(mark, page) for page, mark in marks]))

    async def endless(self) -> list[str]:
        """Return the patterns of URLs that were found endless."""
        return await self._shared(fingerprints.endless)

    async def patterns(
        self, limit: int, most_texts: int
    ) -> list[tuple[PatternNote, dict[int, int]]]:
        """Return where the largest patterns of URLs stand, the smallest first, with their texts."""
        return await self._shared(lambda sql: fingerprints.patterns(sql, limit, most_texts))

    async def needs(self) -> list[NeedNote]:
        """Return what was learnt of patterns of URLs: whether their pages need a browser."""
        return await self._shared(rendered.needs)

    async def seed_redirects(self) -> list[str]:
        """Return the URLs to which seeds have redirected."""
        sql = "SELECT redirect_to FROM pages WHERE redirect_to IS NOT NULL AND depth = 0"
        return [row[0] for row in await self._fetch(sql)]

    async def cookies(self) -> list[CookieRow]:
        """Return every stored cookie."""
        return await self._shared(cookies.read)

    async def robots(self, host_id: int) -> RobotsRow | None:
        """Return a host's robots.txt, None if it was never fetched."""
        rows = await self._fetch(
            f"SELECT {', '.join(RobotsRow._fields)} FROM robots WHERE host_id = $1", host_id
        )
        return RobotsRow(*rows[0]) if rows else None


class _Stale(Exception):
    """The item tables are otherwise than this worker knows them."""
