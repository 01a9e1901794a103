"""Item tables: made when the first item of a type is stored, widened when the type grows.

All statements are plain SQL with JSON as the one parameter: a statement per table and flush
(docs/decisions/0010-items.md). `ItemTables` does no I/O: it yields statements and is sent their
rows. A column whose values are of several kinds becomes one that holds them all without a loss
(docs/decisions/0026-item-values.md).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from crawler.errors import StoreRefused
from crawler.items import MOST_COLUMNS, Record, Table
from crawler.items.refused import as_object
from crawler.store import item_sql
from crawler.store.damage import item_type
from crawler.store.item_dialect import SQLITE, ItemDialect
from crawler.store.item_marks import Left, cleared
from crawler.store.item_parts import ItemPart, KnownTable, fitted_to, in_order, named
from crawler.store.item_sql import Rows, Statement, Steps, TableShape, each
from crawler.store.widening import (
    EXACT,
    TYPES,
    companion,
    digits,
    is_long,
    wider_type,
)

QUERY = "SELECT name, columns, key, history, names FROM item_types"

Origin = tuple[Any, ...]
NO_PAGES = Left()


class ItemReport(Struct):
    """What storing records reports: rows of `problems`, and columns that were widened."""

    problems: Rows = field(default_factory=list)
    widened: list[str] = field(default_factory=list)
    """As in `item.price from INTEGER to REAL`."""
    replaced: int = 0
    """Texts of items with characters that no database takes."""


class ItemTables:
    """Which item tables the store has, with which columns; `sql` makes the statements."""

    def __init__(self, sql: ItemDialect = SQLITE) -> None:
        self._sql = sql
        self._known: dict[str, KnownTable] = {}
        self._taken: set[str] = set()

    def load(
        self, rows: Iterable[tuple[str, str, str, int, str]], names: Iterable[str] | None = None
    ) -> None:
        """Take the rows of `QUERY`; `names` are those of all tables and views, when opened."""
        self._known = {
            name: _known(bool(history), *item_type(name, columns, key, given))
            for name, columns, key, history, given in rows
        }
        if names is not None:
            own = set().union(*(_derived(known) for known in self._known))
            self._taken = {name.lower() for name in names} - own

    def writes(
        self, records: list[tuple[Record, Origin]], left: Left = NO_PAGES
    ) -> Steps[ItemReport]:
        """Yield what stores the records in order, and return what there is to report.

        `left` names the pages whose earlier items go or are marked: those with a key that comes
        again are changed in place, so that their history tells what they were.
        """
        parts, told = yield from self.shapes(records)
        yield from self.rows(parts, left)
        return told

    def shapes(
        self, records: list[tuple[Record, Origin]]
    ) -> Steps[tuple[list[ItemPart], ItemReport]]:
        """Yield what brings the tables to what the records need; nothing where they are so."""
        groups: dict[int, tuple[Table, Rows, list[int]]] = {}
        for number, (record, origin) in enumerate(records):
            table = record.table
            _, rows, places = groups.setdefault(id(table), (table, [], []))
            rows.append((*record.values, *origin))
            places.append(number)
        told = ItemReport(replaced=sum([record.replaced for record, _ in records]))
        parts: list[ItemPart] = []
        for table, rows, places in groups.values():
            part = self._respelt(table, rows)._replace(places=places)
            if table.loose and self._too_wide(part.table):
                told.problems += _misfits(part, _TOO_WIDE)
                continue
            parts.append(part)
            yield from self._shape(part, parts, told)
        return parts, told

    def rows(self, parts: list[ItemPart], left: Left = NO_PAGES) -> Iterator[Statement]:
        """Yield what stores the rows of parts whose tables are made."""
        fitted = [fitted_to(part, self._known[part.table.name]) for part in parts]
        if left or left.at is not None:
            yield from cleared(left, self._known, fitted, self._sql)
        for part in in_order(fitted, parts):
            yield from self._sql.inserts(part, self._known[part.name])

    def given_at(self, visits: list[tuple[int, str]]) -> Iterator[Statement]:
        """Yield what removes the items that these visits (page_id, fetched_at) gave.

        Those with a key stay: what comes again changes them in place.
        """
        for name, known in self._known.items() if visits else ():
            if not known.key:
                yield Statement(self._sql.given_at(name), list(visits))

    def as_stored(self, record: Record) -> tuple[str, dict[str, Any]]:
        """Return a record's table, and its values by column as a table of now stores them."""
        part = self._respelt(record.table, [record.values])
        types = {column.name: TYPES[column.kind] for column in part.table.columns}
        known = self._known.get(part.table.name) or KnownTable({}, part.table.key, False, {})
        new = {name: kind for name, kind in types.items() if name not in known.columns}
        name, _, columns, rows = fitted_to(part, known.plus(new, {}), strict=False)
        return name, dict(zip(columns, rows[0], strict=True))

    def _shape(self, part: ItemPart, parts: list[ItemPart], told: ItemReport) -> Steps[None]:
        """Yield what makes the table, or brings it to what its new rows need.

        `parts` are all that this flush has brought so far: none of their rows is stored yet.
        """
        table = part.table
        before = known = self._known.get(table.name)
        if known is None:
            self._refuse_taken(table)
            columns = _columns(part)
            # The unique index of a key must not go by doubles.
            columns |= {key: "TEXT" for key in table.key if columns[key] == "DECIMAL"}
            known = KnownTable(columns, table.key, False, part.names)
            yield from each(self._sql.create(_shape_of(table.name, known)))
        elif not table.loose:
            _refuse_changed(table, known)
        known = yield from _lengthened(self._sql, part, known)
        known = yield from _widened(self._sql, part, parts, known, told)
        own = [one for one in parts if one.table.name == table.name]
        known = yield from _with_digits(self._sql, own, known)
        if table.history and (not known.history or before is None or before != known):
            known = known._replace(history=True)
            yield from each(self._sql.history(_shape_of(table.name, known)))
        elif known.history and not table.history and not table.loose:
            known = known._replace(history=False)
            yield from each(self._sql.forget(table.name))
        if known != before:
            self._known[table.name] = known
            yield Statement(_remember(table.name, known))

    def _respelt(self, table: Table, rows: Rows) -> ItemPart:
        """Return the table with its columns spelt as in the file, where case does not count.

        The key of a dict has the column that it has had, or a new one.
        """
        known = self._known.get(table.name)
        if table.loose:
            return named(table, rows, known)
        spelt = {name.lower(): name for name in known.columns} if known is not None else {}
        names = {c.name: spelt.get(c.name.lower(), c.name) for c in table.columns}
        if all(name == now for name, now in names.items()):
            return ItemPart(table, rows, {})
        columns = tuple(replace(column, name=names[column.name]) for column in table.columns)
        key = tuple(names[name] for name in table.key)
        return ItemPart(replace(table, columns=columns, key=key), rows, {})

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


def _known(
    history: bool, columns: dict[str, str], key: list[str], names: dict[str, str]
) -> KnownTable:
    return KnownTable(columns, tuple(key), history, names)


def _shape_of(name: str, known: KnownTable) -> TableShape:
    return TableShape(name, known.columns, known.key, known.history)


def _columns(part: ItemPart) -> dict[str, str]:
    """Return the types of the columns as the values of a part need them."""
    found = {}
    for place, column in enumerate(part.table.columns):
        many = column.kind in ("integer", "real") and any(
            isinstance(row[place], str) for row in part.rows
        )  # digits, of which a number has not all
        found[column.name] = "DECIMAL" if many else TYPES[column.kind]
    return found


def _lengthened(sql: ItemDialect, part: ItemPart, known: KnownTable) -> Steps[KnownTable]:
    """Yield what adds the columns that the table has not yet."""
    columns = {c.name: TYPES[c.kind] for c in part.table.columns if c.name not in known.columns}
    if not columns:
        return known
    yield from each(sql.lengthen(_shape_of(part.table.name, known), columns))
    return known.plus(columns, part.names)


def _widened(
    sql: ItemDialect,
    part: ItemPart,
    parts: list[ItemPart],
    known: KnownTable,
    told: ItemReport,
) -> Steps[KnownTable]:
    """Yield what gives columns a type that holds the new values too."""
    name, changed = part.table.name, {}
    for column, now in _columns(part).items():
        if known.columns[column] != now:
            to = yield from _type_for(sql, column, now, parts, _shape_of(name, known))
            if to != known.columns[column]:
                changed[column] = to
    if not changed:
        return known
    for column, to in changed.items():
        was = known.columns[column]
        told.widened.append(f"{name}.{column} from {was} to {to}")
        if (was, to) == ("INTEGER", "DECIMAL"):
            shape = _shape_of(name, known)
            if (yield from sql.any_beyond(shape, column)):
                known = yield from _with_column_of_digits(sql, name, column, known)
                yield from sql.keep_digits(_shape_of(name, known), column, known.exact()[column])
    exact = known.exact()
    gone = {exact[column] for column in changed if column in exact and changed[column] == "JSON"}
    after = {c: changed.get(c, kind) for c, kind in known.columns.items() if c not in gone}
    yield from sql.rebuild(_shape_of(name, known), after, exact)
    names = {column: given for column, given in known.names.items() if column not in gone}
    return known._replace(columns=after, names=names)


def _type_for(
    sql: ItemDialect, column: str, now: str, parts: list[ItemPart], shape: TableShape
) -> Steps[str]:
    """Ask for the type that a column needs for values of the type `now`, and what it has.

    An int and a float are doubles only if every int stays what it is.
    """
    was, is_key = shape.columns[column], column in shape.key
    found = wider_type(was, now, key=is_key)
    if found == "REAL":
        coming = (part.values(column) for part in parts if part.table.name == shape.name)
        if any(map(is_long, coming)) or (
            was == "INTEGER" and (yield from sql.any_long(shape, column))
        ):
            return "TEXT" if is_key else "DECIMAL"
    return found


def _with_digits(sql: ItemDialect, parts: list[ItemPart], known: KnownTable) -> Steps[KnownTable]:
    """Yield what adds a column for digits to each decimal that needs one by now."""
    for part in parts:
        for column in part.table.columns:
            if known.columns[column.name] != "DECIMAL" or column.name in known.exact():
                continue
            if any(digits(value) is not None for value in part.values(column.name)):
                known = yield from _with_column_of_digits(sql, part.table.name, column.name, known)
    return known


def _with_column_of_digits(
    sql: ItemDialect, table: str, column: str, known: KnownTable
) -> Steps[KnownTable]:
    made = companion(column, known.columns)
    yield from each(sql.lengthen(_shape_of(table, known), {made: EXACT}))
    return known.plus({made: EXACT}, {made: column})


_TOO_WIDE = (
    f"with its new fields the table item would have over {MOST_COLUMNS:,} columns;"
    " nest what varies in one field"
)


def _misfits(part: ItemPart, reason: str) -> Rows:
    """Return the rows of `problems` for dicts that cannot be stored."""
    names = [part.names.get(column.name, column.name) for column in part.table.columns]
    page = len(names)
    return [
        (*row[page : page + 3], "dict", reason, as_object(zip(names, row, strict=False)))
        for row in part.rows
    ]


def _derived(name: str) -> set[str]:
    """Return the names of all that an item type may need in the file, in lower case."""
    endings = ("", "_history", "_history_item", "_page", "_key", "_changed", "_removed")
    return {name.lower() + ending for ending in endings}


def _refuse_changed(table: Table, known: KnownTable) -> None:
    out = "; give the type another name with @item(table=...), or start over with --fresh"
    for column in table.columns:
        name, kind = column.name, TYPES[column.kind]
        was = known.columns.get(name, kind)
        if was != wider_type(was, kind, key=name in known.key):
            raise StoreRefused(
                f"item {table.name}: the column {name} was {known.columns[name]} and is now"
                f" {kind}; rename the field, or{out[1:]}"
            )
    if known.key != table.key:
        was, now = (" and ".join(key) or "nothing" for key in (known.key, table.key))
        raise StoreRefused(f"item {table.name}: its key was {was} and is now {now}{out}")


def create(table: Table) -> Iterator[str]:
    """Yield the DDL of an item type's table."""
    columns = {column.name: TYPES[column.kind] for column in table.columns}
    return item_sql.create(TableShape(table.name, columns, table.key, table.history))


def _remember(name: str, known: KnownTable) -> str:
    parts = (name, json.dumps(known.columns), json.dumps(known.key), json.dumps(known.names))
    table, columns, key, names = ("'" + text.replace("'", "''") + "'" for text in parts)
    return (
        "INSERT INTO item_types (name, columns, key, history, names)"
        f" VALUES ({table}, {columns}, {key}, {int(known.history)}, {names})"
        " ON CONFLICT (name) DO UPDATE SET columns = excluded.columns, key = excluded.key,"
        " history = excluded.history, names = excluded.names"
    )
