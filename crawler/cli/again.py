"""`crawler retry`, `recrawl` and `changes`: a second look at what was crawled."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crawler.cli import options
from crawler.cli.options import LogLevel

if TYPE_CHECKING:
    from crawler.config import Config
    from crawler.sitemap import Entry
    from crawler.spider import Spider

_SITEMAPS = 1000  # of an index that are read

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def retry(
    where: Annotated[
        str, typer.Option(help="SQL over pages and host, as in \"outcome = 'timeout'\".")
    ] = "",
    store: options.Seen = None,
) -> None:
    """Queue failed requests again.

    Nothing that failed is ever forgotten.

    Example: crawler retry --where "status = 503 AND host LIKE '%example.com%'"
    """
    from crawler.cli import stores
    from crawler.store import upkeep

    path = stores.find(store)
    _check(path, where)
    number = upkeep.retry(path, where)
    print(f"{number:,} requests queued again in {path}; go on with `crawler run` or `crawl`")


def recrawl(
    spider: Annotated[
        str | None, typer.Argument(help="The spider; by default the store's seeds as a site.")
    ] = None,
    *,
    where: Annotated[str, typer.Option(help="SQL over pages: only these.")] = "",
    all_: Annotated[bool, typer.Option("--all", help="Also pages that are not due yet.")] = False,
    sitemap: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL|FILE",
            help="A sitemap or feed: what it says changed is due now, what is new is queued.",
        ),
    ] = None,
    arguments: Annotated[
        list[str] | None, typer.Option("-a", help="Set an attribute.", metavar="NAME=VALUE")
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
    from crawler import config as configuration
    from crawler.cli import loading, running, stores
    from crawler.store import upkeep
    from crawler.store.rows import iso

    if store is None and spider is not None:
        store = loading.find(spider).name
    path = stores.find(store)
    made = _spider(spider, path, arguments or [])
    settings = configuration.load(config, spider=made.settings, overrides=set_ or ())
    _check(path, where)
    now = iso(datetime.now(UTC).timestamp())
    began, queued = upkeep.under_way(path)
    number = 0
    for source in sitemap or ():
        entries = _entries(source, settings)
        changed = [(e.url, iso(e.modified.timestamp())) for e in entries if e.modified is not None]
        upkeep.bring_forward(path, changed, now)
        number += upkeep.add_new(path, [entry.url for entry in entries], now)
    number += upkeep.recrawl(path, now, where, every=settings.revisit.first, all_=all_)
    if not number and not (began and queued):
        done = f"the recrawl of {began} is finished, nothing of it was left" if began else ""
        print(f"{path}: {done or 'no page is due; --all visits every page'}", file=sys.stderr)
        return
    if began and not quiet:
        print(f"{path}: going on with the recrawl that began at {began}", file=sys.stderr)
    wish = running.Wish(
        store=path,
        config=config,
        overrides=options.overrides(set_, {}),
        quiet=quiet,
        log_level=log_level,
        as_json=json,
    )
    raise typer.Exit(running.run(made, wish))


def _check(path: Path, where: str) -> None:
    """Run a condition over no page: QueryError says where a mistake is and what is near."""
    from crawler.query import Reader

    if where:
        with Reader(path) as reader:
            hosts = "(SELECT host_id, name AS host FROM hosts)"
            reader.query(f"SELECT 1 FROM pages JOIN {hosts} USING (host_id) WHERE {where} LIMIT 0")


def _spider(name: str | None, path: Path, arguments: list[str]) -> Spider:
    if name is not None:
        from crawler.cli import loading

        return loading.load(name, arguments, store=path, resume=True)
    from crawler.errors import UsageError
    from crawler.query import Reader
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


def changes(
    since: Annotated[
        str, typer.Option(help="A time (ISO 8601), or how long ago: 30m, 12h, 7d.")
    ] = "7d",
    kind: Annotated[
        str | None, typer.Option(help="new, changed, touched, redirected, gone, back, failed.")
    ] = None,
    store: options.Seen = None,
    json: options.Json = False,
) -> None:
    """List what later visits found new, changed or gone.

    Example: crawler changes --since 2d --store quotes
    """
    from crawler.cli import stores
    from crawler.cli.table import write_table
    from crawler.export import stream
    from crawler.formats import Wish
    from crawler.query import Reader

    condition = " AND kind = ?" if kind else ""
    values = (_time(since), *([kind] if kind else []))
    with Reader(stores.find(store)) as reader:
        rows = reader.query(
            "SELECT at, kind, url, status_before, status, title_before, title, redirect_to"
            f" FROM changes WHERE at >= ?{condition} ORDER BY change_id",
            values,
        )
        if json:
            stream(rows, "jsonl", sys.stdout.buffer, Wish())
            sys.stdout.buffer.flush()
        else:
            write_table(rows, sys.stdout, "with --json, or in a pipe")


def _time(text: str) -> str:
    """Give a moment as the store writes it; UsageError for what is none."""
    from crawler.errors import UsageError
    from crawler.store.rows import iso

    if text[-1:] in _UNITS and text[:-1].isdigit():
        ago = timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
        return iso((datetime.now(UTC) - ago).timestamp())
    try:
        made = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--since {text}: write a time like 2026-01-31, or 12h, 7d") from None
    return iso((made if made.tzinfo else made.replace(tzinfo=UTC)).timestamp())
