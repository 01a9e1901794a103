"""What a worker over PostgreSQL tells of itself while it runs: the tables `ticks` and `workers`."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from crawler.store.contract import Batch, Pulse
from crawler.store.live import TickClock
from crawler.web.stats import Stats

if TYPE_CHECKING:
    import asyncpg

_MOST = 50_000  # requests up to which the queue is counted; beyond it is estimated
_QUEUED = (
    f"(SELECT CASE WHEN n < {_MOST} THEN n ELSE greatest(n, (SELECT reltuples::bigint FROM pg_class"
    " WHERE oid = to_regclass('todo'))) END FROM (SELECT count(*) AS n FROM"
    f" (SELECT 1 FROM todo LIMIT {_MOST}) AS part) AS counted)"
)
_TICK = (
    "INSERT INTO ticks (at, run_id, seconds, pages, errors, bytes, queued)"
    f" VALUES ($1, $2, $3, $4, $5, $6, {_QUEUED})"
)
_SIGN = (
    "INSERT INTO workers ({names}, run_id) VALUES ({marks}) ON CONFLICT (name) DO UPDATE SET {set}"
).format(
    names=", ".join(Pulse._fields),
    marks=", ".join(f"${place}" for place in range(1, len(Pulse._fields) + 2)),
    set=", ".join(f"{name} = excluded.{name}" for name in (*Pulse._fields[1:], "run_id")),
)


class PostgresTicks(TickClock):
    """Counts what is committed, and writes it down once in a while, in a commit's transaction."""

    async def write(
        self, db: asyncpg.Connection, worker_id: int, run_id: int, batch: Batch, run: Stats
    ) -> None:
        """Count one commit; write a row where it is time for one."""
        self.count(run)
        pulse = batch.pulse
        if pulse is not None:
            await db.execute(_SIGN, *pulse, run_id)
            await db.execute(
                "UPDATE crawl_workers SET name = $2 WHERE worker_id = $1", worker_id, pulse.name
            )
        if self.due:
            await db.execute(_TICK, *self.row(run_id, time.time()))
