"""Keep the write-ahead log small when readers let it.

SQLite's own checkpoints never wait, so a log that grew under long readers stays as long as it is.
"""

from __future__ import annotations

import time
from pathlib import Path

import aiosqlite

LIMIT = 64 * 1024 * 1024  # bytes
_PAUSE = 5.0  # seconds between two tries


class WalFile:
    """The log of one store; `shrink` is for its one writer, between two transactions."""

    def __init__(self, store: Path, limit: int = LIMIT) -> None:
        self.path = store.with_name(store.name + "-wal")
        self._limit, self._next = limit, 0.0

    async def shrink(self, db: aiosqlite.Connection) -> None:
        """Cut the log to nothing once it is long and no reader needs it; never waits for one."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _PAUSE
        try:
            if self.path.stat().st_size < self._limit:
                return
        except OSError:
            return
        [(wait,)] = await db.execute_fetchall("PRAGMA busy_timeout")
        await db.execute_fetchall("PRAGMA busy_timeout = 0")
        try:
            await db.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            await db.execute_fetchall(f"PRAGMA busy_timeout = {wait}")
