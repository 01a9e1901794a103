"""`crawler run`: a spider from `spiders/`, a module or a file."""

from __future__ import annotations

from typing import Annotated

import typer

from crawler.cli import options
from crawler.cli.options import LogLevel


def run(
    spider: Annotated[
        str, typer.Argument(help="A spider's name in spiders/, module:Class, or a .py file.")
    ],
    *,
    arguments: Annotated[
        list[str] | None,
        typer.Option(
            "-a",
            help="Set an attribute of the spider, of the type that it has there.",
            metavar="NAME=VALUE",
        ),
    ] = None,
    max_pages: options.MaxPages = None,
    store: options.Store = None,
    config: options.ConfigFile = None,
    set_: options.Set = None,
    fresh: options.Fresh = False,
    quiet: options.Quiet = False,
    log_level: options.Level = LogLevel.INFO,
    json: options.Json = False,
) -> None:
    """Run a spider; resumes where it was stopped.

    Example: crawler run quotes -a base=http://127.0.0.1:8000/ --max-pages 5
    """
    from crawler.cli import runner, spider_loader, stores

    if store is not None and "{" in store:
        kind = spider_loader.find(spider)
        values = spider_loader.values_of(kind, arguments or [])
        store = stores.templated(store, runner.store_values(kind, values))
    made = spider_loader.load(spider, arguments or [], store=store, resume=not fresh)
    asked = runner.RunOptions(
        store=stores.target(store, stores.DATA / f"{made.name}.db", crawl=made.name),
        config=config,
        overrides=options.overrides(set_, {"engine.max_pages": max_pages}),
        fresh=fresh,
        quiet=quiet,
        log_level=log_level,
        as_json=json,
    )
    raise typer.Exit(runner.run(made, asked))
