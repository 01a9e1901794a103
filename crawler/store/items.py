"""Item tables: made when the first item of a type is stored, widened when the type grows.

All statements are plain SQL with JSON as the one parameter: a statement per table and flush
(docs/decisions/0010-items.md).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from crawler.errors import StoreRefused
from crawler.items import MOST_COLUMNS, Column, Record, Table
from crawler.store.rows import to_json

_TYPES = {
    "text": "TEXT",
    "integer": "INTEGER",
    "real": "REAL",
    "boolean": "BOOLEAN",
    "timestamp": "TIMESTAMP",
    "json": "JSON",
}
_ORIGIN = ("page_id", "page_url", "run_id", "fetched_at")

Origin = tuple[Any, ...]


class Statement(NamedTuple):
    """SQL and the rows that go in as one JSON array; None where the SQL stands alone."""

    sql: str
    rows: list[tuple[Any, ...]] | None = None


class _Known(NamedTuple):
    columns: dict[str, str]
    key: tuple[str, ...]
    history: bool


class ItemTables:
    """Which item tables the file has, with which columns."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}
        self._taken: set[str] = set()

    def load(
        self, rows: Iterable[tuple[str, str, str, int]], names: Iterable[str] | None = None
    ) -> None:
        """Take the rows of `item_types`; `names` are those of all tables and views, when opened."""
        self._known = {
            name: _Known(dict(json.loads(columns)), tuple(json.loads(key)), bool(history))
            for name, columns, key, history in rows
        }
        if names is not None:
            own = set().union(*(_derived(known) for known in self._known))
            self._taken = {name.lower() for name in names} - own

    def statements(
        self, records: list[tuple[Record, Origin]], replaced: Iterable[int] = ()
    ) -> tuple[list[Statement], list[tuple[Any, ...]]]:
        """Give what stores the records in order, and rows of `problems` for dicts that do not fit.

        `replaced` are ids of pages whose earlier items go: those with a key that comes again are
        changed in place, so that their history tells what they were.
        """
        groups: dict[int, tuple[Table, list[tuple[Any, ...]]]] = {}
        for record, origin in records:
            table = record.table
            groups.setdefault(id(table), (table, []))[1].append((*record.values, *origin))
        ids = list(replaced)
        found = list(self._cleared(ids, groups.values())) if ids else []
        problems: list[tuple[Any, ...]] = []
        for table, rows in groups.values():
            table = self._respelt(table)
            if table.loose and self._too_wide(table):
                problems += _misfits(table, rows, _TOO_WIDE)
                continue
            found += self._shape(table)
            if table.loose:
                rows = self._fitting(table, rows, problems)
            if rows:
                found.append(Statement(insert(table), rows))
        return found, problems

    def given_at(self, visits: list[tuple[int, str]]) -> Iterator[Statement]:
        """Yield what removes the items that these visits (page_id, fetched_at) gave.

        Those with a key stay: what comes again changes them in place.
        """
        for name, known in self._known.items() if visits else ():
            if not known.key:
                yield Statement(
                    f'DELETE FROM "{name}" WHERE item_id IN (SELECT i.item_id FROM json_each(?) AS'
                    f' v CROSS JOIN "{name}" AS i ON i.page_id = v.value ->> 0'
                    " AND i.fetched_at = v.value ->> 1)",
                    list(visits),
                )

    def _shape(self, table: Table) -> Iterator[Statement]:
        """Yield what makes or widens the table, nothing where it already fits."""
        known = self._known.get(table.name)
        columns = {column.name: _TYPES[column.kind] for column in table.columns}
        if known is None:
            self._refuse_taken(table)
            known = _Known(columns, table.key, False)
            yield from map(Statement, create(table))
        else:
            if not table.loose:
                _refuse_changed(table, known, columns)
            new = [name for name in columns if name not in known.columns]
            if not new and (table.loose or known.history == table.history):
                return
            yield from map(Statement, widen(table.name, {n: columns[n] for n in new}, known))
            known = known._replace(columns={**columns, **known.columns} if new else known.columns)
        if table.history:
            yield from map(Statement, history(table.name, known.columns))
        elif known.history and not table.loose:
            yield from map(Statement, forget(table.name))
        known = self._known[table.name] = known._replace(history=table.history)
        yield Statement(_remember(table, known.columns))

    def _respelt(self, table: Table) -> Table:
        """Give the table with its columns spelt as in the file, where case does not count."""
        known = self._known.get(table.name)
        spelt = {name.lower(): name for name in known.columns} if known is not None else {}
        names = {c.name: spelt.get(c.name.lower(), c.name) for c in table.columns}
        if all(name == now for name, now in names.items()):
            return table
        columns = tuple(replace(column, name=names[column.name]) for column in table.columns)
        return replace(table, columns=columns, key=tuple(names[name] for name in table.key))

    def _too_wide(self, table: Table) -> bool:
        known = self._known.get(table.name)
        columns = {column.name for column in table.columns}
        return known is not None and len(columns | known.columns.keys()) > MOST_COLUMNS

    def _refuse_taken(self, table: Table) -> None:
        taken = self._taken.union(*(_derived(name) for name in self._known))
        if _derived(table.name) & taken or table.name.lower().startswith("sqlite_"):
            raise StoreRefused(
                f"item {table.name}: the name is taken by a table of the crawl;"
                " give another: @item(table=...)"
            )

    def _fitting(
        self, table: Table, rows: list[tuple[Any, ...]], problems: list[tuple[Any, ...]]
    ) -> list[tuple[Any, ...]]:
        """Give the rows of dicts as the table takes them; a kind that changed is a problem."""
        kinds = self._known[table.name].columns
        for place, column in enumerate(table.columns):
            was, now = kinds[column.name], _TYPES[column.kind]
            if was == now or (was, now) == ("REAL", "INTEGER"):
                continue
            if was == "JSON":
                kind = bool if column.kind == "boolean" else lambda value: value
                rows = [
                    (*row[:place], to_json(kind(row[place])), *row[place + 1 :]) for row in rows
                ]
                continue
            reason = (
                f"item.{column.name} was {was.lower()} and is now {now.lower()};"
                " yield one kind, or declare the type with @item"
            )
            problems += _misfits(table, rows, reason)
            return []
        return rows

    def _cleared(
        self, pages: list[int], groups: Iterable[tuple[Table, list[tuple[Any, ...]]]]
    ) -> Iterator[Statement]:
        """Yield what removes the items of these pages that do not come again."""
        rows_of = {table.name: (table, rows) for table, rows in groups if table.key}
        chosen = ", ".join(map(str, pages))
        for name, known in self._known.items():
            sql = f'DELETE FROM "{name}" WHERE page_id IN ({chosen})'
            if not known.key or name not in rows_of:
                yield Statement(sql)
                continue
            table, rows = rows_of[name]
            places = [[column.name for column in table.columns].index(key) for key in known.key]
            keys = ", ".join(f"value ->> {number}" for number in range(len(places)))
            yield Statement(
                f"{sql} AND ({_names(known.key)}) NOT IN (SELECT {keys} FROM json_each(?))",
                [tuple(row[place] for place in places) for row in rows],
            )


_TOO_WIDE = (
    f"with its new fields the table item would have over {MOST_COLUMNS:,} columns;"
    " nest what varies in one field"
)


def _misfits(table: Table, rows: list[tuple[Any, ...]], reason: str) -> list[tuple[Any, ...]]:
    """Give the rows of `problems` for dicts that cannot be stored."""
    page = len(table.columns)
    return [(*row[page : page + 3], "dict", reason, repr(row[:page])[:2000]) for row in rows]


def _derived(name: str) -> set[str]:
    """Give the names of all that an item type may need in the file, in lower case."""
    endings = ("", "_history", "_history_item", "_page", "_key", "_changed", "_removed")
    return {name.lower() + ending for ending in endings}


def _refuse_changed(table: Table, known: _Known, columns: dict[str, str]) -> None:
    out = "; give the type another name with @item(table=...), or start over with --fresh"
    for name, kind in columns.items():
        if known.columns.get(name, kind) != kind:
            raise StoreRefused(
                f"item {table.name}: the column {name} was {known.columns[name]} and is now"
                f" {kind}; rename the field, or{out[1:]}"
            )
    if known.key != table.key:
        was, now = (" and ".join(key) or "nothing" for key in (known.key, table.key))
        raise StoreRefused(f"item {table.name}: its key was {was} and is now {now}{out}")


# ---------------------------------------------------------------- SQL


def create(table: Table) -> Iterator[str]:
    """Yield the DDL of an item type's table.

    AUTOINCREMENT: an id is never given twice, so that history and exports can go by it.
    """
    own = ", ".join(_column(column, table) for column in table.columns)
    comma = ", " if own else ""
    yield (
        f'CREATE TABLE "{table.name}" (item_id INTEGER PRIMARY KEY AUTOINCREMENT, {own}{comma}'
        "page_id INTEGER NOT NULL REFERENCES pages (page_id), page_url TEXT NOT NULL,"
        " run_id INTEGER NOT NULL REFERENCES runs (run_id), fetched_at TIMESTAMP NOT NULL)"
    )
    yield f'CREATE INDEX "{table.name}_page" ON "{table.name}" (page_id)'
    if table.key:
        yield f'CREATE UNIQUE INDEX "{table.name}_key" ON "{table.name}" ({_names(table.key)})'


def widen(name: str, new: dict[str, str], known: _Known) -> Iterator[str]:
    """Yield the DDL that adds columns to a table, and to its history where it has one."""
    for column, kind in new.items():
        yield f'ALTER TABLE "{name}" ADD COLUMN {_declared(column, kind)}'
        if known.history:
            yield f'ALTER TABLE "{name}_history" ADD COLUMN {_declared(column, kind)}'


def history(name: str, columns: dict[str, str]) -> Iterator[str]:
    """Yield the DDL of the history: triggers that write down what an item was before."""
    own = "".join(f"{_declared(column, kind)}, " for column, kind in columns.items())
    yield (
        f'CREATE TABLE IF NOT EXISTS "{name}_history" (item_id INTEGER NOT NULL, {own}'
        "page_id INTEGER NOT NULL, page_url TEXT NOT NULL, run_id INTEGER NOT NULL,"
        " fetched_at TIMESTAMP NOT NULL, replaced_at TIMESTAMP)"
    )
    yield f'CREATE INDEX IF NOT EXISTS "{name}_history_item" ON "{name}_history" (item_id)'
    yield from forget(name)
    kept = ["item_id", *columns, *_ORIGIN]
    old = ", ".join(f'OLD."{column}"' for column in kept)
    into = f'INSERT INTO "{name}_history" ({_names(kept)}, replaced_at)'
    was, now = (", ".join(f'{row}."{column}"' for column in columns) for row in ("OLD", "NEW"))
    yield (
        f'CREATE TRIGGER "{name}_changed" AFTER UPDATE ON "{name}" WHEN ({was}) IS NOT ({now})'
        f" BEGIN {into} VALUES ({old}, NEW.fetched_at); END"
    )
    yield (
        f'CREATE TRIGGER "{name}_removed" AFTER DELETE ON "{name}"'
        f" BEGIN {into} VALUES ({old}, strftime('%Y-%m-%dT%H:%M:%fZ', 'now')); END"
    )


def forget(name: str) -> Iterator[str]:
    """Yield what stops a table's history; what it holds stays."""
    yield f'DROP TRIGGER IF EXISTS "{name}_changed"'
    yield f'DROP TRIGGER IF EXISTS "{name}_removed"'


def insert(table: Table) -> str:
    """Give the INSERT of a JSON array of items; the key makes it an upsert."""
    names = (*(column.name for column in table.columns), *_ORIGIN)
    values = ", ".join(f"value ->> {number}" for number in range(len(names)))
    sql = f'INSERT INTO "{table.name}" ({_names(names)}) SELECT {values} FROM json_each(?)'
    if table.key:
        changes = ", ".join(
            f'"{name}" = excluded."{name}"' for name in names if name not in table.key
        )
        sql += f" WHERE true ON CONFLICT ({_names(table.key)}) DO UPDATE SET {changes}"
    return sql


def _column(column: Column, table: Table) -> str:
    not_null = " NOT NULL" if column.name in table.key else ""
    return f"{_declared(column.name, _TYPES[column.kind])}{not_null}"


def _declared(name: str, kind: str) -> str:
    """Give a column's definition. JSON alone would be numeric to SQLite: 2**70 became 1.18e21."""
    return f'"{name}" {"JSON TEXT" if kind == "JSON" else kind}'


def _names(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _remember(table: Table, columns: dict[str, str]) -> str:
    values = ", ".join(
        "'" + text.replace("'", "''") + "'"
        for text in (table.name, json.dumps(columns), json.dumps(table.key))
    )
    return f"INSERT OR REPLACE INTO item_types VALUES ({values}, {int(table.history)})"
