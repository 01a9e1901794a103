"""The limits of a run beside pages: items, errors, bytes and time.

What a page will give is known when it is there, so the visit that reaches a limit is the last one
that is stored: those under way beside it are put back, to be made again by the next run.
"""

from __future__ import annotations

from crawler.config.engine import EngineSettings
from crawler.web import outcome
from crawler.web.visit import Visit

ENDS = ("max_items", "max_errors", "max_bytes")
"""The ends after which nothing more is taken."""

_ERRORS = outcome.having("error")


class RunLimits:
    """Counts what is handed over to be stored, and says which limit it has reached."""

    def __init__(self, settings: EngineSettings, *, items: int = 0) -> None:
        """`items` are those that earlier runs have stored."""
        self._most = (settings.max_items, settings.max_errors, settings.max_bytes)
        self._had = [items, 0, 0]
        self.reached: str | None = None
        self._look()

    def __bool__(self) -> bool:
        """Whether there is any limit."""
        return any(self._most)

    def room(self) -> int | None:
        """Return how many more items there may be, None for any number."""
        most = self._most[0]
        return None if most is None else max(0, most - self._had[0])

    def take(self, visit: Visit) -> bool:
        """Count a visit that ended; False once a limit is reached: it must not be stored."""
        if self.reached is not None:
            return False
        if visit.response is not None:
            self._had[2] += visit.response.wire_size
        if visit.retry_at is None:
            self._had[0] += len(visit.items)
            self._had[1] += visit.outcome in _ERRORS
        self._look()
        return True

    def _look(self) -> None:
        for name, had, most in zip(ENDS, self._had, self._most, strict=True):
            if most is not None and had >= most:
                self.reached = name
                return
