"""Rows as a table: drawn on a terminal, plain columns elsewhere."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from itertools import chain
from typing import IO, Any

from crawler.cli.visible import raw, visible
from crawler.inspect.query import Rows
from crawler.markup.words import plural

_WIDEST = 80  # characters up to which the cells of a plain column are of one width
_BORDER = 3  # characters that a drawn column takes beside its cells
_CUT = "…"
_OWN_DOTS = "\ufdd0"  # stands for the dots of a cell while it is drawn; no text has it
_BREAK = re.compile(r"\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]")


def write_table(rows: Rows, out: IO[str], whole: str = "in a pipe", *, none: str = "") -> None:
    """Write all rows as a table with a header: whole into a pipe or file, drawn on a terminal.

    There cells may be cut to fit; then it is told where they are `whole`. `none` is said in place
    of a table without a row.
    """
    if none:
        first = next(rows.rows, None)
        if first is None:
            print(none, file=sys.stderr)
            return
        rows = Rows(rows.columns, chain([first], rows.rows))
    if out.isatty():
        _draw(rows, out, whole)
    else:
        _align(rows, out)


def _draw(rows: Rows, out: IO[str], whole: str) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(file=raw(out), markup=False, highlight=False, emoji=False)
    if len(rows.columns) * (_BORDER + 1) >= console.width:  # columns would be left out
        _list(rows, out)
        return
    table = Table(*map(visible, rows.columns))
    for row in rows.rows:
        table.add_row(*(cell(value).replace(_CUT, _OWN_DOTS) for value in row))
    with console.capture() as drawn:
        console.print(table)
    text = drawn.get()
    raw(out).write(text.replace(_OWN_DOTS, _CUT))
    if cuts := text.count(_CUT):
        raw(out).flush()
        print(f"cut to fit the terminal: {cuts:,} × {_CUT}; whole {whole}", file=sys.stderr)


def _list(rows: Rows, out: IO[str]) -> None:
    """Write each row as a block of lines, one for each column."""
    width = max(map(len, rows.columns))
    for row in rows.rows:
        for name, value in zip(rows.columns, row, strict=True):
            out.write(f"{name.ljust(width)}  {cell(value)}\n")
        out.write("\n")


def _align(rows: Rows, out: IO[str]) -> None:
    lines = [rows.columns, *(tuple(map(_exact, row)) for row in rows.rows)]
    widths = [min(_WIDEST, max(map(len, column))) for column in zip(*lines, strict=True)]
    lines.insert(1, tuple("-" * width for width in widths))
    for line in lines:
        out.write(_padded(line, widths) + "\n")


def _padded(line: Sequence[str], widths: Sequence[int]) -> str:
    *before, last = line
    padded = [text.ljust(width) for text, width in zip(before, widths, strict=False)]
    return "  ".join([*padded, last]) if last else "  ".join(padded).rstrip(" ")


def cell(value: Any) -> str:
    """Return a value as it stands in one line of a table."""
    return visible(" ".join(value.split()) if isinstance(value, str) else _exact(value))


def _exact(value: Any) -> str:
    """Return a value as it is, on one line: only breaks of lines are written as escapes."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        return plural(len(value), "byte")
    return _BREAK.sub(lambda found: repr(found[0])[1:-1], str(value))
