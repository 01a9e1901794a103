"""The committer: the one task that writes. Group commit, and loading what the frontier asks for.

Everything that touches the store happens here in turn, so a load never races a commit. Nothing is
shown to the outside before `store.commit` has returned.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Any
from weakref import WeakValueDictionary

from msgspec.structs import replace

from crawler import urls
from crawler.errors import StoreFenced
from crawler.frontier import Frontier
from crawler.frontier.host_queue import HostQueue
from crawler.http.cookies import CookieJars
from crawler.http.pool import Pool
from crawler.store import Batch, Committed, HostRow, Pulse, RobotsRow, Store
from crawler.web.refusal import Refusal
from crawler.web.request import Candidate, Todo
from crawler.web.visit import Ahead, Visit

log = logging.getLogger("crawler")

Listener = Callable[[list[Visit], Committed], None]
"""Called after a commit with the visits that are now stored, and what the commit made."""

_SLICE = 4000  # requests shown to the frontier at once: about 4 ms
_LOADS = 64  # hosts loaded between two looks at what is to commit
_PROMISE = 0.25  # seconds for which one note tells that hosts are asked
_LOOK = 2.0  # seconds between two looks whether the store is still there
_TIMED = 200  # flushes whose time is remembered
_BYTES = 32 << 20  # bytes of what is uncommitted that are a flush, however few visits they are
_A_LINK = 500  # bytes, with its text


class Committer:
    """Collects visits and commits them together, `interval` seconds or `size` visits at a time.

    It does not wait that long when the frontier has nothing left in memory: then the links of what
    was just fetched are what the workers wait for.
    """

    def __init__(
        self,
        store: Store,
        frontier: Frontier,
        *,
        interval: float,
        size: int,
        jars: CookieJars | None = None,
        listeners: Sequence[Listener] = (),
        taking: asyncio.Event | None = None,
        pool: Callable[[], Pool] = Pool,
        asked_until: float = 0.0,
        counts: Callable[[], Mapping[str, int]] = dict,
        state: Callable[[Sequence[Visit]], str | None] = lambda _: None,
    ) -> None:
        """`jars` are committed as they change; `listeners` hear of every commit, in order.

        `pool` tells what the connections are doing. While `taking` is not set, no more visits are
        taken: somebody outside has not kept up. `asked_until`: Unix time until which starts may
        have come that no commit tells of.
        """
        self._store, self._frontier, self._jars = store, frontier, jars
        self._asked_until, self._urgent = asked_until, False
        self._counts, self._state = counts, state
        self._promised = 0.0  # time of the loop's clock until which hosts are asked
        self._resting: set[int] = set()  # hosts whose rest is to be committed without a visit
        self._interval, self._size = interval, size
        self._listeners, self.pool = tuple(listeners), pool
        self._by_name: WeakValueDictionary[str, HostQueue] = WeakValueDictionary()
        self._overtaken: list[HostQueue] = []  # by what is in the batch
        self._last = -(1 << 62)  # the highest rank of all requests met: the last in their hosts
        self._batch = Batch()
        self._refused = Counter[Refusal]()  # of no visit
        self._bytes = 0  # of the bodies and links in it
        self._due = frontier.wants  # set here, too, for what is to be committed soon
        self._noted = False  # whether anything was handed over since the last flush
        self.room = _opened()
        self._taking = taking or _opened()
        self._closing = False
        self._turn = asyncio.Lock()
        self._timer: asyncio.TimerHandle | None = None
        self._cursor, self._unloaded, self._skipped = 0, True, False
        self.ended = self.flushed = 0  # visits that ended; visits of the last flush
        self.flushes: deque[float] = deque(maxlen=_TIMED)  # seconds that the last flushes took

    # ------------------------------------------------------------ what the engine calls

    async def put(self, visit: Visit) -> None:
        """Hand a visit over; waits while two flushes' worth of them are uncommitted."""
        while not (self.room.is_set() and self._taking.is_set()):
            await self._taking.wait()
            await self.room.wait()
        visit.handed_over = True
        self._batch.visits.append(visit)
        if self._frontier.limit is not None:  # before the limit is looked at, not with the commit
            self._frontier.limit.queue(_needed(visit))
        if visit.response is not None:
            self._bytes += visit.response.size
        if visit.candidates:
            self._bytes += _A_LINK * len(visit.candidates)
            self._let_overtake(visit.candidates)
        self._note()

    def _let_overtake(self, candidates: Sequence[Candidate]) -> None:
        """Let what comes before all that waits on its host be the next that starts there.

        Depth first and by priority: the host waits for the commit, which follows at once.
        """
        ranks = [candidate.rank for candidate in candidates]
        first, before = min(ranks), self._last
        self._last = max(before, *ranks)
        if first >= before:  # as of nearly all pages: nothing that waits comes later
            return
        best: dict[str, int] = {}
        for candidate in candidates:
            if candidate.not_before == 0.0:
                known = best.get(candidate.host, candidate.rank)
                best[candidate.host] = min(candidate.rank, known)
        for name, rank in best.items():
            host = self._by_name.get(name)
            if host is not None and host.overtake(rank):
                self._overtaken.append(host)
                self._urgent = True

    def put_robots(self, row: RobotsRow) -> None:
        """Hand a host's robots.txt over."""
        self._batch.robots.append(row)
        self._note()

    def put_seed(self, candidate: Candidate) -> None:
        """Hand a start request over; it is crawled soon, even where the next one takes long."""
        self._batch.seeds.append(candidate)
        self._let_overtake((candidate,))
        self._note()

    def refuse(self, reason: Refusal) -> None:
        """Count what is not taken and is of no visit; it is stored with the next commit."""
        self._refused[reason] += 1

    def put_pulse(self, pulse: Pulse) -> None:
        """Hand a sign of life over; it goes with the next commit, which comes soon."""
        self._batch.pulse = pulse
        self._note()

    async def put_ahead(self, parts: AsyncIterator[Ahead]) -> None:
        """Commit what is too much for one visit ahead of it, part by part; see `SitemapReader`."""
        async for candidates, entries in parts:
            self._batch.seeds += candidates
            self._batch.entries += entries
            self._note()
            await self.flush()

    async def put_seeded(self, scope: Sequence[str] = ()) -> None:
        """Mark the crawl as seeded, in the commit that holds the last start requests.

        `scope` are those of them that a resumed crawl must know to tell what belongs to it.
        """
        self._batch.seeded, self._batch.scope = True, scope
        await self.flush()

    def promise(self) -> None:
        """Note that hosts are asked now and in the next moments, for whoever finds us killed."""
        now = self._frontier.now()
        if now >= self._promised:
            self._store.promise(self._frontier.wall() + _PROMISE)  # StoreFenced, each time
            self._promised = now + _PROMISE

    def hurry(self) -> None:
        """Commit the next visit at once: a host has asked for a rest, which a kill must not end."""
        self._urgent = True

    def put_rest(self, host: HostQueue) -> None:
        """Hand over from when a host may be asked; it holds also if nothing comes of this run."""
        self._resting.add(host.host_id)
        self._note()

    async def run(self) -> None:
        """Commit and load until `finish` is called and all is committed."""
        self._due.set()  # what an earlier run has left is to be loaded
        while True:
            await self._due.wait()
            self._due.clear()
            frontier = self._frontier
            if (
                self._noted
                or self._closing
                or frontier.hungry
                or (self._unloaded and frontier.vacant)
            ):
                await self.flush()
            if self._closing and not self._batch:
                return

    async def watch(self) -> None:
        """Look after the store until cancelled, also while there is nothing to commit."""
        while True:
            await asyncio.sleep(_LOOK)
            await self._store.check()

    def finish(self) -> None:
        """Let `run` end after a last flush."""
        self._closing = True
        self._due.set()

    # ------------------------------------------------------------ flush

    async def flush(self) -> None:
        """Commit what is there, tell the frontier, and load what it wants.

        Cancelling waits for the transaction to end: a half-done one would hold the store.
        """
        turn = asyncio.ensure_future(self._take_turn())
        try:
            await asyncio.shield(turn)
        except asyncio.CancelledError:
            await asyncio.wait([turn])
            error = None if turn.cancelled() else turn.exception()
            if error is not None and not isinstance(error, StoreFenced):  # others go on then
                log.error("what came last is not stored: %s", error)
            raise

    async def _take_turn(self) -> None:
        async with self._turn:
            await self._flush()
            await self._load()

    async def _flush(self) -> int:
        """Commit what is there; return how many requests were new."""
        batch, self._batch = self._batch, Batch()
        overtaken, self._overtaken = self._overtaken, []
        self._bytes, self._noted, self._urgent = 0, False, False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.room.set()
        batch.refusals, self._refused = self._refused, Counter()
        if self._jars is not None:
            batch.refusals = batch.refusals + self._jars.take_refusals()
        batch.hosts = self._touched(batch)
        batch.counts, batch.state = self._counts(), self._state(batch.visits)
        if not batch and not batch.refusals:
            return 0
        if self._jars is not None:
            batch.cookies = self._jars.changes()
        batch.pool = self.pool().summary()
        began = time.perf_counter()
        committed = await self._store.commit(batch)
        self.flushes.append(time.perf_counter() - began)
        self.flushed = len(batch.visits)
        ended = sum(visit.retry_at is None for visit in batch.visits)
        self.ended += ended
        frontier = self._frontier
        frontier.pending += committed.new - ended
        if frontier.limit is not None:
            more = sum(todo.again > 0 for todo in committed.added)
            less = sum((visit.todo.again > 0) + _needed(visit) for visit in batch.visits)
            frontier.limit.queue(more - less)
        for at in range(0, len(committed.added), _SLICE):
            if at:
                await asyncio.sleep(0)
            self._add(committed.added[at : at + _SLICE], committed.hosts)
        waiting = set(self._overtaken)  # for what has come since
        done = (visit.todo for visit in batch.visits)
        frontier.committed(done, [host for host in overtaken if host not in waiting])
        frontier.check()
        for listener in self._listeners:
            listener(batch.visits, committed)
        await _let_go([committed.added, *(visit.candidates for visit in batch.visits)])
        return committed.new

    def _add(self, added: list[Todo], hosts: dict[int, HostRow]) -> None:
        """Show the frontier new requests together with their hosts: an idle one may be gone."""
        frontier = self._frontier
        for todo in added:
            if todo.host_id not in frontier.hosts:
                if not frontier.vacant:
                    self._unloaded = self._skipped = True
                else:
                    row = hosts.get(todo.host_id)
                    self._admit(row or HostRow(todo.host_id, urls.host_of(todo.url)))
        frontier.add(added)

    def _touched(self, batch: Batch) -> list[HostRow]:
        """Return the hosts whose times changed since the last commit."""
        now, wall = self._frontier.now(), self._frontier.wall()
        rows = []
        asked = {visit.todo.host_id for visit in batch.visits}
        asked.update(row.host_id for row in batch.robots)
        resting, self._resting = self._resting, set()
        for host_id in asked | resting:
            host = self._frontier.hosts.get(host_id)
            if host is not None and (host.touched or host_id in resting):
                host.saved()
                at, pace = wall + host.ready_at - now, host.pace
                delay = pace.delay if pace.delay > pace.least else None
                rows.append(HostRow(host_id, host.name, 0, at, delay, pace.failures))
        return rows

    # ------------------------------------------------------------ loading

    async def _load(self) -> None:
        """Load hosts and requests that the frontier wants, until it wants none."""
        while self._frontier.hungry or (self._unloaded and self._frontier.vacant):
            await self._load_hosts()
            for host in self._frontier.wanting(_LOADS):
                asked = self._frontier.window
                rows = await self._store.queue(host.host_id, host.reach, asked)
                self._frontier.load(host, rows, asked=asked)
                if rows:
                    self._last = max(self._last, rows[-1].rank)
            if len(self._batch.visits) >= self._size:
                self._due.set()
                return

    async def _load_hosts(self) -> None:
        """Take hosts with pending requests from the store into memory, by id."""
        frontier = self._frontier
        limit = min(_LOADS, frontier.vacant)
        if not self._unloaded or not limit:
            return
        again = frontier.limit is not None and frontier.limit.closed
        rows = await self._store.hosts(self._cursor, limit, again=again)
        for row in rows:
            if row.host_id not in frontier.hosts:
                self._admit(row)
        self._cursor = rows[-1].host_id if rows else 0
        if len(rows) < limit:
            self._cursor, self._unloaded, self._skipped = 0, self._skipped, False

    def _admit(self, row: HostRow) -> None:
        """Put a host on the workbench, at rest as long as an earlier run has left it.

        A run that was cut off may have asked any host of which something is queued, at its end,
        unless the host was at rest until later.
        """
        frontier = self._frontier
        host = self._by_name[row.name] = frontier.admit(row.host_id, row.name)
        pace, now, wall = host.pace, frontier.now(), frontier.wall()
        delay = max(pace.delay, row.delay or 0.0)
        free_at, asked_at = row.next_at, -math.inf
        if row.pending and free_at <= self._asked_until > 0:
            free_at = self._asked_until + delay
            asked_at = now + self._asked_until - wall
        # The window of a rate was forgotten: a whole period makes up for it.
        period = pace.rate.period if pace.rate and free_at else 0.0
        rest = max(0.0, free_at + period - wall)
        host.restore(
            now + min(rest, frontier.longest + 2 * period),
            replace(pace, failures=row.failures, delay=delay, floor=pace.least),
            row.pages,
            asked_at,
        )
        if asked_at + delay > now:
            self.put_rest(host)

    # ------------------------------------------------------------ when

    def _note(self) -> None:
        """Take note of something to commit: now, soon, or when more has come."""
        self._noted = True
        number = len(self._batch.visits)
        full = max(number / self._size, self._bytes / _BYTES)
        if full >= 1 or self._urgent or (number and self._frontier.in_memory == 0):
            self._due.set()
            if full >= 2:
                self.room.clear()
        elif self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._interval, self._due.set)


def _opened() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


async def _let_go(lists: Iterable[list[Any]]) -> None:
    """Empty long lists bit by bit: to free 200,000 values at once takes 40 ms."""
    for values in lists:
        while len(values) > _SLICE:
            del values[-_SLICE:]
            await asyncio.sleep(0)


def _needed(visit: Visit) -> int:
    """Return how much of what a page needs to be shown is new with its visit."""
    return sum(candidate.needed for candidate in visit.candidates)
