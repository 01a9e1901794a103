"""`crawler dashboard`: the live page."""

from __future__ import annotations

from typing import Annotated

from crawler.cli import options
from crawler.cli.declared import Argument, Option


def dashboard(
    store: Annotated[
        list[str] | None,
        Argument(
            help="The stores: files, names (`shop` is data/shop.db), or crawls in PostgreSQL"
            " (postgresql://…?crawl=NAME). By default every file in data/."
        ),
    ] = None,
    listen: options.Listen = None,
    name: Annotated[
        list[str] | None,
        Option("--name", metavar="HOST[:PORT]", help="Another name under which a proxy serves it."),
    ] = None,
    beside: Annotated[bool, Option("--beside", hidden=True)] = False,
) -> None:
    """Open the live page: see crawls and steer them, running or not.

    It reads the stores, in a process of its own, and shows what changes within a second.

    Example: crawler dashboard quotes
    """
    import sys
    from functools import partial
    from pathlib import Path

    from crawler.cli import stores
    from crawler.dashboard.serve import Listening, serve
    from crawler.errors import UsageError

    paths = [stores.any_of(one) for one in store] if store else stores.every()
    if not paths:
        raise UsageError("there is no store in data/ yet; crawl first, or name one")
    place = Listening.usual() if listen is None else Listening.parse(listen)
    for path in paths:
        if isinstance(path, Path) and not path.exists():
            told = f"crawler: {path}: no store yet; it is shown when its crawl begins"
            print(told, file=sys.stderr)
    serve(paths, place, names=name or (), say=partial(print, flush=True), beside=beside)
