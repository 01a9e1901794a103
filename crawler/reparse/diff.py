"""How the items that callbacks give differ from the stored ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

from crawler.inspect.query import Reader
from crawler.reparse.replay import Parsed
from crawler.store.damage import item_type
from crawler.store.items import ItemTables
from crawler.store.rows import to_json
from crawler.web.error_place import last_line

_SHOWN = 20

Item = dict[str, Any]
"""An item's columns and values, without those that have none."""
_Same = tuple[int, frozenset[tuple[str, Any]]]


class Example(NamedTuple):
    """One difference, to be shown."""

    kind: str
    table: str
    url: str
    text: str


@dataclass(slots=True)
class Diff:
    """What parsing again would change: numbers of pages and of items, and the first differences.

    `requests` were given by callbacks and not followed; `invalid` items did not fit their type,
    `refused` ones made a pipeline raise, and `dropped` ones were dropped by one.
    """

    pages: int = 0
    errors: int = 0
    damaged: int = 0
    same: int = 0
    added: int = 0
    removed: int = 0
    changed: int = 0
    invalid: int = 0
    refused: int = 0
    dropped: int = 0
    requests: int = 0
    examples: list[Example] = field(default_factory=list)

    def note(self, kind: str, table: str, url: str, text: str) -> None:
        """Count one difference of the items, and keep the first ones to be shown."""
        setattr(self, kind, getattr(self, kind) + 1)
        if len(self.examples) < _SHOWN:
            self.examples.append(Example(kind, table, url, text))

    def add(self, other: Diff) -> None:
        """Add what another chunk would change."""
        for name in _NUMBERS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.examples += other.examples[: _SHOWN - len(self.examples)]


_NUMBERS = [field.name for field in fields(Diff) if field.name != "examples"]


class _ItemTable(NamedTuple):
    """A table of items in the store."""

    name: str
    columns: dict[str, str]  # with their types
    key: tuple[str, ...]


def compare(reader: Reader, results: list[Parsed]) -> Diff:
    """Return how these pages' items differ from the stored ones."""
    diff = Diff(pages=len(results))
    for result in results:
        _note_page(diff, result)
    good = [result for result in results if result.error is None and result.damage is None]
    new = _new_items(good, tables_of(reader))
    urls = {result.origin.page_id: result.origin.page_url for result in good}
    for table in _types(reader):
        items = new.pop(table.name, [])
        if table.key:
            _compare_keyed(diff, table, _old_keyed(reader, table, urls, items), items, urls)
        else:
            _compare_loose(diff, table.name, _old(reader, table, urls), items, urls)
    for name, items in new.items():
        for page_id, item in items:
            diff.note("added", name, urls[page_id], _shown(item))
    return diff


def _note_page(diff: Diff, result: Parsed) -> None:
    if result.damage is not None:
        diff.note("damaged", "", result.origin.page_url, result.damage)
    elif result.error is not None:
        diff.note("errors", "", result.origin.page_url, last_line(result.error))
    else:
        refused = sum(reason.startswith("pipeline ") for _, reason, _ in result.problems)
        diff.refused += refused
        diff.invalid += len(result.problems) - refused
        diff.requests += result.requests
        diff.dropped += result.dropped


def tables_of(reader: Reader) -> ItemTables:
    """Return the item tables of a store, as far as telling how they would take an item."""
    tables = ItemTables()
    known = reader.query("SELECT name FROM pragma_table_info('item_types')").rows
    names = "names" if ("names",) in known else "'{}'"  # a file of an older version
    tables.load(reader.query(f"SELECT name, columns, key, history, {names} FROM item_types").rows)
    return tables


def _new_items(results: list[Parsed], tables: ItemTables) -> dict[str, list[tuple[int, Item]]]:
    """Return the items by table, each with its page and its values as the store would have them."""
    found: dict[str, list[tuple[int, Item]]] = {}
    for result in results:
        for record in result.records:
            name, values = tables.as_stored(record)
            item = {column: value for column, value in values.items() if value is not None}
            found.setdefault(name, []).append((result.origin.page_id, item))
    return found


def _types(reader: Reader) -> list[_ItemTable]:
    rows = reader.query("SELECT name, columns, key FROM item_types").rows
    return [
        _ItemTable(name, dict(own), tuple(names))
        for name, columns, key in rows
        for own, names in (item_type(name, columns, key, path=reader.path),)
    ]


# ---------------------------------------------------------------- without a key


def _old(reader: Reader, table: _ItemTable, pages: Iterable[int]) -> list[tuple[int, Item]]:
    where = "page_id IN (SELECT CAST(value AS BIGINT) FROM json_each(?))"
    return list(_rows(reader, table, where, to_json(list(pages))))


def _rows(
    reader: Reader, table: _ItemTable, where: str, *values: str
) -> Iterator[tuple[int, Item]]:
    names = ", ".join(f'"{name}"' for name in table.columns)
    sql = f'SELECT page_id, {names} FROM "{table.name}" WHERE {where} ORDER BY item_id'
    for page_id, *row in reader.query(sql, values).rows:
        pairs = zip(table.columns, row, strict=True)
        yield page_id, {name: value for name, value in pairs if value is not None}


def _compare_loose(
    diff: Diff,
    table: str,
    old: list[tuple[int, Item]],
    new: list[tuple[int, Item]],
    urls: dict[int, str],
) -> None:
    """Compare items without a key: page by page, as multisets."""
    left: dict[_Same, list[Item]] = {}
    for page_id, item in old:
        left.setdefault((page_id, frozenset(item.items())), []).append(item)
    for page_id, item in new:
        alike = left.get((page_id, frozenset(item.items())))
        if alike:
            alike.pop()
            diff.same += 1
        else:
            diff.note("added", table, urls[page_id], _shown(item))
    for (page_id, _), items in left.items():
        for item in items:
            diff.note("removed", table, urls[page_id], _shown(item))


# ---------------------------------------------------------------- with a key


def _old_keyed(
    reader: Reader, table: _ItemTable, pages: Iterable[int], new: list[tuple[int, Item]]
) -> dict[tuple[Any, ...], tuple[int, Item]]:
    """Return the stored items by key: those of the pages, and those that the new ones replace.

    The latter may stand with another page, which gave the same key later.
    """
    key = table.key
    own = "page_id IN (SELECT CAST(value AS BIGINT) FROM json_each(?))"
    keys = to_json([_key(item, key) for _, item in new])
    where = f"{own} OR {reader.among({name: table.columns[name] for name in key})}"
    found = _rows(reader, table, where, to_json(list(pages)), keys)
    return {_key(item, key): (page_id, item) for page_id, item in found}


def _key(item: Item, key: tuple[str, ...]) -> tuple[Any, ...]:
    return tuple(item.get(name) for name in key)


def _compare_keyed(
    diff: Diff,
    table: _ItemTable,
    old: dict[tuple[Any, ...], tuple[int, Item]],
    new: list[tuple[int, Item]],
    urls: dict[int, str],
) -> None:
    """Compare items by their key; of several new ones with the same the last counts."""
    last = {_key(item, table.key): (page_id, item) for page_id, item in new}
    for key, (page_id, item) in last.items():
        was = old.pop(key, None)
        if was is None:
            diff.note("added", table.name, urls[page_id], _shown(item))
        elif was[1] == item:
            diff.same += 1
        else:
            diff.note("changed", table.name, urls[page_id], _shown_change(was[1], item))
    for page_id, item in old.values():
        if page_id in urls:
            diff.note("removed", table.name, urls[page_id], _shown(item))


# ---------------------------------------------------------------- shown


def _shown(item: Item) -> str:
    return ", ".join(f"{name}={value!r:.40}" for name, value in item.items())[:200]


def _shown_change(was: Item, now: Item) -> str:
    fields = [name for name in {**was, **now} if was.get(name) != now.get(name)]
    return ", ".join(f"{n}: {was.get(n)!r:.40} → {now.get(n)!r:.40}" for n in fields)
