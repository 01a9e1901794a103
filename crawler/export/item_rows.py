"""The rows of an item type as they were given: names of keys, digits of decimals, types."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from crawler.inspect.query import Reader, Rows
from crawler.store.damage import item_type
from crawler.store.widening import EXACT

_BUILT_IN = {
    "item_id": "INTEGER",
    "page_id": "INTEGER",
    "page_url": "TEXT",
    "run_id": "INTEGER",
    "fetched_at": "TIMESTAMP",
    "gone_at": "TIMESTAMP",
}


@dataclass(frozen=True, slots=True)
class ItemType:
    """An item type in a store; `names` has keys of dicts, and of digits their decimal's column."""

    name: str
    columns: dict[str, str]
    names: dict[str, str]

    @property
    def given(self) -> dict[str, str]:
        """The name under which each column was given."""
        own = (column for column, kind in self.columns.items() if kind != EXACT)
        return {column: self.names.get(column, column) for column in own}

    def shown(self, column: str) -> str:
        """Return the name of a column in an export: built-in ones give way to a key."""
        own = self.given
        if column in own:
            return own[column]
        return f"crawl_{column}" if column in own.values() else column

    @property
    def kinds(self) -> dict[str, str]:
        """The types of the columns, under their names in an export."""
        own = {name: self.columns[column] for column, name in self.given.items()}
        return {self.shown(column): kind for column, kind in _BUILT_IN.items()} | own

    def rows(self, reader: Reader, where: str = "", only: Sequence[str] | None = None) -> Rows:
        """Return items; `only` names columns of an export, `where` is the end of the SQL."""
        exact = {self.names[name]: name for name, kind in self.columns.items() if kind == EXACT}
        found = {}
        for column in _columns(reader, self.name):
            if self.columns.get(column) == EXACT:
                continue
            quoted = _quoted(column)
            if column in exact and self.columns[column] == "DECIMAL":
                quoted = f"coalesce({_quoted(exact[column])}, {quoted})"
            found[self.shown(column)] = quoted
        names = [name for name in only if name in found] if only is not None else list(found)
        values = [found[name] for name in names]
        sql = f"SELECT {', '.join(values)} FROM {_quoted(self.name)}{where}"
        return Rows(tuple(names), reader.query(sql).rows)


def item_types(reader: Reader) -> dict[str, ItemType]:
    """Return every item type of a store by its name."""
    names = "names" if "names" in _columns(reader, "item_types") else "'{}'"
    rows = reader.query(f"SELECT name, columns, {names} FROM item_types").rows
    return {
        name: ItemType(name, *item_type(name, columns, given, path=reader.path))
        for name, columns, given in rows
    }


def _columns(reader: Reader, table: str) -> list[str]:
    sql = "SELECT name FROM pragma_table_info(?)"
    return [name for (name,) in reader.query(sql, (table,)).rows]


def _quoted(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def decimal_text(value: Any) -> str:
    """Return the digits of a decimal as it is read: a text has them, a double the shortest."""
    return value if isinstance(value, str) else repr(float(value))
