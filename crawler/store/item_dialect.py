"""What the SQL of item tables is made by, and the one for SQLite.

`ItemTables` decides which columns a table needs; the dialect says it in the database's words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from crawler.store import item_sql, widening
from crawler.store.item_parts import FittedRows, KnownTable
from crawler.store.item_sql import Statement, Steps, TableShape


class ItemDialect(Protocol):
    """Makes statements; what they do is told where SQLite has it, in `item_sql` and `widening`."""

    def create(self, shape: TableShape) -> Iterable[str]:
        """Yield the DDL of a table."""

    def lengthen(self, shape: TableShape, new: dict[str, str]) -> Iterable[str]:
        """Yield what adds columns."""

    def history(self, shape: TableShape) -> Iterable[str]:
        """Yield what begins a table's history."""

    def forget(self, name: str) -> Iterable[str]:
        """Yield what ends a table's history."""

    def inserts(self, part: FittedRows, known: KnownTable) -> Iterable[Statement]:
        """Yield what stores rows; the key makes it an upsert."""

    def among(self, known: KnownTable) -> str:
        """Return the condition that an item has one of the keys that are the parameter."""

    def as_any(self, text: str) -> str:
        """Return a text, as SQL, as a column takes it that holds values of any type."""

    def given_at(self, name: str) -> str:
        """Return what removes the items that visits (page_id, fetched_at) gave."""

    def rebuild(
        self, shape: TableShape, columns: dict[str, str], exact: dict[str, str]
    ) -> Steps[None]:
        """Yield what gives columns other types."""

    def any_long(self, shape: TableShape, column: str) -> Steps[bool]:
        """Ask whether an integer has more digits than a double."""

    def any_beyond(self, shape: TableShape, column: str) -> Steps[bool]:
        """Ask whether an integer is beyond 2**53."""

    def keep_digits(self, shape: TableShape, column: str, exact: str) -> Steps[None]:
        """Yield what keeps the digits of integers."""


class SqliteItems:
    """The statements for SQLite."""

    def create(self, shape: TableShape) -> Iterator[str]:
        """Yield the DDL of a table."""
        return item_sql.create(shape)

    def lengthen(self, shape: TableShape, new: dict[str, str]) -> Iterator[str]:
        """Yield what adds columns."""
        return item_sql.lengthen(shape, new)

    def history(self, shape: TableShape) -> Iterator[str]:
        """Yield the triggers that keep what an item was before."""
        return item_sql.history(shape)

    def forget(self, name: str) -> Iterator[str]:
        """Yield what drops them."""
        return item_sql.forget(name)

    def inserts(self, part: FittedRows, known: KnownTable) -> Iterator[Statement]:
        """Yield one statement for all rows."""
        marks = item_sql.GONE_AT not in known.columns
        sql = item_sql.insert(part.name, part.columns, part.key, marks=marks)
        yield Statement(sql, part.rows)

    def among(self, known: KnownTable) -> str:
        """Return the condition that an item has one of the keys that are the parameter."""
        return item_sql.among(known.key)

    def as_any(self, text: str) -> str:
        """Return a text as it is: any column takes it."""
        return text

    def given_at(self, name: str) -> str:
        """Return what removes the items that visits gave."""
        return (
            f'DELETE FROM "{name}" WHERE item_id IN (SELECT i.item_id FROM json_each(?) AS'
            f' v CROSS JOIN "{name}" AS i ON i.page_id = v.value ->> 0'
            " AND i.fetched_at = v.value ->> 1)"
        )

    def rebuild(
        self, shape: TableShape, columns: dict[str, str], exact: dict[str, str]
    ) -> Steps[None]:
        """Yield what makes the table anew."""
        return widening.rebuild(shape, columns, exact)

    def any_long(self, shape: TableShape, column: str) -> Steps[bool]:
        """Ask whether an integer has more digits than a double."""
        return widening.any_long(shape, column)

    def any_beyond(self, shape: TableShape, column: str) -> Steps[bool]:
        """Ask whether an integer is beyond 2**53."""
        return widening.any_beyond(shape, column)

    def keep_digits(self, shape: TableShape, column: str, exact: str) -> Steps[None]:
        """Yield what keeps the digits of integers."""
        return widening.keep_digits(shape, column, exact)


SQLITE = SqliteItems()
