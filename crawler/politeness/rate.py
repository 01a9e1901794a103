"""A rate as a sliding window: at most so many starts in any period of so many seconds.

Plain decisions: time is a parameter, nothing sleeps here. A log of the last starts, not a counter
that begins anew: at the edge of a counter's window twice the rate would pass.
"""

from __future__ import annotations

import re
from collections import deque

from msgspec import Struct

from crawler.lazy_regex import lazy

_RATE = lazy(r"\s*(\d+)\s*/\s*(\d+(?:\.\d+)?)\s*(s|m|h)?\s*", re.ASCII)
_UNITS = {None: 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


class Rate(Struct, frozen=True):
    """At most `calls` in any window of `period` seconds; both are positive."""

    calls: int
    period: float

    def __post_init__(self) -> None:
        if self.calls < 1 or not 0 < self.period < float("inf"):
            raise ValueError(f"a rate of {self.calls} calls in {self.period} s lets nothing pass")

    @classmethod
    def parse(cls, text: str) -> Rate:
        """Read "10/60" (calls / seconds); "10/1m" and "500/1h" too. ValueError otherwise."""
        found = _RATE.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is no rate; write calls/seconds, like 10/60")
        calls, number, unit = found.groups()
        return cls(int(calls), float(number) * _UNITS[unit])


class Window:
    """The last starts under one rate.

    Invariant: any `calls` + 1 starts that were noted, each when `next_at` allowed it, span at
    least `period` seconds. It holds for the times noted, so note when a start really happens.
    """

    __slots__ = ("_starts", "rate")

    def __init__(self, rate: Rate) -> None:
        self.rate = rate
        self._starts: deque[float] = deque(maxlen=rate.calls)

    def next_at(self, now: float) -> float:
        """Return the first time, from `now` on, at which one more may start."""
        if len(self._starts) < self.rate.calls:
            return now
        return max(now, self._starts[0] + self.rate.period)

    def note(self, now: float) -> None:
        """Take note of a start; the oldest is forgotten once the window is full."""
        self._starts.append(now)

    @property
    def free_at(self) -> float:
        """The time from which nothing noted so far matters any more."""
        return self._starts[-1] + self.rate.period if self._starts else 0.0
