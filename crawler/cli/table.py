"""Rows as a table: drawn on a terminal, plain columns elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, Any

from crawler.cli.visible import raw, visible
from crawler.query import Rows

_WIDEST = 80  # characters of one cell in a plain table


def write_table(rows: Rows, out: IO[str]) -> None:
    """Write all rows as a table with a header."""
    if out.isatty():
        _draw(rows, out)
    else:
        _align(rows, out)


def _draw(rows: Rows, out: IO[str]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(*map(visible, rows.columns))
    for row in rows.rows:
        table.add_row(*map(cell, row))
    Console(file=raw(out), markup=False, highlight=False).print(table)


def _align(rows: Rows, out: IO[str]) -> None:
    lines = [rows.columns, *(tuple(map(cell, row)) for row in rows.rows)]
    lines = [tuple(text[:_WIDEST] for text in line) for line in lines]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, tuple("-" * width for width in widths))
    for line in lines:
        out.write(_padded(line, widths) + "\n")


def _padded(line: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()


def cell(value: Any) -> str:
    """Give a value as it stands in one line of a table."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    return visible(" ".join(value.split())) if isinstance(value, str) else str(value)
