"""`crawler dashboard`: the live page."""

from __future__ import annotations

from typing import Annotated

import typer


def dashboard(
    store: Annotated[
        list[str] | None,
        typer.Argument(help="The stores: files, or names in data/. By default every one there."),
    ] = None,
    listen: Annotated[
        str,
        typer.Option(
            metavar="HOST:PORT",
            help="Where it listens. Beyond this machine it asks for a token, which is printed.",
        ),
    ] = "127.0.0.1:8642",
    name: Annotated[
        list[str] | None,
        typer.Option(
            "--name", metavar="HOST[:PORT]", help="Another name under which a proxy serves it."
        ),
    ] = None,
) -> None:
    """Open the live page: see crawls and steer them, running or not.

    It reads the stores, in a process of its own, and shows what changes within a second.

    Example: crawler dashboard quotes
    """
    from functools import partial

    from crawler.cli import stores
    from crawler.dashboard.serve import Listening, serve
    from crawler.errors import UsageError

    paths = [stores.find(one) for one in store] if store else stores.every()
    if not paths:
        raise UsageError("there is no store in data/ yet; crawl first, or name one")
    place = Listening.parse(listen)
    serve(paths, place, names=name or (), say=partial(print, flush=True))
