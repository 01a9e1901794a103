"""What a spider has of its crawl: settings, counters, a state of its own, `stop` and `add`."""

from __future__ import annotations

import heapq
import json
import weakref
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from crawler.config.layers import Config
from crawler.errors import SpiderError, UsageError
from crawler.web.carried import carried, restored
from crawler.web.request import Request
from crawler.web.stats import Stats

if TYPE_CHECKING:
    from crawler.spider import Spider
    from crawler.store.address import StoreAddress
    from crawler.web.visit import Visit


class RunningCrawl:
    """`self.crawl` of a spider. Without a run, as in tests and `crawler reparse`, it only counts.

    `state` is a dict of JSON values (and tuples, dates, bytes …) that is committed with the pages:
    each commit has it as it stood then, and the next run begins with it.
    """

    def __init__(
        self,
        settings: Config | None = None,
        stats: Stats | None = None,
        *,
        state: str | None = None,
        stop: Callable[[str], None] | None = None,
        spider: Spider | None = None,
        store: StoreAddress | None = None,
    ) -> None:
        """`state` is what the store has of it, in JSON."""
        self.settings, self.stats = settings or Config(), stats or Stats()
        self.state: dict[str, Any] = restored(json.loads(state)) if state else {}
        self._committed = self._marked = state
        self._marks: list[tuple[int, str]] = []  # of visits that are committed, behind a gap
        self._made = self._reached = 0  # marks; those up to which all are committed
        self.calling = 0
        """Callbacks under way."""
        self._stop = stop
        self._spider = weakref.ref(spider) if spider is not None else None
        self.store = store
        """The store that the crawl is kept in; None in worker processes, tests and `reparse`."""
        self._add: Callable[[Request], None] | None = None

    @property
    def spider(self) -> Spider:
        """The spider whose crawl it is."""
        spider = self._spider() if self._spider is not None else None
        if spider is None:
            raise SpiderError("crawl.spider: there is no spider any more")
        return spider

    def let_add(self, add: Callable[[Request], None]) -> None:
        """Take what queues a request, once there is a queue."""
        self._add = add

    def stop(self, reason: str = "stopped by the spider") -> None:
        """Start nothing more; what is in flight ends and is committed, and the next run goes on."""
        if self._stop is None:
            raise SpiderError("self.crawl.stop(): there is no run that could stop")
        self._stop(reason)

    def add(self, *requests: Request | str) -> None:
        """Queue requests or URLs beside those that callbacks give; UsageError names one refused."""
        if self._add is None:
            raise SpiderError("self.crawl.add(): there is no run that could take a request")
        for request in requests:
            self._add(Request(request) if isinstance(request, str) else request)

    def end(self) -> None:
        """Let go of the run, so that the spider, and a file that it has open, ends with its crawl.

        In a cycle, Python may close what is below a file before the file has written its last.
        """
        self._stop = self._add = None

    def mark(self) -> tuple[tuple[int, str], ...]:
        """Return the state as a callback leaves it, for its visit, if it has changed.

        UsageError where it holds what cannot be kept.
        """
        if isinstance(self.state, NoState) or (not self.state and self._marked is None):
            return ()
        text = self._text()
        if text == self._marked:
            return ()
        self._marked = text
        self._made += 1
        return ((self._made, text),)

    def state_with(self, visits: Iterable[Visit]) -> str | None:
        """Return the state in JSON to be committed with these visits, None if it is as before.

        A visit whose callback has ended may wait for a later commit, and with it what it changed.
        """
        for visit in visits:
            for mark in visit.state_marks:
                heapq.heappush(self._marks, mark)
        text = None
        while self._marks and self._marks[0][0] == self._reached + 1:
            self._reached, text = heapq.heappop(self._marks)
        if self.settled and (self.state or self._committed is not None):
            text = self._text()  # what `start` has changed is in it, too
        if text is None or text == self._committed:
            return None
        self._committed = text
        return text

    @property
    def settled(self) -> bool:
        """Whether all that callbacks have changed in the state is of visits that were committed."""
        return self._reached == self._made and not self.calling

    def _text(self) -> str:
        return json.dumps(carried("self.state", self.state))


class NoState(dict[str, Any]):
    """Stands where the state would be: only the crawl's own process has it."""

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise UsageError(
            "self.state: it is only in the process that keeps the store; count with self.stats, or"
            " set engine.processes = 1"
        )

    __getitem__ = __setitem__ = __contains__ = get = setdefault = update = pop = _refuse
    items = keys = values = _refuse
