"""`crawler reparse`: a changed spider over what is stored already."""

from __future__ import annotations

import functools
import os
import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from crawler.cli import options

if TYPE_CHECKING:
    from crawler.reparse import Diff


def reparse(
    spider: Annotated[str, typer.Argument(help="A spider's name, module:Class, or a .py file.")],
    where: Annotated[str, typer.Option(help="SQL over pages: only these.")] = "",
    apply: Annotated[bool, typer.Option("--apply", help="Store the result.")] = False,
    processes: Annotated[
        int | None, typer.Option(min=1, help="By default one for each CPU that is worth starting.")
    ] = None,
    arguments: Annotated[
        list[str] | None, typer.Option("-a", help="Set an attribute.", metavar="NAME=VALUE")
    ] = None,
    store: options.Store = None,
) -> None:
    """Run callbacks again over stored pages.

    Without the network. Shows what would change; --apply replaces the items of each page.

    Example: crawler reparse quotes --where "depth > 0" --apply
    """
    from crawler import reparse as again
    from crawler.cli import loading, stores
    from crawler.cli.screen import Screen
    from crawler.query import Reader
    from crawler.store.upkeep import claimed

    given = arguments or []
    name = loading.load(spider, given).name  # a mistake in it shows here, not in a child
    path = stores.find(store or name)
    load = functools.partial(loading.load, spider, given)
    screen, diff, began = Screen(), again.Diff(), time.perf_counter()
    with Reader(path) as reader:
        pages = again.chosen(reader, where)
        again.check(pages, path)
        # To start a process costs as much as some thousand pages.
        wanted = processes or min(os.cpu_count() or 1, 1 + len(pages) // 5000)
        results = again.parsed(path, pages, load, wanted)
        kept = []
        for chunk in results:
            again.compare(reader, chunk, diff)
            kept.append(chunk if apply else [])
            if screen.live:
                screen.show(f"{diff.pages:,} of {len(pages):,} pages")
    screen.close()
    if apply:
        with claimed(path) as db:
            writer = again.Writer(db)
            for chunk in kept:
                writer.replace(chunk)
    _tell(diff, time.perf_counter() - began, apply)


def _tell(diff: Diff, seconds: float, applied: bool) -> None:
    for kind, table, url, shown in diff.examples:
        print(f"{kind:8} {table}  {url}\n         {shown}")
    print(
        f"{diff.pages:,} pages: {diff.same:,} items as before, {diff.added:,} added,"
        f" {diff.changed:,} changed, {diff.removed:,} removed, {diff.errors:,} pages failed"
        f" ({seconds:.1f} s)"
    )
    if not applied and (diff.added or diff.changed or diff.removed):
        print("nothing is stored yet; store it with --apply", file=sys.stderr)
