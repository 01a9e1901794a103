"""`crawler reparse`: a changed spider over what is stored already."""

from __future__ import annotations

import functools
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

from crawler.cli import options
from crawler.cli.declared import Argument, Exit, Option
from crawler.markup.words import plural

if TYPE_CHECKING:
    from crawler.reparse.diff import Diff
    from crawler.reparse.writer import Writer
    from crawler.store.address import StoreAddress


def reparse(
    spider: Annotated[str, Argument(help="A spider's name, module:Class, or a .py file.")],
    where: Annotated[str, Option(help="SQL over pages: only these.")] = "",
    apply: Annotated[bool, Option("--apply", help="Store the result.")] = False,
    processes: Annotated[
        int | None, Option(min=1, help="By default one for each CPU that is worth starting.")
    ] = None,
    arguments: Annotated[
        list[str] | None, Option("-a", help="Set an attribute.", metavar="NAME=VALUE")
    ] = None,
    store: options.Store = None,
) -> None:
    """Run callbacks again over stored pages.

    Without the network. Shows what would change; --apply replaces the items of each page, and can
    be stopped at any moment. Requests that callbacks yield are counted, not followed. Exit code 1
    where every page fails.

    Example: crawler reparse quotes --where "depth > 0" --apply
    """
    from crawler.cli import spider_loader, stores
    from crawler.cli.terminal import Screen
    from crawler.inspect.query import Reader
    from crawler.reparse import pages, work
    from crawler.reparse.diff import Diff

    given = arguments or []
    path = stores.any_of(spider_loader.find(spider).name if store is None else store)
    screen, diff, began = Screen(), Diff(), time.perf_counter()
    with Reader(path) as reader:  # closed before the processes start: none may share it
        chosen = pages.choose(reader, where)
    make = functools.partial(spider_loader.load, spider, given, store=path, resume=True)
    todo = work.ReparseJob(path, chosen.chunks, make, apply)
    with ExitStack() as stack:
        stack.callback(screen.close)
        results = stack.enter_context(work.results(todo, processes or work.processes_for(chosen)))
        writer = _writer(path, stack) if apply else None
        for result in results:
            diff.add(result.diff)
            if writer is not None:
                writer.replace(result.parsed)
            if screen.live:
                screen.show(f"{diff.pages:,} of {plural(chosen.pages, 'page')}")
    _tell(diff, time.perf_counter() - began, apply)
    if writer is not None and writer.widened:
        print(f"columns widened to hold all values: {', '.join(writer.widened)}")
    if diff.errors == diff.pages:
        raise Exit(1)


def _writer(path: StoreAddress, stack: ExitStack) -> Writer:
    from crawler.cli.stores import lock_timeout
    from crawler.reparse.writer import Writer
    from crawler.store.claimed import claimed

    return Writer(stack.enter_context(claimed(path, lock_timeout=lock_timeout())))


def _tell(diff: Diff, seconds: float, applied: bool) -> None:
    for kind, table, url, text in diff.examples:
        print(f"{_SAID.get(kind, kind):8} {table or 'page'}  {url}\n         {text}")
    parts = [
        f"{plural(diff.pages, 'page')}: {plural(diff.same, 'item')} as before,"
        f" {diff.added:,} added, {diff.changed:,} changed, {diff.removed:,} removed,"
        f" {plural(diff.errors, 'page')} failed",
        f"{diff.damaged:,} damaged (both keep their items)" if diff.damaged else "",
        f"{plural(diff.invalid, 'item')} did not fit their type" if diff.invalid else "",
        f"{plural(diff.refused, 'item')} refused by a pipeline" if diff.refused else "",
        f"{plural(diff.dropped, 'item')} dropped by a pipeline" if diff.dropped else "",
        f"{plural(diff.requests, 'request')} yielded, not followed" if diff.requests else "",
    ]
    print(f"{', '.join(filter(None, parts))} ({seconds:.1f} s)")
    if not applied and (diff.added or diff.changed or diff.removed):
        print("nothing is stored yet; store it with --apply", file=sys.stderr)


_SAID = {"errors": "failed"}
