"""`crawler run`: a spider from `spiders/`, a module or a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from crawler.cli import options
from crawler.cli.declared import Argument, Exit, Option
from crawler.cli.options import LogFormat, LogLevel
from crawler.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crawler.spider import Spider
    from crawler.store.address import StoreAddress


def run(
    spiders: Annotated[
        list[str] | None,
        Argument(
            metavar="SPIDER...",
            help="Names of spiders in spiders/, module:Class, or .py files; one after the other.",
        ),
    ] = None,
    *,
    all_: Annotated[bool, Option("--all", help="Run every spider in spiders/.")] = False,
    arguments: Annotated[
        list[str] | None,
        Option(
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
    output: options.Output = None,
    fresh: options.Fresh = False,
    quiet: options.Quiet = False,
    log_level: options.Level = LogLevel.INFO,
    log_format: options.Format = LogFormat.TEXT,
    dashboard: options.Dashboard = False,
    listen: options.Listen = None,
    json: options.Json = False,
) -> None:
    """Run a spider, or several; resumes where it was stopped.

    Example: crawler run quotes -a base=http://127.0.0.1:8000/ --max-pages 5
    """
    from crawler.cli import INTERRUPTED, outputs, runner

    names = _named(spiders or [], all_=all_, store=store, output=output)
    wanted = {"engine.max_pages": max_pages, "engine.processes": processes}
    overrides = options.overrides(set_, wanted)
    code = 0
    for name in names:
        values = _values_of(name, arguments or []) if "{" in f"{store}{output}" else {}
        made, place = _made(name, arguments or [], store, values, fresh=fresh)
        asked = runner.RunOptions(
            store=place,
            config=config,
            overrides=overrides,
            fresh=fresh,
            as_json=json,
            outputs=outputs.outputs_of(output, place, values=values),
            **options.told(quiet, log_level, log_format, dashboard, listen),
        )
        ended = runner.run(made, asked)
        code = code or ended
        if ended == INTERRUPTED:
            code = ended
            break
    raise Exit(code)


def _made(
    name: str,
    arguments: list[str],
    store: str | None,
    values: Mapping[str, object],
    *,
    fresh: bool,
) -> tuple[Spider, StoreAddress]:
    """Return a spider and its store."""
    from crawler.cli import spider_loader, stores

    path = stores.templated(store, values)
    made = spider_loader.load(name, arguments, store=path, resume=not fresh)
    return made, stores.target(path, stores.DATA / f"{made.name}.db", crawl=made.name)


def _values_of(name: str, arguments: list[str]) -> dict[str, object]:
    """Return what the names of a store and of files are filled in with."""
    from crawler.cli import runner, spider_loader

    kind = spider_loader.find(name)
    return runner.store_values(kind, spider_loader.values_of(kind, arguments))


def _named(
    spiders: list[str], *, all_: bool, store: str | None, output: list[str] | None
) -> list[str]:
    """Return the spiders that are to run; UsageError where that cannot be told."""
    from crawler.cli import spider_loader

    if stray := next((word for word in spiders if "=" in word), None):
        raise UsageError(f"{stray} is no spider; a spider is given it with -a {stray}")
    if spiders and all_:
        raise UsageError(f"--all runs every spider; leave out {' '.join(spiders)}, or --all")
    if not spiders and not all_:
        raise UsageError("name spiders to run, or give --all; `crawler list` shows them")
    names = [found.name for found in spider_loader.loaded()] if all_ else spiders
    for name in spiders[1:]:
        spider_loader.find(name)  # what cannot run is told before the first of them begins
    if len(names) > 1 and store is not None and "{name}" not in store and not _is_joint(store):
        raise UsageError(
            f"--store {store} for {len(names)} spiders: each has a store of its own; write"
            " --store 'data/{name}.db', which crawler query --all asks as one, or a PostgreSQL"
            " database, in which each has a schema"
        )
    for file in output or () if len(names) > 1 else ():
        if "{name}" not in file:
            raise UsageError(
                f"-o {file} for {len(names)} spiders: each would write over it; write"
                " -o 'out/{name}.jsonl'"
            )
    return names


def _is_joint(store: str) -> bool:
    """Return whether a store is a database that gives each spider a schema of its own."""
    return "://" in store and "crawl=" not in store
