"""A worker process: visits the requests that the owner hands it, and packs what they led to.

It lives as long as the owner: when that is gone, however it died, the channel ends and so does the
process, also in the middle of a page.
"""

from __future__ import annotations

import asyncio
import gc
import mmap
import os
import signal
import socket
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import AsyncExitStack

import msgspec

from crawler.config.layers import Config
from crawler.errors import FetchError, UsageError
from crawler.http.address_guard import AddressGuard
from crawler.http.cookies import CookieJars
from crawler.http.fetcher import Fetcher
from crawler.http.pool import Pool
from crawler.http.replay_cache import cached_answers
from crawler.links.follow import LinkFollower, steps_of
from crawler.links.linker import Linker
from crawler.links.traps import Traps
from crawler.parsers.inline import Inline, PageReader
from crawler.parsers.recipe import spider_of
from crawler.politeness import retry
from crawler.processes import messages
from crawler.processes.beat import Beat
from crawler.processes.channel import Channel, first_message
from crawler.processes.contents import Ask, WorkerDuplicates
from crawler.processes.discovery import WorkerDiscovery, WorkerVisit
from crawler.processes.log_lines import start_logging
from crawler.processes.messages import (
    CookiesNow,
    Included,
    Judged,
    Named,
    PoolNow,
    Question,
    Ready,
    ScopeNow,
    Start,
    Task,
    Wish,
)
from crawler.processes.packing import answer_of
from crawler.spider import Spider
from crawler.spider.collector import Collector
from crawler.spider.lifecycle import open_spider
from crawler.spider.running import NoState, RunningCrawl
from crawler.store import rows
from crawler.store.rows import Packed
from crawler.urls.scope import Scope
from crawler.web.outcome import Outcome
from crawler.web.page import ScrapedPage
from crawler.web.request import Request, from_todo
from crawler.web.response import Response
from crawler.web.visit import Visit

_OURS = ("cookies", "_running")  # attributes that the crawl gives a spider
_LAST_WORDS = 5.0  # seconds that a page in work gets once the owner is gone
_LARGE = 1 << 20  # bytes of a body that takes over 3 ms to compress


class Worker:
    """Visits requests, as the owner's engine would."""

    def __init__(self, start: Start, config: Config, spider: Spider, beat: Beat, ask: Ask) -> None:
        """`ask` asks the owner whether a content was there before."""
        self._config, self._beat, self._spider = config, beat, spider
        self._accepted = frozenset(config.fetch.accept_status)
        self._retried = frozenset(config.fetch.retry_status or ())
        self._linker = Linker(
            _scope(start.scope),
            spider.rules,
            traps=Traps(msgspec.structs.replace(config.traps, endless_after=0)),
            steps=steps_of(config.links.canonicalize),
            settings=config.links,
        )
        self._linker.included = []
        agent = config.politeness.user_agent
        discovery = WorkerDiscovery(
            self._linker,
            order=config.engine.order,
            max_depth=config.engine.max_depth,
            following=LinkFollower(self._linker, spider.rules, config.links, agent=agent),
            max_hops=config.fetch.max_redirects,
            retries=config.fetch.retries,
            checks=config.links.check_external,
        )
        self._discovery = discovery
        collector = Collector(spider, discovery, timeout=config.engine.callback_timeout)
        self.parts, self._hooks = (collector.pipelines, collector.hooks), collector.hooks or None
        self.guard = AddressGuard(allow_private=config.fetch.allow_private)
        self.jars = spider.cookies = CookieJars()
        self.jars.restore(start.cookies)
        self._store = start.store
        self._reader = PageReader(
            config,
            Inline(discovery, collector, config.engine.parse_timeout),
            WorkerDuplicates(config.traps, self._linker.traps, ask),
            discovery,
        )
        self._fetcher: Fetcher | None = None
        self.hear_named(start.named)

    async def open(self, stack: AsyncExitStack) -> None:
        """Open what is open while the process lives."""
        config = self._config
        cache = await stack.enter_async_context(cached_answers(config.cache, self._store))
        self._fetcher = await stack.enter_async_context(
            Fetcher(
                config.fetch,
                agent=config.agent,
                guard=self.guard,
                connections=config.engine.workers,
                config=config,
                jars=self.jars,
                cache=cache,
            )
        )

    @property
    def pool(self) -> Pool | None:
        """What the connections of this process are doing, None before they can be opened."""
        return self._fetcher.pool if self._fetcher is not None else None

    async def hand_over(self, state: str | None, wish: Callable[[Wish], None]) -> None:
        """Hand the spider its crawl, and let it open what its callbacks need."""
        running = self._spider._running = RunningCrawl(
            self._config,
            state=state,
            stop=lambda reason: wish(Wish(stop=reason)),
            spider=self._spider,
        )

        def add(request: Request) -> None:
            settled = self._discovery.prepared(request)
            refusal = self._linker.refusal_of(settled.url) if settled is not None else "dropped"
            if settled is None or refusal is not None:
                raise UsageError(
                    f"{request.url} is not taken: {refusal}; see allowed_domains, engine.scope and"
                    " [traps]"
                )
            wish(Wish(add=self._discovery.candidate(settled, 0)))

        running.let_add(add)
        await open_spider(self._spider)
        for part in self.parts:
            await part.open(running)
        running.state = NoState()
        running.stats.taken()  # the owner has counted what is counted there

    def hear_named(self, hosts: list[str]) -> None:
        """Take note of origins that the user has named."""
        for host in hosts:
            self.guard.name(f"{host}/")

    def hear_included(self, urls: list[str]) -> None:
        """Take note of what belongs to the crawl, too."""
        for url in urls:
            self._linker.include(url)
        self._linker.included = []

    async def visit(self, task: Task) -> bytes:
        """Return the packed answer to a task."""
        visit = WorkerVisit(task.todo, Outcome.INTERNAL_ERROR, time.time(), number=task.number)
        failure = 0
        response: Packed | None = None
        try:
            request = from_todo(task.todo, task.priority)
            assert self._fetcher is not None
            if self._hooks is None:
                fetched = await self._fetcher.fetch(request)
                visit.answer(fetched)
                answer: Response | None = fetched
            else:
                answer = await self._hooks.fetch(visit, request, self._fetcher.fetch)
            if answer is not None:
                self._accept(visit, request, answer)
                if not task.bare:
                    await self._read(task.number, visit, request, answer)
            if visit.response is not None:
                response = await _packed(visit.response)
        except FetchError as error:
            visit.fail(Outcome(error.outcome), str(error))
            if visit.response is None:
                failure = 2 if error.final else 1
            else:  # a hook raised, of an answer that is kept
                response = await _packed(visit.response)
        except Exception:  # what was found so far stays: it is remembered as sent
            visit.fail(Outcome.INTERNAL_ERROR, traceback.format_exc())
        widened, self._linker.included = self._linker.included or [], []
        visit.handed_over = True
        return answer_of(
            *(task.number, visit, response),
            failure=failure,
            counts=self._spider.stats.taken(),
            widened=widened,
            jars=self.jars,
        )

    def _accept(self, visit: WorkerVisit, request: Request, response: Response) -> None:
        """Take an answer for a page; not one that the owner will let be tried again."""
        status, asked = response.status, visit.outcome is Outcome.OK
        if status >= 300 and status != 304:
            asked = status in request.accept_status or status in self._accepted
        if status in self._retried:
            fetch, attempts = self._config.fetch, visit.todo.attempts
            left = retry.wait(
                *(visit.outcome, attempts),
                status=status,
                asked=None,
                retries=fetch.retries,
                first=fetch.retry_delay,
                jitter=0.0,
                statuses=fetch.retry_status,
            )
            asked = left is None and visit.outcome is Outcome.OK
        if asked:
            visit.outcome, visit.read = Outcome.OK, True

    async def _read(
        self, number: int, visit: WorkerVisit, request: Request, response: Response
    ) -> None:
        """Put into a visit what an answer says; redirects are the owner's."""
        page = ScrapedPage(response, request)
        if not visit.read:
            if visit.outcome not in (Outcome.OK, Outcome.REDIRECT, Outcome.NOT_MODIFIED):
                self._reader.name_wall(visit, page)
            return
        self._beat.begin(number)
        try:
            await self._reader.read(visit, page, request)
        finally:
            self._beat.end(number)


async def _packed(response: Response) -> Packed:
    if len(response.body) >= _LARGE:
        return await asyncio.to_thread(rows.pack, response)
    return rows.pack(response)


def _scope(now: ScopeNow) -> Scope:
    return Scope(now.kind, tuple(now.seeds), tuple(now.allowed_domains))


class Service:
    """The process: hears the owner, and keeps a task for each request it is handed."""

    def __init__(self, start: Start, config: Config, spider: Spider, beat: Beat) -> None:
        self._worker = Worker(start, config, spider, beat, self._ask)
        self._spider, self._beat = spider, beat
        self._asked: dict[int, asyncio.Future[str | None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()
        self.channel = Channel(messages.to_worker, self.hear, self._over.set)
        self._before: dict[str, str] = {}

    async def run(self, stack: AsyncExitStack, state: str | None) -> None:
        """Visit what comes until the owner says that it was all, or is gone."""
        ticking = asyncio.create_task(self._beat.tick(self._tell_pool))
        try:
            await self._worker.open(stack)
            await self._worker.hand_over(state, self.channel.send)
            self.channel.send(Ready(None))
        except (Exception, SystemExit):
            self.channel.send(Ready(rows.clean(traceback.format_exc())))
        self._before = _kept_by(self._spider)
        await self._over.wait()
        ticking.cancel()
        for task in self._tasks:
            task.cancel()
        raised: dict[str, str] = {}
        for part in self._worker.parts:
            failed = await part.close(_LAST_WORDS)
            raised |= {name: rows.clean(error) or "" for name, error in failed.items()}
        changed = [
            name
            for name, value in _kept_by(self._spider).items()
            if self._before.get(name) != value
        ]
        self.channel.send(messages.Ended(changed, raised))
        self.channel.close()

    def _tell_pool(self) -> None:
        if (pool := self._worker.pool) is not None:
            self.channel.send(PoolNow(pool))

    def hear(self, message: messages.ToWorker) -> None:
        """Do what the owner says."""
        if isinstance(message, Task):
            task = asyncio.get_running_loop().create_task(self._answer(message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif isinstance(message, Included):
            self._worker.hear_included(message.urls)
        elif isinstance(message, Named):
            self._worker.hear_named(message.hosts)
        elif isinstance(message, CookiesNow):
            self._worker.jars.accept(message.rows)
        elif isinstance(message, Judged):
            self._asked.pop(message.number).set_result(message.duplicate_of)
        else:
            self._over.set()

    async def _ask(self, visit: Visit, url: str, digest: bytes, near: int | None) -> str | None:
        """Return the URL of the page that has the same content, as the owner knows it."""
        assert isinstance(visit, WorkerVisit)
        number = visit.number
        answer: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        self.channel.send(Question(number, url, digest, near))
        return await answer

    async def _answer(self, task: Task) -> None:
        self.channel.write(await self._worker.visit(task))


def _kept_by(spider: Spider) -> dict[str, str]:
    """Return how each attribute of a spider describes itself, to tell later which have changed."""
    return {name: repr(value) for name, value in vars(spider).items() if name not in _OURS}


def main(owner: int, lifeline: int, shared: int) -> None:
    """Serve the owner at the other end of the socket whose number is given.

    `lifeline` is a pipe that ends with the owner, `shared` the memory of the beat.
    """
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.SIG_IGN)  # a terminal's Ctrl-C is for the owner to heed
    threading.Thread(target=_watch, args=(lifeline,), daemon=True).start()
    channel = socket.socket(fileno=owner)
    start = first_message(channel, messages.to_worker)
    if not isinstance(start, Start):
        return  # the owner is gone
    try:
        spider = spider_of(start.recipe)
        config = msgspec.msgpack.decode(start.config, type=Config)
    except Exception:
        text = rows.clean(traceback.format_exc())
        channel.sendall(messages.pack(Ready(text)))
        return
    gc.freeze()  # garbage is collected as rarely as in a crawl from the command line
    gc.set_threshold(50_000, 20, 100)
    beat = Beat(mmap.mmap(shared, Beat.SIZE))
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        runner.run(_serve(channel, start, config, spider, beat))


async def _serve(
    channel: socket.socket, start: Start, config: Config, spider: Spider, beat: Beat
) -> None:
    async with AsyncExitStack() as stack:
        service = Service(start, config, spider, beat)
        start_logging(start.log_levels, service.channel.send)
        channel.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: service.channel, sock=channel)
        await service.run(stack, start.state)


def _watch(lifeline: int) -> None:
    """Wait on a thread for the end of the owner, which is heard also in an endless callback."""
    os.read(lifeline, 1)
    time.sleep(_LAST_WORDS)
    os._exit(1)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop  # not there on Windows
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop
