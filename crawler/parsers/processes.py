"""Parsing in other processes: the crawl keeps fetching while they build soups.

Each process has a task of the event loop that feeds it one page after the other and replaces it
when it dies or hangs. A page whose process died is tried once more in a new one, because the
kernel, short of memory, may have hit a bystander; then, or after `parse_timeout`, it is given up.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from crawler.config.engine import EngineSettings
from crawler.errors import SpiderError
from crawler.items import Record
from crawler.parse.fast_pass import Scan
from crawler.parsers.messages import LENGTH, ParseAnswer, ParseTask, WorkerStarted, pack
from crawler.parsers.recipe import recipe_of
from crawler.spider import Spider
from crawler.spider.collector import Collector
from crawler.spider.discover import Discovery
from crawler.web.outcome import UNKEPT, Outcome
from crawler.web.page import ScrapedPage
from crawler.web.request import Request
from crawler.web.response import Response
from crawler.web.visit import Visit

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop());"
    " from crawler.parsers.worker import main; main()"
)
_STARTS = 3  # processes that may die one after the other before one is ready
_START_TIME = 60.0  # seconds to import a spider
_GOODBYE = 2.0  # seconds that an idle process gets to end by itself

_answers = msgspec.msgpack.Decoder(ParseAnswer)


class _Failed(Exception):
    """A page cannot be parsed: an outcome and why."""

    def __init__(self, outcome: Outcome, why: str) -> None:
        super().__init__(why)
        self.outcome = outcome


class _Job:
    """One page on its way through a process."""

    __slots__ = ("answer", "data", "tries")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.tries = 0
        self.answer: asyncio.Future[ParseAnswer] = asyncio.get_running_loop().create_future()

    def end(self, result: ParseAnswer | _Failed) -> None:
        """Hand the result to whoever still waits for it."""
        if self.answer.done():
            return
        if isinstance(result, _Failed):
            self.answer.set_exception(result)
        else:
            self.answer.set_result(result)


class Processes:
    """Parses in `parse_processes` processes. `run` must run for `parse` to end."""

    def __init__(
        self, spider: Spider, discovery: Discovery, collector: Collector, settings: EngineSettings
    ) -> None:
        self._spider, self._discovery, self._collector = spider, discovery, collector
        self._number, self._timeout = settings.parse_processes, settings.parse_timeout
        self._recipe = pack(recipe_of(spider, settings))
        self._jobs: asyncio.Queue[_Job] = asyncio.Queue(maxsize=self._number)
        self._async_pipelines = any(map(inspect.iscoroutinefunction, spider.pipelines))

    async def run(self) -> None:
        """Keep the processes at work until cancelled; SpiderError where none can start."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._number):
                group.create_task(self._serve())

    async def parse(self, visit: Visit, page: ScrapedPage, request: Request) -> None:
        """See `Parser.parse`."""
        call = self._calls(request.callback_name or "parse")
        if call or page.response.is_html:
            job = _Job(pack(_task(visit, page.response, request, call=call)))
            await self._jobs.put(job)
            try:
                answer = await job.answer
            except _Failed as failure:
                visit.outcome, visit.error = failure.outcome, str(failure)
                return
            await self._take(visit, page, answer)
            if visit.outcome in UNKEPT:
                return
            if call:
                return
        await self._collector.parse(visit, page, request)

    def _calls(self, name: str) -> bool:
        """Return whether a callback is for the processes: those that wait for something are not."""
        callback = getattr(self._spider, name, None)
        return not (
            callback is None
            or getattr(callback, "__func__", None) is Spider.parse  # which gives nothing
            or self._async_pipelines
            or inspect.iscoroutinefunction(callback)
            or inspect.isasyncgenfunction(callback)
        )

    async def _take(self, visit: Visit, page: ScrapedPage, answer: ParseAnswer) -> None:
        """Put what a process answered into the visit, links and requests filtered."""
        page.found = Scan(answer.title, answer.base, answer.hrefs, answer.robots)
        page.encoding = visit.encoding = answer.encoding
        if page.response.is_html:
            await self._discovery.follow(visit, page)
            visit.title = answer.title
        if visit.outcome in UNKEPT:
            return
        visit.items += [Record(answer.tables[place], values) for place, values in answer.items]
        visit.problems += answer.problems
        for candidate in answer.candidates:
            self._discovery.admit(visit, candidate, asked=True)
        for reason, number in answer.refusals.items():
            visit.refuse(reason, number)
        visit.asked, visit.stop = answer.asked, answer.stop
        for name, number in answer.counts.items():
            self._spider.stats.count(name, number)
        if answer.error is not None:
            visit.outcome, visit.error = Outcome.SPIDER_ERROR, answer.error

    # ------------------------------------------------------------ the processes

    async def _serve(self) -> None:
        """Keep one process at work, and put another in its place when it dies or hangs."""
        job: _Job | None = None
        deaths = 0
        while True:
            async with _started() as process:
                try:
                    await _start(process, self._recipe)
                except (EOFError, OSError) as error:
                    deaths += 1
                    if deaths == _STARTS:
                        raise SpiderError(
                            f"parse processes of {self._spider.name} die at start ({error!r});"
                            " see standard error, or set engine.parse_processes = 0"
                        ) from None
                    continue
                deaths = 0
                job = await self._feed(process, job)

    async def _feed(self, process: Process, job: _Job | None) -> _Job | None:
        """Send pages to a process until it dies or hangs; return the page to be tried once more."""
        while True:
            job = job or await self._jobs.get()
            if job.answer.done():  # nobody waits for it any more
                job = None
                continue
            job.tries += 1
            try:
                async with asyncio.timeout(self._timeout):
                    job.end(await _ask(process, job.data))
            except TimeoutError:
                process.kill()
                why = f"over {self._timeout:g} s; see engine.parse_timeout"
                job.end(_Failed(Outcome.PARSE_TIMEOUT, why))
                return None
            except (EOFError, OSError):
                if job.tries == 1:
                    return job
                why = f"its process died, twice; the last with exit code {await process.wait()}"
                job.end(_Failed(Outcome.PARSE_CRASHED, why))
                return None
            job = None


def _task(visit: Visit, response: Response, request: Request, *, call: bool) -> ParseTask:
    return ParseTask(
        todo=visit.todo,
        priority=request.priority,
        call=call,
        url=response.url,
        status=response.status,
        headers=[
            (name, value.encode("utf-8", "surrogateescape"))
            for name, value in response.headers.items()
        ],
        body=response.body,
        started=response.started,
        elapsed=response.elapsed,
        wire_size=response.wire_size,
    )


@asynccontextmanager
async def _started() -> AsyncIterator[Process]:
    """Yield a new process; afterwards it is gone, by itself if it had nothing to do."""
    command = (sys.executable, "-c", _START, json.dumps(sys.path))
    starting = asyncio.ensure_future(
        asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    )
    try:
        process = await asyncio.shield(starting)
    except asyncio.CancelledError:  # half a start would leave a process that nobody ends
        await _end(await starting)
        raise
    try:
        yield process
    finally:
        ending = asyncio.create_task(_end(process))
        try:
            await asyncio.shield(ending)
        except asyncio.CancelledError:  # once more: there is no time for a goodbye
            if process.returncode is None:
                process.kill()
            await asyncio.wait([ending])
            raise


async def _end(process: Process) -> None:
    """Let a process end by itself, or end it; then nothing of it is left."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        async with asyncio.timeout(_GOODBYE):
            await process.communicate()
    except TimeoutError:
        process.kill()
        await process.communicate()
    await asyncio.sleep(0)  # lets the pipes say goodbye


async def _start(process: Process, recipe: bytes) -> None:
    """Let the process make the spider; SpiderError with its traceback where that fails."""
    async with asyncio.timeout(_START_TIME):
        await _send(process, recipe)
        started = msgspec.msgpack.decode(await _receive(process), type=WorkerStarted)
    if started.problem is not None:
        raise SpiderError(f"a parse process cannot make the spider:\n{started.problem}")


async def _ask(process: Process, data: bytes) -> ParseAnswer:
    await _send(process, data)
    return _answers.decode(await _receive(process))


async def _send(process: Process, data: bytes) -> None:
    assert process.stdin is not None
    process.stdin.write(data)
    await process.stdin.drain()


async def _receive(process: Process) -> bytes:
    """Return the next message; EOFError when the process is gone."""
    assert process.stdout is not None
    [size] = LENGTH.unpack(await process.stdout.readexactly(LENGTH.size))
    return await process.stdout.readexactly(size)
