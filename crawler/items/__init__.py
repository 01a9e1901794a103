"""Items: what a spider yields becomes a row of a typed table.

A dataclass (`@item` makes one), a class that `fields` knows, or a plain dict. `table_of` reads the
columns from the type, `record_of` checks one object against them. The store only sees `Table` and
`Record`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeVar, dataclass_transform, overload

from msgspec import Struct

from crawler.errors import SpiderError
from crawler.items.columns import Column, Kind, encoder, kind_of, kind_of_value
from crawler.items.encoders import BY_KIND, BYTES, IS_BYTES, Encode, UnfitValue, spoken
from crawler.items.encoders import text as clean
from crawler.items.fields import fields_of, is_complete, names_of
from crawler.items.selected import css, xpath
from crawler.lazy_regex import lazy

__all__ = ["Column", "InvalidItem", "Kind", "Record", "Table", "item", "record_of", "table_of"]

C = TypeVar("C")

RESERVED = ("item_id", "page_id", "page_url", "run_id", "fetched_at", "replaced_at", "gone_at")
"""Columns that every item table or its history has beside its own."""


TAKEN = frozenset(
    (
        "attempts bodies broken_links changes control cookies counters crawl duplicates endless"
        " errors files hosts item_changes item_types link_counts link_lists links orphans outcomes"
        " page_files page_usages page_versions pages pattern_texts patterns problems redirects"
        " rendered_files rendered_pages rendering_needs revisit_queue revisits robots runs search"
        " search_config search_content search_data search_docsize search_idx seen simhashes"
        " sitemap_entries"
        " slow_pages texts ticks todo workers xhr_answers"
    ).split()
)
"""Tables and views of a store: the class `Files` is stored in `files_item`."""

MOST_COLUMNS = 1000
"""Fields that a type may have. SQLite takes 2000 columns in a table, PostgreSQL 1600."""


class InvalidItem(ValueError):
    """A yielded object does not fit its type; kept as a row of `problems`, not as an item."""


class Table(Struct, frozen=True):
    """The table of an item type; on the columns of `key` a later item replaces an earlier.

    `loose` is the table of dicts: its columns are those that dicts have had so far, and are named
    here by the keys as they were given; the store finds a column for each.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    history: bool = False
    loose: bool = False


class Record(Struct, frozen=True):
    """One item, ready to be stored: SQL values in the order of the table's columns.

    `replaced` texts had characters that no database takes (NUL, lone surrogates), now U+FFFD.
    """

    table: Table
    values: tuple[Any, ...]
    replaced: int = 0

    def fields(self) -> dict[str, Any]:
        """Return the fields by name; lists and dicts as such."""
        pairs = zip(self.table.columns, self.values, strict=True)
        return {
            column.name: json.loads(value) if column.kind == "json" and value is not None else value
            for column, value in pairs
        }


@overload
def item(cls: type[C], /) -> type[C]: ...
@overload
def item(
    *, key: str | Iterable[str] = (), table: str | None = None, history: bool = False
) -> Callable[[type[C]], type[C]]: ...


@dataclass_transform(frozen_default=True, field_specifiers=(field, css, xpath))
def item(
    cls: type[C] | None = None,
    /,
    *,
    key: str | Iterable[str] = (),
    table: str | None = None,
    history: bool = False,
) -> Any:
    """Make a class a frozen dataclass and a typed table.

    A pydantic model, an attrs or msgspec class and a NamedTuple stay what they are. `key` names one
    or several fields: an item with the same key replaces the earlier one; a subclass has its
    parent's. `table` is the table's name, by default the class name in snake_case, with `_item`
    behind where the crawl has a table of that name. `history=True` also keeps what a replaced item
    was before, in `<table>_history`. SpiderError for a table's name that is taken, or no field.
    """

    def decorate(cls: type[C]) -> type[C]:
        made = cls if is_complete(cls) else dataclass(frozen=True)(cls)
        if not names_of(made):
            raise SpiderError(
                f"item {cls.__name__}: it has no fields; each needs a type: `price: float = 0`"
            )
        names = (key,) if isinstance(key, str) else tuple(key)
        names = names or _inherited(cls)[0]
        if history and not names:
            raise SpiderError(f"item {cls.__name__}: history needs a key that tells what replaces")
        if table is not None and is_taken(_identifier(table)):
            raise SpiderError(
                f"item {cls.__name__}: the name {table} is taken by a table of the crawl;"
                " give another: @item(table=...)"
            )
        made.__item__ = (table, names, history)  # type: ignore[attr-defined]
        return made

    return decorate if cls is None else decorate(cls)


def table_of(cls: type) -> Table:
    """Return the table of a class of items; SpiderError if it is no item type."""
    return _codec(cls)[0]


def is_taken(name: str) -> bool:
    """Return whether a table of the crawl, or of SQLite, has this name."""
    return name.lower() in TAKEN or name.lower().startswith("sqlite_")


def _inherited(cls: type) -> tuple[tuple[str, ...], bool]:
    """Return the key of the nearest parent that is an item, and whether its history is kept."""
    parents = (vars(parent).get("__item__") for parent in cls.__mro__[1:])
    return next(((key, history) for _, key, history in filter(None, parents)), ((), False))


def record_of(thing: Any) -> Record:
    """Return the record of a yielded object.

    InvalidItem when a value does not fit its field, SpiderError when the object is no item at all.
    """
    if isinstance(thing, Mapping):
        return _record_of_mapping(thing)
    table, fields = _codec(type(thing))  # type: ignore[arg-type]  # a type is hashable
    values = tuple([_stored(table, thing, *field) for field in fields])
    if not any(type(value) is str and _LOST in value for value in values):
        return Record(table, values)
    given = [getattr(thing, name) for name, _, _ in fields]
    return Record(table, values, _replaced(values, given))


_LOST = "\ufffd"
_UNSTORABLE = lazy(r"\\x00|\\ud[89a-f][0-9a-f]{2}")


def _replaced(values: Iterable[Any], given: Iterable[Any]) -> int:
    """Count values in which a character was replaced: not those that had U+FFFD before."""
    pairs = zip(values, given, strict=True)
    return sum(
        isinstance(now, str) and _LOST in now and _UNSTORABLE.search(repr(was)) is not None
        for now, was in pairs
    )


_Field = tuple[str, Column, Encode]


def _stored(table: Table, thing: Any, name: str, column: Column, encode: Encode) -> Any:
    value = getattr(thing, name)
    if value is None:
        if column.required:
            raise InvalidItem(
                f"{table.name}.{column.name} has no value; make it optional or give one"
            )
        if column.name in table.key:
            raise InvalidItem(f"{table.name}.{column.name} is the key and has no value")
        return None
    try:
        return encode(value)
    except UnfitValue as problem:
        raise InvalidItem(f"{table.name}.{column.name} {problem}") from None


@lru_cache(maxsize=1024)
def _codec(cls: type) -> tuple[Table, tuple[_Field, ...]]:
    """Return a type's table, and how each of its fields is read and stored."""
    name, key, history = vars(cls).get("__item__", (None, *_inherited(cls)))
    name = _identifier(name or _snake(cls.__name__))
    if is_taken(name):
        name = f"item_{name}" if is_taken(f"{name}_item") else f"{name}_item"
    fields = tuple(_field(name, *field) for field in fields_of(cls))
    columns = tuple(column for _, column, _ in fields)
    problem = _clash(columns)
    if problem:
        raise SpiderError(f"item {name}: {problem}")
    missing = [field for field in key if field not in {column.name for column in columns}]
    if missing:
        raise SpiderError(f"item {name}: the key {missing[0]!r} is none of its fields")
    return Table(name, columns, key, history), fields


def _field(table: str, name: str, hint: Any, known: Kind | None) -> _Field:
    kind, required, bare = kind_of(hint)
    if kind == "json" and known is not None:
        return name, Column(_identifier(name), known, required), spoken
    try:
        return name, Column(_identifier(name), kind, required), encoder(kind, bare)
    except UnfitValue as problem:  # a value that an Enum or a Literal allows
        raise SpiderError(f"item {table}: {name} {problem}") from None


def _clash(columns: Iterable[Column]) -> str:
    """Return which field's name cannot be: reserved, there twice but for its case, one too many."""
    seen: set[str] = set()
    for column in columns:
        name = column.name.lower()
        if name in RESERVED:
            return f"the field name {column.name!r} is reserved; give it another"
        if name in seen:
            return f"two fields are named {column.name!r} but for their case; rename one"
        seen.add(name)
    if len(seen) > MOST_COLUMNS:
        return f"it has {len(seen):,} fields, of which a table takes {MOST_COLUMNS:,}; nest them"
    return ""


# ---------------------------------------------------------------- dicts


def _record_of_mapping(thing: Mapping[str, Any]) -> Record:
    """Return the record of a dict; a key without a value makes no column."""
    pairs = [(_key(str(key)), value) for key, value in thing.items() if value is not None]
    if any(isinstance(key, BYTES) for key in thing):
        raise InvalidItem(f"item: a key {IS_BYTES}")
    given = dict(pairs)
    if len(given) < len(pairs):
        raise InvalidItem("item: two of its keys are spelled alike")
    kinds: list[tuple[str, Kind]] = []
    values = []
    for name, value in pairs:
        try:
            kind = kind_of_value(value)
            values.append(BY_KIND[kind](value))
        except UnfitValue as problem:
            raise InvalidItem(f"item.{name} {problem}") from None
        kinds.append((name, kind))
    lost = any(type(value) is str and _LOST in value for value in values)
    replaced = _replaced(values, [value for _, value in pairs]) if lost else 0
    return Record(_loose(tuple(kinds)), tuple(values), replaced)


_key = lru_cache(maxsize=4096)(clean)
"""Returns a key of a dict as it can be stored; the same ones come again and again."""


@lru_cache(maxsize=1024)
def _loose(names: tuple[tuple[str, Kind], ...]) -> Table:
    if len(names) > MOST_COLUMNS:
        raise InvalidItem(
            f"item: it has {len(names):,} keys, of which a table takes {MOST_COLUMNS:,}; nest them"
        )
    return Table("item", tuple(Column(name, kind) for name, kind in names), loose=True)


def column_for(given: str, taken: Iterable[str]) -> str:
    """Return a column's name for a dict's key: safe without quotes, and none of those taken."""
    used = {name.lower() for name in taken}.union(RESERVED)
    name, number = _identifier(given), 1
    while name.lower() in used:
        number += 1
        name = f"{_identifier(given)}_{number}"
    return name


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _identifier(name: str) -> str:
    """Return a name that is safe as an SQL identifier without quotes in most places."""
    cleaned = name if re.fullmatch(r"\w+", name) else re.sub(r"\W", "_", name).strip("_")
    cleaned = (cleaned.strip("_") and cleaned) or "item"
    return f"_{cleaned}" if cleaned[0].isdigit() else cleaned
