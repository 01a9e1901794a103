"""`crawler recrawl`: visit pages again that are due."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from crawler.cli import options
from crawler.cli.declared import Argument, Exit, Option
from crawler.cli.options import LogLevel

if TYPE_CHECKING:
    from crawler.config.layers import Config
    from crawler.sitemap import Entry
    from crawler.spider import Spider
    from crawler.store.address import StoreAddress

_SITEMAPS = 1000  # of an index that are read


def recrawl(
    spider: Annotated[
        str | None, Argument(help="The spider; by default the store's seeds as a site.")
    ] = None,
    *,
    where: Annotated[str, Option(help="SQL over pages: only these.")] = "",
    all_: Annotated[bool, Option("--all", help="Also pages that are not due yet.")] = False,
    sitemap: Annotated[
        list[str] | None,
        Option(
            metavar="URL|FILE",
            help="A sitemap or feed: what it says changed is due now, what is new is queued.",
        ),
    ] = None,
    arguments: Annotated[
        list[str] | None, Option("-a", help="Set an attribute.", metavar="NAME=VALUE")
    ] = None,
    store: options.Seen = None,
    config: options.ConfigFile = None,
    set_: options.Set = None,
    quiet: options.Quiet = False,
    log_level: options.Level = LogLevel.INFO,
    json: options.Json = False,
) -> None:
    """Visit pages again that are due.

    By conditional requests; what the pages were is kept. A page that changes is visited sooner,
    one that does not later. The same command goes on with a recrawl that was stopped.

    Example: crawler recrawl --store quotes --where "depth <= 1"
    """
    from crawler.cli import runner, spider_loader, stores
    from crawler.cli.retry import check
    from crawler.config import layers as configuration
    from crawler.store import requeue
    from crawler.store.rows import iso

    if store is None and spider is not None:
        store = spider_loader.find(spider).name
    path = stores.any_of(store)
    made = _spider(spider, path, arguments or [])
    settings = configuration.load(config, spider=made.settings, overrides=set_ or ())
    check(path, where)
    now = iso(datetime.now(UTC).timestamp())
    lock_timeout = settings.store.lock_timeout
    began, queued = requeue.under_way(path, lock_timeout=lock_timeout)
    number = sum(_told(source, path, now, settings) for source in sitemap or ())
    first = settings.revisit.first
    number += requeue.recrawl(path, now, where, every=first, all_=all_, lock_timeout=lock_timeout)
    if not number and not (began and queued):
        done = f"the recrawl of {began} is finished, nothing of it was left" if began else ""
        print(f"{path}: {done or 'no page is due; --all visits every page'}", file=sys.stderr)
        return
    if began and not quiet:
        print(f"{path}: going on with the recrawl that began at {began}", file=sys.stderr)
    asked = runner.RunOptions(
        path, config, options.overrides(set_, {}), False, quiet, log_level, json
    )
    raise Exit(runner.run(made, asked))


def _told(source: str, path: StoreAddress, now: str, settings: Config) -> int:
    """Read from a sitemap what changed and what is new, and return how much is new."""
    from crawler.store import requeue
    from crawler.store.rows import iso

    entries = _entries(source, settings)
    changed = [(e.url, iso(e.modified.timestamp())) for e in entries if e.modified is not None]
    requeue.bring_forward(path, changed, now)
    return requeue.add_new(path, [entry.url for entry in entries], now)


def _spider(name: str | None, path: StoreAddress, arguments: list[str]) -> Spider:
    if name is not None:
        from crawler.cli import spider_loader

        return spider_loader.load(name, arguments, store=path, resume=True)
    from crawler.errors import UsageError
    from crawler.inspect.query import Reader
    from crawler.spider import SiteSpider

    with Reader(path) as reader:
        owner = [v for (v,) in reader.query("SELECT value FROM crawl WHERE key = 'spider'").rows]
        if owner != ["site"]:
            # A path or module that a store names is not to be pasted into a command line.
            named = str(owner[0]) if owner else ""
            named = named if named.replace("-", "_").isidentifier() else "SPIDER"
            raise UsageError(f"{path} was crawled by a spider: crawler recrawl {named}")
        seeds = reader.query("SELECT url FROM pages WHERE depth = 0 AND parent_id IS NULL").rows
        return SiteSpider(*[url for (url,) in seeds])


def _entries(source: str, settings: Config) -> list[Entry]:
    """Read a sitemap or feed, and the sitemaps that an index names; UsageError where there is none.

    Of an index only sitemaps of its own host are read.
    """
    from crawler import urls
    from crawler.errors import UsageError
    from crawler.sitemap import parse

    if "://" not in source:
        try:
            entries = parse(Path(source).read_bytes(), Path(source).absolute().as_uri())
        except OSError as error:
            raise UsageError(f"--sitemap {source}: {error.strerror}") from None
        return [entry for entry in entries if entry.kind == "page"]
    found: list[Entry] = []
    named = [urls.from_cli(source)]
    for url in named:  # which grows
        for entry in parse(_fetched(url, settings), url):
            if entry.kind == "page":
                found.append(entry)
            elif urls.host_of(entry.url) == urls.host_of(named[0]) and len(named) < _SITEMAPS:
                named += [entry.url] * (entry.url not in named)
    return found


def _fetched(url: str, settings: Config) -> bytes:
    import asyncio

    from crawler.clients import fetch_all
    from crawler.errors import UsageError

    [found] = asyncio.run(fetch_all([url], config=settings))
    if found.response is None or not found.ok:
        why = found.error or f"status {found.response.status if found.response else '-'}"
        raise UsageError(f"--sitemap {url}: {why}")
    return found.response.body
