"""A wall clock for times that are stored: it never goes back, whatever is done to the machine's."""

from __future__ import annotations

import time
from collections.abc import Callable


class MonotonicClock:
    """Unix time in seconds, by the machine's clock as long as that does not go back.

    Where it was set back, time goes on from the latest that was given, second by second: otherwise
    all that was stored as "not before" would wait for the hour to come around once more.
    """

    __slots__ = ("_latest", "_steady", "_then", "_wall")

    def __init__(
        self,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take a clock that may jump and one that never does, both in seconds."""
        self._wall, self._steady = wall, steady
        self._latest, self._then = wall(), steady()

    def __call__(self) -> float:
        """Return the time."""
        now = self._steady()
        self._latest = max(self._wall(), self._latest + now - self._then)
        self._then = now
        return self._latest
