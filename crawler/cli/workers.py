"""`crawler workers`: the processes that take part in a crawl over PostgreSQL."""

from __future__ import annotations

import sys
from typing import Annotated

from crawler.cli.declared import Argument, Option


def workers(
    store: Annotated[str, Argument(help="The crawl: postgresql://user@host/database?crawl=NAME.")],
    json: Annotated[bool, Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Show the worker processes of a crawl over PostgreSQL.

    Machine, process, seconds left of the lease, hosts, pages, pages a second, and how long the
    last commit took.

    Example: crawler workers 'postgresql://user@db/web?crawl=quotes'
    """
    from crawler.cli import stores
    from crawler.cli.table import write_table
    from crawler.inspect.query import Reader
    from crawler.inspect.workers import workers as found

    with Reader(stores.any_of(store)) as reader:
        rows = found(reader)
        if json:
            from crawler.export import stream
            from crawler.export.formats import WriteOptions

            stream(rows, "jsonl", sys.stdout.buffer, WriteOptions())
            sys.stdout.buffer.flush()
            return
        write_table(rows, sys.stdout, "with --json")
