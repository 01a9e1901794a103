"""Run a crawl with a stopwatch on its stages. Usage: stopwatch.py RESULT MODULE:FUNCTION ARG...

Each function of `STAGES` is timed by the CPU clock of its thread, less what timed functions inside
it take, so that no microsecond counts twice; a coroutine is timed only while it runs. What the
process used beyond that is start-up (imports), other threads, and the rest of the main thread:
the event loop with its sockets and callbacks. So the whole adds up.

A sampling profiler was tried first and misled: it can only look where the interpreter lets it,
and then charges the time of aiohttp's and uvloop's C code to whichever Python function is next.
"""

import atexit
import importlib
import inspect
import json
import sys
import threading
import time
import types
from collections import Counter
from collections.abc import Callable, Coroutine
from functools import partial, wraps
from pathlib import Path
from typing import Any

# (module, function or Class.method, stage), lowest floor first: a module is patched before those
# above it import its names. To move time between stages, edit a row.
STAGES = {
    "crawler": (
        ("crawler.parse.charset", "decode", "decode"),
        ("crawler.parse.fast_pass", "scan", "parse"),
        ("crawler.web.request", "from_todo", "request"),
        ("crawler.web.page", "ScrapedPage.links", "links"),
        ("crawler.web.page", "ScrapedPage.soup", "soup"),
        ("crawler.links.linker", "Linker.resolve", "links"),
        ("crawler.http.fetcher", "Fetcher.fetch", "fetch"),
        ("crawler.store.rows", "body_of", "compress"),
        ("crawler.store.rows", "page_row", "commit"),
        ("crawler.store.sqlite", "SqliteStore.commit", "commit"),
        ("crawler.store.flush", "Flush._add_new", "dedupe"),
        ("crawler.frontier", "Frontier.next", "frontier"),
        ("crawler.frontier", "Frontier.release", "frontier"),
        ("crawler.frontier", "Frontier.add", "frontier"),
        ("crawler.frontier", "Frontier.committed", "frontier"),
        ("crawler.engine.committer", "Committer.flush", "commit"),
        ("crawler.spider.discover", "Discovery.follow", "links"),
        ("crawler.spider.collector", "Collector.parse", "spider"),
        ("crawler.engine.engine", "Engine.crawl_one", "engine"),
    ),
    "sketch": (
        ("sketch", "Sketch.parse", "parse"),
        ("sketch", "Sketch.resolve", "links"),
        ("sketch", "Sketch.work", "fetch"),
    ),
}


class Stopwatch:
    """CPU seconds of the main thread by stage, each stage without those nested in it."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._open: list[str] = []
        self._last = 0.0
        self._thread = threading.get_ident()

    def enter(self, stage: str) -> None:
        self._charge()
        self._open.append(stage)

    def leave(self) -> None:
        self._charge()
        self._open.pop()

    def _charge(self) -> None:
        """Return the time since the last change to the stage that was on top."""
        now = time.thread_time()
        if self._open:
            self.seconds[self._open[-1]] += now - self._last
        self._last = now

    def timed(self, stage: str, subject: Any) -> Any:
        """Return the function, coroutine function or property `subject`, with its time taken."""
        if isinstance(subject, property):
            return property(self.timed(stage, subject.fget), subject.fset)
        if inspect.iscoroutinefunction(subject):

            @wraps(subject)
            async def outer(*args: Any, **named: Any) -> Any:
                return await self._steps(stage, subject(*args, **named))

            return outer
        return self._timed_call(stage, subject)

    def _timed_call(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def call(*args: Any, **named: Any) -> Any:
            if threading.get_ident() != self._thread:  # a large page, among the other threads
                return function(*args, **named)
            self.enter(stage)
            try:
                return function(*args, **named)
            finally:
                self.leave()

        return call

    @types.coroutine
    def _steps(self, stage: str, inner: Coroutine[Any, Any, Any]) -> Any:
        """Drive a coroutine one step at a time, the clock running only during the steps."""
        step = partial(inner.send, None)
        while True:
            self.enter(stage)
            try:
                waits_for = step()
            except StopIteration as end:
                return end.value
            finally:
                self.leave()
            try:
                step = partial(inner.send, (yield waits_for))
            except BaseException as error:
                step = partial(inner.throw, error)

    def attach(self, module: str, name: str, stage: str) -> bool:
        """Put the clock on one function; False when there is none of that name."""
        try:
            owner: Any = importlib.import_module(module)
        except ModuleNotFoundError:
            return False
        *classes, attribute = name.split(".")
        for part in classes:
            owner = getattr(owner, part, None)
        subject = inspect.getattr_static(owner, attribute, None)
        if subject is None:
            return False
        setattr(owner, attribute, self.timed(stage, subject))
        return True


def main(result: str, target: str, *arguments: str) -> None:
    module, function = target.split(":")
    watch = Stopwatch()
    for row in STAGES[module.partition(".")[0]]:
        if not watch.attach(*row):
            print(f"stopwatch.py: no {row[0]}.{row[1]}; edit STAGES", file=sys.stderr)
    entry = getattr(importlib.import_module(module), function)
    started = time.process_time()
    began = time.thread_time()

    def report() -> None:
        ours, total = time.thread_time(), time.process_time()
        watch.seconds["start-up"] = started
        watch.seconds["loop, sockets, rest"] = (
            ours
            - began
            - sum(value for stage, value in watch.seconds.items() if stage != "start-up")
        )
        watch.seconds["other threads"] = (total - started) - (ours - began)
        Path(result).write_text(json.dumps({"total": total, "stages": watch.seconds}))

    atexit.register(report)
    sys.argv = [module, *arguments]
    entry()


if __name__ == "__main__":
    main(*sys.argv[1:])
