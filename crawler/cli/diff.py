"""`crawler diff`: what is not as it was."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from crawler.cli import options


class Format(StrEnum):
    """How differences are written."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    HTML = "html"


def diff(
    a: Annotated[str, typer.Argument(help="A run's number, or a store.")],
    b: Annotated[str, typer.Argument(help="A later run of the same store, or another store.")],
    store: options.Seen = None,
    format: Annotated[Format, typer.Option("--format", "-f", help="How it is written.")] = (
        Format.TABLE
    ),
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to a file.")
    ] = None,
) -> None:
    """Compare two runs, or two stores.

    Pages added, gone, changed, redirected; items too.

    Example: crawler diff 1 2 --store quotes
    """
    from crawler import compare, export
    from crawler.cli import stores
    from crawler.cli.table import write_table
    from crawler.formats import Wish

    if a.isdigit() and b.isdigit():
        found = compare.runs(stores.find(store), int(a), int(b))
    else:
        found = compare.stores(stores.find(a), stores.find(b))
    if format is Format.HTML:
        text = compare.as_html(found, f"{a} → {b}")
        if output is None:
            print(text)
            return
        export.to_file(output, lambda part: part.write_text(text, encoding="utf-8"))
    elif output is not None:
        kind = "jsonl" if format is Format.TABLE else format.value
        export.write(compare.as_rows(found), kind, output, Wish())
    elif format is Format.TABLE:
        write_table(compare.as_rows(found), sys.stdout)
    else:
        export.stream(compare.as_rows(found), format.value, sys.stdout.buffer, Wish())
        sys.stdout.buffer.flush()
