"""`crawler query`: SQL over what was crawled."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from crawler.cli import options
from crawler.cli.declared import Argument, Option
from crawler.markup.words import plural

if TYPE_CHECKING:
    from crawler.export.formats import WriteOptions
    from crawler.inspect.query import Reader, Rows


class RowFormat(StrEnum):
    """How rows are written."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


def query(
    sql: Annotated[
        str | None,
        Argument(help="One SELECT, or the name of a file in queries/. Without it: a prompt."),
    ] = None,
    *,
    store: options.Seen = None,
    format: Annotated[
        RowFormat, Option("--format", "-f", help="How rows are written.")
    ] = RowFormat.TABLE,
    output: Annotated[
        Path | None, Option("--output", "-o", metavar="FILE", help="Write to a file.")
    ] = None,
    all_: Annotated[
        bool,
        Option("--all", help="Ask all stores in data/ as one, with a column `spider`."),
    ] = False,
    explain: Annotated[
        bool, Option("--explain", help="Show the plan, do not run the query.")
    ] = False,
    list_: Annotated[bool, Option("--list", help="List the saved queries.")] = False,
) -> None:
    """Ask the results with read-only SQL.

    Also while the crawl runs: a reader never stops it.

    Example: crawler query "SELECT outcome, count(*) FROM pages GROUP BY outcome" --store quotes
    """
    from crawler.cli import stores
    from crawler.inspect import saved_queries
    from crawler.inspect.query import Reader, Rows

    output = None if str(output) == "-" else output
    if list_:
        _write(
            Rows(("query", "answers"), iter(saved_queries.saved().items())),
            format=format,
            output=output,
        )
        return
    with _of_all(store) if all_ else Reader(stores.any_of(store)) as reader:
        if sql is None:
            from crawler.cli.prompt import ask

            ask(reader)
            return
        text = saved_queries.sql_of(sql, reader=reader)
        if explain or (format is RowFormat.TABLE and output is None):
            _write(
                reader.explain(text) if explain else reader.query(text),
                format=format,
                output=output,
            )
        else:
            from crawler.export.choice import typed

            _write(*typed(reader, text), format=format, output=output)


def _of_all(store: str | None) -> Reader:
    """Return the reader of all stores in `data/`, but for those that a fresh start put aside."""
    from crawler.cli import stores
    from crawler.errors import UsageError
    from crawler.inspect.joint import JointReader
    from crawler.markup.words import plural
    from crawler.store.aside import was_set_aside

    found = stores.every()
    every = sorted(path for path in found if not was_set_aside(path))
    if store is not None or not every:
        raise UsageError("--all asks the stores in data/, of which there must be one; no --store")
    if aside := len(found) - len(every):
        told = f"crawler: {plural(aside, 'store')} put aside by --fresh left out; --store asks one"
        print(told, file=sys.stderr)
    return JointReader(every)


def _write(
    rows: Rows, how: WriteOptions | None = None, *, format: RowFormat, output: Path | None
) -> None:
    from crawler import export
    from crawler.export.formats import WriteOptions

    how = how or WriteOptions()
    if format is RowFormat.TABLE and output is None:
        from crawler.cli.table import write_table

        write_table(rows, sys.stdout, "with --format jsonl, or in a pipe")
        return
    kind = _kind(format, output)
    if output is not None:
        number = export.write(rows, kind, output, how)
        print(f"{plural(number, 'row')} → {output}", file=sys.stderr)
    elif kind == "parquet" and sys.stdout.isatty():
        from crawler.errors import UsageError

        raise UsageError("Parquet is no text; name a file with -o")
    else:
        export.stream(rows, kind, sys.stdout.buffer, how)
        sys.stdout.buffer.flush()


def _kind(format: RowFormat, output: Path | None) -> str:
    """Return the format by its name, else by the ending of the file."""
    from crawler import export
    from crawler.errors import UsageError
    from crawler.export import formats

    kind = (
        format.value if format is not RowFormat.TABLE else export.format_of(output or Path(), None)
    )
    if kind not in (*formats.STREAMS, "sqlite", "xlsx"):
        raise UsageError(f"{output}: rows are no {kind}; use --format {'|'.join(RowFormat)}")
    return kind
