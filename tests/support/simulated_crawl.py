"""Crawl an imagined web in virtual time with the engine's own workers, frontier and committer.

Imagined are what stands around them: robots.txt, the network, what a page leads to, and the store.
At every start the laws are checked.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
from model_store import ModelStore

from crawler import Request, Response, ScrapedPage, SiteSpider
from crawler.config.layers import Config
from crawler.config.traps import TrapsSettings
from crawler.engine.committer import Committer
from crawler.engine.engine import Engine
from crawler.engine.robots_gate import Verdict
from crawler.errors import FetchError
from crawler.frontier import Frontier
from crawler.frontier.host_queue import HostQueue, QueueLimits
from crawler.frontier.page_limit import PageLimit
from crawler.links.duplicates import Duplicates
from crawler.links.linker import Linker
from crawler.links.traps import Traps
from crawler.politeness.throttle import Pace
from crawler.spider.collector import Collector
from crawler.spider.discover import Discovery
from crawler.urls.scope import Scope
from crawler.web.outcome import Outcome
from crawler.web.request import Candidate, Todo, url_hash
from crawler.web.visit import Visit

DISCOVERY = Discovery(Linker(Scope("any"), ()))  # 8 MB; nothing is discovered by it here
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
    room: QueueLimits = field(default_factory=QueueLimits)
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


def settings(web: Web) -> Config:
    """What the engine is told: to try as often as the web fails, and to give no host up itself."""
    config, most = Config(), max((page.failures for page in web.pages), default=0)
    replace = msgspec.structs.replace
    return replace(
        config,
        engine=replace(config.engine, workers=web.workers, scope="any"),
        fetch=replace(config.fetch, retries=most, retry_delay=1.0, walls="keep"),
        politeness=replace(config.politeness, adaptive=False, give_up_after=0),
    )


class SimulatedCrawl:
    """One run over `store`; what a run before it has left is resumed.

    It is to its engine the robots gate, the fetcher, the parser and the strategies.
    """

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
        self.frontier = Noting(
            web.pace,
            limit=PageLimit(max_pages, stored=stored),
            room=web.room,
            wall=wall or (lambda: EPOCH + loop.time()),
        )
        self.frontier.pending = store.pending
        self.began = self.frontier.wall()
        self.committer = Committer(store, self.frontier, interval=0.25, size=web.flush)
        self.engine = self._engine(settings(web))
        self.starts: dict[int, list[float]] = defaultdict(list)
        self.started: list[str] = []
        self.tries: Counter[str] = Counter()
        self.backs: Counter[str] = Counter()
        self.in_flight: Counter[int] = Counter()
        self.taken = self.frontier.taken
        self.resting: dict[int, float] = {}
        self.most_in_memory = 0

    def _engine(self, config: Config) -> Engine:
        return Engine(
            config,
            self.frontier,
            fetcher=self,
            committer=self.committer,
            discovery=DISCOVERY,
            collector=Collector(SiteSpider(), DISCOVERY),
            gate=self,
            parser=self,
            strategies=self,
            duplicates=Duplicates(TrapsSettings(), Traps(TrapsSettings(endless_after=0))),
            sitemaps=None,
        )

    @property
    def unsent(self) -> int:
        """How many were denied, or of hosts that were given up."""
        ended = Counter(outcome for _, outcome in self.store.ended)
        return ended[Outcome.ROBOTS_DENIED] + ended[Outcome.HOST_GIVEN_UP]

    async def run(self) -> str | None:
        frontier = self.frontier
        frontier.seeding = not self.store.seeded
        async with asyncio.TaskGroup() as group:
            seeds = group.create_task(self._seed())
            group.create_task(self.committer.run())
            workers = [group.create_task(self.engine.work()) for _ in range(self.web.workers)]
            await asyncio.wait(workers)
            seeds.cancel()
            self.committer.finish()
        if frontier.stopped == "finished":
            assert self.store.pending == frontier.pending == 0
        assert {outcome for _, outcome in self.store.ended} <= EXPECTED
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

    # ------------------------------------------------------------ what the engine asks

    async def knows(self, host: HostQueue) -> bool:
        """Whether the gate lets the request in; otherwise `ask` is called, and it is put back."""
        url = self.frontier.mine().url
        page = self.web.page(url)
        return page.denied or self.backs[url] >= page.backs

    async def ask(self, host: HostQueue) -> bool:
        todo = self.frontier.mine()
        self.backs[todo.url] += 1
        await self._send(todo)
        self.taken.discard(todo[:3])
        return True

    def verdict(self, host: HostQueue, url: str) -> Verdict:
        return Verdict.DENIED if self.web.page(url).denied else Verdict.PASS

    def reason(self, host: HostQueue, url: str) -> str | None:
        return None

    async def fetch(self, request: Request, *, keep: int | None = None) -> Response:
        todo = self.frontier.mine()
        page, at = self.web.page(todo.url), self.frontier.wall()
        await self._send(todo)
        self.tries[todo.url] += 1
        if todo.attempts < page.failures:  # of the way there: the host is not to be blamed
            raise FetchError("the proxy fails", Outcome.PROXY_ERROR)
        return Response(todo.url, 200, {}, b"", at, page.latency)

    async def _send(self, todo: Todo) -> None:
        self._check_start(todo)
        self.taken.add(todo[:3])
        self.in_flight[todo.host_id] += 1
        await asyncio.sleep(self.web.page(todo.url).latency)
        self.in_flight[todo.host_id] -= 1

    async def parse(self, visit: Visit, scraped: ScrapedPage, request: Request) -> None:
        """Give what the page leads to, and do to its host what its answer asks for."""
        page, host = self.web.page(visit.todo.url), self.frontier.hosts[visit.todo.host_id]
        visit.candidates = [self.web.candidate(link) for link in page.links]
        if page.rest:
            until = self.frontier.now() + page.rest
            self.resting[host.host_id] = max(until, self.resting.get(host.host_id, 0.0))
            self.frontier.rest(host, until)
        if page.hopeless:
            self.frontier.give_up(host, "hopeless")

    async def drop(self, todo: Todo) -> None:
        """Let go of what an unsent request holds: nothing."""

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


EXPECTED = {Outcome.OK, Outcome.ROBOTS_DENIED, Outcome.HOST_GIVEN_UP}


class Noting(Frontier):
    """The frontier, with a note of which request each worker was given."""

    def __init__(self, pace: Pace, **options) -> None:
        super().__init__(pace, **options)
        self._given: dict[asyncio.Task, Todo] = {}
        self.taken: set[tuple[int, int, int]] = set()

    async def next(self) -> Todo | None:
        todo = await super().next()
        if todo is not None:
            self._given[asyncio.current_task()] = todo
        return todo

    def mine(self) -> Todo:
        """The request that this worker is at."""
        return self._given[asyncio.current_task()]
