"""All items of a store in one file: their fields as they were given, of one type or several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import IO, Any

from crawler.export import for_sqlite, formats, stream, to_file
from crawler.export.formats import WriteOptions
from crawler.export.item_rows import ItemType, item_types
from crawler.export.xlsx import write_xlsx
from crawler.inspect.query import Reader, Rows

_TYPE = "type"


@dataclass(frozen=True, slots=True)
class ItemsOfType:
    """The items of one type, without what the crawl adds to them (page, run, time)."""

    reader: Reader
    own: ItemType

    @property
    def name(self) -> str:
        """The name of the type, which is its table's."""
        return self.own.name

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields as they were given: names of attributes, or keys of dicts."""
        return tuple(self.own.given.values())

    @property
    def kinds(self) -> dict[str, str]:
        """The types of the fields."""
        return {field: self.own.kinds[field] for field in self.fields}

    def rows(self, only: Sequence[str] | None = None) -> Rows:
        """Return the items that there are; one that a later visit found gone is none of them."""
        there = self.own.rows(self.reader, " LIMIT 0").columns
        where = " WHERE gone_at IS NULL" if self.own.shown("gone_at") in there else ""
        fields = self.fields if only is None else only
        return self.own.rows(self.reader, f"{where} ORDER BY item_id", fields)


def items_by_type(reader: Reader, name: str | None = None) -> list[ItemsOfType]:
    """Return the items of a store type by type, or of the type of this name alone."""
    types = item_types(reader)
    return [ItemsOfType(reader, own) for key, own in types.items() if name in (None, key)]


def write_items(types: Sequence[ItemsOfType], kind: str, path: Path, how: WriteOptions) -> int:
    """Write items to a file that appears when it is complete, and return their number.

    Of several types, each item in JSON has a key `type`; CSV, Parquet and Excel have a column
    `type` and the fields of all types; SQLite has a table for each.
    """

    def fill(part: Path) -> int:
        if kind == "sqlite":
            return _tables(types, part, how)
        if kind == "xlsx":
            rows, typed = _one_table(types)
            return write_xlsx(rows, part, _with(how, typed.kinds))
        with part.open("wb") as out:
            return _stream(types, kind, out, how)

    return to_file(path, fill)


def _stream(types: Sequence[ItemsOfType], kind: str, out: IO[bytes], how: WriteOptions) -> int:
    if kind == "json":
        return formats.json_array(_named(types), out, how)
    if kind == "jsonl":
        return sum(formats.jsonl(rows, out, _with(how, kinds)) for rows, kinds in _named(types))
    rows, typed = _one_table(types)
    return stream(rows, kind, out, replace(_with(how, typed.kinds), read=typed.read))


def _with(how: WriteOptions, kinds: formats.Kinds) -> WriteOptions:
    return replace(how, kinds=kinds)


def _named(types: Sequence[ItemsOfType]) -> Iterator[tuple[Rows, formats.Kinds]]:
    """Yield the rows of each type; where there are several, with the type in front."""
    for part in types:
        rows = part.rows()
        if len(types) > 1:
            column = _free(_TYPE, part.fields)
            rows = Rows((column, *rows.columns), _marked(part.name, rows.rows))
        yield rows, part.kinds


def _marked(name: str, rows: Iterator[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    return ((name, *row) for row in rows)


def _free(name: str, taken: Sequence[str]) -> str:
    return name if name not in taken else _free(f"item_{name}", taken)


def _one_table(types: Sequence[ItemsOfType]) -> tuple[Rows, WriteOptions]:
    """Return the items of all types as rows of one table: a type has no value for others' fields.

    A field that two types give as different types is JSON in Parquet, as `int | str` is.
    """
    if len(types) == 1:
        [part] = types
        return part.rows(), WriteOptions(kinds=part.kinds, read=lambda only: part.rows(only).rows)
    fields = tuple(dict.fromkeys(chain.from_iterable(part.fields for part in types)))
    mark = _free(_TYPE, fields)
    kinds = {mark: "TEXT"}
    for part in types:
        for field, kind in part.kinds.items():
            kinds[field] = kind if kinds.get(field, kind) == kind else "ANY"

    def read(only: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        for part in types:
            rows = part.rows([field for field in only if field in part.kinds])
            at = {name: place for place, name in enumerate(rows.columns)}
            for row in rows.rows:
                yield tuple(
                    part.name if field == mark else row[at[field]] if field in at else None
                    for field in only
                )

    columns = (mark, *fields)
    return Rows(columns, read(columns)), WriteOptions(kinds=kinds, read=read)


def _tables(types: Sequence[ItemsOfType], file: Path, how: WriteOptions) -> int:
    file.unlink(missing_ok=True)
    number = 0
    for part in types:
        rows, typed = for_sqlite(part.rows(), replace(how, kinds=part.kinds, table=part.name))
        number += formats.sqlite(rows, file, typed)
    if not types:
        formats.sqlite(Rows((_TYPE,), iter(())), file, replace(how, table="item"))
    return number
