"""The owner's side of the worker processes: which of them a request goes to, and their lives.

A host belongs to one process, unless there is no pause between its requests: then each process has
its part of the connections that the host allows, so that no more of them are ever open. There are
never more requests under way than the engine has workers, so no queue is without a bound.

A process that dies or hangs gives its requests back, and another takes its place. The page that it
was reading is read once more; after a second time it is fetched and kept without being read.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter, deque
from collections.abc import Callable

import msgspec

from crawler.config.layers import Config
from crawler.errors import FetchError, SpiderError
from crawler.frontier.host_queue import HostQueue
from crawler.http.address_guard import AddressGuard
from crawler.http.cookies import CookieJars
from crawler.http.pool import Pool
from crawler.links.linker import Linker
from crawler.links.traps import SeenContents
from crawler.markup.words import plural
from crawler.parsers.recipe import recipe_of
from crawler.processes import packing
from crawler.processes.launch import Launched
from crawler.processes.messages import (
    Answer,
    CookiesNow,
    Included,
    LogLine,
    Named,
    Question,
    ScopeNow,
    Start,
    Task,
    Wish,
    pack,
)
from crawler.processes.peer import ProcessGone, WorkerProcess
from crawler.spider import Spider
from crawler.spider.discover import Discovery
from crawler.web.carried import carried
from crawler.web.error_place import error_line
from crawler.web.outcome import Outcome
from crawler.web.request import Candidate, Request
from crawler.web.visit import Visit

log = logging.getLogger("crawler")

_STARTS = 3  # processes that may end one after the other before one can begin
_DEATHS = 3  # times that a request is given back before the table of outcomes decides
_LOOK = 0.5  # seconds between two looks whether a process hangs
_FRUITLESS = 20  # processes that may end one after the other without one answer

_Key = tuple[int, int, str]


class Processes:
    """Hands requests to worker processes. `run` must run for `visit` to end."""

    def __init__(
        self,
        number: int,
        config: Config,
        spider: Spider,
        *,
        store: str,
        linker: Linker,
        discovery: Discovery,
        guard: AddressGuard,
        jars: CookieJars,
        contents: SeenContents | None,
        launched: list[Launched],
        add: Callable[[Candidate], None],
        pools: dict[int, Pool],
    ) -> None:
        """`launched` are processes that wait for their first message; `add` queues a request.

        `pools` is kept at what the connections of each process do, by its id.
        """
        self._number, self._config, self._spider = number, config, spider
        self._store, self._linker, self._discovery = store, linker, discovery
        self._guard, self._jars, self._contents = guard, jars, contents
        self._recipe = recipe_of(spider)
        self._launched, self._add, self._pools = launched, add, pools
        self._places: list[WorkerProcess | None] = [None] * number
        self._waiters: deque[asyncio.Future[None]] = deque()  # for a process that has room
        self._task = 0
        self._included = linker.included = []
        self._told = 0  # of these, so many
        self._named: frozenset[str] = frozenset()
        self._shares: dict[int, list[int]] = {}  # host → connections by place
        self._returned: Counter[_Key] = Counter()  # how often a request was given back
        self._blamed: dict[_Key, int] = {}  # how often its process died or hung while reading it
        self._bare: dict[
            _Key, tuple[Outcome, str]
        ] = {}  # pages that nothing of ours reads any more
        self._changed: set[str] = set()  # attributes in which spiders have kept something
        self.deaths = 0
        self.given_back = 0
        jars.share()

    # ------------------------------------------------------------ their lives

    async def run(self) -> None:
        """Keep the processes at work until cancelled; SpiderError where none can start."""
        try:
            async with asyncio.TaskGroup() as group:
                for place in range(self._number):
                    group.create_task(self._keep(place))
                group.create_task(self._watch())
        finally:
            self._tell_state()

    async def _keep(self, place: int) -> None:
        """Keep one process at work, and put another in its place when it dies or hangs."""
        failed = fruitless = 0
        while True:
            process = WorkerProcess(
                self._hear_log, self._hear_answer, self._judge, self._heed, self._pools
            )
            try:
                try:
                    known = len(self._included)
                    launched = self._launched.pop() if self._launched else None
                    await process.start(pack(self._start()), launched)
                except (EOFError, OSError) as error:
                    failed += 1
                    if failed == _STARTS:
                        raise SpiderError(
                            f"worker processes of {self._spider.name} die at start ({error!r});"
                            " see standard error, or set engine.processes = 1"
                        ) from None
                    continue
                failed = 0
                await self._serve(place, process, known)
            finally:
                await _closed(process)
                self._changed.update(process.changed)
                self._tell_raised(process.raised)
            fruitless = 0 if process.answers else fruitless + 1
            if fruitless == _FRUITLESS:
                raise SpiderError(
                    f"{fruitless} worker processes of {self._spider.name} died one after the other"
                    " without one page; see standard error, or set engine.processes = 1"
                )

    async def _serve(self, place: int, process: WorkerProcess, known: int) -> None:
        """Let a process work until it is gone; it began with the first `known` of `included`."""
        process.send(pack(Included(self._included[known:])))  # as of now: it took a while to begin
        process.send(pack(Named(sorted(self._guard.origins))))
        process.send(pack(CookiesNow(self._jars.rows())))
        self._places[place] = process
        self._wake()
        try:
            how = await process.wait()
        finally:
            self._places[place] = None
        number = process.lose(how)
        self.deaths += 1
        self.given_back += number
        log.warning(
            "worker process %d: %s; another takes its place and its work, %s",
            *(process.pid, how, plural(number, "request")),
        )

    async def _watch(self) -> None:
        """End a process whose loop does not come round any more."""
        limit = self._config.engine.parse_timeout
        while True:
            await asyncio.sleep(min(_LOOK, limit))
            for process in self._places:
                if process is not None and process.silence() > limit:
                    process.kill(f"over {limit:g} s; see engine.parse_timeout")

    def _start(self) -> Start:
        levels = {name: logging.getLogger(name).level for name in ("", "crawler")}
        levels[""] = logging.getLogger().getEffectiveLevel()
        return Start(
            self._recipe,
            msgspec.msgpack.encode(self._config),
            self._store,
            _scope_now(self._linker),
            sorted(self._guard.origins),
            self._jars.rows(),
            json.dumps(carried("self.state", self._spider.state)),
            levels,
        )

    def _tell_raised(self, raised: dict[str, str]) -> None:
        """Note which pipelines could not be closed in a process."""
        for name, error in raised.items():
            line = error_line(error) or error
            self._spider.stats.raised[name] = (line, 1)
            log.error("pipeline %s failed: %s", name, line)

    def _tell_state(self) -> None:
        """Warn where the spiders of the processes have kept something that nobody else sees."""
        if self._changed:
            names = ", ".join(f"self.{name}" for name in sorted(self._changed))
            log.warning(
                "%s: each of the %d worker processes has changed %s of its own spider, which the"
                " others do not see; keep such things in items, or set engine.processes = 1",
                *(self._spider.name, self._number, names),
            )

    # ------------------------------------------------------------ requests

    def takes(self, request: Request) -> bool:
        """Return whether a request is for the processes: for a page, over the crawl's fetcher."""
        service = self._config.scraper_api.enabled
        return not request.kind and (request.via == "direct" or not (request.via or service))

    async def visit(self, visit: Visit, request: Request, host: HostQueue) -> Answer | None:
        """Put all that a request leads to into its visit, but for what `Answer` leaves to judge.

        None where it is given back: it is still to be done. FetchError where it failed.
        """
        todo = visit.todo
        key = (todo.host_id, todo.url_hash, todo.url)
        place = await self._place(host)
        process = self._places[place]
        assert process is not None
        self._tell_news()
        self._task += 1
        bare = key in self._bare
        process.busy[host.host_id] += 1
        try:
            answer = await process.ask(Task(self._task, todo, request.priority, bare), visit)
        except ProcessGone as gone:
            self._give_back(key, gone)
            return None
        finally:
            process.busy[host.host_id] -= 1
            if self._waiters:
                self._wake()
        packing.fill(visit, answer)
        if bare and visit.outcome is Outcome.OK:
            visit.outcome, visit.error = self._bare.pop(key)
        for url in answer.widened:
            self._linker.widen(url)
        return answer

    def take(self, visit: Visit, answer: Answer) -> None:
        """Put into a visit what only the owner can judge of an answer: what of it is new."""
        if answer.candidates or answer.refused or answer.deep or answer.only_new:
            self._discovery.take(
                visit,
                answer.candidates,
                asked_from=answer.asked_from,
                refused=answer.refused,
                deep=answer.deep,
                only_new=answer.only_new,
            )

    def _give_back(self, key: _Key, gone: ProcessGone) -> None:
        """Let a request be tried again whose process is gone; FetchError where that was enough."""
        if gone.reading:
            times = self._blamed[key] = self._blamed.get(key, 0) + 1
            if gone.hung:
                self._bare[key] = (Outcome.PARSE_TIMEOUT, str(gone))
            elif times > 1:
                why = f"its process died, twice; the last was {gone}"
                self._bare[key] = (Outcome.PARSE_CRASHED, why)
        self._returned[key] += 1
        if self._returned[key] > _DEATHS:
            raise FetchError(f"its worker process died again: {gone}", Outcome.PROCESS_DIED)

    async def _place(self, host: HostQueue) -> int:
        """Return the place of the process that a request to a host goes to, once there is one."""
        while True:
            shares = self._shares_of(host)
            free = [
                (process.busy[host.host_id] / share, place)
                for place, (process, share) in enumerate(zip(self._places, shares, strict=True))
                if process is not None and process.busy[host.host_id] < share
            ]
            if free:
                return min(free)[1]
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter

    def _wake(self) -> None:
        """Let those look again that have found no process with room."""
        waiters, self._waiters = self._waiters, deque()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _shares_of(self, host: HostQueue) -> list[int]:
        """Return how many connections to a host each process may have."""
        known = self._shares.get(host.host_id)
        if known is not None:
            return known
        number, first, most = self._number, host.host_id % self._number, host.pace.per_host
        if host.pace.delay or host.group is not None:
            shares = [most if place == first else 0 for place in range(number)]
        else:
            shares = [
                most // number + ((place - first) % number < most % number)
                for place in range(number)
            ]
        self._shares[host.host_id] = shares
        return shares

    # ------------------------------------------------------------ what all must know

    def _tell_news(self) -> None:
        """Send every process what has changed here since the last request."""
        if len(self._included) > self._told:
            new, self._told = self._included[self._told :], len(self._included)
            self._tell(pack(Included(new)))
        if len(self._guard.origins) != len(self._named):
            new = sorted(self._guard.origins - self._named)
            self._named = frozenset(self._guard.origins)
            self._tell(pack(Named(new)))
        if rows := self._jars.news():
            self._tell(pack(CookiesNow(rows)))

    def _tell(self, data: bytes, but: WorkerProcess | None = None) -> None:
        for process in self._places:
            if process is not None and process is not but:
                process.send(data)

    def _hear_answer(self, process: WorkerProcess, answer: Answer) -> None:
        """Take what an answer says beside its visit, before anything that follows from it."""
        if answer.cookies:
            self._jars.accept(answer.cookies, keep=True)
            self._tell(pack(CookiesNow(answer.cookies)), process)
        for name, number in answer.counts.items():
            self._spider.stats.count(name, number)
        for reason, number in answer.cookie_refusals.items():
            self._jars.refuse(reason, number)

    def _judge(self, visit: Visit, asked: Question) -> str | None:
        """Return the URL of the page that has the same content, and remember a new one."""
        assert self._contents is not None
        found = self._contents.find(asked.digest, asked.near, asked.url)
        visit.duplicate_of, visit.simhash = found
        return visit.duplicate_of

    def _heed(self, wish: Wish) -> None:
        """Do what the spider of a process asks of its crawl."""
        if wish.add is not None:
            self._add(wish.add)
        if wish.stop is not None:
            self._spider.crawl.stop(wish.stop)

    def _hear_log(self, line: LogLine) -> None:
        logger = logging.getLogger(line.logger)
        if logger.isEnabledFor(line.level):
            record = logger.makeRecord(line.logger, line.level, "", 0, line.text, (), None)
            logger.handle(record)


async def _closed(process: WorkerProcess) -> None:
    """Close a process, also while this task is cancelled."""
    closing = asyncio.ensure_future(process.close())
    try:
        await asyncio.shield(closing)
    except asyncio.CancelledError:  # once more: there is no time for a goodbye
        process.kill()
        await asyncio.wait([closing])
        raise


def _scope_now(linker: Linker) -> ScopeNow:
    scope = linker.scope
    return ScopeNow(scope.kind, scope.begins(), list(scope.allowed_domains))
