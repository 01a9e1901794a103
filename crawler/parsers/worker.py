"""A parse process: makes the spider once, then answers one task after the other.

It lives as long as its pipe: when the crawl is gone, however it died, the pipe ends and so does
the process, also in the middle of a page.
"""

from __future__ import annotations

import asyncio
import gc
import os
import queue
import signal
import sys
import threading
import time
import traceback
from typing import BinaryIO

import msgspec
from multidict import CIMultiDict, CIMultiDictProxy

from crawler.items import Table
from crawler.links.linker import Linker
from crawler.parsers.messages import (
    LENGTH,
    ParseAnswer,
    ParseTask,
    Recipe,
    WorkerStarted,
    pack,
)
from crawler.parsers.recipe import spider_of
from crawler.spider.collector import Collector
from crawler.spider.discover import Discovery
from crawler.urls.scope import Scope
from crawler.web.outcome import Outcome
from crawler.web.page import ScrapedPage
from crawler.web.request import Candidate, from_todo
from crawler.web.response import Response
from crawler.web.visit import Visit

_LAST_WORDS = 5.0  # seconds that a page in work gets once the pipe has ended


class CandidateCollector(Discovery):
    """A Discovery that keeps every candidate: what is new and in scope, the crawl knows."""

    def admit(self, visit: Visit, candidate: Candidate, *, asked: bool = False) -> None:
        """Take the candidate."""
        visit.candidates.append(candidate)


def main() -> None:
    """Answer tasks from standard input on standard output until it ends."""
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.SIG_IGN)  # a terminal's Ctrl-C is for the crawl to heed
    tasks, answers = _take_pipes()
    received: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(tasks, received), daemon=True).start()
    first = received.get()
    if first is None:
        return
    recipe = msgspec.msgpack.decode(first, type=Recipe)
    try:
        spider = spider_of(recipe)
    except Exception:
        _send(answers, WorkerStarted(_clean(traceback.format_exc())))
        return
    _send(answers, WorkerStarted(None))
    gc.freeze()  # garbage is collected as rarely as in a crawl from the command line
    gc.set_threshold(50_000, 20, 100)
    discovery = CandidateCollector(Linker(Scope("any"), ()), order=recipe.order)
    collector = Collector(spider, discovery, timeout=recipe.callback_timeout)
    decoder = msgspec.msgpack.Decoder(ParseTask)
    with asyncio.Runner() as runner:
        while (data := received.get()) is not None:
            _send(answers, runner.run(answer(decoder.decode(data), collector)))


async def answer(task: ParseTask, collector: Collector) -> ParseAnswer:
    """Parse one page and, where that is asked for, call the spider."""
    pairs = [(name, value.decode("utf-8", "surrogateescape")) for name, value in task.headers]
    headers = CIMultiDictProxy(CIMultiDict(pairs))
    timing = (task.started, task.elapsed, task.wire_size)
    response = Response(task.url, task.status, headers, task.body, *timing)
    request = from_todo(task.todo, task.priority)
    page = ScrapedPage(response, request)
    found, encoding = page.found, page.encoding
    visit = Visit(task.todo, Outcome.OK, task.started, task.status)
    if task.call:
        await collector.parse(visit, page, request)
    tables: dict[Table, int] = {}
    items = [(tables.setdefault(r.table, len(tables)), r.values) for r in visit.items]
    return ParseAnswer(
        encoding=encoding,
        title=found.title,
        base=found.base,
        hrefs=found.hrefs,
        robots=found.robots,
        tables=list(tables),
        items=items,
        problems=[(name, _clean(why), _clean(what)) for name, why, what in visit.problems],
        candidates=visit.candidates,
        refusals=visit.refusals,
        error=None if visit.error is None else _clean(visit.error),
        asked=visit.asked,
        stop=visit.stop,
        counts=collector.spider.stats.taken(),
    )


def _clean(text: str) -> str:
    """Put "?" for lone surrogates, which have no UTF-8."""
    return text.encode("utf-8", "replace").decode()


# ---------------------------------------------------------------- pipes


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Take standard input and output for the crawl; the spider's prints go to standard error."""
    tasks, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return tasks, answers


def _receive(tasks: BinaryIO, received: queue.SimpleQueue[bytes | None]) -> None:
    """Read on a thread, so that the end of the pipe is heard also in an endless callback."""
    while len(head := tasks.read(LENGTH.size)) == LENGTH.size:
        received.put(tasks.read(LENGTH.unpack(head)[0]))
    received.put(None)
    time.sleep(_LAST_WORDS)
    os._exit(1)


def _send(answers: BinaryIO, message: WorkerStarted | ParseAnswer) -> None:
    try:
        data = pack(message)
    except (TypeError, ValueError, OverflowError):
        assert isinstance(message, ParseAnswer)
        data = pack(msgspec.structs.replace(message, items=[], error=traceback.format_exc()))
    try:
        answers.write(data)
        answers.flush()
    except BrokenPipeError:
        sys.exit(1)
