"""Run one crawl from the command line: loop, signals, progress, summary, exit code."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import json
import logging
import shlex
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from crawler import urls
from crawler.cli import GATE, INTERRUPTED, NO_PAGE
from crawler.cli.signals import Interrupts
from crawler.cli.stores import move_aside
from crawler.cli.terminal import Screen, start_logging
from crawler.config import load as configuration
from crawler.config.load import Config
from crawler.engine import progress
from crawler.engine.crawler import Crawler, Summary
from crawler.politeness import throttle
from crawler.spider import Spider
from crawler.store import Committed
from crawler.web.outcome import Outcome
from crawler.web.stats import KINDS
from crawler.web.visit import Visit

log = logging.getLogger("crawler")

_KINDS = 5  # of refused items that the summary names
_LIVE, _PLAIN = 0.25, 5.0  # seconds between two lines, on a terminal and elsewhere


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What the command line asks of a run."""

    store: Path
    config: Path | None = None
    overrides: tuple[str, ...] = ()
    fresh: bool = False
    quiet: bool = False
    log_level: str = "info"
    as_json: bool = False


def run(spider: Spider, options: RunOptions) -> int:
    """Crawl to the end or to a signal, print how it went, and return the exit code."""
    config = configuration.load(options.config, spider=spider.settings, overrides=options.overrides)
    _read_gates(spider)
    screen = Screen(quiet=options.quiet)
    start_logging(screen, "warning" if options.quiet else options.log_level)
    if options.fresh:
        aside = move_aside(options.store)
        if aside is not None:
            log.info("the old store is now %s", aside)
    gc.freeze()  # what was imported is never looked at again
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        summary = runner.run(_crawl(spider, config, options.store, screen))
    _tell(summary, options)
    if summary.state == "interrupted":
        return INTERRUPTED
    if not summary.total_pages:
        return NO_PAGE
    return _gates(spider, options)


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


async def _crawl(spider: Spider, config: Config, store: Path, screen: Screen) -> Summary:
    async with Crawler(spider, store=store, config=config) as crawler:
        if crawler.finished:
            return _nothing_to_do(crawler)
        if crawler.state.seeded:
            log.info(
                "resuming %s: %d pages stored, %d queued",
                *(store, crawler.state.pages, crawler.state.pending),
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

    def show(shot: progress.Snapshot) -> None:
        text = progress.line(shot)
        if quiet := throttle.quiet_for(quiet_hours, datetime.now()):
            text = f"quiet hours, {progress.clock(quiet)} to go: {text}"
        if screen.live:
            screen.show(text)
        else:
            log.info(text)

    await progress.watch(crawler, show, _LIVE if screen.live else _PLAIN)


def _failure_log() -> Callable[[list[Visit], Committed], None]:
    """Return what logs what went wrong; a host that is given up is told of once."""
    given_up: set[int] = set()
    rejected: set[tuple[str, str]] = set()

    def note(visits: list[Visit], committed: Committed) -> None:
        for visit in visits:
            host_id = visit.todo.host_id
            if visit.outcome is Outcome.HOST_GIVEN_UP and host_id not in given_up:
                given_up.add(host_id)
                log.warning("given up: %s: %s", urls.host_of(visit.todo.url), visit.error)
            _log_failure(visit)
            for item, reason, _ in visit.problems:
                _warn_once(item, reason, f", first on {visit.todo.url}", rejected)
        for item, reason, _ in committed.rejected:
            _warn_once(item, reason, "", rejected)

    return note


def _warn_once(item: str, reason: str, where: str, told: set[tuple[str, str]]) -> None:
    """Warn of the first item of each kind that is refused; the summary counts them all."""
    if (item, reason) not in told and len(told) < KINDS:
        told.add((item, reason))
        log.warning("item not stored, %s%s: %s", item, where, reason)


def _log_failure(visit: Visit) -> None:
    """Log what went wrong: a spider's own errors loudly, the web's on request."""
    if visit.outcome is Outcome.SPIDER_ERROR:
        last = (visit.error or "").strip().rpartition("\n")[2]
        log.warning("spider error on %s: %s", visit.todo.url, last)
    elif log.isEnabledFor(logging.DEBUG):
        again = " (to be tried again)" if visit.retry_at is not None else ""
        log.debug("%s %s %s%s", visit.outcome, visit.status or "-", visit.todo.url, again)


# ---------------------------------------------------------------- the end


def _nothing_to_do(crawler: Crawler) -> Summary:
    return dataclasses.replace(crawler.summary("finished", "nothing_to_do"), seconds=0.0)


def _tell(summary: Summary, options: RunOptions) -> None:
    if options.as_json:
        print(json.dumps(dataclasses.asdict(summary)))
    elif not options.quiet:
        print(story(summary))
    if summary.state == "interrupted" and (options.quiet or options.as_json):
        print(_resume(), file=sys.stderr)


def story(summary: Summary) -> str:
    """Return in a few lines how a run ended and what can be done next."""
    store = summary.store
    if summary.reason == "nothing_to_do":
        return (
            f"{store}: this crawl is finished, with {summary.total_pages:,} pages;"
            " nothing is left to do.\n"
            f"To start over: {command(fresh=True)} (the file is moved aside)\n"
            f'To look at it: crawler query --store {shlex.quote(store)} "SELECT url, title'
            ' FROM pages"'
        )
    lines = [
        f"{summary.reason}: {_pages(summary)}, {summary.items:,} items, {summary.errors:,} errors"
        f" in {progress.clock(summary.seconds)} → {store}"
    ]
    odd = {name: number for name, number in summary.outcomes.items() if name != Outcome.OK}
    if odd:
        told = ", ".join(f"{number:,} {name}" for name, number in sorted(odd.items()))
        lines.append(f"besides ok: {told}")
    if walled := summary.outcomes.get(Outcome.WALLED):
        lines.append(_walled(walled, store))
    lines += _of_items(summary)
    if summary.hidden_pages:
        lines.append(
            f"left out of texts, as no reader sees it: {summary.hidden_characters:,} characters on"
            f" {summary.hidden_pages:,} pages (store.hidden_text)"
        )
    if summary.state == "interrupted":
        lines.append(f"{summary.queued:,} queued. {_resume()}")
    elif summary.queued:
        lines.append(f"{summary.queued:,} are still queued; a higher --max-pages goes on.")
    elif not summary.total_pages:
        lines.append(
            f"No page was stored; see: crawler query --store {shlex.quote(store)}"
            ' "SELECT outcome, status, error, count(*) FROM pages GROUP BY 1, 2, 3"'
        )
    return "\n".join(lines)


def _walled(number: int, store: str) -> str:
    """Return what can be done about walls."""
    return (
        f"{number:,} walled: a bot check, a login or a consent form in place of a page; see:"
        f' crawler query --store {shlex.quote(store)} "SELECT error, count(*) FROM pages WHERE'
        " outcome = 'walled' GROUP BY error\"\n"
        "What may help: a longer politeness.delay, a politeness.contact, what visitors send"
        " (fetch.headers, cookies, a login), or the site's leave; then `crawler retry`."
        ' fetch.walls = "keep" takes walls for pages.'
    )


def _of_items(summary: Summary) -> Iterator[str]:
    """Yield what became of items beside being stored as they came."""
    refused = summary.refused.get("item_refused", 0)
    if refused:
        sql = '"SELECT item, reason, value, page_url FROM problems"'
        store = shlex.quote(summary.store)
        yield f"{refused:,} items refused; see: crawler query --store {store} {sql}"
        kinds = list(summary.rejected.items())
        yield from (f"  {number:,} {kind}" for kind, number in kinds[:_KINDS])
        if len(kinds) > _KINDS:
            yield f"  and {len(kinds) - _KINDS:,} more kinds"
    dropped = summary.refused.get("item_dropped", 0)
    if dropped:
        yield f"{dropped:,} items dropped by pipelines"
    if summary.widened:
        yield f"columns widened to hold all values: {', '.join(summary.widened)}"


def _pages(summary: Summary) -> str:
    if summary.resumed:
        return f"{summary.pages:,} pages ({summary.total_pages:,} with earlier runs)"
    return f"{summary.pages:,} pages"


def _resume() -> str:
    return f"Resume with: {command()}"


def command(*, fresh: bool = False) -> str:
    """Return the command line of this process, as it is typed to go on, or to start over."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--fresh"]
    return shlex.join(["crawler", *arguments, *(["--fresh"] if fresh else [])])
