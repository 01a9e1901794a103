"""The frontier: which request may be fetched now.

The hosts in memory, each with the first few of its requests; the rest stays in the
store. It decides without I/O: the committer tells it what was committed and loads what it asks
for. Times are those of the event loop's clock, which never jumps.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Iterable
from weakref import WeakValueDictionary

from crawler.frontier.clock import MonotonicClock
from crawler.frontier.host_queue import HostQueue, PolitenessGroup, QueueLimits, wait_of
from crawler.frontier.page_limit import PageLimit
from crawler.politeness.throttle import Pace
from crawler.web.request import Todo


class Frontier:
    """All hosts with work, and the promise of politeness: one number per host, `ready_at`.

    A start reserves the host's next slot (`ready_at = max(now, ready_at) + delay`), so starts are
    spaced however many workers ask, and nobody sleeps while holding anything.
    """

    def __init__(
        self,
        pace: Pace,
        *,
        limit: PageLimit | None = None,
        gated: bool = False,
        room: QueueLimits | None = None,
        wall: Callable[[], float] | None = None,
        group_of: Callable[[str], str] | None = None,
        longest: float = 3600.0,
    ) -> None:
        """Start empty.

        `gated`: one request at a time for a host until its robots.txt is known. `wall` gives Unix
        time, and never goes back. `group_of` gives what a host has in common with those that it is
        limited together with. `longest` are the seconds that a stored time may lie ahead: more
        means that the clock was set back since.
        """
        self._room, self.longest = room or QueueLimits(), longest
        self._lane_of = group_of
        self.gated = gated
        self.hosts: dict[int, HostQueue] = {}
        self.pending = 0  # rows of todo: queued, in flight and uncommitted
        self.in_flight = 0
        self.in_memory = 0  # ready and delayed requests over all hosts
        self.seeding = False  # more start requests are to come
        self.stopped: str | None = None
        self._loop = asyncio.get_running_loop()  # asked for anew it costs a system call each time
        self.stopping = asyncio.Event()
        self.wants = asyncio.Event()
        """Set where it has nothing left to give, or room for a host; the committer clears it."""
        self._pace, self.limit = pace, limit if limit else None
        self._parked: set[tuple[int, int]] = set()  # host_id and seq of requests that wait
        self._held_back: dict[int, HostQueue] = {}  # whose first request the limit does not let
        self.wall = wall or MonotonicClock()
        self._ready: deque[HostQueue] = deque()
        self._later: list[tuple[float, int, HostQueue]] = []
        self._bare: deque[HostQueue] = deque()  # to be loaded: those without work,
        self._low: deque[HostQueue] = deque()  # and those that soon will be
        self._given_up: dict[int, str] = {}
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._timer: tuple[float, asyncio.TimerHandle] | None = None
        self._ticks = 0
        self._groups: WeakValueDictionary[str, PolitenessGroup] = WeakValueDictionary()

    # ------------------------------------------------------------ the workers' side

    async def next(self) -> Todo | None:
        """Return the next request that may start now; None if the crawl is over or stopped."""
        while True:
            self.check()
            if self.stopped is not None:
                return None
            todo = self._take()
            if todo is not None:
                return todo
            if self.stopped is None:
                await self._pause()

    def _take(self) -> Todo | None:
        now = self.now()
        self._advance(now)
        limit = self.limit
        if limit is not None and limit.reached:
            return None
        while self._ready:
            host = self._ready.popleft()
            host.due = None
            at = host.next_time()
            if at is not None and at <= now and not host.waits():
                host.promote(now)
                if limit is None or limit.lets(host.ready[0][2]):
                    return self._start(host, now)
                self._held_back[host.host_id] = host
                if host.delayed:  # a recrawl's retry, which may begin all the same
                    self._line_up(host, host.delayed[0][0], now)
            else:
                self._place(host, now)  # it was put to rest while it stood in line
        return None

    def _start(self, host: HostQueue, now: float) -> Todo:
        """Reserve the host's slot and return its best request."""
        todo = heapq.heappop(host.ready)[2]
        host.held.add(todo.key)
        host.in_flight += 1
        self.in_flight += 1
        if self.limit is not None:
            self.limit.begin(todo)
        self.in_memory -= 1
        delay = host.reserve(now, todo)
        if host.group is not None:
            host.group.start(now, delay)
        self._place(host, now)
        return todo

    def release(self, todo: Todo, *, stored: bool) -> None:
        """Free the slot of a request whose visit has been handed to the committer."""
        host = self.hosts[todo.host_id]
        host.in_flight -= 1
        self.in_flight -= 1
        if self.limit is not None:
            self.limit.end(todo, stored=stored)
        if host.group is not None:
            self._leave(host.group)
        self._place(host, self.now())
        if self.limit is not None and not stored:
            self._go_on()

    def put_back(self, todo: Todo) -> None:
        """Take back a request that was not tried, for example while its robots.txt was fetched."""
        if (todo.host_id, todo.seq) not in self._parked:
            self._push_back(todo)
        self.release(todo, stored=False)

    def park(self, todo: Todo) -> None:
        """Let a request, once it is put back, wait for its site alone, until `unpark`."""
        self._parked.add((todo.host_id, todo.seq))

    def _go_on(self) -> None:
        """Let others have the room that a request did not need."""
        held, self._held_back = self._held_back, {}
        for host in held.values():
            if self.hosts.get(host.host_id) is host:
                self._place(host, self.now())
        self._wake()

    def unpark(self, todo: Todo) -> None:
        """Let a request that was parked start again."""
        self._parked.discard((todo.host_id, todo.seq))
        self._push_back(todo)
        self._place(self.hosts[todo.host_id], self.now())

    def _push_back(self, todo: Todo) -> None:
        self.in_memory += 1
        ready = self.hosts[todo.host_id].ready
        heapq.heappush(ready, (todo.rank, todo.seq, todo))  # still held: see `_spill`

    def rest(self, host: HostQueue, until: float) -> None:
        """Leave a host alone until a time of the loop's clock."""
        host.rest(until)

    def give_up(self, host: HostQueue, reason: str) -> None:
        """Leave a host alone for the rest of this run: its requests are given out to end unsent."""
        self._given_up[host.host_id] = reason
        host.give_up(reason)
        self._place(host, self.now())

    def slow_to(self, host: HostQueue, delay: float) -> None:
        """Space a host's starts by at least `delay` seconds (its Crawl-delay)."""
        host.slow_to(delay)

    def join(self, host: HostQueue, key: str) -> None:
        """Limit a host together with all others of the same key."""
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = PolitenessGroup()
        if host.group is None:
            host.enter(group)

    def _leave(self, group: PolitenessGroup) -> None:
        """Free a slot of a group, for those that waited for it."""
        for other in group.end():
            self._place(other, self.now())

    def stop(self, reason: str) -> None:
        """Hand out nothing more; every waiting worker gets None."""
        self.stopped = self.stopped or reason
        self.stopping.set()
        while self._waiters:
            self._wake()

    def check(self) -> None:
        """Stop at the limit, or with nothing queued, in flight, uncommitted or still to seed."""
        if self.pending == 0 and not self.seeding and self.stopped is None:
            self.stop("finished")
        elif self.limit is not None and self.in_flight == 0:
            held_back = not self.vacant and len(self._held_back) >= len(self.hosts)
            if held_back or self.limit.reached:
                self.stop("max_pages")

    def now(self) -> float:
        """The time of the event loop's clock, in seconds."""
        return self._loop.time()

    # ------------------------------------------------------------ the committer's side

    def admit(self, host_id: int, name: str) -> HostQueue:
        """Put a host into memory, to be loaded from the store."""
        host = self.hosts[host_id] = HostQueue(host_id, name, self._pace)
        host.given_up = self._given_up.get(host_id)
        if self._lane_of is not None:
            self.join(host, self._lane_of(name))
        self._want(host)
        return host

    @property
    def vacant(self) -> int:
        """How many further hosts there is room for."""
        return max(0, self._room.hosts - len(self.hosts))

    def add(self, todos: Iterable[Todo]) -> None:
        """Take what a commit added to `todo`; what does not fit stays in the store."""
        now, wall, window = self.now(), self.wall(), self.window
        touched = {}
        for todo in todos:
            if (host := self.hosts.get(todo.host_id)) is None:
                continue
            touched[todo.host_id] = host
            if todo.key > host.reach:
                if not host.complete or len(host.ready) + len(host.delayed) >= window:
                    host.complete = False
                    continue
                host.reach = todo.key
            host.push(todo, now, wait_of(todo, wall, self.longest))
            self.in_memory += 1
        for host in touched.values():
            if len(host.ready) > 2 * window:
                self._spill(host, window)
            self._place(host, now)
        if self._held_back:  # what comes before their first may begin
            self._go_on()

    def committed(self, todos: Iterable[Todo], overtaken: Iterable[HostQueue] = ()) -> None:
        """Forget requests whose visits are committed; what overtook others may start now."""
        now = self.now()
        for host in overtaken:
            host.overtaken = False
            if self.hosts.get(host.host_id) is host:
                self._place(host, now)
        for todo in todos:
            host = self.hosts[todo.host_id]
            host.held.discard(todo.key)
            if host.idle:
                self._place(host, now)

    def _spill(self, host: HostQueue, window: int) -> None:
        """Leave all but a host's first requests to the store again: what is new may come first."""
        host.ready.sort()  # which leaves it a heap
        for _, _, todo in host.ready[window:]:
            host.held.discard(todo.key)
        self.in_memory -= len(host.ready) - window
        del host.ready[window:]
        host.reach = min(host.reach, host.ready[-1][2].key)
        host.complete = False

    def wanting(self, limit: int) -> list[HostQueue]:
        """Return up to `limit` hosts that should be loaded, those without work first."""
        found: list[HostQueue] = []
        for line in (self._bare, self._low):
            while line and len(found) < limit:
                found.append(line.popleft())
        return found

    @property
    def hungry(self) -> bool:
        """Whether some host waits to be loaded from the store."""
        return bool(self._bare or self._low)

    def load(self, host: HostQueue, rows: list[Todo], *, asked: int) -> None:
        """Take what the store gave behind the host's reach."""
        now, wall = self.now(), self.wall()
        host.loading = False
        for todo in rows:
            if todo.key not in host.held:
                host.push(todo, now, wait_of(todo, wall, self.longest))
                self.in_memory += 1
        host.reach = rows[-1].key if rows else host.reach
        host.complete = len(rows) < asked
        self._place(host, now)

    @property
    def window(self) -> int:
        """How many requests of one host are kept in memory."""
        room = self._room
        return max(room.least, min(room.most, room.requests // max(1, len(self.hosts))))

    # ------------------------------------------------------------ scheduling

    def _advance(self, now: float) -> None:
        """Place anew the hosts whose time has come."""
        while self._later and self._later[0][0] <= now:
            _, ticket, host = heapq.heappop(self._later)
            if host.ticket == ticket and host.due is not None:
                host.due = None
                self._place(host, now)

    def _place(self, host: HostQueue, now: float) -> None:
        """Put a host where it belongs: ready, later, or nowhere while it is blocked.

        A host without work keeps its place until its rest is over: politeness outlives the work.
        """
        window = self.window
        if not host.complete and 2 * len(host.ready) < window and len(host.delayed) < 4 * window:
            self._want(host)
        limit = host.pace.per_host if host.robots is not None or not self.gated else 1
        if host.in_flight >= limit:
            return
        at = host.next_time()
        if at is None:
            if not host.idle:
                return
            at = host.ready_at if host.group is None else max(host.ready_at, host.group.ready_at)
            if at <= now:
                self._retire(host)
                return
        at = max(at, now)
        if (host.due is not None and host.due <= at) or (host.ready and host.waits()):
            return
        self._line_up(host, at, now)

    def _line_up(self, host: HostQueue, at: float, now: float) -> None:
        """Put a host at its one place in the line, at the time from which it can start."""
        self._ticks += 1
        host.due, host.ticket = at, self._ticks
        if at <= now:
            self._ready.append(host)
            self._wake()
        else:
            heapq.heappush(self._later, (at, self._ticks, host))
            self._arm()

    def _want(self, host: HostQueue) -> None:
        if not host.loading:
            host.loading = True
            (self._low if host.ready else self._bare).append(host)
            self.wants.set()

    def _retire(self, host: HostQueue) -> None:
        """Drop a host without work, and let one from the store have its room."""
        full = not self.vacant
        del self.hosts[host.host_id]
        if full:
            self.wants.set()

    async def _pause(self) -> None:
        """Wait until something may be ready."""
        if self.in_memory == 0:
            self.wants.set()
        waiter: asyncio.Future[None] = self._loop.create_future()
        self._waiters.append(waiter)
        self._arm()
        try:
            await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled():
                self._wake()  # it was called and cannot come: call the next one
            raise

    def _arm(self) -> None:
        """Set the timer for the first host that becomes ready later."""
        if not (self._later and self._waiters):
            return
        at = self._later[0][0]
        if self._timer is not None:
            if self._timer[0] <= at:
                return
            self._timer[1].cancel()
        self._timer = (at, self._loop.call_at(at, self._ring))

    def _ring(self) -> None:
        self._timer = None
        self._advance(self.now())
        self._arm()

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
