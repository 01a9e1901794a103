"""Tables of a page as tables of Markdown: spans are spread, so that columns stay in line."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

TICKS = re.compile("`+")
_MOST_SPAN = 1000  # rows or columns that one cell may span; more are no table
_MOST_CELLS = 200_000


class Row(NamedTuple):
    """A row: its cells, and whether it is one of headings."""

    cells: list[Any]
    head: bool


def rows_of(table: Any) -> list[Row]:
    """Return the rows of a table, without those of tables in it."""
    found = []
    for part in table:
        if part.tag == "tr":
            found.append(_row(part))
        elif part.tag in ("thead", "tbody", "tfoot"):
            found += [_row(row) for row in part if row.tag == "tr"]
    return [row for row in found if row.cells]


def _row(element: Any) -> Row:
    cells = [cell for cell in element if cell.tag in ("td", "th")]
    parent = element.getparent()
    in_head = parent is not None and parent.tag == "thead"
    return Row(cells, in_head or all(cell.tag == "th" for cell in cells))


def table_lines(rows: list[Row], write: Callable[[Any], str]) -> list[str]:
    """Return the lines of a table; `write` gives what is in a cell on one line.

    A table that has no row of headings gets an empty one, without which it would be none.
    """
    grid = _spread(rows, write)
    width = max(map(len, grid), default=0)
    if not width or not any(any(line) for line in grid):
        return []
    lines = [[*line, *[""] * (width - len(line))] for line in grid]
    if not rows[0].head:
        lines.insert(0, [""] * width)
    lines.insert(1, ["---"] * width)
    return [f"| {' | '.join(line)} |" for line in lines]


def _spread(rows: list[Row], write: Callable[[Any], str]) -> list[list[str]]:
    """Return the texts of cells by row and column, with empty ones where another cell reaches."""
    grid: list[list[str]] = []
    coming: dict[int, int] = {}  # rows that a cell above still takes, by column
    total = 0
    for row in rows:
        line: list[str] = []
        for cell in row.cells:
            _pass(line, coming)
            high, wide = _span(cell.get("rowspan")), _span(cell.get("colspan"))
            total += wide
            if total > _MOST_CELLS:
                high = wide = 1
            for further in range(wide):
                if high > 1:
                    coming[len(line) + further] = high - 1
            line += [_escaped(write(cell)), *[""] * (wide - 1)]
        _pass(line, coming)
        grid.append(line)
    return grid


def _pass(line: list[str], coming: dict[int, int]) -> None:
    """Add the empty cells that those above reach into."""
    while coming.get(len(line), 0) > 0:
        coming[len(line)] -= 1
        line.append("")


def cell_lines(block: str) -> Iterator[str]:
    """Yield the lines of a block in a cell; code has marks of its own there."""
    lines = block.split("\n")
    fence = TICKS.match(block)
    if fence and len(fence[0]) > 2 and lines[-1] == fence[0]:
        for line in lines[1:-1]:
            ticks = "`" * (1 + max(map(len, TICKS.findall(line)), default=0))
            yield f"{ticks}{line}{ticks}" if line.strip() else ""
    else:
        yield from lines


def _escaped(text: str) -> str:
    """Escape the pipes of a cell that are not escaped yet."""
    return text.replace("\\|", "|").replace("|", "\\|")


def _span(text: str | None) -> int:
    return max(1, min(_MOST_SPAN, int(text))) if text and text.isdecimal() and len(text) < 9 else 1


def is_layout(element: Any, rows: list[Any]) -> bool:
    """Return whether a table only places things: it holds tables, or is a single cell."""
    if element.get("role") in ("presentation", "none") or element.find(".//table") is not None:
        return True
    return sum(len(row.cells) for row in rows) <= 1
