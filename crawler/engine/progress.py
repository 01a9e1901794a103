"""How a crawl goes on: a snapshot of its counters, and the line that tells it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from msgspec import Struct

from crawler.markup.words import plural

if TYPE_CHECKING:
    from crawler.engine.crawler import Crawler
    from crawler.frontier import Frontier

_WINDOW = 10.0  # seconds over which the rate is taken
_SLOWEST = 0.1  # pages a second below which no time to go is told
_REST = 3.0  # seconds: a shorter rest is not told


class Snapshot(Struct, frozen=True):
    """What is committed at one moment of a run."""

    seconds: float
    pages: int
    queued: int
    errors: int
    hosts: int
    in_flight: int
    rate: float
    stopping: bool = False
    limit: int | None = None
    """Pages at which the run stops, counted as `pages`."""
    resting: tuple[tuple[str, float], ...] = ()
    """Hosts with work that are left alone for a while, and for how many seconds, longest first."""


class Progress:
    """Takes snapshots of a crawler; the rate is that of the last ten seconds."""

    def __init__(self, crawler: Crawler, now: float) -> None:
        self._crawler = crawler
        self._started = now
        most, before = crawler.config.engine.max_pages, crawler.state.pages
        self._limit = None if most is None else max(0, most - before)
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
            limit=self._limit,
            resting=_resting(frontier),
        )


def line(shot: Snapshot) -> str:
    """Return a snapshot as one line."""
    text = (
        f"{plural(shot.pages, 'page')}, {shot.rate:.1f}/s, {shot.queued:,} queued,"
        f" {plural(shot.errors, 'error')}, {plural(shot.hosts, 'host')}, {clock(shot.seconds)}"
    )
    if shot.stopping:
        return f"stopping, {shot.in_flight} in flight: {text}"
    return "".join([text, *_ahead(shot), *_at_rest(shot)])


def _ahead(shot: Snapshot) -> Iterator[str]:
    """Yield how far it is and how long it takes, as far as that can be known."""
    left = shot.queued
    if shot.limit is not None:
        yield f", {min(100, 100 * shot.pages // max(1, shot.limit))} % of {shot.limit:,} pages"
        left = max(0, shot.limit - shot.pages)
    if shot.rate >= _SLOWEST and left:
        about = "about" if shot.limit is not None else "at least"
        rest = max((seconds for _, seconds in shot.resting), default=0.0)
        yield f", {about} {clock(max(left / shot.rate, rest))} to go"


def _at_rest(shot: Snapshot) -> Iterator[str]:
    if shot.resting:
        (name, seconds), *more = shot.resting
        others = f" and {len(more)} more" if more else ""
        yield f"; resting: {name} for {clock(seconds)}{others}"


def _resting(frontier: Frontier) -> tuple[tuple[str, float], ...]:
    """Return the hosts that rest longer than their pace asks for: Retry-After, or slowed down."""
    now = frontier.now()
    found = [
        (host.name, host.ready_at - now)
        for host in frontier.hosts.values()
        if host.ready_at - now > max(_REST, 2 * host.pace.delay) and host.given_up is None
    ]
    return tuple(sorted(found, key=lambda rest: -rest[1]))


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
