"""`crawler diff`: what is not as it was."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

from crawler.cli import options
from crawler.cli.declared import Argument, Option

if TYPE_CHECKING:
    from crawler.inspect.diff import Difference


class DiffFormat(StrEnum):
    """How differences are written."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"
    CSV = "csv"
    HTML = "html"


def diff(
    a: Annotated[str, Argument(help="A run's number, or a store.")],
    b: Annotated[str, Argument(help="A later run of the same store, or another store.")],
    store: options.Seen = None,
    format: Annotated[
        DiffFormat | None,
        Option(
            "--format", "-f", help="How it is written; by default the file's ending, or a table."
        ),
    ] = None,
    output: Annotated[
        Path | None, Option("--output", "-o", metavar="FILE", help="Write to a file.")
    ] = None,
) -> None:
    """Compare two runs, or two stores.

    Pages added, gone, changed, redirected; items too.

    Example: crawler diff 1 2 --store quotes
    """
    from crawler import export
    from crawler.cli import stores
    from crawler.export.formats import WriteOptions
    from crawler.inspect import diff as compare

    output = None if str(output) == "-" else output
    if all(run.isdecimal() and len(run) < options.LONGEST for run in (a, b)):
        found = compare.runs(stores.any_of(store), int(a), int(b))
    else:
        found = compare.stores(stores.any_of(a), stores.any_of(b))
    kind = _kind(format, output)
    if output is None:
        _show(found, kind, f"{a} → {b}")
    elif kind in ("html", "table"):
        with io.StringIO() as text:
            _write(found, kind, f"{a} → {b}", text)
            whole = text.getvalue()
        export.to_file(output, lambda part: part.write_text(whole, encoding="utf-8"))
    else:
        export.write(compare.as_rows(found), kind, output, WriteOptions())


def _kind(format: DiffFormat | None, output: Path | None) -> str:
    """Return the format by its name, else by the ending of the file, else a table."""
    from crawler import export
    from crawler.errors import UsageError
    from crawler.export import formats

    if format is not None or output is None:
        return (format or DiffFormat.TABLE).value
    if output.suffix.lower() in (".html", ".htm"):
        return DiffFormat.HTML.value
    kind = export.format_of(output, None)
    if kind not in (*formats.STREAMS, "sqlite"):
        raise UsageError(f"{output}: a diff is no {kind}; use --format {'|'.join(DiffFormat)}")
    return kind


def _show(found: Iterator[Difference], kind: str, title: str) -> None:
    from crawler import export
    from crawler.export.formats import WriteOptions
    from crawler.inspect import diff as compare

    if kind in ("html", "table"):
        _write(found, kind, title, sys.stdout)
    else:
        export.stream(compare.as_rows(found), kind, sys.stdout.buffer, WriteOptions())
        sys.stdout.buffer.flush()


def _write(found: Iterator[Difference], kind: str, title: str, out: IO[str]) -> None:
    from crawler.cli.table import write_table
    from crawler.inspect import diff as compare

    if kind == "html":
        print(compare.as_html(found, title), file=out)
    else:
        rows, same = compare.as_rows(found), f"no difference: {title}"
        write_table(rows, out, "with --format jsonl, or in a pipe", none=same)
