"""What a spider has of its crawl: settings, counters, a state of its own, `stop` and `add`."""

from __future__ import annotations

import json
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from crawler.config.layers import Config
from crawler.errors import SpiderError, UsageError
from crawler.web.carried import carried, restored
from crawler.web.request import Request
from crawler.web.stats import Stats

if TYPE_CHECKING:
    from crawler.spider import Spider
    from crawler.store.address import StoreAddress


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
        self._committed = state
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

    def changed_state(self) -> str | None:
        """Return the state in JSON if it is not what was committed last; None if it is.

        UsageError where it holds what cannot be kept.
        """
        if not self.state and self._committed is None:
            return None
        text = json.dumps(carried("self.state", self.state))
        if text == self._committed:
            return None
        self._committed = text
        return text


class NoState(dict[str, Any]):
    """Stands where the state would be: only the crawl's own process has it."""

    def _refuse(self, *_: Any, **__: Any) -> Any:
        raise UsageError(
            "self.state: it is only in the process that keeps the store; count with self.stats, or"
            " set engine.processes = 1"
        )

    __getitem__ = __setitem__ = __contains__ = get = setdefault = update = pop = _refuse
    items = keys = values = _refuse
