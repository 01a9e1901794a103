"""How a crawl goes on: a snapshot of its counters, and the line that tells it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crawler.engine.crawler import Crawler

_WINDOW = 10.0  # seconds over which the rate is taken


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is committed at one moment of a run."""

    seconds: float
    pages: int
    queued: int
    errors: int
    hosts: int
    in_flight: int
    rate: float
    stopping: bool = False


class Progress:
    """Takes snapshots of a crawler; the rate is that of the last ten seconds."""

    def __init__(self, crawler: Crawler, now: float) -> None:
        self._crawler = crawler
        self._started = now
        self._recent: deque[tuple[float, int]] = deque([(now, 0)])

    def look(self, now: float) -> Snapshot:
        """Return the state at `now`, a time of the same clock as the start."""
        stats, frontier = self._crawler.stats, self._crawler.frontier
        recent = self._recent
        recent.append((now, stats.pages))
        while len(recent) > 2 and now - recent[1][0] >= _WINDOW:
            recent.popleft()
        past, pages = recent[0]
        return Snapshot(
            seconds=now - self._started,
            pages=stats.pages,
            queued=frontier.pending,
            errors=stats.errors,
            hosts=len(frontier.hosts),
            in_flight=frontier.in_flight,
            rate=(stats.pages - pages) / (now - past) if now > past else 0.0,
            stopping=frontier.stopped == "interrupted",
        )


def line(shot: Snapshot) -> str:
    """Tell a snapshot in one line."""
    text = (
        f"{_count(shot.pages, 'page')}, {shot.rate:.1f}/s, {shot.queued:,} queued,"
        f" {_count(shot.errors, 'error')}, {_count(shot.hosts, 'host')}, {clock(shot.seconds)}"
    )
    return f"stopping, {shot.in_flight} in flight: {text}" if shot.stopping else text


def clock(seconds: float) -> str:
    """Write a duration as people read it: 7.4s, 3:05, 1:02:03."""
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


async def watch(crawler: Crawler, show: Callable[[Snapshot], None], every: float) -> None:
    """Show a snapshot every so many seconds, until cancelled."""
    loop = asyncio.get_running_loop()
    progress = Progress(crawler, loop.time())
    while True:
        await asyncio.sleep(every)
        show(progress.look(loop.time()))


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
