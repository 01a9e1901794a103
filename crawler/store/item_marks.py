"""The mark `gone_at` of items whose page is gone or no longer gives them, and its statements.

An item with a key is marked and stays; it loses the mark where it comes again. Without a key an
item is known by its page alone: it goes where the page gives others in its place, and is marked
where the page itself is gone. Each change of a mark is a row of `item_changes`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from crawler.store import item_sql
from crawler.store.damage import item_type
from crawler.store.item_parts import FittedRows, KnownTable
from crawler.store.item_sql import GONE_AT, Statement

if TYPE_CHECKING:
    from crawler.store.item_dialect import ItemDialect


class Left(Struct, frozen=True):
    """Pages whose earlier items are not what they give now.

    `replaced` gave others at a later visit, `gone` are no longer there. `at` (ISO time) and
    `run_id` tell when; without a time what does not come again is removed, not marked.
    """

    replaced: Sequence[int] = ()
    gone: Sequence[int] = ()
    at: str | None = None
    run_id: int = 0

    def __bool__(self) -> bool:
        return bool(self.replaced or self.gone)


def cleared(
    left: Left,
    known: dict[str, KnownTable],
    fitted: Iterable[FittedRows],
    sql: ItemDialect,
) -> Iterator[Statement]:
    """Yield what marks or removes the items of pages that do not come again."""
    among, told = sql.among, _Told(left, sql.as_any)
    coming: dict[str, list[FittedRows]] = {}
    for part in fitted:
        coming.setdefault(part.name, []).append(part)
    replaced, gone = (", ".join(map(str, pages)) for pages in (left.replaced, left.gone))
    for name, table in known.items():
        marks = left.at is not None and GONE_AT not in table.columns
        parts = coming.get(name, []) if table.key else []
        rows = [row for part in parts for row in _keys(part, table.key)]
        if marks and parts:  # which the insert takes the mark from
            back = f"gone_at IS NOT NULL AND {among(table)}"
            yield told.statement(name, back, "NULL", rows)
        if replaced and marks and table.key:
            others = f"page_id IN ({replaced}) AND gone_at IS NULL"
            others += f" AND NOT {among(table)}" if parts else ""
            yield from told.mark(name, others, rows if parts else None)
        elif replaced:
            kept = f" AND NOT {among(table)}" if parts else ""
            delete = f'DELETE FROM "{name}" WHERE page_id IN ({replaced}){kept}'
            yield Statement(delete, rows if parts else None)
        if gone and marks:
            there = f"page_id IN ({gone}) AND gone_at IS NULL"
            yield from told.mark(name, there)


def _keys(part: FittedRows, key: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    places = [part.columns.index(name) for name in key]
    return (tuple(row[place] for place in places) for row in part.rows)


class _Told(Struct, frozen=True):
    """Marks items, and writes down that their marks change."""

    left: Left
    as_any: Callable[[str], str]

    def mark(
        self, name: str, where: str, rows: list[tuple[Any, ...]] | None = None
    ) -> Iterator[Statement]:
        """Yield what marks the items that fulfil a condition, and tells of it."""
        yield self.statement(name, where, f"'{self.left.at}'", rows)
        yield Statement(f"UPDATE \"{name}\" SET {GONE_AT} = '{self.left.at}' WHERE {where}", rows)

    def statement(
        self, name: str, where: str, after: str, rows: list[tuple[Any, ...]] | None
    ) -> Statement:
        """Return what writes down that the mark of these items changes."""
        was, is_ = self.as_any(GONE_AT), self.as_any(after)
        return Statement(
            "INSERT INTO item_changes (item, item_id, field, before, after, at, page_id, page_url,"
            f" run_id) SELECT {_text(name)}, item_id, '{GONE_AT}', {was}, {is_}, '{self.left.at}',"
            f' page_id, page_url, {self.left.run_id} FROM "{name}" WHERE {where}',
            rows,
        )


def _text(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"


# ---------------------------------------------------------------- tables of earlier versions

TYPES = "SELECT name, columns, key, history FROM item_types"


def script(
    entries: Iterable[tuple[str, str, str | None]], types: Iterable[tuple[str, str, str, int]]
) -> str:
    """Return the script that gives the item tables of an earlier version the mark; "" for none.

    `entries` are rows of `sqlite_master` (type, name, SQL), `types` those of `TYPES`. A type that
    has a field of that name keeps it, and is not marked.
    """
    tables = {name: sql or "" for kind, name, sql in entries if kind == "table"}
    steps: list[str] = []
    for name, columns, key, history in types:
        own, keys = item_type(name, columns, key)
        if GONE_AT in own or name not in tables or _declares(tables[name]):
            continue
        steps.append(f'ALTER TABLE "{name}" ADD COLUMN {GONE_AT} TIMESTAMP')
        if history:
            shape = item_sql.TableShape(name, own, tuple(keys), True)
            steps += item_sql.history(shape)
    return "".join(f"{step};\n" for step in ("BEGIN IMMEDIATE", *steps, "COMMIT")) if steps else ""


def _declares(sql: str) -> bool:
    return f"{GONE_AT} TIMESTAMP" in sql
