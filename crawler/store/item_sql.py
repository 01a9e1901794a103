"""The SQL of item tables: what makes them, adds columns, keeps their history, and fills them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias, TypeVar

T = TypeVar("T")

ORIGIN = ("page_id", "page_url", "run_id", "fetched_at")
GONE_AT = "gone_at"
"""When a later visit did not find the item any more; see `item_marks`."""

Rows = list[tuple[Any, ...]]


class Statement(NamedTuple):
    """SQL and the rows that go in as one JSON array; None if the SQL stands alone."""

    sql: str
    rows: Rows | None = None


Steps: TypeAlias = Generator[Statement, Rows, T]
"""Yields statements, is sent the rows that each gave, and returns a result."""


class TableShape(NamedTuple):
    """A table as it is in the file: its columns with their types, its key, its history."""

    name: str
    columns: dict[str, str]
    key: tuple[str, ...]
    history: bool


def each(sqls: Iterable[str]) -> Steps[None]:
    """Yield statements that are given no rows and whose answers nobody waits for."""
    for sql in sqls:
        yield Statement(sql)


def create(shape: TableShape) -> Iterator[str]:
    """Yield the DDL of an item type's table."""
    yield table(shape, shape.name)
    yield f'CREATE INDEX "{shape.name}_page" ON "{shape.name}" (page_id)'
    if shape.key:
        yield f'CREATE UNIQUE INDEX "{shape.name}_key" ON "{shape.name}" ({names(shape.key)})'


def table(shape: TableShape, name: str, more: str = "") -> str:
    """Return the DDL of the table alone, under this name, with `more` columns behind its own.

    AUTOINCREMENT: an id is never given twice, so that history and exports can go by it.
    """
    own = "".join(
        f"{declared(column, kind)}{' NOT NULL' if column in shape.key else ''}, "
        for column, kind in shape.columns.items()
    )
    return (
        f'CREATE TABLE "{name}" (item_id INTEGER PRIMARY KEY AUTOINCREMENT, {own}'
        "page_id INTEGER NOT NULL REFERENCES pages (page_id), page_url TEXT NOT NULL,"
        " run_id INTEGER NOT NULL REFERENCES runs (run_id), fetched_at TIMESTAMP NOT NULL"
        f"{_mark(shape)}{more})"
    )


def _mark(shape: TableShape) -> str:
    """Return the column of the mark, nothing where a field has that name."""
    return "" if GONE_AT in shape.columns else f", {GONE_AT} TIMESTAMP"


def lengthen(shape: TableShape, new: dict[str, str]) -> Iterator[str]:
    """Yield the DDL that adds columns to a table, and to its history where it has one."""
    for column, kind in new.items():
        yield f'ALTER TABLE "{shape.name}" ADD COLUMN {declared(column, kind)}'
        if shape.history:
            yield f'ALTER TABLE "{shape.name}_history" ADD COLUMN {declared(column, kind)}'


def history_table(shape: TableShape, name: str, more: str = "") -> str:
    """Return the DDL of the table that keeps what items were before, under this name."""
    own = "".join(f"{declared(column, kind)}, " for column, kind in shape.columns.items())
    return (
        f'CREATE TABLE IF NOT EXISTS "{name}" (item_id INTEGER NOT NULL, {own}'
        "page_id INTEGER NOT NULL, page_url TEXT NOT NULL, run_id INTEGER NOT NULL,"
        f" fetched_at TIMESTAMP NOT NULL, replaced_at TIMESTAMP{more})"
    )


def history(shape: TableShape) -> Iterator[str]:
    """Yield the DDL of the history: triggers that write down what an item was before."""
    name, columns = shape.name, shape.columns
    yield history_table(shape, f"{name}_history")
    yield f'CREATE INDEX IF NOT EXISTS "{name}_history_item" ON "{name}_history" (item_id)'
    yield from forget(name)
    kept = ["item_id", *columns, *ORIGIN]
    old = ", ".join(f'OLD."{column}"' for column in kept)
    into = f'INSERT INTO "{name}_history" ({names(kept)}, replaced_at)'
    was, now = (", ".join(f'{row}."{column}"' for column in columns) for row in ("OLD", "NEW"))
    told = "".join(map(_told_of(name), columns))
    yield (
        f'CREATE TRIGGER "{name}_changed" AFTER UPDATE ON "{name}" WHEN ({was}) IS NOT ({now})'
        f" BEGIN {into} VALUES ({old}, NEW.fetched_at);{told} END"
    )
    yield (
        f'CREATE TRIGGER "{name}_removed" AFTER DELETE ON "{name}"'
        f" BEGIN {into} VALUES ({old}, strftime('%Y-%m-%dT%H:%M:%fZ', 'now')); END"
    )


def _told_of(table: str) -> Callable[[str], str]:
    """Return what writes the statement of a trigger that tells how a field has changed."""
    item = "'" + table.replace("'", "''") + "'"

    def told(column: str) -> str:
        field = "'" + column.replace("'", "''") + "'"
        return (
            " INSERT INTO item_changes (item, item_id, field, before, after, at, page_id, page_url,"
            f' run_id) SELECT {item}, NEW.item_id, {field}, OLD."{column}", NEW."{column}",'
            " NEW.fetched_at, NEW.page_id, NEW.page_url, NEW.run_id"
            f' WHERE OLD."{column}" IS NOT NEW."{column}";'
        )

    return told


def forget(name: str) -> Iterator[str]:
    """Yield what stops a table's history; what it holds stays."""
    yield f'DROP TRIGGER IF EXISTS "{name}_changed"'
    yield f'DROP TRIGGER IF EXISTS "{name}_removed"'


def insert(table: str, columns: Iterable[str], key: tuple[str, ...], *, marks: bool = True) -> str:
    """Return the INSERT of a JSON array of items; the key makes it an upsert.

    `marks`: what comes again loses the mark that it was gone.
    """
    every = (*columns, *ORIGIN)
    values = ", ".join(f"value ->> {number}" for number in range(len(every)))
    sql = f'INSERT INTO "{table}" ({names(every)}) SELECT {values} FROM json_each(?)'
    if key:
        changes = ", ".join(f'"{name}" = excluded."{name}"' for name in every if name not in key)
        changes += f", {GONE_AT} = NULL" if marks else ""
        sql += f" WHERE true ON CONFLICT ({names(key)}) DO UPDATE SET {changes}"
    return sql


SPELLED = {"JSON": "JSON TEXT", "DECIMAL": "DECIMAL REAL", "ANY": "ANY BLOB", "EXACT": "TEXT"}
"""Types that need a word more for their affinity: JSON alone would be numeric to SQLite, and made
1.18e21 of 2**70; DECIMAL alone would make 5.0 an integer, of which a half is 2; ANY alone would
make 5 of "5"."""


def declared(name: str, kind: str) -> str:
    """Return a column's definition."""
    return f'"{name}" {SPELLED.get(kind, kind)}'


def among(key: tuple[str, ...]) -> str:
    """Return the condition, in SQL, that an item has one of the keys that are the parameter."""
    values = ", ".join(f"value ->> {number}" for number in range(len(key)))
    return f"({names(key)}) IN (SELECT {values} FROM json_each(?1))"


def names(columns: Iterable[str]) -> str:
    """Return names of columns as a list in SQL."""
    return ", ".join(f'"{name}"' for name in columns)
