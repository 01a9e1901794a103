"""`crawler traps`: patterns of URLs, and how much of each is new."""

from __future__ import annotations

import sys
from typing import Annotated

from crawler.cli.declared import Argument, Option


def traps(
    store: Annotated[
        str | None,
        Argument(
            help="The store: a file, or a name (`shop` is data/shop.db)."
            " By default the newest in data/."
        ),
    ] = None,
    limit: Annotated[int, Option(min=1, help="How many patterns at most.")] = 20,
    json: Annotated[bool, Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Show the patterns of URLs: pages, new content, queue.

    URLs that differ in numbers, ids and the values of a query are one pattern. One with a long
    queue and little that is new is worth a rule, --exclude, or traps.max_queries.

    Example: crawler traps example.com
    """
    from crawler.cli import stores
    from crawler.cli.table import write_table
    from crawler.inspect.patterns import patterns, warnings
    from crawler.inspect.query import Reader, Rows

    with Reader(stores.any_of(store)) as reader:
        rows = patterns(reader, limit)
        if json:
            from crawler.export import stream
            from crawler.export.formats import WriteOptions

            stream(rows, "jsonl", sys.stdout.buffer, WriteOptions())
            sys.stdout.buffer.flush()
            return
        found = list(rows.rows)
        write_table(Rows(rows.columns, iter(found)), sys.stdout, "with --json")
        for line in warnings(found):
            print(line)
