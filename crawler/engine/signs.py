"""Signs of life: what a process that crawls tells of itself every two seconds (table `workers`)."""

from __future__ import annotations

import json
import os
import socket
import time
from collections import deque
from itertools import islice
from pathlib import Path

from crawler.engine.engine import Engine
from crawler.frontier.steered import SteeredFrontier
from crawler.http.pool import memory
from crawler.store.contract import Pulse

EVERY = 2.0  # seconds between two signs
_OLDEST = 10  # requests in flight that are told
_FILES = Path("/proc/self/fd")


class Signs:
    """Looks at the event loop and the engine, and says how they are."""

    def __init__(self, engine: Engine, frontier: SteeredFrontier, *, most: int) -> None:
        """`most` connections may be open."""
        self._engine, self._frontier, self._most = engine, frontier, most
        self._name = f"{socket.gethostname()}-{os.getpid()}"
        self._started = time.time()
        self._lag, self._last = 0.0, time.monotonic()
        self._ended: deque[tuple[float, int]] = deque([(self._last, 0)], maxlen=6)

    def late(self, seconds: float) -> None:
        """Hear by how much a timer of the loop came late."""
        self._lag = max(self._lag, seconds)

    @property
    def due(self) -> bool:
        """Whether the last sign is old enough."""
        return time.monotonic() - self._last >= EVERY

    def pulse(self) -> Pulse:
        """Return the sign of this moment."""
        engine, frontier = self._engine, self._frontier
        committer, now = engine.committer, time.monotonic()
        since, before = self._ended[0]
        self._ended.append((now, committer.ended))
        lag, self._lag, self._last = self._lag, 0.0, now
        times = sorted(committer.flushes) or [0.0]
        pool = engine.pool
        state = "paused" if frontier.paused else "running"
        return Pulse(
            name=self._name,
            pid=os.getpid(),
            state="stopping" if frontier.stopped else state,
            started_at=self._started,
            at=time.time(),
            hosts=len(frontier.hosts),
            in_flight=frontier.in_flight,
            pace=(committer.ended - before) / max(0.1, now - since),
            lag=lag,
            memory=memory(),
            files=_open_files(),
            connections=pool.open + pool.idle,
            most=self._most,
            flush=times[len(times) // 2],
            flush_most=times[int(len(times) * 0.95)],
            flushed=committer.flushed,
            flight=json.dumps(self._oldest()),
        )

    def _oldest(self) -> list[tuple[str, str, float]]:
        under_way = self._frontier.under_way.values()  # in the order of their start
        return [(url, "in flight", at) for url, at in islice(under_way, _OLDEST)]


def _open_files() -> int:
    try:
        return sum(1 for _ in _FILES.iterdir())
    except OSError:  # no such place on this system
        return 0
