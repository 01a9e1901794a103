"""Changes of the queue that people ask for, by one worker: of its own hosts, and of nobody's."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from crawler.links.selection import Selection
from crawler.store.conditional import extra
from crawler.store.contract import QueueChange
from crawler.store.postgres.leases import Leases
from crawler.store.postgres.numbering import Numbering
from crawler.store.postgres.statements import clean
from crawler.store.rows import iso
from crawler.web import outcome
from crawler.web.outcome import Outcome
from crawler.web.request import FIRST, RENEWAL, Todo

if TYPE_CHECKING:
    import asyncpg

_PIECE = 5000  # rows that are in memory at once
_OF_HOSTS = "todo.host_id = ANY($1::bigint[]) AND ({globs})"
_FREE = (
    " AND NOT EXISTS (SELECT 1 FROM unnest($2::bigint[], $3::bigint[], $4::bigint[])"
    " AS busy (host_id, rank, seq) WHERE busy.host_id = todo.host_id AND busy.rank = todo.rank"
    " AND busy.seq = todo.seq)"
)
_PAGE = (
    *("page_id", "url", "outcome", "depth", "fetched_at", "attempts", "parent_id", "run_id"),
    *("host_id", "url_hash", "method", "callback", "request", "error"),
)
_FAILED = (
    "SELECT p.page_id, p.host_id, p.url_hash, p.url, p.depth, p.parent_id, p.callback, p.request,"
    " p.outcome FROM pages AS p WHERE p.host_id = ANY($1::bigint[]) AND ({globs}) AND {which}"
    " AND p.page_id > $2 AND NOT EXISTS (SELECT 1 FROM todo AS t WHERE t.host_id = p.host_id"
    " AND t.url_hash = p.url_hash) AND NOT EXISTS (SELECT 1 FROM pages AS later"
    " WHERE later.host_id = p.host_id AND later.url_hash = p.url_hash AND later.url = p.url"
    " AND later.page_id > p.page_id) ORDER BY p.page_id LIMIT $3"
)


class QueueChanges:
    """Changes what is queued, within a transaction that holds this worker's lease."""

    def __init__(
        self, db: asyncpg.Connection, leases: Leases, numbering: Numbering, run_id: int
    ) -> None:
        self._db, self._leases, self._numbering, self._run_id = db, leases, numbering, run_id

    async def hosts(self, selection: Selection) -> list[int]:
        """Return the hosts that are meant."""
        rows = await self._db.fetch("SELECT host_id, name FROM crawl_hosts")
        return [row[0] for row in rows if selection.takes_host(row[1])]

    async def count(self, hosts: list[int], change: QueueChange) -> int:
        """Return how many requests are meant, whoever has their hosts."""
        if change.kind != "drop":
            return 0
        where = _OF_HOSTS.format(globs=_globs(change.selection, "todo.url"))
        return int(await self._db.fetchval(f"SELECT count(*) FROM todo WHERE {where}", hosts))

    async def make(self, hosts: list[int], change: QueueChange) -> int:
        """Make a change, and return how many requests it were."""
        if change.kind in ("retry", "refetch"):
            return await self._retry(hosts, change)
        own = await self._db.fetch(  # nobody can take one meanwhile
            "SELECT host_id FROM crawl_hosts WHERE host_id = ANY($1::bigint[])"
            " AND (worker_id IS NULL OR worker_id = $2) ORDER BY host_id FOR UPDATE",
            *(hosts, self._leases.worker_id),
        )
        mine = [row[0] for row in own]
        return await (self._drop if change.kind == "drop" else self._move)(mine, change)

    def _values(self, hosts: list[int], change: QueueChange) -> tuple[Any, ...]:
        busy = [list(column) for column in zip(*change.busy, strict=True)] or [[], [], []]
        return (hosts, *busy)

    def _where(self, change: QueueChange) -> str:
        return _OF_HOSTS.format(globs=_globs(change.selection, "todo.url")) + _FREE

    async def _drop(self, hosts: list[int], change: QueueChange) -> int:
        sql = (
            "DELETE FROM todo WHERE ctid = ANY(ARRAY(SELECT ctid FROM todo WHERE"
            f" {self._where(change)} ORDER BY host_id, rank, seq LIMIT {_PIECE}))"
            f" RETURNING {', '.join(Todo._fields)}"
        )
        number = 0
        while rows := await self._db.fetch(sql, *self._values(hosts, change)):
            number += len(rows)
            await self._note_dropped(sorted(Todo(*row) for row in rows))
        return number

    async def _note_dropped(self, todos: list[Todo]) -> None:
        """Store what was dropped; of a page that was stored or has failed the row stays."""
        first = [todo for todo in todos if todo.again == FIRST]
        there = await self._db.fetch(
            "SELECT url, url_hash FROM pages WHERE url = ANY($1::text[])", [t.url for t in first]
        )
        known = {(row[0], row[1]) for row in there}
        new = [todo for todo in first if (todo.url, todo.url_hash) not in known]
        await self._numbering.pages.reserve(self._db, len(new))
        at = iso(time.time())
        rows = [
            (
                *(self._numbering.pages.take(), todo.url, str(Outcome.BLOCKED), todo.depth, at),
                *(todo.attempts, todo.parent_id, self._run_id, todo.host_id, todo.url_hash),
                *(_method(todo.extra), todo.callback, todo.extra, "blocked"),
            )
            for todo in new
        ]
        if rows:
            await self._db.copy_records_to_table("pages", records=rows, columns=_PAGE)
            await self._db.execute(
                "INSERT INTO crawl_counters VALUES ($1, $2, $3) ON CONFLICT (worker_id, name)"
                " DO UPDATE SET value = crawl_counters.value + excluded.value",
                *(self._leases.worker_id, f"outcome.{Outcome.BLOCKED}", len(rows)),
            )

    async def _move(self, hosts: list[int], change: QueueChange) -> int:
        sql = f"UPDATE todo SET rank = rank - $5 WHERE {self._where(change)}"
        status = await self._db.execute(sql, *self._values(hosts, change), change.by)
        return int(status.rpartition(" ")[2])

    async def _retry(self, hosts: list[int], change: QueueChange) -> int:
        again = outcome.names("requeued")
        failed = f"p.outcome <> 'ok' AND p.outcome IN ({again})"
        sql = _FAILED.format(
            which="true" if change.kind == "refetch" else failed,
            globs=_globs(change.selection, "p.url"),
        )
        number, last = 0, 0
        while rows := await self._db.fetch(sql, hosts, last, _PIECE):
            await self._numbering.seqs.reserve(self._db, len(rows))
            await self._db.copy_records_to_table(
                "todo", records=[self._again(row) for row in rows], columns=Todo._fields
            )
            number, last = number + len(rows), rows[-1]["page_id"]
        if number:
            await self._db.execute(
                "INSERT INTO crawl_values VALUES ('revisits', '1') ON CONFLICT DO NOTHING"
            )
        return number

    def _again(self, row: Any) -> Todo:
        _, host_id, digest, url, depth, parent, callback, request, ended = row
        kind = RENEWAL if ended in outcome.having("stored") else FIRST
        seq, carried = self._numbering.seqs.take(), clean(extra(request, None))
        return Todo(
            host_id, 0, seq, digest, url, depth, 0, 0.0, parent, callback, carried, kind
        )  # fmt: skip


def _method(carried: str | None) -> str:
    return str(json.loads(carried).get("method", "GET")) if carried else "GET"


def _globs(selection: Selection, column: str) -> str:
    """Return the condition that a URL is meant; what stands in it is quoted."""
    quoted = (glob.replace("'", "''") for glob in selection.sql_globs())
    return " OR ".join(f"{column} ~@ '{glob}'" for glob in quoted) or "false"
