"""A frontier that people outside may steer while it runs: pause, drop, reorder, set a pace."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from msgspec.structs import replace

from crawler.frontier import Frontier
from crawler.frontier.host_queue import HostQueue
from crawler.politeness.throttle import Pace
from crawler.web.request import Todo

_START = (-(1 << 62), 0)  # a reach before every request


class SteeredFrontier(Frontier):
    """The frontier of a crawl that has a table `control`.

    What holds for a host holds by its name: a host that leaves memory and comes back is treated
    alike. A Crawl-delay is never undercut.
    """

    def __init__(
        self,
        pace: Pace,
        *,
        pace_of: Callable[[str], Mapping[str, float]] | None = None,
        **options: Any,
    ) -> None:
        """Start empty; `options` are those of `Frontier`.

        `pace_of` gives the `delay` and `per_host` that a host has of its own, by its name.
        """
        super().__init__(pace, **options)
        self.paused = self._still = False
        self.under_way: dict[int, tuple[str, float]] = {}
        """URL and Unix time of the start, of requests in flight, in the order of their start."""
        self._asleep: set[str] = set()
        self._first: set[str] = set()
        self._paces: dict[str, Mapping[str, float]] = {}
        self._pace_of = pace_of
        self._crawl_delays: dict[int, float] = {}

    # ------------------------------------------------------------ the workers' side

    def _take(self) -> Todo | None:
        return None if self.paused or self._still else super()._take()

    def _start(self, host: HostQueue, now: float) -> Todo:
        todo = super()._start(host, now)
        self.under_way[id(todo)] = todo.url, time.time()
        return todo

    def release(self, todo: Todo, *, stored: bool) -> None:
        """Free the slot of a request whose visit has been handed to the committer."""
        self.under_way.pop(id(todo), None)
        super().release(todo, stored=stored)

    def _line_up(self, host: HostQueue, at: float, now: float) -> None:
        super()._line_up(host, at, now)
        if self._first and host.name in self._first and self._ready and self._ready[-1] is host:
            self._ready.pop()
            self._ready.appendleft(host)

    def admit(self, host_id: int, name: str) -> HostQueue:
        """Put a host into memory, treated as it was asked for."""
        host = super().admit(host_id, name)
        host.paused = name in self._asleep
        if self._pace_of is not None and (own := self._pace_of(name)):
            host.pace = _paced(host.pace, own, 0.0)
        if name in self._paces:
            host.pace = _paced(host.pace, self._paces[name], 0.0)
        return host

    def slow_to(self, host: HostQueue, delay: float) -> None:
        """Space a host's starts by at least `delay` seconds (its Crawl-delay)."""
        self._crawl_delays[host.host_id] = delay
        super().slow_to(host, delay)

    # ------------------------------------------------------------ what is asked of it

    def pause(self, name: str | None = None) -> None:
        """Start nothing more, of one host or of all; what is in flight comes to its end."""
        if name is None:
            self.paused = True
            return
        self._asleep.add(name)
        for host in self._named(name):
            host.paused = True

    def resume(self, name: str | None = None) -> None:
        """Go on, with one host or with all."""
        if name is None:
            self.paused = False
        else:
            self._asleep.discard(name)
            for host in self._named(name):
                host.paused = False
                self._place(host, self.now())
        for _ in range(len(self._waiters)):
            self._wake()
        self.wants.set()

    @property
    def asleep(self) -> frozenset[str]:
        """The names of hosts that are paused."""
        return frozenset(self._asleep)

    def prefer(self, name: str, *, first: bool) -> None:
        """Let a host go before others that are ready as well, or no longer."""
        (self._first.add if first else self._first.discard)(name)

    def set_pace(self, name: str | None, values: Mapping[str, float]) -> None:
        """Set `delay` (seconds) and `per_host` of a host, or of all that have none of their own."""
        if name is None:
            self._pace = _paced(self._pace, values, 0.0)
        else:
            self._paces[name] = {**self._paces.get(name, {}), **values}
        for host in list(self.hosts.values()):
            if host.name == name or (name is None and host.name not in self._paces):
                least = self._crawl_delays.get(host.host_id, 0.0)
                host.pace = _paced(host.pace, values, least)
                host.ready_at = min(host.ready_at, self.now() + host.pace.delay)
                host.touched = True
                host.due = None  # it may come sooner than the place in the line says
                self._place(host, self.now())

    @contextmanager
    def still(self) -> Iterator[None]:
        """Hand nothing out while the queue is changed in the store."""
        self._still = True
        try:
            yield
        finally:
            self._still = False
            for _ in range(len(self._waiters)):
                self._wake()

    def busy(self, host_ids: frozenset[int] | None = None) -> list[tuple[int, int, int]]:
        """Return the keys of requests that are in flight or uncommitted: nobody may take them."""
        found = []
        for host in self.hosts.values():
            if (host_ids is None or host.host_id in host_ids) and (host.held or host.in_flight):
                waiting = {todo.key for _, _, todo in (*host.ready, *host.delayed)}
                found += [(host.host_id, *key) for key in host.held - waiting]
        return found

    def drop(self, takes: Callable[[Todo], bool], number: int) -> None:
        """Forget waiting requests that the store has dropped, `number` over all hosts."""
        self.pending -= number
        for host in list(self.hosts.values()):
            gone = {t.key for _, _, t in (*host.ready, *host.delayed) if takes(t)}
            if not gone:
                continue
            host.ready[:] = [entry for entry in host.ready if entry[2].key not in gone]
            host.delayed[:] = [entry for entry in host.delayed if entry[2].key not in gone]
            heapq.heapify(host.ready)
            heapq.heapify(host.delayed)
            self.in_memory -= len(gone)
            host.held -= gone
            self._place(host, self.now())

    def reload(self, host_id: int, more: int = 0) -> None:
        """Take a host's waiting requests from the store again: their order is another one.

        `more` requests were queued. A host that was given up gets another chance.
        """
        self.pending += more
        self._given_up.pop(host_id, None)
        host = self.hosts.get(host_id)
        if host is None:
            return
        keep = set(self.busy(frozenset({host_id})))
        self.in_memory -= len(host.ready) + len(host.delayed)
        host.ready.clear()
        host.delayed.clear()
        host.held = {(rank, seq) for _, rank, seq in keep}
        host.given_up, host.failures = None, 0
        host.reach, host.complete = _START, False
        self._want(host)

    def reload_all(self, more: int) -> None:
        """Look for `more` requests that were queued of any host; none gets another chance."""
        self.pending += more
        if self.limit is not None:
            self.limit.queue(more)
        for host in list(self.hosts.values()):
            host.complete = False
            self._place(host, self.now())

    def _named(self, name: str) -> list[HostQueue]:
        return [host for host in self.hosts.values() if host.name == name]


def _paced(pace: Pace, values: Mapping[str, float], least: float) -> Pace:
    """Return a pace with another delay or number at once, not under a Crawl-delay of `least`."""
    delay = max(values["delay"], least) if "delay" in values else pace.delay
    floor = delay if "delay" in values else pace.floor
    per_host = int(values.get("per_host", pace.per_host))
    return replace(pace, delay=delay, floor=floor, per_host=per_host)
