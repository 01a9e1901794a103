"""How long the queue of each host is, where nobody keeps a sum of it, as in PostgreSQL."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from crawler.errors import QueryError

_COSTLY = 20  # times as long as it took, a count is let stand


class QueueCounts:
    """What was counted last, for all threads that read a crawl.

    A queue of a million takes a fifth of a second, and a page asks for it in several places: what
    took long is counted anew when twenty times as long have passed, what took no time each time.
    """

    def __init__(self) -> None:
        """Begin with nothing counted."""
        self._lock = threading.Lock()
        self._counted: str | None = None
        self._until = 0.0

    def latest(self, count: Callable[[], str]) -> str:
        """Return what `count` gave last; QueryError where it never came to its end in time."""
        with self._lock:
            began = time.monotonic()
            if self._counted is None or began >= self._until:
                try:
                    self._counted = count()
                except QueryError:  # stopped by a limit
                    if self._counted is None:
                        raise
                now = time.monotonic()
                self._until = now + _COSTLY * (now - began)
            return self._counted
