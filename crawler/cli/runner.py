"""Run one crawl from the command line: loop, signals, progress, summary, exit code."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

from msgspec import Struct
from msgspec.structs import asdict, replace

from crawler import urls
from crawler.cli import FAILED, GATE, INTERRUPTED, NO_PAGE, ending
from crawler.cli.outputs import Output, told_if_unwritten
from crawler.cli.outputs import write as write_outputs
from crawler.cli.page_beside import page_beside
from crawler.cli.signals import Interrupts
from crawler.cli.terminal import Screen, start_logging
from crawler.config import layers as configuration
from crawler.config.layers import Config
from crawler.engine import progress
from crawler.engine.crawler import Crawler, Summary
from crawler.errors import (
    CrawlerError,
    SpiderError,
    SpiderFailed,
    StoreError,
    StoreFenced,
    UsageError,
)
from crawler.markup.words import plural
from crawler.politeness import throttle
from crawler.spider import Spider, check
from crawler.store import Committed
from crawler.store.address import DatabaseAddress, StoreAddress
from crawler.store.aside import set_aside
from crawler.web.error_place import error_line, own_line
from crawler.web.outcome import Outcome
from crawler.web.stats import KINDS
from crawler.web.visit import Visit

log = logging.getLogger("crawler")

_GROWTH = 20.0  # seconds between two looks at a queue that grows
_LONG_QUEUE = 500  # requests

_OF_HOSTS = {
    Outcome.HOST_GIVEN_UP: "given up",
    Outcome.ROBOTS_UNREACHABLE: "nothing is fetched, as its robots.txt could not be had",
}

_LIVE, _PLAIN = 0.25, 5.0  # seconds between two lines, on a terminal and elsewhere


class RunOptions(Struct, frozen=True):
    """What the command line asks of a run."""

    store: StoreAddress
    config: Path | None = None
    overrides: tuple[str, ...] = ()
    fresh: bool = False
    quiet: bool = False
    log_level: str = "info"
    log_json: bool = False
    page: tuple[str, ...] | None = None
    """The options of the live page that is opened beside it; None for no page."""
    as_json: bool = False
    outputs: tuple[Output, ...] = ()


def run(spider: Spider, options: RunOptions) -> int:
    """Crawl to the end or to a signal, print how it went, and return the exit code."""
    config = configuration.load(options.config, spider=spider.settings, overrides=options.overrides)
    _read_gates(spider)
    screen = Screen(quiet=options.quiet or options.log_json)
    level = "error" if options.quiet else options.log_level
    start_logging(screen, level, as_json=options.log_json)
    if options.fresh:
        check(spider)  # before the old store is put aside for nothing
        aside = set_aside(options.store)
        if aside is not None:
            log.info("the old store is now %s", aside)
    elif isinstance(options.store, DatabaseAddress) or options.store.is_file():
        _find_again(spider, config, options.store)
    gc.freeze()  # what was imported is never looked at again
    gc.enable()
    with (
        told_if_unwritten(options.outputs),
        page_beside(options.store, options.page),
        asyncio.Runner(loop_factory=_loop_factory()) as runner,
        _own_errors(),
    ):
        summary = runner.run(_crawl(spider, config, options.store, screen))
    _tell(spider, summary, options)
    if summary.last:
        write_outputs(options.outputs, options.store, summary)
    if summary.state == "interrupted":
        return INTERRUPTED
    if summary.failed_callbacks or summary.failed_fetches:
        return FAILED
    if not summary.last:
        log.info("other worker processes go on; the last one tells of the whole")
        return 0
    if not summary.total_pages:
        return NO_PAGE
    return _gates(spider, options)


@contextlib.contextmanager
def _own_errors() -> Iterator[None]:
    """Turn what the spider raises outside of a page into one line, with its file and line."""
    try:
        yield
    except StoreError:  # whose causes are asyncpg's and the loop's
        raise
    except Exception as error:
        line = own_line(error)
        if line is None:
            raise
        kind = SpiderError if isinstance(error, UsageError) else SpiderFailed
        raise kind(line) from error


def store_values(kind: type[Spider], given: Mapping[str, object]) -> dict[str, object]:
    """Return what the name of a store can be made of: the spider's attributes, {name}, {date}."""
    own = {
        name: value
        for part in reversed(kind.__mro__)
        for name, value in vars(part).items()
        if isinstance(value, (str, int, float)) and not name.startswith("_")
    }
    return {**own, **given, "name": kind.name, "date": datetime.now().strftime("%Y-%m-%d")}


def _find_again(spider: Spider, config: Config, store: StoreAddress) -> None:
    """Queue what an earlier run refused, where the configuration takes more by now."""
    from crawler.errors import QueryError, StoreClaimed, StoreRefused
    from crawler.inspect import bounds
    from crawler.inspect.query import Reader

    try:
        with Reader(store) as reader:
            widened = bounds.widened_since(reader, spider, config)
    except (QueryError, StoreRefused):
        return  # no store at all, which the crawl itself will say
    if widened is None:
        return
    from crawler.reparse.find_again import find_again

    keys = ", ".join(widened.keys)
    try:
        number = find_again(store, spider, config, widened.where)
    except StoreClaimed:
        if isinstance(store, DatabaseAddress):
            return  # other worker processes were first, and see to it
        raise
    except QueryError:
        log.warning(
            "%s: more is taken than before (%s), but what was refused stands on pages whose bodies"
            " are not stored; find it with --fresh, or with: crawler recrawl --all",
            *(store, keys),
        )
        return
    found = plural(number, "URL")
    log.info("%s takes more than before: %s found again on stored pages", keys, found)


def _read_gates(spider: Spider) -> None:
    """Raise for an expectation that cannot be read, before the crawl and not after it."""
    if spider.expect and not isinstance(spider.expect, str):  # of a text the crawl itself tells
        from crawler.inspect import health

        for text in spider.expect:
            health.gate(text)


def _gates(spider: Spider, options: RunOptions) -> int:
    """Compare the store with what the spider expects, and return the exit code."""
    if not spider.expect:
        return 0
    from crawler.inspect import health
    from crawler.inspect.query import Reader

    with Reader(options.store) as reader:
        failed = health.broken(reader, spider.expect)
        for line in health.drift(reader):
            log.warning("drift: %s", line)
    for line in failed:
        print(f"health gate broken: {line}", file=sys.stderr)
    return GATE if failed else 0


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    try:
        import uvloop  # not there on Windows
    except ImportError:
        return asyncio.new_event_loop
    return uvloop.new_event_loop


async def _crawl(spider: Spider, config: Config, store: StoreAddress, screen: Screen) -> Summary:
    """Crawl; a worker process that was silent for too long takes part anew."""
    while True:
        try:
            return await _take_part(spider, config, store, screen)
        except StoreFenced as error:
            log.warning("%s; taking part anew", error)


async def _take_part(
    spider: Spider, config: Config, store: StoreAddress, screen: Screen
) -> Summary:
    async with Crawler(spider, store=store, config=config) as crawler:
        if crawler.finished:
            return _nothing_to_do(crawler)
        if crawler.state.seeded:
            log.info(
                "resuming %s: %s stored, %d queued",
                *(store, plural(crawler.state.pages, "page"), crawler.state.pending),
            )
        crawler.on_commit(_failure_log())
        run = asyncio.create_task(crawler.run())
        watch = asyncio.create_task(_watch(crawler, screen))
        with Interrupts(crawler.stop, run.cancel, log.warning):
            try:
                return await run
            except asyncio.CancelledError:
                return crawler.summary("interrupted", "interrupted")
            finally:
                watch.cancel()
                screen.close()


async def _watch(crawler: Crawler, screen: Screen) -> None:
    quiet_hours = throttle.spans_of(crawler.config.politeness.quiet_hours)

    growth = Growth(crawler.place)

    def show(shot: progress.Snapshot) -> None:
        growth.look(shot)
        text = progress.line(shot)
        if quiet := throttle.quiet_for(quiet_hours, datetime.now()):
            text = f"quiet hours, {progress.clock(quiet)} to go: {text}"
        if screen.live:
            screen.show(text)
        else:
            log.info(text)

    await progress.watch(crawler, show, _LIVE if screen.live else _PLAIN)


class Growth:
    """Warns of a queue that grows faster than it is worked off, once of each kind of URLs."""

    def __init__(self, store: StoreAddress) -> None:
        self._store, self._next, self._last = store, _GROWTH, 0
        self._told: set[str] = set()
        self._task: asyncio.Future[None] | None = None

    def look(self, shot: progress.Snapshot) -> None:
        """Look at the queue, once in a while, where it is long and still grows."""
        if shot.seconds < self._next or (self._task is not None and not self._task.done()):
            return
        self._next = shot.seconds + _GROWTH
        grown, self._last = shot.queued > self._last, shot.queued
        if grown and shot.queued > max(_LONG_QUEUE, 2 * shot.pages):
            self._task = asyncio.ensure_future(asyncio.to_thread(self._warn))

    def _warn(self) -> None:
        from crawler.inspect.patterns import growing
        from crawler.inspect.query import Reader

        with contextlib.suppress(CrawlerError), Reader(self._store) as reader:
            kind = growing(reader)
            if kind is not None and kind.name not in self._told:
                self._told.add(kind.name)
                log.warning(
                    "the queue grows faster than it is worked off: %s; more: crawler traps %s",
                    *(kind.said, self._store),
                )


def _failure_log() -> Callable[[list[Visit], Committed], None]:
    """Return what logs what went wrong; what is so of a whole host is told once."""
    told: set[tuple[str, int]] = set()
    rejected: set[tuple[str, str]] = set()

    def once(kind: str, visit: Visit) -> bool:
        new = (kind, visit.todo.host_id) not in told
        told.add((kind, visit.todo.host_id))
        return new

    def note(visits: list[Visit], committed: Committed) -> None:
        for visit in visits:
            about = _OF_HOSTS.get(visit.outcome)
            if about is not None and once(visit.outcome, visit):
                log.warning("%s: %s: %s", about, urls.host_of(visit.todo.url), visit.error)
            if visit.not_taken is not None:
                reason, url = visit.not_taken
                if reason != "duplicate_request" and once(reason, visit):
                    log.warning(
                        "%s, asked for by a callback on %s: %s", reason, visit.todo.url, url
                    )
            _log_failure(visit)
            for item, why, _ in visit.problems:
                _warn_once(item, why, f", first on {visit.todo.url}", rejected)
        for item, why, _ in committed.rejected:
            _warn_once(item, why, "", rejected)

    return note


def _warn_once(item: str, reason: str, where: str, told: set[tuple[str, str]]) -> None:
    """Warn of the first item of each kind that is refused; the summary counts them all."""
    if (item, reason) not in told and len(told) < KINDS:
        told.add((item, reason))
        log.warning("item not stored, %s%s: %s", item, where, reason)


def _log_failure(visit: Visit) -> None:
    """Log what went wrong: a spider's own errors loudly, the web's on request."""
    line = error_line(visit.error) if visit.error else None
    if line is not None and visit.outcome is Outcome.INTERNAL_ERROR:
        log.warning("internal error on %s: %s; please report it", visit.todo.url, line)
    elif line is not None:
        log.warning("spider error on %s: %s", visit.todo.url, line)
    elif log.isEnabledFor(logging.DEBUG):
        again = " (to be tried again)" if visit.retry_at is not None else ""
        log.debug("%s %s %s%s", visit.outcome, visit.status or "-", visit.todo.url, again)
    if line is not None:
        log.debug("%s", visit.error)


# ---------------------------------------------------------------- the end


def _nothing_to_do(crawler: Crawler) -> Summary:
    return replace(crawler.summary("finished", "nothing_to_do"), seconds=0.0)


def _tell(spider: Spider, summary: Summary, options: RunOptions) -> None:
    if options.as_json:
        print(json.dumps(asdict(summary)))
    if summary.reason == "nothing_to_do" and not options.quiet:
        from crawler.cli import idle

        told = idle.story(spider, summary, options.store)
        print(told, file=sys.stderr if options.as_json else sys.stdout)
    elif not (options.as_json or options.quiet):
        if not summary.last:
            print(f"{ending.story(summary).splitlines()[0]} (this process; others go on)")
        else:
            lines = [*ending.renamed(summary, options.store), *ending.of_spider(spider, summary)]
            print("\n".join([ending.story(summary), *lines]))
    if summary.state == "interrupted" and options.as_json and not options.quiet:
        print(ending.resume(), file=sys.stderr)
