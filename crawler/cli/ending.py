"""What a run says at its end: how it went, what was left out and why, and what can be done next.

Whatever was dropped, refused, cut or skipped has a line here, with the command that shows more.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import suppress

from crawler.cli.python_errors import with_way_out
from crawler.engine import progress
from crawler.engine.crawler import Summary
from crawler.errors import CrawlerError
from crawler.markup.words import plural, some
from crawler.spider import Spider
from crawler.store.address import StoreAddress
from crawler.web.outcome import MEANINGS, Outcome

_OF_ITEMS = ("item_refused", "item_dropped")
_KINDS = 5  # of refused items that are named
_PLACES = 5  # of code that raised, which are told

_WAYS_ON = {
    "request_out_of_scope": "of what callbacks asked for out of scope: name the hosts in"
    " allowed_domains, or set engine.scope (domain, any)",
    "duplicate_request": "of what was asked for before: dont_filter=True asks again",
    "page_nofollow": "on pages that ask not to be followed (meta robots):"
    " links.robots_meta = false follows them",
    "too_deep": "deeper than engine.max_depth: a higher --depth goes on with them",
    "endless": "of patterns whose pages say nothing new: traps.endless_after = 0 fetches"
    " them all; see: crawler traps {store}",
    "host_full": "of hosts that have given traps.max_pages_per_host pages",
}
"""What a refusal means to who expected these pages, and what changes it."""


_LIMITS = {
    "max_time": "the same command goes on for as long again",
    "max_errors": "the same command goes on, to as many more",
    "max_bytes": "the same command goes on, to as many more",
}
"""How a run that ended by a limit is gone on with."""


_TOLD_ABOVE = (Outcome.ROBOTS_UNREACHABLE, Outcome.SPIDER_ERROR, Outcome.WALLED)
"""Outcomes whose line says how they are tried again, or that it takes another command."""


def story(summary: Summary) -> str:
    """Return in a few lines how a run ended and what can be done next."""
    store = shlex.quote(summary.store)
    lines = [
        f"{summary.reason}: {_pages(summary)}, {plural(summary.items, 'item')},"
        f" {plural(summary.errors, 'error')}"
        f" in {progress.clock(summary.seconds)} → {summary.store}"
    ]
    odd = {name: number for name, number in summary.outcomes.items() if name != Outcome.OK}
    if odd:
        told = ", ".join(f"{number:,} {name}" for name, number in sorted(odd.items()))
        lines.append(f"besides ok: {told}")
    lines += _of_code(summary)
    unread = summary.reasons.get(Outcome.RECORD_ERROR)
    if unread and summary.total_pages and not summary.raised:  # of a feed, and none of its callback
        lines.append(f"record_error: {unread}")
    if walled := summary.outcomes.get(Outcome.WALLED):
        lines.append(_walled(walled, store))
    lines += _of_robots(summary)
    lines += _of_items(summary)
    lines += _left_out(summary)
    if summary.hidden_pages:
        lines.append(
            "left out of texts, as no reader sees it:"
            f" {plural(summary.hidden_characters, 'character')} on"
            f" {plural(summary.hidden_pages, 'page')} (store.hidden_text)"
        )
    lines += _onward(summary)
    return "\n".join(lines)


def of_spider(spider: Spider, summary: Summary) -> Iterator[str]:
    """Yield what a spider may have forgotten: its callbacks gave nothing at all."""
    silent = summary.stayed and not summary.items and not summary.refused and not summary.raised
    if silent and not spider.rules and getattr(type(spider), "parse", None) is not Spider.parse:
        yield (
            f"The callbacks of {spider.name!r} gave neither an item nor a request: is a `yield`"
            " missing, or does a selector find nothing? Try it: crawler shell URL"
        )


def renamed(summary: Summary, store: StoreAddress) -> Iterator[str]:
    """Yield which tables and columns of items are called otherwise than the class or key is."""
    from crawler.inspect import status
    from crawler.inspect.query import Reader

    names: list[str] = []
    if summary.items:
        # A database that has gone is an error of the run, which is told as that.
        with suppress(CrawlerError), Reader(store) as reader:
            names = status.renamed(reader)
    if names:
        yield f"renamed for SQL: {some(names)}"


def _onward(summary: Summary) -> Iterator[str]:
    """Yield how it goes on, or why there was no page."""
    store = shlex.quote(summary.store)
    if summary.state == "interrupted":
        yield f"{summary.queued:,} queued. {resume()}"
    elif summary.reason == "max_items":
        yield f"{summary.queued:,} still queued; a higher engine.max_items goes on{_with_more()}"
    elif summary.state == "stopped":
        way = _LIMITS.get(summary.reason, "the same command goes on")
        if summary.ended_by is not None:
            way = f"{way} once {summary.ended_by}() raises no StopCrawl any more"
        yield f"{summary.queued:,} still queued; {way}: {command()}"
    elif summary.queued:
        yield f"{summary.queued:,} still queued; a higher --max-pages goes on."
    elif not summary.total_pages and not summary.outcomes:
        yield (
            f"There was nothing to fetch: the spider {summary.spider!r} gave no request; give it"
            " start_urls, or a start() that yields Request(url)."
        )
    elif not summary.total_pages:
        for name, reason in summary.reasons.items():
            if name != Outcome.ROBOTS_UNREACHABLE:
                yield f"{name}: {reason}"
        yield from _again(summary)
        yield (
            f"No page was stored; see: crawler query --store {store}"
            ' "SELECT outcome, status, error, count(*) FROM pages GROUP BY 1, 2, 3"'
        )
    else:
        yield from _again(summary)


def _again(summary: Summary) -> Iterator[str]:
    """Yield how what failed is tried again: where there are pages, what may be otherwise soon."""
    again = {name for name in Outcome if MEANINGS[name].requeued and name not in _TOLD_ABOVE}
    if summary.total_pages:
        again = {name for name in again if MEANINGS[name].retried} | {Outcome.HOST_GIVEN_UP}
    if number := sum(summary.outcomes.get(name, 0) for name in again):
        failed, store = plural(number, "request"), shlex.quote(summary.store)
        yield f"{failed} failed; to try again: crawler retry --store {store}, then: {command()}"


def _of_code(summary: Summary) -> Iterator[str]:
    """Yield where the spider's code raised, and what failed on every page."""
    for line, number in list(summary.raised.items())[:_PLACES]:
        times = f" ({plural(number, 'time')})" if number > 1 else ""
        yield f"raised: {with_way_out(line)}{times}"
    if len(summary.raised) > _PLACES:
        yield f"raised: at {len(summary.raised) - _PLACES:,} other places"
    if len(summary.raised) > len(_closings(summary)):  # which are of no page
        store = shlex.quote(summary.store)
        yield f'tracebacks: crawler query --store {store} "SELECT url, error FROM errors"'
    closings = _closings(summary)
    pages = [name for name in summary.failed_callbacks if name not in closings]
    if pages:
        yield f"failed on every page: {', '.join(pages)}; mend it, then: {_reparse(summary)}"
    if summary.failed_fetches:
        store = shlex.quote(summary.store)
        again = f"crawler retry --store {store}, and: {command()}"
        yield f"failed on every request, before its callback; mend it, then: {again}"


def _reparse(summary: Summary) -> str:
    """Return the command that calls the callbacks again, over the stored pages."""
    return f"crawler reparse {named(summary.spider)} --store {shlex.quote(summary.store)} --apply"


def _closings(summary: Summary) -> list[str]:
    """Return what failed at the end of the run: `closed`, or `close` of a pipeline."""
    ends = ("closed", ".close()")
    return [name for name in summary.failed_callbacks if name.endswith(ends)]


def _of_robots(summary: Summary) -> Iterator[str]:
    """Yield why a robots.txt could not be had: nothing of its host is fetched until then."""
    number = summary.outcomes.get(Outcome.ROBOTS_UNREACHABLE)
    if number:
        reason = summary.reasons.get(Outcome.ROBOTS_UNREACHABLE, "it could not be had")
        yield (
            f"{number:,} robots_unreachable: {reason}; later: crawler retry --store"
            f" {shlex.quote(summary.store)}, then this command (politeness.robots_override gives a"
            " host rules of your own)"
        )
    denied = summary.outcomes.get(Outcome.ROBOTS_DENIED)
    if denied and not summary.pages:
        yield of_denied(denied, summary.store)


def of_denied(number: int, store: str) -> str:
    """Return that robots.txt denies what was asked for, and what can be done."""
    return (
        f"{number:,} robots_denied: robots.txt denies what was asked for; which line of it:"
        f" crawler why URL --store {shlex.quote(store)} (politeness.robots_override gives a host"
        f" rules of your own; with those, or once it allows more: {command(fresh=True)})"
    )


def _left_out(summary: Summary) -> Iterator[str]:
    """Yield what was met and not taken, by reason, and what would take it."""
    left = {name: n for name, n in summary.refused.items() if name not in _OF_ITEMS and n}
    if not left:
        return
    store = shlex.quote(summary.store)
    told = ", ".join(f"{number:,} {name}" for name, number in sorted(left.items()))
    yield f"not taken: {told}; more: crawler status {store}"
    for name, text in _WAYS_ON.items():
        if left.get(name):
            yield f"  {left[name]:,} {text.format(store=store)}"
    if summary.stayed and left.get("out_of_scope"):
        yield (
            f"  {plural(left['out_of_scope'], 'link')}, all that were met, lead out of scope:"
            " --set engine.scope=domain or any follows more"
        )


def _walled(number: int, store: str) -> str:
    """Return what can be done about walls."""
    return (
        f"{number:,} walled: a bot check, a login or a consent form in place of a page; see:"
        f' crawler query --store {store} "SELECT error, count(*) FROM pages WHERE'
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
        kinds = list(summary.rejected.items())
        raised = sum(n for kind, n in kinds if kind.partition(": ")[2].startswith("pipeline "))
        who = _refused_by(refused, raised, summary.items)
        yield f"{plural(refused, 'item')} {who}; see: crawler query --store {store} {sql}"
        yield from (f"  {number:,} {kind}" for kind, number in kinds[:_KINDS])
        if len(kinds) > _KINDS:
            yield f"  and {len(kinds) - _KINDS:,} more kinds"
        yield f"  to have them from the stored pages: mend it, then: {_reparse(summary)}"
    dropped = summary.refused.get("item_dropped", 0)
    if dropped:
        forgot = not summary.items and not refused
        every = ", every one: a pipeline gives back the item that it keeps" if forgot else ""
        yield f"{plural(dropped, 'item')} dropped by pipelines{every}"
        kinds = list(summary.dropped.items())
        yield from (f"  {number:,} {kind}" for kind, number in kinds[:_KINDS])
        if len(kinds) > _KINDS:
            yield f"  and {len(kinds) - _KINDS:,} more kinds"
    if summary.widened:
        yield f"columns widened to hold all values: {', '.join(summary.widened)}"
    if summary.replaced:
        yield f"{plural(summary.replaced, 'text')} of items had NUL or half a character, now U+FFFD"


def _refused_by(refused: int, raised: int, stored: int) -> str:
    """Return what refused items, `raised` of them because a pipeline raised."""
    if raised and raised < refused:
        return f"refused ({raised:,} by a pipeline, {refused - raised:,} did not fit their type)"
    every = "" if stored else ", every one"
    return f"refused by a pipeline{every}" if raised else f"refused{every}"


def _pages(summary: Summary) -> str:
    told = plural(summary.pages, "page")
    if "://" in summary.store and summary.total_pages != summary.pages:
        return f"{told} ({summary.total_pages:,} with other processes and runs)"
    return f"{told} ({summary.total_pages:,} with earlier runs)" if summary.resumed else told


def resume() -> str:
    """Return the line that says how an interrupted crawl is gone on with."""
    return f"Resume with: {command()}"


def _with_more() -> str:
    """Return the command line with twice as many items, if it is there that they are bounded."""
    bound = next((each for each in sys.argv if each.startswith("engine.max_items=")), "")
    most = bound.partition("=")[2]
    if not most.isdecimal():
        return "."
    return f": {command()}".replace(bound, f"engine.max_items={2 * int(most)}")


def named(spider: str) -> str:
    """Return a spider as a command finds it: a file or module:Class as it was typed."""
    places = [word for word in sys.argv[2:] if re.fullmatch(r"[^=]*\.py|[\w.]+:\w+", word)]
    return shlex.quote(places[0]) if len(places) == 1 else spider


def command(*, fresh: bool = False) -> str:
    """Return the command line of this process, as it is typed to go on, or to start over."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--fresh"]
    return shlex.join(["crawler", *arguments, *(["--fresh"] if fresh else [])])
