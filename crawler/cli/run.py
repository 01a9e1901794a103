"""`crawler run`: a spider from `spiders/`, a module or a file."""

from __future__ import annotations

from typing import Annotated

import typer

from crawler.cli import options
from crawler.cli.options import LogFormat, LogLevel
from crawler.errors import UsageError


def run(
    spiders: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SPIDER...",
            help="Names of spiders in spiders/, module:Class, or .py files; one after the other.",
        ),
    ] = None,
    *,
    all_: Annotated[bool, typer.Option("--all", help="Run every spider in spiders/.")] = False,
    arguments: Annotated[
        list[str] | None,
        typer.Option(
            "-a",
            help="Set an attribute of the spider, of the type that it has there.",
            metavar="NAME=VALUE",
        ),
    ] = None,
    max_pages: options.MaxPages = None,
    processes: options.Processes = None,
    store: options.Store = None,
    config: options.ConfigFile = None,
    set_: options.Set = None,
    fresh: options.Fresh = False,
    quiet: options.Quiet = False,
    log_level: options.Level = LogLevel.INFO,
    log_format: options.Format = LogFormat.TEXT,
    dashboard: options.Dashboard = False,
    json: options.Json = False,
) -> None:
    """Run a spider, or several; resumes where it was stopped.

    Example: crawler run quotes -a base=http://127.0.0.1:8000/ --max-pages 5
    """
    from crawler.cli import INTERRUPTED, runner, spider_loader, stores

    names = _named(spiders or [], all_=all_, store=store)
    wanted = {"engine.max_pages": max_pages, "engine.processes": processes}
    overrides = options.overrides(set_, wanted)
    told = options.told(quiet, log_level, log_format, dashboard)
    code = 0
    for name in names:
        path = store
        if store is not None and "{" in store:
            path = _filled_in(store, name, arguments or [])
        made = spider_loader.load(name, arguments or [], store=path, resume=not fresh)
        asked = runner.RunOptions(
            store=stores.target(path, stores.DATA / f"{made.name}.db", crawl=made.name),
            config=config,
            overrides=overrides,
            fresh=fresh,
            as_json=json,
            **told,
        )
        ended = runner.run(made, asked)
        code = code or ended
        if ended == INTERRUPTED:
            code = ended
            break
    raise typer.Exit(code)


def _filled_in(store: str, name: str, arguments: list[str]) -> str | None:
    """Return the name of a store with what a spider has for `{name}` and the like."""
    from crawler.cli import runner, spider_loader, stores

    kind = spider_loader.find(name)
    values = spider_loader.values_of(kind, arguments)
    return stores.templated(store, runner.store_values(kind, values))


def _named(spiders: list[str], *, all_: bool, store: str | None) -> list[str]:
    """Return the spiders that are to run; UsageError where that cannot be told."""
    from crawler.cli import spider_loader

    if bool(spiders) == all_:
        raise UsageError("name spiders to run, or give --all; `crawler list` shows them")
    names = [found.name for found in spider_loader.loaded()] if all_ else spiders
    if len(names) > 1 and store is not None and "{name}" not in store:
        raise UsageError(
            f"--store {store} for {len(names)} spiders: each has a store of its own; write"
            " --store 'data/{name}.db'"
        )
    return names
