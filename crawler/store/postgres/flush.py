"""What one flush writes to PostgreSQL, inside the transaction that the fence has begun.

What only this worker has comes first (its requests, pages, bodies), what others may be writing at
the same time last: rows of `seen` and `todo`, all keys sorted once over the whole flush, so that
two flushes wait for each other in one direction alone (docs/decisions/0042-postgres.md).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from crawler.errors import StoreError
from crawler.items import Record
from crawler.store import (
    Arrival,
    Batch,
    Committed,
    HostRow,
    Retention,
    cookies,
    fingerprints,
    rendered,
    revisits,
    sitemap_entries,
    texts,
    usages,
)
from crawler.store.candidates import Found, to_queue, with_parents
from crawler.store.flush import LARGE
from crawler.store.item_marks import Left
from crawler.store.items import NO_PAGES, ItemReport
from crawler.store.postgres.items import ItemStore
from crawler.store.postgres.leases import Leases
from crawler.store.postgres.live import PostgresTicks
from crawler.store.postgres.numbering import Numbering
from crawler.store.postgres.statements import PostgresStatements, cleaned
from crawler.store.rows import (
    FILE_COLUMNS,
    PAGE_COLUMNS,
    attempt_rows,
    body_of,
    file_row,
    iso,
    link_rows,
    page_rows,
)
from crawler.store.rows import clean as without_surrogates
from crawler.store.tally import Tally
from crawler.web.outcome import Outcome
from crawler.web.request import FIRST, Todo
from crawler.web.stats import Stats
from crawler.web.visit import Visit

if TYPE_CHECKING:
    import asyncpg

_SLICE = 4000  # keys that one statement takes
_KEPT = ("scope", "state", "pool")  # of the marks that a batch makes in the table `crawl`


class PostgresFlush:
    """Writes batches for one worker; `Numbering` has made ready what they need."""

    def __init__(self, leases: Leases, numbering: Numbering, keep: Retention) -> None:
        self.leases, self._numbering, self._keep = leases, numbering, keep
        self.items = ItemStore()
        self.again = False  # whether pages are visited again: then each visit is compared
        self.run_id = 0
        self._ticks = PostgresTicks()
        self.foreign: list[int] = []  # hosts of others that the last batch has given work to

    # ------------------------------------------------------------ in the transaction

    async def write(
        self, db: asyncpg.Connection, batch: Batch, met: dict[int, HostRow]
    ) -> Committed:
        """Write everything in `batch`."""
        sql = PostgresStatements(db)
        self.foreign = []
        arrived = await self._take_in(db, batch.arrivals)
        await self._remove(db, [visit.todo for visit in batch.visits])
        ended = arrived + [visit for visit in batch.visits if visit.retry_at is None]
        retried = [visit for visit in batch.visits if visit.retry_at is not None]
        tally = Tally()
        pairs = [(self._numbering.pages.take(), visit) for visit in ended]
        found = await self._insert_visits(sql, pairs, tally)
        await self._copy(db, "attempts", _ATTEMPTS, attempt_rows(retried))
        await self._write_rest(sql, batch)
        await self._update_hosts(db, batch, tally)
        await self._write_totals(sql, batch, [*arrived, *batch.visits], tally)
        # Links on a page of which another try is asked for are met once: the next try adds none.
        tried = [(visit.todo.parent_id, visit) for visit in retried if visit.candidates]
        added = await self._add_new(db, list(with_parents(batch.seeds, [*found, *tried])))
        new = len(added) + len(arrived)
        added += self._put_back(retried)
        await self._insert_todo(db, added)
        own = [todo for todo in added if todo.host_id in self.leases.held]
        self.foreign = list({t.host_id for t in added} - self.leases.held)
        told = tally.refusals(batch), tally.rejected, tuple(tally.widened), tally.stored
        return Committed(own, met, new, *told)

    async def _take_in(self, db: asyncpg.Connection, arrivals: Sequence[Arrival]) -> list[Visit]:
        """Note URLs of pages fetched elsewhere as seen; return the visits of those that are new."""
        first: dict[str, Arrival] = {}
        for arrival in arrivals:
            first.setdefault(arrival.candidate.url, arrival)
        new = await self._add_new(db, [(a.candidate, None, FIRST) for a in first.values()])
        return [first[todo.url].visit(todo) for todo in new]

    async def _remove(self, db: asyncpg.Connection, todos: list[Todo]) -> None:
        if not todos:
            return
        keys = sorted(todo[:3] for todo in todos)
        status = await db.execute(
            "DELETE FROM todo USING unnest($1::bigint[], $2::bigint[], $3::bigint[])"
            " AS k (host_id, rank, seq) WHERE todo.host_id = k.host_id AND todo.rank = k.rank"
            " AND todo.seq = k.seq",
            *map(list, zip(*keys, strict=True)),
        )
        number = int(status.rpartition(" ")[2])
        if number != len(keys):  # whatever else it is, it must not be stored twice
            raise StoreError(
                f"{len(keys)} visits, but {number} of them were to do;"
                " this is a bug of Crawlkeep: nothing of it was stored, please report it"
            )

    async def _insert_visits(
        self, sql: PostgresStatements, pairs: list[tuple[int, Visit]], tally: Tally
    ) -> list[tuple[int, Visit]]:
        """Insert pages with all that belongs to them; return each visit with the id of its page."""
        if not self.again:
            await self._insert_pages(sql, pairs)
            tally.tell(await self._insert_items(sql, pairs))
            tally.add(visit for _, visit in pairs)
            return pairs
        found = []
        for turn in revisits.turns(pairs):
            settled = await revisits.compare(sql, self.run_id, turn, self._keep)
            now = [*settled.rows, *settled.kept]
            await self._insert_pages(sql, settled.rows, settled.first_at)
            await self.items.forget_given(sql.db, settled.failed)
            left = Left(settled.replaced, settled.gone, iso(time.time()), self.run_id)
            tally.tell(await self._insert_items(sql, now, left))
            tally.add(visit for _, visit in settled.rows)
            tally.take(settled.left)
            found += now
        return found

    async def _insert_pages(
        self,
        sql: PostgresStatements,
        ended: list[tuple[int, Visit]],
        first_at: Mapping[int, str] | None = None,
    ) -> None:
        db = sql.db
        await self._copy(db, "pages", PAGE_COLUMNS, page_rows(ended, self.run_id, first_at))
        if self._keep.links:
            await self._copy(db, "link_lists", *link_rows(ended))
        if self._keep.bodies or self._keep.error_bodies:
            await self._insert_bodies(db, ended)
        await self._copy(db, "texts", texts.COLUMNS, texts.text_rows(ended))
        await fingerprints.insert(sql, ended)
        await usages.insert(sql, ended)
        await rendered.insert(sql, ended)
        files = [file_row(page_id, self.run_id, visit) for page_id, visit in ended if visit.file]
        await self._copy(db, "files", FILE_COLUMNS, files)

    async def _insert_bodies(self, db: asyncpg.Connection, ended: list[tuple[int, Visit]]) -> None:
        size = sum(len(visit.response.body) for _, visit in ended if visit.response is not None)

        def packed() -> list[tuple[int, bytes | None]]:
            return [(page_id, body_of(visit)) for page_id, visit in ended if self._keeps(visit)]

        # Compressing lets go of the GIL; megabytes of it would hold up the event loop.
        rows = await asyncio.to_thread(packed) if size >= LARGE else packed()
        await self._copy(db, "bodies", ("page_id", "body"), [row for row in rows if row[1]])

    def _keeps(self, visit: Visit) -> bool:
        """Return whether the body of a visit is kept."""
        kept = visit.stored or visit.outcome is Outcome.REQUISITE
        return self._keep.bodies if kept else self._keep.error_bodies

    async def _insert_items(
        self, sql: PostgresStatements, ended: list[tuple[int, Visit]], left: Left = NO_PAGES
    ) -> ItemReport:
        """Insert items in place of those that earlier visits to the pages of `left` gave."""
        records: list[tuple[Record, tuple[Any, ...]]] = []
        problems = []
        for page_id, visit in ended:
            if visit.items or visit.problems:
                origin = (page_id, visit.todo.url, self.run_id, iso(visit.at))
                records += [(record, origin) for record in visit.items]
                problems += [(*origin[:3], *map(without_surrogates, p)) for p in visit.problems]
        told = ItemReport()
        if records or left:
            told = await self.items.write(sql.db, records, left)
        if left.replaced:
            await sql.db.execute(
                "DELETE FROM problems WHERE page_id = ANY($1::bigint[])", list(left.replaced)
            )
        columns = ("page_id", "page_url", "run_id", "item", "reason", "value")
        await self._copy(sql.db, "problems", columns, [*problems, *told.problems])
        return told

    async def _write_rest(self, sql: PostgresStatements, batch: Batch) -> None:
        """Write what belongs to hosts and to the crawl rather than to pages."""
        await sql.executemany(
            "INSERT INTO robots (host_id, fetched_at, status, body, reason, tdmrep)"
            " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (host_id) DO UPDATE SET"
            " fetched_at = excluded.fetched_at, status = excluded.status, body = excluded.body,"
            " reason = excluded.reason, tdmrep = excluded.tdmrep",
            [tuple(row) for row in batch.robots],
        )
        await sitemap_entries.write(sql, self.run_id, batch, key="md5(url), md5(sitemap)")
        if batch.cookies:
            await cookies.write(sql, batch.cookies)

    async def _update_hosts(self, db: asyncpg.Connection, batch: Batch, tally: Tally) -> None:
        """Bring this worker's hosts in line with this very commit: their pages and times."""
        if tally.pages:
            rows = sorted(tally.pages.items())
            await db.execute(
                "UPDATE crawl_hosts AS h SET pages = h.pages + d.n FROM"
                " unnest($1::bigint[], $2::bigint[]) AS d (id, n) WHERE h.host_id = d.id",
                *map(list, zip(*rows, strict=True)),
            )
        if batch.hosts:
            written = self.leases.written
            times = sorted(
                (h.host_id, written(h.next_at), h.delay, h.failures) for h in batch.hosts
            )
            await db.execute(
                "UPDATE crawl_hosts AS h SET next_at = d.at, delay = d.delay, failures = d.n FROM"
                " unnest($1::bigint[], $2::float8[], $3::float8[], $4::bigint[])"
                " AS d (id, at, delay, n) WHERE h.host_id = d.id AND h.worker_id = $5",
                *map(list, zip(*times, strict=True)),
                self.leases.worker_id,
            )

    async def _write_totals(
        self, sql: PostgresStatements, batch: Batch, ended: list[Visit], tally: Tally
    ) -> None:
        """Bring the counters in line with this very commit, those of the run, too."""
        run = Stats()
        run.add(ended, 0, refusals=tally.refusals(batch), rejected=tally.rejected)
        db, own = sql.db, self.leases.worker_id
        await self._ticks.write(db, own, self.run_id, batch, run)
        counted = sorted(tally.counters(batch, run))
        if counted:
            await db.execute(
                "INSERT INTO crawl_counters SELECT $1, * FROM unnest($2::text[], $3::bigint[])"
                " ON CONFLICT (worker_id, name)"
                " DO UPDATE SET value = crawl_counters.value + excluded.value",
                own,
                *map(list, zip(*counted, strict=True)),
            )
        if tally.stored or run.pages or run.errors:
            await db.execute(
                "UPDATE crawl_workers SET pages = pages + $2, run_pages = run_pages + $3,"
                " run_errors = run_errors + $4, tickets = greatest(0, tickets - $2)"
                " WHERE worker_id = $1",
                *(own, tally.stored, run.pages, run.errors),
            )
        moved = any(v.redirect_to is not None and v.todo.depth == 0 for v in ended)
        if batch.seeded or moved:
            seeded = ", seeded = true" if batch.seeded else ""
            await db.execute(f"UPDATE crawl_control SET scope_version = scope_version + 1{seeded}")
        marks = [(key, str(value)) for key, value in batch.marks() if key in _KEPT]
        await sql.executemany(
            "INSERT INTO crawl_values VALUES (?, ?)"
            " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            marks,
        )

    # ------------------------------------------------------------ what others write, too

    async def _add_new(self, db: asyncpg.Connection, candidates: list[Found]) -> list[Todo]:
        """Insert into `seen`; the insert itself says which candidates are new."""
        ids = self._numbering.ids
        keys = sorted({(ids[found.host], found.url_hash) for found, _, _ in candidates})
        new: set[tuple[int, int]] = set()
        for at in range(0, len(keys), _SLICE):
            rows = await db.fetch(
                "INSERT INTO seen SELECT * FROM unnest($1::bigint[], $2::bigint[])"
                " ON CONFLICT DO NOTHING RETURNING host_id, url_hash",
                *map(list, zip(*keys[at : at + _SLICE], strict=True)),
            )
            new.update((row[0], row[1]) for row in rows)
        return to_queue(candidates, ids, new, self._numbering.seqs.take)

    def _put_back(self, retried: Iterable[Visit]) -> list[Todo]:
        """Make the rows of requests to be tried again: later, and behind what is queued."""
        return [
            visit.todo._replace(
                seq=self._numbering.seqs.take(),
                attempts=visit.todo.attempts + 1,
                not_before=visit.retry_at or 0.0,
            )
            for visit in retried
        ]

    async def _insert_todo(self, db: asyncpg.Connection, rows: list[Todo]) -> None:
        ahead = self.leases.seconds_ahead
        in_order = sorted(
            row._replace(not_before=row.not_before + ahead) if row.not_before else row
            for row in rows
        )
        await self._copy(db, "todo", Todo._fields, in_order)

    async def _copy(
        self,
        db: asyncpg.Connection,
        table: str,
        columns: Collection[str],
        rows: Sequence[Sequence[Any]],
    ) -> None:
        """Insert rows, if there are any."""
        if rows:
            await db.copy_records_to_table(table, records=cleaned(rows), columns=columns)


_ATTEMPTS = (
    *("host_id", "url_hash", "url", "attempt", "at"),
    *("status", "outcome", "error", "retry_at", "elapsed"),
)
