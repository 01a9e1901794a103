"""`crawler crawl`: a site without writing a spider."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

from crawler.cli import NO_PAGE, options
from crawler.cli.declared import Argument, Exit, Option
from crawler.cli.options import LogFormat, LogLevel


class ScopeChoice(StrEnum):
    """Which links belong to the crawl."""

    HOST = "host"
    DOMAIN = "domain"
    PREFIX = "prefix"
    ANY = "any"


Depth = Annotated[
    int | None, Option(min=0, metavar="N", help="Follow links at most this many steps.")
]
Scope = Annotated[
    ScopeChoice | None, Option(help="Which links belong to the crawl; by default host.")
]
Include = Annotated[
    list[str] | None,
    Option(metavar="REGEX", help="Follow only links in whose URL this is found."),
]
Exclude = Annotated[
    list[str] | None,
    Option(metavar="REGEX", help="Follow no link in whose URL this is found."),
]
DryRun = Annotated[
    bool, Option("--dry-run", help="Store nothing: tell what would become of each link.")
]
Archive = Annotated[
    bool,
    Option("--archive", help="Also fetch what pages need to be shown (images, styles, …)."),
]


def crawl(
    urls: Annotated[list[str], Argument(metavar="URL...", help="Where to start.")],
    *,
    max_pages: options.MaxPages = None,
    processes: options.Processes = None,
    depth: Depth = None,
    scope: Scope = None,
    include: Include = None,
    exclude: Exclude = None,
    archive: Archive = False,
    dry_run: DryRun = False,
    store: options.Store = None,
    config: options.ConfigFile = None,
    set_: options.Set = None,
    output: options.Output = None,
    fresh: options.Fresh = False,
    quiet: options.Quiet = False,
    log_level: options.Level = LogLevel.INFO,
    log_format: options.Format = LogFormat.TEXT,
    dashboard: options.Dashboard = False,
    listen: options.Listen = None,
    json: options.Json = False,
) -> None:
    """Crawl a site without writing a spider.

    Every page in reach of the URLs goes into a store that SQL can query. Run it again to resume
    what was interrupted.

    Example: crawler crawl https://docs.python.org/3/ --max-pages 100 --set politeness.delay=1
    """
    from crawler.cli.outputs import outputs_of
    from crawler.cli.runner import RunOptions, run
    from crawler.spider import SiteSpider, seeds_of

    spider = SiteSpider(*_urls(urls))
    seeds = seeds_of(spider)
    wanted = {
        "engine.max_pages": max_pages,
        "engine.processes": processes,
        "engine.max_depth": depth,
        "engine.scope": scope,
        "links.include": options.as_toml(include),
        "links.exclude": options.as_toml(exclude),
        "links.requisites": "true" if archive else None,
    }
    overrides = options.overrides(set_, wanted)
    if dry_run:
        raise Exit(_dry_run(seeds, config, overrides))
    file = _place(store, seeds, fresh=fresh)
    told = options.told(quiet, log_level, log_format, dashboard, listen)
    asked = RunOptions(
        store=file,
        config=config,
        overrides=overrides,
        fresh=fresh,
        as_json=json,
        outputs=outputs_of(output, file, what="pages"),
        **told,
    )
    raise Exit(run(spider, asked))


def _urls(given: list[str]) -> list[str]:
    """Return them; UsageError for what is a file, or a number that belongs to an option."""
    from crawler.errors import UsageError

    for text in given:
        file = Path(text.removeprefix("@"))
        if file.is_file():
            raise UsageError(
                f"{text} is a file; to crawl the URLs in it: crawler import {file} --store"
                f" {file.stem}, then crawler crawl with the first of them and --store {file.stem}"
            )
        if text.isdecimal():
            raise UsageError(f"{text} is no URL; as a number of pages: --max-pages {text}")
    return given


def _dry_run(seeds: list[str], config: Path | None, overrides: tuple[str, ...]) -> int:
    from crawler.cli.dry_run import tell
    from crawler.config import layers as configuration

    there = tell(seeds, configuration.load(config, overrides=overrides))
    return 0 if there else NO_PAGE


def _place(store: str | None, seeds: list[str], *, fresh: bool) -> Path:
    """Return the store of the crawl; UsageError if it holds one that began elsewhere."""
    from crawler.cli.stores import DATA, place
    from crawler.engine.one_call import store_name

    file = place(store, DATA / f"{store_name(seeds[0])}.db")
    if not fresh and file.is_file():
        _check_seeds(file, seeds)
    return file


def _check_seeds(store: Path, seeds: list[str]) -> None:
    """Raise UsageError for a seed that the store's crawl has never met: it would be ignored."""
    from crawler import urls
    from crawler.errors import UsageError
    from crawler.inspect.status import knows
    from crawler.web.request import url_hash

    for seed in seeds:
        if not knows(store, urls.host_of(seed), url_hash(seed)):
            raise UsageError(
                f"{store} holds a crawl that began elsewhere and never met {seed};"
                " give this one its own --store, or start over with --fresh"
            )
