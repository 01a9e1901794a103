"""What a run says that has nothing to do: why, and how it goes on all the same."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator

from crawler import urls
from crawler.cli.ending import command, named, of_denied
from crawler.engine.crawler import Summary
from crawler.inspect import bounds
from crawler.inspect.query import Reader
from crawler.inspect.status import has_met
from crawler.markup.words import plural
from crawler.spider import Spider, seeds_of
from crawler.spider.arguments import were_of
from crawler.store.address import StoreAddress
from crawler.web import outcome
from crawler.web.error_place import last_line
from crawler.web.request import url_hash

_REASONS = 3  # that are told


def story(spider: Spider, summary: Summary, place: StoreAddress) -> str:
    """Return that a crawl is finished, what of it failed or was refused, and the way on."""
    store = shlex.quote(summary.store)
    lines = [
        f"{summary.store}: this crawl is finished, with {plural(summary.total_pages, 'page')};"
        " nothing is left to do."
    ]
    with Reader(place) as reader:
        lines += _arguments(reader)
        lines += _unmet(spider, reader, summary.store)
        lines += _failed(reader, summary.store)
        if not summary.total_pages:
            lines += _denied(reader, summary.store)
        lines += _refused(reader, summary.store)
        lines += _changed(reader, spider, summary.store)
    if summary.total_pages:
        again = f"crawler recrawl {_named(spider)}--store {store} --all"
        lines.append(f"To visit its pages again: {again}")
    lines.append(f"To start over: {command(fresh=True)} (the store is moved aside)")
    if summary.total_pages:
        sql = '"SELECT url, title FROM pages"'
        lines.append(f"To look at it: crawler query --store {store} {sql}")
    return "\n".join(lines)


def _named(spider: Spider) -> str:
    """Return the spider as a command names it; a site needs none."""
    return "" if spider.name == "site" else f"{named(spider.name)} "


def _unmet(spider: Spider, reader: Reader, store: str) -> Iterator[str]:
    """Yield the start URLs that the crawl never had, as those of a spider changed since."""
    if type(spider).start is not Spider.start:
        return
    new = [url for url in seeds_of(spider) if not has_met(reader, urls.host_of(url), url_hash(url))]
    if new:
        told = shlex.join(new[:_REASONS]) + (" …" if len(new) > _REASONS else "")
        yield f"Not of this crawl: {plural(len(new), 'start URL')}, which it never met. To crawl"
        yield f"  also: crawler add {told} --store {shlex.quote(store)}, then this command"


def _failed(reader: Reader, store: str) -> Iterator[str]:
    """Yield how many requests failed and why, and that they can be queued again."""
    again = outcome.names("requeued")
    counters = dict(reader.query("SELECT name, value FROM counters").rows)
    failed = {
        name: counters.get(f"outcome.{name}", 0) for name in sorted(outcome.having("requeued"))
    }
    number = sum(failed.values())
    if not number:
        return
    told = ", ".join(f"{count:,} {name}" for name, count in failed.items() if count)
    yield f"{plural(number, 'request')} failed: {told}"
    sql = f"SELECT DISTINCT error FROM pages WHERE outcome IN ({again}) AND error <> '' LIMIT ?"
    for (error,) in reader.query(sql, (_REASONS,)).rows:
        yield f"  {last_line(error)}"
    yield f"To try these again: crawler retry --store {shlex.quote(store)}, then this command"


def _denied(reader: Reader, store: str) -> Iterator[str]:
    """Yield that robots.txt denied what a crawl without a page asked for."""
    sql = "SELECT value FROM counters WHERE name = 'outcome.robots_denied' AND value > 0"
    for (number,) in reader.query(sql).rows:
        yield of_denied(number, store)


def _refused(reader: Reader, store: str) -> Iterator[str]:
    """Yield what was met and not taken."""
    sql = (
        "SELECT substr(name, 9), value FROM counters WHERE name LIKE 'refused.%' AND value > 0"
        " AND name NOT LIKE 'refused.item%' ORDER BY name"
    )
    told = ", ".join(f"{value:,} {name}" for name, value in reader.query(sql).rows)
    if told:
        yield (
            f"Not taken: {told}. With a higher --depth, another --scope and the like the same"
            f" command goes on with these; more: crawler status {shlex.quote(store)}"
        )


def _arguments(reader: Reader) -> Iterator[str]:
    """Yield the arguments of the first run, which hold where the command gives none."""
    if "-a" in sys.argv:
        return
    text = dict(reader.query("SELECT key, value FROM crawl").rows).get("arguments") or "{}"
    given = {name: kept["value"] for name, kept in were_of(text).items() if "value" in kept}
    if given:
        told = " ".join(f"-a {name}={value}" for name, value in given.items())
        yield f"It was begun with {told}, which holds until it is started over."


def _changed(reader: Reader, spider: Spider, store: str) -> Iterator[str]:
    """Yield what to do where the spider is another by now."""
    if bounds.code_changed(reader, spider):
        store = shlex.quote(store)
        yield (
            "The spider's file changed since the last run. Its callbacks over the stored pages:"
            f" crawler reparse {named(spider.name)} --store {store} --apply; over the pages as they"
            " are now: crawler recrawl (below)"
        )
