"""What one flush writes, inside the transaction that the store has begun."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any

import aiosqlite

from crawler.errors import StoreError
from crawler.items import Record
from crawler.store import (
    Arrival,
    Batch,
    Committed,
    HostRow,
    Retention,
    RobotsRow,
    cookies,
    fingerprints,
    rendered,
    sitemap_entries,
    texts,
    usages,
)
from crawler.store.candidates import Found, to_queue, with_parents
from crawler.store.item_marks import Left
from crawler.store.item_sql import Steps
from crawler.store.items import NO_PAGES, QUERY, ItemReport, ItemTables
from crawler.store.live import Ticks
from crawler.store.revisit_queue import RevisitQueue
from crawler.store.rows import (
    BODY,
    FILE_COLUMNS,
    PAGE_COLUMNS,
    attempt_rows,
    body_of,
    clean,
    file_row,
    iso,
    link_rows,
    page_rows,
    to_json,
)
from crawler.store.tally import Tally
from crawler.web.outcome import Outcome
from crawler.web.request import FIRST, Todo
from crawler.web.stats import Stats
from crawler.web.visit import Visit

HOSTS = "SELECT host_id, name, pending, next_at, delay, failures, pages FROM hosts"
_SLICE = 4000  # candidates that one statement takes: the loop stands still for about 8 ms
LARGE = 1 << 20  # bytes of bodies in a flush that take over 3 ms to compress
_HOST_NAMES = 20_000  # names whose ids are remembered; 100 bytes each


class Flush:
    """Writes batches, and remembers between them what numbers and names are in use.

    `forget` must be called after a transaction that was rolled back.
    """

    def __init__(self, db: aiosqlite.Connection, keep: Retention) -> None:
        self._db, self._keep = db, keep
        self._again = False  # whether pages are visited again: then each visit is compared
        self.revisits = RevisitQueue(db)
        self._items, self.ticks = ItemTables(), Ticks()
        self._ids: dict[str, int] = {}
        self._seq = self._page_id = 1
        self.run_id = 0

    async def load(self, values: dict[str, Any]) -> None:
        """Take up where the file stands; `values` are the rows of `crawl`."""
        names = [name for (name,) in await self._all("SELECT name FROM sqlite_master")]
        self._items.load(await self._all(QUERY), names)
        self._again = bool(values.get("revisits"))
        await self.revisits.count()
        self._seq = values.get("next_seq", 1)
        self._page_id = values.get("next_page_id", 1)

    async def highest_items(self) -> str:
        """Return the highest item_id of each item type, as a JSON object."""
        found = {}
        for (name,) in await self._all("SELECT name FROM item_types"):
            [(found[name],)] = await self._all(f'SELECT coalesce(max(item_id), 0) FROM "{name}"')
        return to_json(found)

    @property
    def known(self) -> int:
        """How many requests were ever accepted, tries again counted."""
        return self._seq

    async def forget(self) -> None:
        """Forget what was learned in a transaction that did not come to be."""
        self._ids.clear()
        self._items.load(await self._all(QUERY))
        await self.revisits.count()

    async def _all(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        return list(await self._db.execute_fetchall(sql, values))

    async def _many(
        self, into: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], then: str = ""
    ) -> None:
        """Insert rows, if there are any."""
        if rows:
            marks = ", ".join("?" * len(columns))
            sql = f"{into} ({', '.join(columns)}) VALUES ({marks}) {then}"
            await self._db.executemany(sql, rows)

    async def write(self, batch: Batch) -> Committed:
        """Write everything in `batch`."""
        hosts = await self._name_hosts(dict.fromkeys(a.candidate.host for a in batch.arrivals))
        arrived = await self._take_in(batch.arrivals)
        ended = arrived + [visit for visit in batch.visits if visit.retry_at is None]
        retried = [visit for visit in batch.visits if visit.retry_at is not None]
        tally = Tally()
        found = await self._insert_visits(list(enumerate(ended, start=self._page_id)), tally)
        added: list[Todo] = []
        # Links on a page of which another try is asked for are met once: the next try adds none.
        again = [(visit.todo.parent_id, visit) for visit in retried if visit.candidates]
        candidates = with_parents(batch.seeds, [*found, *again])
        while part := list(islice(candidates, _SLICE)):
            hosts |= await self._name_hosts(dict.fromkeys(c.host for c, _, _ in part))
            added += await self._add_new(part)
        new = len(added) + len(arrived)
        added += self._put_back(retried)
        await self._remove([visit.todo for visit in batch.visits])
        if revisits := await self.revisits.more(batch.visits, added, self._seq):
            self._seq += len(revisits)
            new += len(revisits)
            added += revisits
            hosts |= await self._known_hosts({todo.host_id for todo in revisits})
        await self._insert_todo(added)
        await self._insert_attempts(retried)
        await self._update_hosts(batch, added, tally)
        robots = [row._replace(reason=clean(row.reason)) for row in batch.robots]
        await self._many("INSERT OR REPLACE INTO robots", RobotsRow._fields, robots)
        await sitemap_entries.write(self._db, self.run_id, batch)
        await cookies.write(self._db, batch.cookies)
        self._page_id += len(ended)
        await self._write_totals(batch, [*arrived, *batch.visits], tally)
        told = tally.refusals(batch), tally.rejected, tuple(tally.widened), tally.stored
        return Committed(added, hosts, new, *told)

    async def _take_in(self, arrivals: Sequence[Arrival]) -> list[Visit]:
        """Note URLs of pages fetched elsewhere as seen; return the visits of those that are new.

        Of two pages of one URL the first is taken.
        """
        first: dict[str, Arrival] = {}
        for arrival in arrivals:
            first.setdefault(arrival.candidate.url, arrival)
        new = await self._add_new([(a.candidate, None, FIRST) for a in first.values()])
        return [first[todo.url].visit(todo) for todo in new]

    async def _insert_visits(
        self, pairs: list[tuple[int, Visit]], tally: Tally
    ) -> list[tuple[int, Visit]]:
        """Insert pages with all that belongs to them; return each visit with the id of its page.

        Where pages are visited again, a visit takes the place of the one before, one at a time.
        """
        if not self._again:
            await self._insert_pages(pairs)
            tally.tell(await self._insert_items(pairs))
            tally.add(visit for _, visit in pairs)
            return pairs
        from crawler.store import revisits  # of no use to a first crawl

        found = []
        for turn in revisits.turns(pairs):
            settled = await revisits.compare(self._db, self.run_id, turn, self._keep)
            now = [*settled.rows, *settled.kept]
            await self._insert_pages(settled.rows, settled.first_at)
            for sql, values in self._items.given_at(settled.failed):
                await self._db.execute(sql, (to_json(values),))
            left = Left(settled.replaced, settled.gone, iso(time.time()), self.run_id)
            tally.tell(await self._insert_items(now, left))
            tally.add(visit for _, visit in settled.rows)
            tally.take(settled.left)
            found += now
        return found

    async def _name_hosts(self, names: Collection[str]) -> dict[int, HostRow]:
        """Number the hosts not met yet in this process, and remember them."""
        unknown = [name for name in names if name not in self._ids]
        if not unknown:
            return {}
        if len(self._ids) > _HOST_NAMES:
            self._ids.clear()
            unknown = list(names)
        text = to_json(unknown)
        await self._db.execute(
            "INSERT OR IGNORE INTO hosts (name) SELECT value FROM json_each(?)",
            (text,),
        )
        found = await self._all(
            f"{HOSTS} WHERE name IN (SELECT value FROM json_each(?))",
            (text,),
        )
        self._ids.update((row[1], row[0]) for row in found)
        return {row[0]: HostRow(*row) for row in found}

    async def queue_all_revisits(self) -> int:
        """Queue what a recrawl has not queued yet, and return its number: the queue is changed."""
        number = 0
        while self.revisits.left:
            todos = await self.revisits.take(self._seq)
            self._seq += len(todos)
            number += len(todos)
            await self._insert_todo(todos)
            await self._update_hosts(Batch(), todos, Tally())
        if number:
            await self._many(
                "INSERT OR REPLACE INTO crawl", ("key", "value"), [("next_seq", self._seq)]
            )
        return number

    async def _known_hosts(self, ids: Collection[int]) -> dict[int, HostRow]:
        sql = f"{HOSTS} WHERE host_id IN (SELECT value FROM json_each(?))"
        return {row[0]: HostRow(*row) for row in await self._all(sql, (to_json(sorted(ids)),))}

    async def _add_new(self, candidates: list[Found]) -> list[Todo]:
        """Insert into `seen`; the insert itself says which candidates are new."""
        ids = self._ids
        keys = {(ids[candidate.host], candidate.url_hash) for candidate, _, _ in candidates}
        if not keys:
            return []
        rows = await self._all(
            "INSERT OR IGNORE INTO seen SELECT value ->> 0, value ->> 1 FROM json_each(?)"
            " RETURNING host_id, url_hash",
            (to_json(sorted(keys)),),
        )
        added = to_queue(candidates, ids, set(rows), itertools.count(self._seq).__next__)
        self._seq += len(added)
        return added

    def _put_back(self, retried: Iterable[Visit]) -> list[Todo]:
        """Make the rows of requests to be tried again: later, and behind what is queued."""
        rows = []
        for visit in retried:
            todo, at = visit.todo, visit.retry_at or 0.0
            rows.append(todo._replace(seq=self._seq, attempts=todo.attempts + 1, not_before=at))
            self._seq += 1
        return rows

    async def _remove(self, todos: Iterable[Todo]) -> None:
        keys = [todo[:3] for todo in todos]
        if keys:
            gone = "DELETE FROM todo WHERE host_id = ? AND rank = ? AND seq = ?"
            cursor = await self._db.executemany(gone, keys)
            if cursor.rowcount != len(keys):  # whatever else it is, it must not be stored twice
                raise StoreError(
                    f"{len(keys)} visits, but {cursor.rowcount} of them were to do;"
                    " this is a bug of Crawlkeep: nothing of it was stored, please report it"
                )

    async def _insert_todo(self, rows: list[Todo]) -> None:
        for at in range(0, len(rows), _SLICE):
            in_order = sorted(rows[at : at + _SLICE])  # by host, rank and seq, as they lie there
            await self._many("INSERT INTO todo", Todo._fields, in_order)

    async def _insert_pages(
        self, ended: list[tuple[int, Visit]], first_at: Mapping[int, str] | None = None
    ) -> None:
        rows = page_rows(ended, self.run_id, first_at)
        await self._many("INSERT INTO pages", PAGE_COLUMNS, rows)
        if self._keep.links:
            await self._many("INSERT INTO link_lists", *link_rows(ended))
        if self._keep.bodies or self._keep.error_bodies:
            await self._insert_bodies(ended)
        for table in (texts, fingerprints, usages, rendered):
            await table.insert(self._db, ended)
        files = [file_row(page_id, self.run_id, visit) for page_id, visit in ended if visit.file]
        await self._many("INSERT INTO files", FILE_COLUMNS, files)

    async def _insert_items(
        self, ended: list[tuple[int, Visit]], left: Left = NO_PAGES
    ) -> ItemReport:
        """Insert items in place of those that earlier visits to the pages of `left` gave."""
        records: list[tuple[Record, tuple[Any, ...]]] = []
        problems = []
        for page_id, visit in ended:
            if visit.items or visit.problems:
                origin = (page_id, visit.todo.url, self.run_id, iso(visit.at))
                records += [(record, origin) for record in visit.items]
                problems += [(*origin[:3], *map(clean, p)) for p in visit.problems]
        told = await self._store_items(self._items.writes(records, left))
        if left.replaced:
            await self._db.execute(
                "DELETE FROM problems WHERE page_id IN (SELECT value FROM json_each(?))",
                (to_json(left.replaced),),
            )
        await self._many(
            "INSERT INTO problems",
            ("page_id", "page_url", "run_id", "item", "reason", "value"),
            problems + told.problems,
        )
        return told

    async def _store_items(self, steps: Steps[ItemReport]) -> ItemReport:
        """Run the statements that store items, and send each its answer."""
        answer = None
        try:
            while True:
                sql, rows = steps.send(answer)  # type: ignore[arg-type]  # None starts it
                answer = await self._all(sql, () if rows is None else (to_json(rows),))
        except StopIteration as end:
            told: ItemReport = end.value
            return told

    async def _insert_bodies(self, ended: list[tuple[int, Visit]]) -> None:
        """Insert all bodies in one statement: one blob, and where each begins and ends in it."""
        size = sum(visit.response.size for _, visit in ended if visit.response is not None)
        # Compressing lets go of the GIL; megabytes of it would hold up the event loop.
        large = size >= LARGE
        packed = (ended, self._keep)
        blob, spans = await asyncio.to_thread(_packed, *packed) if large else _packed(*packed)
        if spans:
            await self._db.execute(BODY, (blob, to_json(spans)))

    async def _insert_attempts(self, retried: list[Visit]) -> None:
        rows = attempt_rows(retried)
        columns = (
            *("host_id", "url_hash", "url", "attempt", "at"),
            *("status", "outcome", "error", "retry_at", "elapsed"),
        )
        await self._many("INSERT INTO attempts", columns, rows)

    async def _update_hosts(self, batch: Batch, added: list[Todo], tally: Tally) -> None:
        """Bring each touched host's counts and times in line with this very commit."""
        pending: dict[int, int] = Counter(map(itemgetter(0), added))  # there may be 200,000
        pages = tally.pages
        for visit in batch.visits:
            pending[visit.todo.host_id] = pending.get(visit.todo.host_id, 0) - 1
        if pending or pages:
            rows = [(h, pending.get(h, 0), pages.get(h, 0)) for h in {**pending, **pages}]
            await self._db.execute(
                "UPDATE hosts SET pending = pending + d.a, pages = pages + d.b FROM (SELECT"
                " value ->> 0 AS id, value ->> 1 AS a, value ->> 2 AS b FROM json_each(?)) AS d"
                " WHERE host_id = d.id",
                (to_json(rows),),
            )
        if batch.hosts:
            times = [(h.host_id, h.next_at, h.delay, h.failures) for h in batch.hosts]
            await self._db.execute(
                "UPDATE hosts SET next_at = d.a, delay = d.b, failures = d.c FROM (SELECT"
                " value ->> 0 AS id, value ->> 1 AS a, value ->> 2 AS b, value ->> 3 AS c"
                " FROM json_each(?)) AS d WHERE host_id = d.id",
                (to_json(times),),
            )

    async def _write_totals(self, batch: Batch, ended: list[Visit], tally: Tally) -> None:
        """Bring the counters in line with this very commit, those of the run, too."""
        run = Stats()
        run.add(ended, 0, refusals=tally.refusals(batch), rejected=tally.rejected)
        await self._many(
            "INSERT INTO counters",
            ("name", "value"),
            tally.counters(batch, run),
            "ON CONFLICT DO UPDATE SET value = value + excluded.value",
        )
        if self._again:
            await self._db.execute("DELETE FROM counters WHERE value = 0")
        values: list[tuple[str, Any]] = [("next_seq", self._seq), ("next_page_id", self._page_id)]
        values += batch.marks()
        await self._many("INSERT OR REPLACE INTO crawl", ("key", "value"), values)
        if tally.stored:
            await self._db.execute(
                "INSERT INTO crawl VALUES ('pages', ?)"
                " ON CONFLICT DO UPDATE SET value = value + excluded.value",
                (tally.stored,),
            )
        await self.ticks.write(self._db, self.run_id, batch, run)
        if run.pages or run.errors:
            sql = "UPDATE runs SET pages = pages + ?, errors = errors + ? WHERE run_id = ?"
            await self._db.execute(sql, (run.pages, run.errors, self.run_id))


_Packed = tuple[bytes, list[tuple[int, int, int]]]


def _packed(ended: list[tuple[int, Visit]], keep: Retention) -> _Packed:
    """Return all stored forms of bodies as one blob, and (page_id, begin, length) of each in it."""
    packed, spans, start = [], [], 1
    for page_id, visit in ended:
        kept = visit.stored or visit.outcome is Outcome.REQUISITE
        if (keep.bodies if kept else keep.error_bodies) and (body := body_of(visit)):
            packed.append(body)
            spans.append((page_id, start, len(body)))
            start += len(body)
    return b"".join(packed), spans
