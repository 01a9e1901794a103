"""Crawl an imagined web in virtual time with the real frontier and the real committer.

The simulated workers do what `Engine.crawl_one` does, and at every start check the laws.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from model_store import ModelStore

from crawler.engine.committer import Committer
from crawler.frontier import Frontier
from crawler.frontier.host_queue import Room
from crawler.frontier.page_limit import PageLimit
from crawler.politeness.throttle import Pace
from crawler.web.outcome import Outcome
from crawler.web.request import Candidate, url_hash
from crawler.web.visit import Visit

EPOCH = 1_000_000.0  # Unix time at the virtual clock's zero


@dataclass(frozen=True)
class Page:
    """One imagined page; `links` are numbers of pages."""

    host: int = 0
    links: tuple[int, ...] = ()
    priority: int = 0
    failures: int = 0  # tries that fail before one is answered
    backs: int = 0  # starts that are put back untried, as while robots.txt is fetched
    latency: float = 0.0
    rest: float = 0.0  # seconds for which its answer lets the host rest
    hopeless: bool = False  # after its answer the host is given up
    denied: bool = False  # robots.txt does not let it be sent


@dataclass(frozen=True)
class Web:
    """Pages by number, and the settings of the crawl."""

    pages: tuple[Page, ...]
    seeds: tuple[int, ...] = (0,)
    pace: Pace = field(default_factory=lambda: Pace(0.0, 2))
    room: Room = field(default_factory=Room)
    workers: int = 4
    flush: int = 3  # visits
    latency: float = 0.0  # of the store
    seed_gap: float = 0.0  # virtual seconds between two start requests

    def candidate(self, number: int) -> Candidate:
        page = self.pages[number]
        host = f"http://h{page.host}.example"
        url = f"{host}/{number}"
        return Candidate(host, url_hash(url), url, 0, -page.priority)

    def page(self, url: str) -> Page:
        return self.pages[int(url.rsplit("/", 1)[1])]

    def reachable(self) -> set[str]:
        found, todo = set(self.seeds), list(self.seeds)
        while todo:
            new = set(self.pages[todo.pop()].links) - found
            found |= new
            todo += new
        return {self.candidate(number).url for number in found}


class SimulatedCrawl:
    """One run over `store`; what a run before it has left is resumed."""

    def __init__(
        self,
        web: Web,
        store: ModelStore,
        *,
        max_pages: int | None = None,
        wall: Callable[[], float] | None = None,
    ) -> None:
        stored = sum(outcome == Outcome.OK for _, outcome in store.ended)
        loop = asyncio.get_running_loop()
        self.web, self.store = web, store
        self.frontier = Frontier(
            web.pace,
            limit=PageLimit(max_pages, stored=stored),
            room=web.room,
            wall=wall or (lambda: EPOCH + loop.time()),
        )
        self.frontier.pending = store.pending
        self.began = self.frontier.wall()
        self.committer = Committer(store, self.frontier, interval=0.25, size=web.flush)
        self.starts: dict[int, list[float]] = defaultdict(list)
        self.started: list[str] = []
        self.tries: Counter[str] = Counter()
        self.backs: Counter[str] = Counter()
        self.in_flight: Counter[int] = Counter()
        self.taken: set[tuple[int, int, int]] = set()
        self.resting: dict[int, float] = {}
        self.most_in_memory = 0
        self.unsent = 0  # denied, or of hosts that were given up

    async def run(self) -> str | None:
        frontier = self.frontier
        frontier.seeding = not self.store.seeded
        async with asyncio.TaskGroup() as group:
            seeds = group.create_task(self._seed())
            group.create_task(self.committer.run())
            workers = [group.create_task(self._work()) for _ in range(self.web.workers)]
            await asyncio.wait(workers)
            seeds.cancel()
            self.committer.finish()
        if frontier.stopped == "finished":
            assert self.store.pending == frontier.pending == 0
        return frontier.stopped

    async def _seed(self) -> None:
        if self.store.seeded:
            return
        for number in self.web.seeds:
            self.committer.put_seed(self.web.candidate(number))
            if self.web.seed_gap:
                await asyncio.sleep(self.web.seed_gap)
        await self.committer.put_seeded()
        self.frontier.seeding = False
        self.frontier.check()

    async def _work(self) -> None:
        while (todo := await self.frontier.next()) is not None:
            page, host = self.web.page(todo.url), todo.host_id
            if self.frontier.hosts[host].given_up is not None:
                await self._leave(todo, Outcome.HOST_GIVEN_UP)
                continue
            if page.denied:
                self.frontier.hosts[host].give_back()
                await self._leave(todo, Outcome.ROBOTS_DENIED)
                continue
            self._check_start(todo)
            self.in_flight[host] += 1
            self.taken.add(todo[:3])
            await asyncio.sleep(page.latency)
            if self.backs[todo.url] < page.backs:
                self.backs[todo.url] += 1
                self._free(todo)
                self.taken.discard(todo[:3])
                self.frontier.put_back(todo)
                continue
            visit = self._visit(todo, page)
            if page.rest:
                until = self.frontier.now() + page.rest
                self.resting[host] = max(until, self.resting.get(host, 0.0))
                self.frontier.rest(self.frontier.hosts[host], until)
            if page.hopeless:
                self.frontier.give_up(self.frontier.hosts[host], "hopeless")
            self._free(todo)
            await self._hand_over(visit)

    async def _leave(self, todo, outcome: Outcome) -> None:
        self.unsent += 1
        await self._hand_over(Visit(todo, outcome, self.frontier.wall()))

    async def _hand_over(self, visit: Visit) -> None:
        await self.committer.put(visit)
        self.frontier.release(visit.todo, stored=visit.stored)

    def _free(self, todo) -> None:
        self.in_flight[todo.host_id] -= 1

    def _visit(self, todo, page: Page) -> Visit:
        at = self.frontier.wall()
        self.tries[todo.url] += 1
        if todo.attempts < page.failures:
            return Visit(todo, Outcome.SERVER_ERROR, at, retry_at=at + 2.0**todo.attempts)
        return Visit(
            todo, Outcome.OK, at, candidates=[self.web.candidate(link) for link in page.links]
        )

    def _check_start(self, todo) -> None:
        """Assert spacing, limit, rest, order and bounds at the moment of a start."""
        frontier, host, now = self.frontier, todo.host_id, self.frontier.now()
        pace, room = self.web.pace, self.web.room
        earlier = self.starts[host]
        assert not earlier or now >= earlier[-1] + pace.delay - 1e-6, "spacing"
        assert self.in_flight[host] < pace.per_host, "per host"
        assert now >= self.resting.get(host, 0.0) - 1e-6, "rest"
        assert todo[:3] not in self.taken, "started twice"
        not_before = min(todo.not_before, self.began + frontier.longest)
        assert not_before <= frontier.wall() + 1e-6, "retry before its time"
        earlier.append(now)
        self.started.append(todo.url)
        if not any(page.failures for page in self.web.pages):
            queued = self.store.todo[host]
            first = min(key for key in queued if (host, *key) not in self.taken)
            assert todo.key == first, "order"
        hosts = frontier.hosts.values()
        kept = sum(len(host.ready) + len(host.delayed) for host in hosts)
        assert frontier.in_memory == kept, "count of what is in memory"
        assert len(hosts) <= room.hosts, "hosts in memory"
        for each in hosts:
            assert len(each.ready) <= 2 * room.most + pace.per_host, "requests in memory"
        self.most_in_memory = max(self.most_in_memory, kept)
