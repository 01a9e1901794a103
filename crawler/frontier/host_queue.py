"""What one host has in memory: its next requests, its pace, its place in the line.

Plain state without I/O; the frontier moves it. Times are those of the event loop's clock.
"""

from __future__ import annotations

import heapq
import math
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from crawler.politeness.rate import Window
from crawler.politeness.throttle import Pace, PauseLimits, recovered
from crawler.web.request import Todo, is_part


class QueueLimits(Struct, frozen=True):
    """How much is held in memory; whatever is beyond stays in the store."""

    requests: int = 20_000
    """Over all hosts; about 10 MB."""
    least: int = 4
    """Of one host, however many hosts there are."""
    most: int = 512
    """Of one host, however few hosts there are."""
    hosts: int = 10_000
    """Hosts with requests, or at rest."""


def wait_of(todo: Todo, wall: float, longest: float) -> float:
    """Return the seconds until a request may start, `wall` being the Unix time of now.

    More than `longest` means that the clock was set back since, unless the request asked for it.
    """
    seconds = todo.not_before - wall
    if seconds <= longest or (todo.extra is not None and '"not_before"' in todo.extra):
        return seconds
    return longest


class RobotsState(Protocol):
    """What a host's robots.txt says; the frontier only asks whether it is known."""


class PolitenessGroup:
    """What hosts share that are limited together: by registrable domain, or by IP address.

    `waiting` are hosts with work that only the others' requests in flight keep from starting.
    """

    __slots__ = ("__weakref__", "in_flight", "ready_at", "waiting")

    def __init__(self) -> None:
        self.in_flight = 0
        self.ready_at = 0.0
        self.waiting: dict[int, HostQueue] = {}

    def start(self, now: float, delay: float) -> None:
        """Reserve a slot, as `HostQueue.ready_at` does for one host."""
        self.in_flight += 1
        self.ready_at = max(now, self.ready_at) + delay

    def end(self) -> list[HostQueue]:
        """Free a slot, and return the hosts that waited for one."""
        self.in_flight -= 1
        waiting = list(self.waiting.values())
        self.waiting.clear()
        return waiting


class HostQueue:
    """One host in memory.

    Invariant: every pending request of the host with a key up to `reach` is in memory. Beyond
    `reach` only those of `held` are: they are or were in flight, uncommitted or waiting for a
    retry. `complete` says that the store has nothing else beyond `reach`. `due` and `ticket` are
    its one valid place in the frontier's line: when, and which entry. `failures` counts those in a
    row, `answers` what was answered well. `asked_at` is when an earlier run may have asked it last
    without having stored it. `given_up` says why it is left alone for this run: then
    its requests, none of which is sent, may start at any time. While it is `overtaken`, a request
    that comes before all that waits here is on its way into the store: nothing starts until then.
    """

    __slots__ = (
        "__weakref__",
        "answers",
        "asked_at",
        "complete",
        "delayed",
        "due",
        "failures",
        "given_up",
        "group",
        "held",
        "host_id",
        "in_flight",
        "loading",
        "name",
        "overtaken",
        "pace",
        "paused",
        "reach",
        "ready",
        "ready_at",
        "reserved",
        "robots",
        "slowed_at",
        "ticket",
        "touched",
        "window",
    )

    def __init__(self, host_id: int, name: str, pace: Pace) -> None:
        self.host_id = host_id
        self.name = name
        self.pace = pace
        self.ready: list[tuple[int, int, Todo]] = []
        self.delayed: list[tuple[float, int, Todo]] = []
        self.held: set[tuple[int, int]] = set()
        self.in_flight = 0
        self.ready_at = 0.0
        self.reserved = (0.0, -1.0)  # by the last start: `ready_at` before and after it
        self.window = Window(pace.rate) if pace.rate is not None else None
        self.reach = (-(1 << 62), 0)
        self.complete = False
        self.loading = False
        self.due: float | None = None
        self.ticket = 0
        self.touched = False
        self.robots: RobotsState | None = None
        self.group: PolitenessGroup | None = None
        self.failures = self.answers = 0
        self.overtaken = False
        self.asked_at = -math.inf
        self.slowed_at = 0.0  # when trouble last slowed it down
        self.given_up: str | None = None
        self.paused = False  # somebody asked to start nothing of it

    def push(self, todo: Todo, now: float, wait: float) -> None:
        """Take a request into memory, to start in `wait` seconds at the earliest."""
        if wait > 0 and self.given_up is None:
            self.held.add(todo.key)
            heapq.heappush(self.delayed, (now + wait, todo.seq, todo))
        else:
            heapq.heappush(self.ready, (todo.rank, todo.seq, todo))

    # ------------------------------------------------------------ what others learn of it

    def restore(self, ready_at: float, pace: Pace, answers: int, asked_at: float) -> None:
        """Take up where an earlier run has left the host."""
        self.ready_at, self.pace, self.answers = ready_at, pace, answers
        self.asked_at = asked_at

    def saved(self) -> None:
        """Hear that its times are committed."""
        self.touched = False

    def know(self, robots: RobotsState) -> None:
        """Take what its robots.txt says, from now on or until that is asked for again."""
        self.robots = robots

    def answered(self) -> None:
        """Count a good answer, which ends its failures in a row."""
        self.failures = 0
        self.answers += 1

    def failed(self) -> None:
        """Count a failure."""
        self.failures += 1

    def slow_down(self, pace: Pace, now: float) -> None:
        """Go at a slower pace: there was trouble."""
        self.pace, self.slowed_at = pace, now

    def recover(self, elapsed: float, limits: PauseLimits) -> None:
        """Come a step back to its own pace, by an answer that took `elapsed` seconds."""
        if self.pace.delay or self.pace.failures:
            self.pace = recovered(self.pace, elapsed, limits)

    def slow_to(self, delay: float) -> None:
        """Space its starts by at least `delay` seconds (its Crawl-delay)."""
        pace = self.pace
        if delay > pace.least:
            self.ready_at += max(0.0, delay - pace.delay)
            self.touched = True
            self.pace = replace(pace, delay=max(delay, pace.delay), floor=delay)

    def rest(self, until: float) -> None:
        """Start nothing until a time of the loop's clock."""
        self.ready_at = max(self.ready_at, until)
        self.touched = True
        if self.group is not None:
            self.group.ready_at = max(self.group.ready_at, until)

    # ------------------------------------------------------------ the frontier's side

    def give_up(self, reason: str) -> None:
        """Let every request go at once, unsent."""
        self.given_up = reason
        self.promote(math.inf)

    def reserve(self, now: float, todo: Todo) -> float:
        """Take a slot: the next start is a delay away, and as far as the rate asks for.

        Return the delay, 0 for a request of which nothing is sent.
        """
        self.touched = True
        if self.given_up is not None or (todo.again and is_part(todo)):
            return 0.0
        before = self.ready_at
        self.ready_at = max(now, before) + self.pace.delay
        if self.window is not None:
            self.window.note(now)
            self.ready_at = max(self.ready_at, self.window.next_at(now))
        elif self.group is None:
            self.reserved = before, self.ready_at
        return self.pace.delay

    def sent(self, at: float) -> None:
        """Hear when a request went out, later than its turn: the delay counts from then."""
        self.rest(at + self.pace.delay)

    def give_back(self) -> None:
        """Free the slot that was just reserved: nothing was sent."""
        if self.reserved[1] == self.ready_at:
            self.ready_at = self.reserved[0]

    def enter(self, group: PolitenessGroup) -> None:
        """Be limited together with the other hosts of a group from now on."""
        self.group = group
        group.in_flight += self.in_flight
        group.ready_at = max(group.ready_at, self.ready_at)

    def overtake(self, rank: int) -> bool:
        """Start nothing for now if a request of this rank comes before all that waits here.

        Return whether that is so: then it is to be committed at once.
        """
        if not self.ready or self.ready[0][0] <= rank:
            return False
        self.overtaken = True
        return True

    def waits(self) -> bool:
        """Return whether others of its group keep it from starting; it then waits for them."""
        group = self.group
        if group is None or group.in_flight < self.pace.per_host or self.given_up is not None:
            return False
        group.waiting[self.host_id] = self
        return True

    def promote(self, now: float) -> None:
        """Move requests whose retry time has come to the ready ones."""
        while self.delayed and self.delayed[0][0] <= now:
            todo = heapq.heappop(self.delayed)[2]
            heapq.heappush(self.ready, (todo.rank, todo.seq, todo))

    def next_time(self) -> float | None:
        """Return the time from which a request can start, None if there is none in memory."""
        if self.paused:
            return None
        if self.given_up is not None:
            return 0.0 if self.ready else None
        if self.overtaken:
            return None
        rest = self.ready_at if self.group is None else max(self.ready_at, self.group.ready_at)
        if self.ready:
            first = self.ready[0][2]
            return 0.0 if first.again and is_part(first) else rest
        return max(rest, self.delayed[0][0]) if self.delayed else None

    @property
    def idle(self) -> bool:
        """Whether nothing of it is left: here, in flight or in the store."""
        return self.complete and not (self.loading or self.held or self.ready or self.in_flight)
