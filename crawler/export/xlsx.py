"""Rows as an Excel workbook (ECMA-376), in constant memory.

Excel's limits: 1,048,576 rows a sheet, so that more go on in the next; 32,767 characters a cell, of
which longer texts are cut and told of; doubles for all numbers, so that one with more digits than a
double has stays text. Times are dates of Excel's, in UTC. No text is taken for a formula or a link.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from crawler.errors import UsageError
from crawler.export.formats import WriteOptions, batches
from crawler.inspect.query import Rows
from crawler.markup.words import plural

MOST_ROWS = 1_048_576
MOST_COLUMNS = 16_384
MOST_TEXT = 32_767
_EXACT = 10**15  # Excel shows and keeps 15 digits
_FIRST = datetime(1900, 3, 1)  # before it Excel counts a 29 February that was none


def write_xlsx(rows: Rows, path: Path, wish: WriteOptions) -> int:
    """Write a workbook, and give the number of rows; UsageError without XlsxWriter."""
    try:
        import xlsxwriter
    except ImportError:
        raise UsageError("Excel files need XlsxWriter: pip install 'crawlkeep[xlsx]'") from None
    if len(rows.columns) > MOST_COLUMNS:
        raise UsageError(f"Excel takes {MOST_COLUMNS:,} columns; choose some with --fields")
    options = {
        "constant_memory": True,
        "strings_to_urls": False,
        "strings_to_formulas": False,
        "strings_to_numbers": False,
        "default_date_format": "yyyy-mm-dd hh:mm:ss",
        "tmpdir": str(path.parent),
    }
    with xlsxwriter.Workbook(path, options) as book:
        sheets = _Sheets(book, rows.columns, wish)
        for batch in batches(rows):
            for row in batch:
                sheets.write(row)
            wish.tick(sheets.number)
    sheets.tell()
    return sheets.number


class _Sheets:
    """The sheets of a workbook: the next begins where one is full."""

    def __init__(self, book: Any, columns: tuple[str, ...], wish: WriteOptions) -> None:
        self.number = self._cut = 0
        self._book, self._columns, self._wish = book, columns, wish
        self._turns = [_TURNS.get(wish.kinds.get(name, ""), _cell) for name in columns]
        self._bold = book.add_format({"bold": True})
        self._at = MOST_ROWS
        self._next()

    def _next(self) -> None:
        self._sheet = self._book.add_worksheet()
        self._sheet.freeze_panes(1, 0)
        for place, name in enumerate(self._columns):
            self._sheet.write_string(0, place, name, self._bold)
        self._at = 1

    def write(self, row: tuple[Any, ...]) -> None:
        """Write the next row."""
        if self._at == MOST_ROWS:
            self._next()
        for place, (turn, value) in enumerate(zip(self._turns, row, strict=True)):
            if value is None:
                continue
            cell = turn(value)
            if isinstance(cell, str):
                self._cut += len(cell) > MOST_TEXT
                self._sheet.write_string(self._at, place, cell[:MOST_TEXT])
            else:
                self._sheet.write(self._at, place, cell)
        self._at += 1
        self.number += 1

    def tell(self) -> None:
        """Report how many texts were cut."""
        if self._cut:
            self._wish.told(
                f"{plural(self._cut, 'text')} of over {MOST_TEXT:,} characters cut, as Excel takes"
                " no longer ones; another format has them whole"
            )


def _cell(value: Any) -> Any:
    """Return a value as Excel has it."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, int):
        return value if abs(value) < _EXACT else str(value)
    return value


def _boolean(value: Any) -> Any:
    return bool(value) if value in (0, 1) else _cell(value)


def _decimal(value: Any) -> Any:
    """Return a decimal as a number, if Excel has all of its digits."""
    if not isinstance(value, str):
        return _cell(value)
    digits = Decimal(value).normalize().as_tuple().digits
    return float(value) if len(digits) <= 15 else value


def _time(value: Any) -> Any:
    """Return a time as a date of Excel's, which has milliseconds, if nothing of it is lost."""
    try:
        made = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return _cell(value)
    if made.tzinfo is not None:
        made = made.astimezone(UTC).replace(tzinfo=None)
    return value if made < _FIRST or made.microsecond % 1000 else made


_TURNS: dict[str, Callable[[Any], Any]] = {
    "BOOLEAN": _boolean,
    "DECIMAL": _decimal,
    "TIMESTAMP": _time,
}
