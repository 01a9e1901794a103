"""What a crawl tells of itself while it runs: the tables `ticks` and `workers`."""

from __future__ import annotations

import time
from typing import Any

import aiosqlite

from crawler.store.contract import Batch, Pulse
from crawler.web.stats import Stats

_YOUNG, _OFTEN, _SELDOM = 120.0, 1.0, 10.0  # seconds: a run is young, and between two ticks

_TICK = (
    "INSERT INTO ticks (at, run_id, seconds, pages, errors, bytes, queued) VALUES (?, ?, ?, ?, ?,"
    " ?, (SELECT coalesce(sum(pending), 0) FROM hosts WHERE pending > 0))"
)
_SIGN = (
    f"INSERT OR REPLACE INTO workers ({', '.join(Pulse._fields)}, run_id)"
    f" VALUES ({', '.join('?' * len(Pulse._fields))}, ?)"
)


class TickClock:
    """Counts what is committed, and says when a row of `ticks` is due."""

    def __init__(self) -> None:
        self._begun = self._since = time.time()
        self._pages = self._errors = self._bytes = 0

    def count(self, run: Stats) -> None:
        """Count one commit."""
        self._pages += run.outcomes.total()
        self._errors += run.errors
        self._bytes += run.bytes

    @property
    def some(self) -> bool:
        """Whether anything was counted since the last row."""
        return bool(self._pages or self._errors)

    @property
    def due(self) -> bool:
        """Whether it is time for a row."""
        now = time.time()
        every = _OFTEN if now - self._begun < _YOUNG else _SELDOM
        return not 0 <= now - self._since < every

    def row(self, run_id: int, now: float) -> tuple[Any, ...]:
        """Return the row of this moment but for the queue, and count from 0 again."""
        seconds = max(0.001, now - self._since)
        row = (now, run_id, seconds, self._pages, self._errors, self._bytes)
        self._since = now
        self._pages = self._errors = self._bytes = 0
        return row


class Ticks(TickClock):
    """Writes down what is committed once in a while, in a commit's transaction."""

    _worker: str | None = None

    async def write(self, db: aiosqlite.Connection, run_id: int, batch: Batch, run: Stats) -> None:
        """Count one commit; write a row where it is time for one."""
        self.count(run)
        if batch.pulse is not None:
            self._worker = batch.pulse.name
            await db.execute(_SIGN, (*batch.pulse, run_id))
        if self.due:
            await db.execute(_TICK, self.row(run_id, time.time()))

    async def end(self, db: aiosqlite.Connection, run_id: int) -> None:
        """Write the last row of a run; its process gives no more signs."""
        if self.some:
            await db.execute(_TICK, self.row(run_id, time.time()))
        if self._worker is not None:
            await db.execute("DELETE FROM workers WHERE name = ?", (self._worker,))
