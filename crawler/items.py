"""Items: what a spider yields becomes a row of a typed table.

A dataclass (`@item` makes one), a pydantic model or a plain dict. `table_of` reads the columns
from the type, `record_of` checks one object against them. The store only sees `Table` and `Record`.
"""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeVar, dataclass_transform, overload

from crawler.columns import Column, Encode, Kind, Unfit, encoder, kind_of, kind_of_value
from crawler.errors import SpiderError

__all__ = ["Column", "InvalidItem", "Kind", "Record", "Table", "item", "record_of", "table_of"]

C = TypeVar("C")

RESERVED = ("item_id", "page_id", "page_url", "run_id", "fetched_at", "replaced_at")
"""Columns that every item table or its history has beside its own."""


MOST_COLUMNS = 1000
"""Fields that a type may have. SQLite takes 2000 columns in a table, PostgreSQL 1600."""


class InvalidItem(ValueError):
    """A yielded object does not fit its type; kept as a row of `problems`, not as an item."""


@dataclass(frozen=True, slots=True)
class Table:
    """The table of an item type; on the columns of `key` a later item replaces an earlier.

    `loose` is the table of dicts: its columns are those that dicts have had so far.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    history: bool = False
    loose: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """One item, ready to be stored: SQL values in the order of the table's columns."""

    table: Table
    values: tuple[Any, ...]


@overload
def item(cls: type[C], /) -> type[C]: ...
@overload
def item(
    *, key: str | Iterable[str] = (), table: str | None = None, history: bool = False
) -> Callable[[type[C]], type[C]]: ...


@dataclass_transform(frozen_default=True)
def item(
    cls: type[C] | None = None,
    /,
    *,
    key: str | Iterable[str] = (),
    table: str | None = None,
    history: bool = False,
) -> Any:
    """Make a class a frozen dataclass and a typed table; a pydantic model stays what it is.

    `key` names one or several fields: an item with the same key replaces the earlier one.
    `table` is the table's name, by default the class name in snake_case.
    `history=True` also keeps what a replaced item was before, in `<table>_history`.
    SpiderError when a key is no field or a field's name is reserved.
    """

    def decorate(cls: type[C]) -> type[C]:
        is_made = hasattr(cls, "model_fields") or "__dataclass_fields__" in vars(cls)
        made = cls if is_made else dataclass(frozen=True)(cls)
        names = (key,) if isinstance(key, str) else tuple(key)
        if history and not names:
            raise SpiderError(f"item {cls.__name__}: history needs a key that tells what replaces")
        made.__item__ = (table or _snake(cls.__name__), names, history)  # type: ignore[attr-defined]
        return made

    return decorate if cls is None else decorate(cls)


def table_of(cls: type) -> Table:
    """Give the table of a dataclass or pydantic model; SpiderError where there is none."""
    return _codec(cls)[0]


def record_of(thing: Any) -> Record:
    """Give the record of a yielded object.

    InvalidItem when a value does not fit its field, SpiderError when the object is no item at all.
    """
    if isinstance(thing, Mapping):
        return _record_of_mapping(thing)
    table, fields = _codec(type(thing))  # type: ignore[arg-type]  # a type is hashable
    return Record(table, tuple([_stored(table, thing, *field) for field in fields]))


_Field = tuple[str, Column, Encode]


def _stored(table: Table, thing: Any, name: str, column: Column, encode: Encode) -> Any:
    value = getattr(thing, name)
    if value is None:
        if column.required and column.kind != "json":
            raise InvalidItem(
                f"{table.name}.{column.name} has no value; make it optional or give one"
            )
        if column.name in table.key:
            raise InvalidItem(f"{table.name}.{column.name} is the key and has no value")
        return None
    try:
        return encode(value)
    except Unfit as problem:
        raise InvalidItem(f"{table.name}.{column.name} {problem}") from None


@lru_cache(maxsize=1024)
def _codec(cls: type) -> tuple[Table, tuple[_Field, ...]]:
    """Give a type's table, and how each of its fields is read and stored."""
    name, key, history = getattr(cls, "__item__", (_snake(cls.__name__), (), False))
    name = _identifier(name)
    fields = tuple(_field(name, *field) for field in _fields(cls))
    columns = tuple(column for _, column, _ in fields)
    problem = _clash(columns)
    if problem:
        raise SpiderError(f"item {name}: {problem}")
    missing = [field for field in key if field not in {column.name for column in columns}]
    if missing:
        raise SpiderError(f"item {name}: the key {missing[0]!r} is none of its fields")
    return Table(name, columns, key, history), fields


def _fields(cls: type) -> list[tuple[str, Any, Kind | None]]:
    """Give each field's name and type; the kind too where only pydantic's schema knows it."""
    if dataclasses.is_dataclass(cls):
        try:
            hints = typing.get_type_hints(cls, include_extras=True)
        except (NameError, TypeError) as error:
            raise SpiderError(
                f"item {cls.__name__}: a type of its fields cannot be found ({error});"
                " define or import it at the top of the file"
            ) from None
        return [(field.name, hints[field.name], None) for field in dataclasses.fields(cls)]
    if hasattr(cls, "model_fields"):
        schema = cls.model_json_schema(mode="serialization")["properties"]  # type: ignore[attr-defined]
        by_alias = [(field, info.annotation) for field, info in cls.model_fields.items()]
        return [(field, hint, _kind_of_schema(schema.get(field, {}))) for field, hint in by_alias]
    raise SpiderError(
        f"{cls.__name__} is no item: yield an @item class, a dataclass, a pydantic model,"
        " a dict or a Request"
    )


def _kind_of_schema(schema: Mapping[str, Any]) -> Kind | None:
    """Give "text" for what pydantic writes as a string: URLs, e-mail addresses, secrets."""
    arms = [arm.get("type") for arm in schema.get("anyOf", [schema])]
    return "text" if {arm for arm in arms if arm != "null"} == {"string"} else None


def _field(table: str, name: str, hint: Any, known: Kind | None) -> _Field:
    kind, required, bare = kind_of(hint)
    if bare is bytes or bare is bytearray:
        raise SpiderError(f"item {table}: {name} is bytes; store text, or keep it in a file")
    if kind == "json" and known is not None:
        return name, Column(_identifier(name), known, required), str
    return name, Column(_identifier(name), kind, required), encoder(kind, bare)


def _clash(columns: Iterable[Column]) -> str:
    """Say which column's name cannot be: reserved, there twice but for its case, one too many."""
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
    """Give the record of a dict; a key without a value makes no column."""
    given = {str(name): value for name, value in thing.items() if value is not None}
    table = _loose(tuple((name, kind_of_value(value)) for name, value in given.items()))
    values = []
    for column, value in zip(table.columns, given.values(), strict=True):
        try:
            values.append(_PLAIN[column.kind](value))
        except Unfit as problem:
            raise InvalidItem(f"item.{column.name} {problem}") from None
    return Record(table, tuple(values))


_PLAIN: dict[Kind, Encode] = {
    kind: encoder(kind) for kind in ("text", "integer", "real", "boolean", "timestamp", "json")
}


@lru_cache(maxsize=1024)
def _loose(names: tuple[tuple[str, Kind], ...]) -> Table:
    columns = tuple(Column(_identifier(name), kind) for name, kind in names)
    problem = _clash(columns)
    if problem:
        raise InvalidItem(f"item: {problem}")
    return Table("item", columns, loose=True)


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _identifier(name: str) -> str:
    """Give a name that is safe as an SQL identifier without quotes in most places."""
    cleaned = re.sub(r"\W", "_", name).strip("_") or "item"
    return f"_{cleaned}" if cleaned[0].isdigit() else cleaned
