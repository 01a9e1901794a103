"""Rows of items on their way into a table: as they came, and as the table takes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from msgspec.structs import replace

from crawler.items import Table, column_for
from crawler.store.item_sql import Rows
from crawler.store.widening import EXACT, TYPES, digits, fit, wider_type


class KnownTable(NamedTuple):
    """A table as it is in the file; `names` has keys of dicts, and of digits their decimal."""

    columns: dict[str, str]
    key: tuple[str, ...]
    history: bool
    names: dict[str, str]

    def given(self) -> dict[str, str]:
        """Return the column of each key that dicts have had."""
        own = (name for name, kind in self.columns.items() if kind != EXACT)
        return {self.names.get(name, name): name for name in own}

    def exact(self) -> dict[str, str]:
        """Return the column with the digits of each decimal that has one."""
        return {self.names[name]: name for name, kind in self.columns.items() if kind == EXACT}

    def plus(self, new: dict[str, str], names: dict[str, str]) -> KnownTable:
        """Return the table with more columns."""
        return self._replace(columns={**self.columns, **new}, names={**self.names, **names})


class ItemPart(NamedTuple):
    """Records of one shape: their table with columns as in the file, rows, and keys of dicts."""

    table: Table
    rows: Rows
    names: dict[str, str]
    places: Sequence[int] = ()  # of the rows among all that the flush stores

    def values(self, name: str) -> Iterator[Any]:
        """Yield the values of a column, nothing where it has none of that name."""
        for place, column in enumerate(self.table.columns):
            if column.name == name:
                yield from (row[place] for row in self.rows)


class FittedRows(NamedTuple):
    """Rows as the table takes them."""

    name: str
    key: tuple[str, ...]
    columns: list[str]
    rows: Rows


def named(table: Table, rows: Rows, known: KnownTable | None) -> ItemPart:
    """Return dicts with a column for each of their keys."""
    had = known.given() if known is not None else {}
    taken = set(known.columns) if known is not None else set()
    columns, names = [], {}
    for column in table.columns:
        name = had.get(column.name)
        if name is None:
            name = column_for(column.name, taken)
            taken.add(name)
            if name != column.name:
                names[name] = column.name
        columns.append(replace(column, name=name))
    return ItemPart(replace(table, columns=tuple(columns)), rows, names)


def fitted_to(part: ItemPart, known: KnownTable, *, strict: bool = True) -> FittedRows:
    """Return rows as the table takes them, with the digits that its decimals do not hold.

    Without `strict` a value stays as it is where the column would have to be widened for it.
    """
    name, key, columns = part.table.name, part.table.key, part.table.columns
    exact = known.exact()
    turns, more = {}, {}
    for place, column in enumerate(columns):
        now = known.columns[column.name]
        if not strict and wider_type(now, TYPES[column.kind], key=column.name in known.key) != now:
            continue
        turn = fit(column.kind, now)
        if turn is not None:
            turns[place] = turn
        if column.name in exact:
            more[place] = exact[column.name]
    own = [column.name for column in columns]
    if not turns and not more:
        return FittedRows(name, key, own, part.rows)
    lists = list(zip(*part.rows, strict=True))
    found = [list(map(digits, lists[place])) for place in more]
    for place, turn in turns.items():
        lists[place] = tuple(map(turn, lists[place]))
    lists[len(own) : len(own)] = map(tuple, found)
    return FittedRows(name, key, [*own, *more.values()], list(zip(*lists, strict=True)))


def in_order(fitted: list[FittedRows], parts: list[ItemPart]) -> Iterator[FittedRows]:
    """Yield what is to be inserted: dicts of all shapes together, in the order they came."""
    loose = []
    for one, part in zip(fitted, parts, strict=True):
        if part.table.loose:
            loose.append((one, part.places))
        else:
            yield one
    if len(loose) < 2:
        yield from (one for one, _ in loose)
        return
    columns = list(dict.fromkeys(column for one, _ in loose for column in one.columns))
    placed = {column: place for place, column in enumerate(columns)}
    rows: list[tuple[int, tuple[Any, ...]]] = []
    for one, places in loose:
        own = [placed[column] for column in one.columns]
        for place, row in zip(places, one.rows, strict=True):
            values = [None] * len(columns)
            for at, value in zip(own, row, strict=False):
                values[at] = value
            rows.append((place, (*values, *row[len(own) :])))
    rows.sort(key=itemgetter(0))
    yield FittedRows(loose[0][0].name, (), columns, [row for _, row in rows])
