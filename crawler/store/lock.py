"""Waiting for a store that another program holds: told after a while, and ended by a signal.

SQLite itself waits in C, where Python hears no signal: so it waits a moment, and this goes on.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from crawler.errors import StoreLocked

T = TypeVar("T")
log = logging.getLogger(__name__)

TIMEOUT = 60.0  # seconds, as `store.lock_timeout` has it
MOMENT = 0.05  # seconds that SQLite waits by itself
_TOLD_AFTER = 5.0
_PAUSE = 0.1
_LAST_TRY = 1.0  # seconds that are waited all the same when the wait is to end


class LockWait:
    """One wait for the lock of the store at `path`, of `timeout` seconds at most.

    `ended` says that somebody wants it to end: an interrupt.
    """

    def __init__(
        self, path: Path, timeout: float, ended: Callable[[], bool] = lambda: False
    ) -> None:
        self._path, self._timeout, self._ended = path, timeout, ended
        self._began = time.monotonic()
        self._told = False

    def pause(self, error: sqlite3.OperationalError) -> float:
        """Return the seconds until the next try; the error if it is another, or time is up."""
        if not is_lock(error):
            raise error
        waited = time.monotonic() - self._began
        if waited >= self._timeout or (waited >= _LAST_TRY and self._ended()):
            raise StoreLocked(
                f"{self._path}: locked by another program, waited {waited:.0f} s for it; close it"
                " and run the same command again, or let store.lock_timeout be longer"
            ) from error
        if waited >= _TOLD_AFTER and not self._told:
            self._told = True
            log.warning(
                "%s: locked by another program; waiting for it up to %.0f s (store.lock_timeout)",
                *(self._path, self._timeout),
            )
        return _PAUSE


def is_lock(error: sqlite3.Error) -> bool:
    """Return whether an error of SQLite says that somebody else holds the file."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


async def awaited(action: Callable[[], Awaitable[T]], wait: LockWait) -> T:
    """Return what an action gives once nobody else holds the store."""
    import asyncio  # which commands that only look at a store can do without

    while True:
        try:
            return await action()
        except sqlite3.OperationalError as error:
            pause = wait.pause(error)
        await asyncio.sleep(pause)


def tried(action: Callable[[], T], wait: LockWait) -> T:
    """Return the same of an action that is not awaited."""
    while True:
        try:
            return action()
        except sqlite3.OperationalError as error:
            pause = wait.pause(error)
        time.sleep(pause)
