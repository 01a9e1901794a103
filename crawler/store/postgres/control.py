"""What is asked of a crawl over PostgreSQL: every worker does its part, the last one answers.

A worker changes the queue of the hosts that it has leased, and of those that nobody has; what it
comes to is its share of the answer. A row is answered when every worker that lives has given its
share, so that «blocked» and «paused» hold for all. What is to be done once (`add`, `retry`, `stop`)
one of them takes.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from crawler.markup.words import plural
from crawler.store.contract import QueueChange, Steered
from crawler.store.control_rows import COLUMNS, STANDING, ControlRow
from crawler.store.postgres.flush import PostgresFlush
from crawler.store.postgres.leases import Leases
from crawler.store.postgres.numbering import Numbering
from crawler.store.postgres.queue_changes import QueueChanges
from crawler.store.rows import iso

if TYPE_CHECKING:
    import asyncpg

T = TypeVar("T")
_NAMES = ", ".join(f'"{name}"' if name == "at" else name for name in COLUMNS)
_ONCE = ("add", "retry", "stop")
_GROWN = 1.1  # times the number that was told, from which on it is asked again
_NUMBER = re.compile(r"\d[\d,]*")
_LIVING = (
    "run_id = (SELECT run_id FROM crawl_control) AND NOT claims AND expires_at > clock_timestamp()"
)


class SteeredPostgres:
    """The part of the PostgreSQL store that hears what people ask of the crawl."""

    leases: Leases
    joined = False
    _flush: PostgresFlush
    _numbering: Numbering

    async def asked(self) -> list[ControlRow]:
        """Return what was asked of the crawl and is to be done here, the oldest first."""
        return await self._run(self._asked)

    async def _asked(self, db: asyncpg.Connection) -> list[ControlRow]:
        rows = await db.fetch(
            f"SELECT {_NAMES} FROM control WHERE state = 'asked' ORDER BY control_id"
        )
        if not rows:
            return []
        own = self.leases.worker_id
        heard = await db.fetchval("SELECT heard FROM crawl_workers WHERE worker_id = $1", own)
        if heard is None:
            raise self.leases.fenced()
        found = []
        for row in (ControlRow(*row) for row in rows):
            if row.action in _ONCE:
                if await self._takes(db, row):
                    found.append(row)
            elif row.control_id > heard:
                found.append(row)
            else:
                await self._settle(db, row.control_id)
        return found

    async def _takes(self, db: asyncpg.Connection, row: ControlRow) -> bool:
        """Return whether this worker does alone what a row asks."""
        own, number = self.leases.worker_id, row.control_id
        if row.action == "retry":
            # From now on each visit is compared with the row that is there, by every worker.
            self._flush.again = True
            await db.execute(
                "UPDATE crawl_workers SET retries = greatest(retries, $2) WHERE worker_id = $1",
                *(own, number),
            )
            sql = f"SELECT 1 FROM crawl_workers WHERE {_LIVING} AND retries < $1 LIMIT 1"
            if await db.fetchval(sql, number):
                return False
        taken = await db.fetchval(
            "UPDATE control SET taken_by = $2 WHERE control_id = $1 AND state = 'asked' AND"
            " (taken_by IS NULL OR taken_by = $2 OR taken_by NOT IN (SELECT worker_id FROM"
            " crawl_workers)) RETURNING 1",
            *(number, own),
        )
        return bool(taken)

    async def standing(self) -> list[ControlRow]:
        """Return what was asked and applied, and holds on, in its order."""
        sql = (
            f"SELECT {_NAMES} FROM control WHERE state = 'applied' AND action = ANY($1::text[])"
            " ORDER BY control_id"
        )
        rows = await self._run(lambda db: db.fetch(sql, list(STANDING)))
        return [ControlRow(*row) for row in rows]

    async def answer(self, control_id: int, state: str, result: str) -> None:
        """Write down what came of a row here; it is answered once all workers have done so."""
        await self._run(lambda db: self._share(db, control_id, state, result))

    async def note_control(self, action: str, result: str) -> None:
        """Write down as a row of `control` what a run did by itself."""
        sql = (
            "INSERT INTO control (via, action, state, result, applied_at)"
            " VALUES ('run', $1, 'applied', $2, $3)"
        )
        await self._run(lambda db: db.execute(sql, action, result, iso(time.time())))

    async def steer(self, row: ControlRow, change: QueueChange) -> Steered:
        """Change what is queued of the hosts that are this worker's, and give its share."""
        steered = await self._run(lambda db: self._steered(db, row, change))
        if change.kind in ("retry", "refetch"):
            await self._run(lambda db: self.leases.wake(db, list(steered.hosts)))
        return steered

    async def _steered(
        self, db: asyncpg.Connection, row: ControlRow, change: QueueChange
    ) -> Steered:
        await self.leases.renew(db)  # of hosts that are others' by now nothing may be changed
        known = await _locked(db, row.control_id)
        if known["state"] == "refused":
            await self._note_heard(db, row.control_id)
            return Steered(0, (), known["result"])
        changes = QueueChanges(db, self.leases, self._numbering, self._flush.run_id)
        hosts = await changes.hosts(change.selection)
        if row.expected is not None and known["shares"] == "[]":
            number = await changes.count(hosts, change)
            if number > _GROWN * row.expected + 1:
                told = f"refused: it would be {plural(number, 'URL')} by now, not {row.expected:,};"
                told += " ask again"
                await self._answered(db, row.control_id, "refused", told)
                await self._note_heard(db, row.control_id)
                return Steered(0, (), told)
        number = await changes.make(hosts, change)
        await self._share(db, row.control_id, "applied", change.result(number))
        return Steered(number, tuple(hosts), None)

    async def reopen(self, pattern: str) -> None:
        """Take a pattern off those that were found endless."""

        async def taken_off(db: asyncpg.Connection) -> None:
            for table in ("endless", "patterns"):
                await db.execute(f"DELETE FROM {table} WHERE pattern = $1", pattern)

        await self._run(taken_off)

    # ------------------------------------------------------------ the answer

    async def _share(
        self, db: asyncpg.Connection, control_id: int, state: str, result: str
    ) -> None:
        row = await _locked(db, control_id)
        await self._note_heard(db, control_id)
        if row["state"] != "asked":
            return
        if row["action"] in _ONCE:
            await self._answered(db, control_id, state, result)
            return
        shares = [*json.loads(row["shares"]), [state, result]]
        await db.execute(
            "UPDATE control SET shares = $2 WHERE control_id = $1", control_id, json.dumps(shares)
        )
        await self._settle(db, control_id)

    async def _note_heard(self, db: asyncpg.Connection, control_id: int) -> None:
        await db.execute(
            "UPDATE crawl_workers SET heard = greatest(heard, $2) WHERE worker_id = $1",
            *(self.leases.worker_id, control_id),
        )

    async def _settle(self, db: asyncpg.Connection, control_id: int) -> None:
        """Answer a row if no worker that lives is still to give its share."""
        row = await _locked(db, control_id)
        sql = f"SELECT 1 FROM crawl_workers WHERE {_LIVING} AND heard < $1 LIMIT 1"
        if row["state"] != "asked" or await db.fetchval(sql, control_id):
            return
        shares: list[list[str]] = json.loads(row["shares"])
        done = [result for state, result in shares if state == "applied"]
        if done or not shares:
            await self._answered(db, control_id, "applied", summed(done))
        else:
            await self._answered(db, control_id, *shares[0])

    async def _answered(
        self, db: asyncpg.Connection, control_id: int, state: str, result: str
    ) -> None:
        await db.execute(
            "UPDATE control SET state = $2, result = $3, applied_at = $4 WHERE control_id = $1",
            *(control_id, state, result, iso(time.time())),
        )

    async def _run(self, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
        raise NotImplementedError


async def _locked(db: asyncpg.Connection, control_id: int) -> Any:
    sql = "SELECT state, action, result, shares FROM control WHERE control_id = $1 FOR UPDATE"
    return await db.fetchrow(sql, control_id)


def summed(results: Sequence[str]) -> str:
    """Return what several workers said, as one: of texts that are alike but for numbers, the sums.

    >>> summed(["1 URL dropped", "1,200 URLs dropped"])
    '1,201 URLs dropped'
    """
    if not results:
        return ""
    alike = {_NUMBER.sub("#", result.replace("1 URL ", "1 URLs ")) for result in results}
    if len(alike) > 1:
        return "; ".join(dict.fromkeys(results))
    numbers = [
        [int(number.replace(",", "")) for number in _NUMBER.findall(result)] for result in results
    ]
    sums = iter([sum(column) for column in zip(*numbers, strict=True)])
    said = _NUMBER.sub(lambda _: f"{next(sums):,}", next(iter(alike)).replace("#", "0"))
    return re.sub(r"^1 URLs ", "1 URL ", said)
