"""What people ask of a crawl under way, in SQL: the table `control`, and what it does to the queue.

Each answer is one transaction with what was done for it, so a kill leaves both or neither.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager

import aiosqlite

from crawler.links.selection import Selection
from crawler.markup.words import plural
from crawler.store.contract import QueueChange, Steered
from crawler.store.control_rows import COLUMNS, STANDING, ControlRow
from crawler.store.flush import Flush
from crawler.store.rows import iso, to_json
from crawler.web import outcome
from crawler.web.outcome import Outcome
from crawler.web.request import FIRST, RENEWAL

_NAMES = ", ".join(COLUMNS)
_GROWN = 1.1  # times the number that was told, from which on it is asked again
_FREE = (
    "todo.host_id IN (SELECT value FROM json_each(?1)) AND ({globs})"
    " AND (todo.host_id, todo.rank, todo.seq) NOT IN"
    " (SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?2))"
)
# Of a page that is stored or has failed before, the row stays as it was.
_DROPPED = (
    "INSERT INTO pages (page_id, url, outcome, depth, fetched_at, attempts, parent_id, run_id,"
    " host_id, url_hash, method, callback, request, error)"
    " SELECT ?3 + row_number() OVER (ORDER BY todo.host_id, rank, seq) - 1, url, '{blocked}',"
    " depth, ?4, attempts, parent_id, ?5, host_id, url_hash,"
    " coalesce(extra ->> 'method', 'GET'), callback, extra, 'blocked' FROM todo WHERE {free}"
    " AND again = {first} AND NOT EXISTS (SELECT 1 FROM pages WHERE pages.url = todo.url"
    " AND pages.url_hash = todo.url_hash)"
)
_RETRIED = (
    "INSERT INTO todo (host_id, rank, seq, url_hash, url, depth, parent_id, callback, extra, again)"
    " SELECT host_id, 0, ?2 + row_number() OVER (ORDER BY page_id) - 1, url_hash, url, depth,"
    " parent_id, callback, json_remove(request, '$.hops'), iif(outcome IN ({stored}), {renewal},"
    " {first}) FROM pages AS p WHERE {which}"
    " AND host_id IN (SELECT value FROM json_each(?1)) AND ({globs})"
    " AND (host_id, url_hash) NOT IN (SELECT host_id, url_hash FROM todo WHERE host_id IN"
    " (SELECT value FROM json_each(?1)))"
    " AND NOT EXISTS (SELECT 1 FROM pages AS later WHERE later.url = p.url"
    " AND later.page_id > p.page_id AND later.url_hash = p.url_hash)"
)


async def asked(db: aiosqlite.Connection) -> list[ControlRow]:
    """Return what nobody has answered yet, the oldest first."""
    sql = f"SELECT {_NAMES} FROM control WHERE state = 'asked' ORDER BY control_id"
    return [ControlRow(*row) for row in await db.execute_fetchall(sql)]


async def standing(db: aiosqlite.Connection) -> list[ControlRow]:
    """Return what was applied and holds on, in its order."""
    marks = ", ".join(f"'{action}'" for action in STANDING)
    sql = (
        f"SELECT {_NAMES} FROM control WHERE state = 'applied' AND action IN ({marks})"
        " ORDER BY control_id"
    )
    return [ControlRow(*row) for row in await db.execute_fetchall(sql)]


async def note(db: aiosqlite.Connection, action: str, result: str) -> None:
    """Write down what a run did by itself."""
    sql = (
        "INSERT INTO control (via, action, state, result, applied_at)"
        " VALUES ('run', ?, 'applied', ?, ?)"
    )
    await db.execute(sql, (action, result, iso(time.time())))


async def answer(db: aiosqlite.Connection, control_id: int, state: str, result: str) -> None:
    """Write down what came of a row."""
    sql = "UPDATE control SET state = ?, result = ?, applied_at = ? WHERE control_id = ?"
    await db.execute(sql, (state, result, iso(time.time()), control_id))


class SteeredSqlite:
    """The part of the SQLite store that hears what people ask of the crawl."""

    _db: aiosqlite.Connection
    _flush: Flush
    joined = False
    _version = -1  # of the data: it changes with every commit of others

    async def asked(self) -> list[ControlRow]:
        """Return what was asked of the crawl and not answered yet, the oldest first."""
        with self._named_errors():
            [(version,)] = await self._db.execute_fetchall("PRAGMA data_version")
            if version == self._version:
                return []
            self._version = version
            return await asked(self._db)

    async def standing(self) -> list[ControlRow]:
        """Return what was asked and applied, and holds on, in its order."""
        with self._named_errors():
            return await standing(self._db)

    async def answer(self, control_id: int, state: str, result: str) -> None:
        """Write down what came of a row of `control`: applied or refused, and what."""
        async with self._transaction():
            await answer(self._db, control_id, state, result)

    async def note_control(self, action: str, result: str) -> None:
        """Write down as a row of `control` what a run did by itself."""
        async with self._transaction():
            await note(self._db, action, result)

    async def steer(self, row: ControlRow, change: QueueChange) -> Steered:
        """Change what is queued, and answer the row, in one transaction."""
        async with self._transaction():
            return await QueueSteering(self._db, self._flush).change(row, change)

    async def reopen(self, pattern: str) -> None:
        """Take a pattern off those that were found endless."""
        async with self._transaction():
            for table in ("endless", "patterns"):
                await self._db.execute(f"DELETE FROM {table} WHERE pattern = ?", (pattern,))

    def _named_errors(self) -> AbstractContextManager[None]:
        raise NotImplementedError

    def _transaction(self) -> AbstractAsyncContextManager[None]:
        raise NotImplementedError


class QueueSteering:
    """Changes what is queued, within the transaction that the store has begun."""

    def __init__(self, db: aiosqlite.Connection, flush: Flush) -> None:
        self._db, self._flush = db, flush

    async def change(self, row: ControlRow, change: QueueChange) -> Steered:
        """Do what was asked, unless the queue has grown since it was asked."""
        queued = await self._flush.queue_all_revisits()
        hosts = await self._hosts(change.selection)
        number = await self._count(hosts, change)
        if row.expected is not None and number > _GROWN * row.expected + 1:
            by_now = plural(number, "URL")
            told = f"refused: it would be {by_now} by now, not {row.expected:,}; ask again"
            await answer(self._db, row.control_id, "refused", told)
            return Steered(0, (), told, queued)
        act = {
            "drop": self._drop,
            "move": self._move,
            "retry": self._retry,
            "refetch": self._retry,
        }[change.kind]
        number = await act(hosts, change)
        told = change.result(number)
        await answer(self._db, row.control_id, "applied", told)
        return Steered(number, tuple(hosts), None, queued)

    async def _hosts(self, selection: Selection) -> list[int]:
        rows = await self._db.execute_fetchall("SELECT host_id, name FROM hosts")
        return [host_id for host_id, name in rows if selection.takes_host(name)]

    async def _count(self, hosts: list[int], change: QueueChange) -> int:
        if change.kind != "drop":
            return 0
        sql = f"SELECT count(*) FROM todo WHERE {_where(_FREE, change.selection)}"
        [(number,)] = await self._db.execute_fetchall(sql, self._values(hosts, change))
        return int(number)

    def _values(self, hosts: Sequence[int], change: QueueChange) -> tuple[str, str]:
        return to_json(list(hosts)), to_json([list(key) for key in change.busy])

    async def _drop(self, hosts: list[int], change: QueueChange) -> int:
        free, values = _where(_FREE, change.selection), self._values(hosts, change)
        flush, db = self._flush, self._db
        counted = await db.execute_fetchall(
            f"SELECT host_id, count(*) FROM todo WHERE {free} GROUP BY host_id", values
        )
        sql = _DROPPED.format(blocked=Outcome.BLOCKED, free=free, first=FIRST)
        at = (flush._page_id, iso(time.time()), flush.run_id)
        cursor = await db.execute(sql, (*values, *at))
        flush._page_id += cursor.rowcount
        await self._mark("next_page_id", flush._page_id)
        await db.execute(f"DELETE FROM todo WHERE {free}", values)
        await self._pending([(host_id, -number) for host_id, number in counted])
        await self._count_outcome(cursor.rowcount)
        return sum(number for _, number in counted)

    async def _move(self, hosts: list[int], change: QueueChange) -> int:
        sql = f"UPDATE todo SET rank = rank - ?3 WHERE {_where(_FREE, change.selection)}"
        cursor = await self._db.execute(sql, (*self._values(hosts, change), change.by))
        return cursor.rowcount

    async def _retry(self, hosts: list[int], change: QueueChange) -> int:
        flush, db = self._flush, self._db
        again = outcome.names("requeued")
        sql = _RETRIED.format(
            stored=outcome.names("stored"),
            which="true"
            if change.kind == "refetch"
            else f"outcome <> 'ok' AND outcome IN ({again})",
            renewal=RENEWAL,
            first=FIRST,
            globs=_globs(change.selection, "url"),
        )
        first = flush.known
        cursor = await db.execute(sql, (to_json(hosts), first))
        if cursor.rowcount:  # from now on each visit is compared with the row that is there
            flush._seq += cursor.rowcount
            flush._again = True
            await self._mark("next_seq", flush._seq)
            await self._mark("revisits", 1)
        counted = await db.execute_fetchall(
            "SELECT host_id, count(*) FROM todo WHERE seq >= ? AND host_id IN"
            " (SELECT value FROM json_each(?)) GROUP BY host_id",
            (first, to_json(hosts)),
        )
        await self._pending(list(counted))
        return cursor.rowcount

    async def _mark(self, key: str, value: int) -> None:
        await self._db.execute("INSERT OR REPLACE INTO crawl VALUES (?, ?)", (key, value))

    async def _pending(self, more: Sequence[Sequence[int]]) -> None:
        await self._db.execute(
            "UPDATE hosts SET pending = pending + d.b FROM (SELECT value ->> 0 AS a, value ->> 1"
            " AS b FROM json_each(?)) AS d WHERE host_id = d.a",
            (to_json([list(pair) for pair in more]),),
        )

    async def _count_outcome(self, number: int) -> None:
        if number:
            await self._db.execute(
                "INSERT INTO counters VALUES (?, ?)"
                " ON CONFLICT DO UPDATE SET value = value + excluded.value",
                (f"outcome.{Outcome.BLOCKED}", number),
            )


def _where(template: str, selection: Selection) -> str:
    return template.format(globs=_globs(selection, "todo.url"))


def _globs(selection: Selection, column: str) -> str:
    """Return the condition that a URL is meant; what stands in it is quoted."""
    quoted = (glob.replace("'", "''") for glob in selection.sql_globs())
    return " OR ".join(f"{column} GLOB '{glob}'" for glob in quoted)
