"""What differs between two runs of one store, or between two stores."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from crawler.errors import UsageError
from crawler.inspect import item_changes
from crawler.inspect.query import Reader, Rows
from crawler.markup.parts import breakable
from crawler.markup.words import plural
from crawler.store import damage
from crawler.store.address import StoreAddress
from crawler.web import outcome

_PAGES = "SELECT url, status, outcome, title, content_hash, redirect_to FROM pages"
_STORED = outcome.having("stored")
COLUMNS = ("kind", "what", "key", "before", "after")


class Difference(NamedTuple):
    """One thing that is not as it was; `what` is page or the name of an item type."""

    kind: str
    what: str
    key: str
    before: str | None
    after: str | None


def stores(a: StoreAddress, b: StoreAddress) -> Iterator[Difference]:
    """Yield how the store `b` differs from `a`: pages by URL, items by their key."""
    with Reader(a) as old, Reader(b) as new:
        yield from _pages(old, new)
        yield from _items(old, new)


def runs(path: StoreAddress, a: int, b: int) -> Iterator[Difference]:
    """Yield what the runs behind `a` up to `b` changed; UsageError where there is no such run."""
    with Reader(path) as reader:
        known = {run for (run,) in reader.query("SELECT run_id FROM runs").rows}
        missing = [run for run in (a, b) if run not in known]
        if missing:
            raise UsageError(f"{path} has no run {missing[0]}; it has 1 to {max(known, default=0)}")
        rows = reader.query(
            "SELECT kind, url, status_before, outcome_before, title_before, status, outcome, title,"
            " redirect_to FROM changes WHERE run_id > ? AND run_id <= ? ORDER BY change_id",
            (a, b),
        ).rows
        for kind, url, *values in rows:
            before = None if values[1] is None else _told(values[0], values[1], values[2], None)
            yield Difference(kind, "page", url, before, _told(*values[3:7]))
        yield from _history(reader, a, b)
        yield from _marked(reader, a, b)
        yield from _new_items(reader, a, b)


def _told(status: Any, outcome: str, title: str | None, redirect: str | None) -> str:
    parts = [str(status or outcome), title or "", f"→ {redirect}" if redirect else ""]
    return " ".join(part for part in parts if part)


def _pages(old: Reader, new: Reader) -> Iterator[Difference]:
    """Yield the differences of pages by merging both in the order of their URLs."""
    for url, was, now in _merged(_by_url(old), _by_url(new)):
        before = _told(was[1], was[2], was[3], was[5]) if was else None
        after = _told(now[1], now[2], now[3], now[5]) if now else None
        kind = _kind(was, now)
        if kind is not None:
            yield Difference(kind, "page", url, before, after)


def _by_url(reader: Reader) -> Iterator[tuple[Any, ...]]:
    for row in reader.query(f"{_PAGES} ORDER BY {reader.in_bytes('url')}").rows:
        if not isinstance(row[0], str):
            with damage.told(reader.path, f"the row of pages with the url {row[0]!r:.60}"):
                raise TypeError("it is no text")
        yield row


def _kind(was: tuple[Any, ...] | None, now: tuple[Any, ...] | None) -> str | None:
    if was is None:
        return "added"
    if now is None:
        return "gone"
    if now[5] != was[5]:
        return "redirected"
    if (now[1], now[2]) != (was[1], was[2]):
        return "status"
    return "changed" if now[2] in _STORED and now[4] != was[4] else None


def _merged(
    old: Iterator[tuple[Any, ...]], new: Iterator[tuple[Any, ...]]
) -> Iterator[tuple[str, tuple[Any, ...] | None, tuple[Any, ...] | None]]:
    was, now = next(old, None), next(new, None)
    while was is not None or now is not None:
        if now is None or (was is not None and was[0] < now[0]):
            assert was is not None
            yield was[0], was, None
            was = next(old, None)
        elif was is None or now[0] < was[0]:
            yield now[0], None, now
            now = next(new, None)
        else:
            yield was[0], was, now
            was, now = next(old, None), next(new, None)


_TYPES = "SELECT name, columns, key FROM item_types ORDER BY name"


class _ItemColumns(NamedTuple):
    """An item type as a store has it."""

    columns: list[str]
    key: list[str]
    types: dict[str, str]


def _types(reader: Reader) -> dict[str, _ItemColumns]:
    return {
        name: _ItemColumns(list(own), list(names), dict(own))
        for name, columns, key in reader.query(_TYPES).rows
        for own, names in (damage.item_type(name, columns, key, path=reader.path),)
    }


def _items(old: Reader, new: Reader) -> Iterator[Difference]:
    """Yield the differences of items: by their key where both stores have the same one.

    Those without are compared as a whole, page by page: one that changed is gone, and another is
    added. The columns compared are those that both stores have.
    """
    before, after = _types(old), _types(new)
    for name in sorted(before | after):
        was, now = before.get(name), after.get(name)
        if was is None or now is None:
            kind, reader = ("gone", old) if was else ("added", new)
            [(number,)] = reader.query(f"SELECT count(*) FROM {_there(reader, name)}").rows
            yield Difference(kind, name, f"{plural(number, 'item')}, the whole type", None, None)
            continue
        columns = [column for column in was.columns if column in now.columns]
        sides = (old, was.types), (new, now.types)
        yield from _table(sides, name, was.key if was.key == now.key else [], columns)


def _table(
    sides: Sequence[tuple[Reader, dict[str, str]]], name: str, key: list[str], columns: list[str]
) -> Iterator[Difference]:
    # A page may give the very same item twice: then one of them has its equal, and one has not.
    label = key or ["page_url"]
    every = label + ([] if key else columns)
    names = ", ".join(f'"{column}"' for column in [*label, *columns])
    rows = (
        iter(reader.query(f"SELECT {keys} AS k, {names} FROM {there} ORDER BY k").rows)
        for reader, types in sides
        for keys in (reader.json_array({column: types.get(column, "TEXT") for column in every}),)
        for there in (_there(reader, name),)
    )
    for _, was, now in _merged(*rows):
        row = was or now
        assert row is not None
        shown = ", ".join(map(str, row[1 : len(label) + 1]))
        if was is None or now is None:
            kind = "added" if was is None else "gone"
            yield Difference(kind, name, shown, _values(was, columns), _values(now, columns))
            continue
        fields = [at for at in range(-len(columns), 0) if was[at] != now[at]]
        if fields:
            before = ", ".join(f"{columns[at]}={was[at]}" for at in fields)
            after = ", ".join(f"{columns[at]}={now[at]}" for at in fields)
            yield Difference("changed", name, shown, before, after)


def _there(reader: Reader, name: str) -> str:
    """Return the items of a type that are not marked as gone, as SQL behind FROM."""
    [(marked,)] = reader.query(
        "SELECT count(*) FROM pragma_table_info(?1), (SELECT columns FROM item_types WHERE name ="
        " ?1) AS own WHERE name = 'gone_at' AND own.columns ->> '$.gone_at' IS NULL",
        (name,),
    ).rows
    return f'"{name}" WHERE gone_at IS NULL' if marked else f'"{name}"'


def _marked(reader: Reader, a: int, b: int) -> Iterator[Difference]:
    """Yield the items that the runs found gone, and those that came back."""
    if not item_changes.are_told(reader):
        return
    types = _types(reader)
    sql = (
        "SELECT item, item_id, page_url, after FROM item_changes WHERE field = 'gone_at'"
        " AND run_id > ? AND run_id <= ? ORDER BY change_id"
    )
    for name, item_id, page_url, gone in list(reader.query(sql, (a, b)).rows):
        columns, key, _ = types.get(name, _ItemColumns([], [], {}))
        names = ", ".join(f'"{column}"' for column in [*key, *columns]) or "NULL"
        found = list(
            reader.query(f'SELECT {names} FROM "{name}" WHERE item_id = ?', (item_id,)).rows
        )
        label = ", ".join(map(str, found[0][: len(key)])) if found and key else page_url
        values = _values(found[0], columns) if found else None
        if gone:
            yield Difference("gone", name, label, values, None)
        else:
            yield Difference("back", name, label, None, values)


def _values(row: tuple[Any, ...] | None, columns: list[str]) -> str | None:
    if row is None:
        return None
    values = zip(columns, row[len(row) - len(columns) :], strict=True)
    return ", ".join(f"{name}={value}" for name, value in values if value is not None)


def _new_items(reader: Reader, a: int, b: int) -> Iterator[Difference]:
    """Yield the items that the runs behind `a` up to `b` were the first to give.

    Of a type without a key that cannot be told: a page visited again gives all its items anew.
    They are counted.
    """
    if "items" not in reader.names()["runs"]:  # a file of an older version, not crawled into since
        return
    marks = dict(reader.query("SELECT run_id, items FROM runs ORDER BY run_id").rows)
    first, last = (next((marks[run] for run in marks if run > n), None) for n in (a, b))
    if first is None:  # no such run, or one of an older version, which did not note it
        return
    with damage.told(reader.path, f"runs.items of the runs behind {a} and {b}"):
        lowest: dict[str, int] = json.loads(first)
        highest: dict[str, int] | None = json.loads(last) if last is not None else None
    for name, (columns, key, _) in _types(reader).items():
        if not key:
            sql = f'SELECT count(*) FROM "{name}" WHERE run_id > ? AND run_id <= ?'
            [(number,)] = reader.query(sql, (a, b)).rows
            if number:
                told = "not compared: without a key none is known to be another"
                yield Difference("stored", name, plural(number, "item"), None, told)
            continue
        names = ", ".join(f'"{column}"' for column in [*key, *columns])
        sql = f'SELECT {names} FROM "{name}" WHERE item_id > ? AND item_id <= ? ORDER BY item_id'
        until = highest.get(name, 0) if highest is not None else (1 << 63) - 1
        for row in reader.query(sql, (lowest.get(name, 0), until)).rows:
            shown = ", ".join(map(str, row[: len(key)]))
            yield Difference("added", name, shown, None, _values(row, columns))


def _history(reader: Reader, a: int, b: int) -> Iterator[Difference]:
    """Yield what keyed items were before, where their history was kept."""
    sql = "SELECT name, columns, key FROM item_types WHERE history = 1"
    for name, columns, key_text in reader.query(sql).rows:
        key, own = map(list, damage.item_type(name, key_text, columns, path=reader.path))
        keys = "".join(f'h."{c}", ' for c in key)
        olds = ", ".join(f'h."{c}"' for c in own)
        news = ", ".join(f't."{c}"' for c in own)
        rows = reader.query(
            f'SELECT t.item_id, {keys}{olds}, {news} FROM "{name}_history" AS h'
            f' LEFT JOIN "{name}" AS t USING (item_id)'
            f" WHERE h.run_id >= ? AND h.run_id < ? ORDER BY h.{reader.insertion}",
            (a, b),
        ).rows
        for item_id, *row in rows:
            label, values = ", ".join(map(str, row[: len(key)])), row[len(key) :]
            was, now = values[: len(own)], values[len(own) :]
            fields = [at for at in range(len(own)) if was[at] != now[at]]
            before = ", ".join(f"{own[at]}={was[at]}" for at in fields)
            after = ", ".join(f"{own[at]}={now[at]}" for at in fields)
            kind = "gone" if item_id is None else "changed"
            yield Difference(kind, name, label, before, None if item_id is None else after)


def as_rows(differences: Iterator[Difference]) -> Rows:
    """Return the differences as rows, to be written like any other."""
    return Rows(COLUMNS, (tuple(difference) for difference in differences))


def as_html(differences: Iterator[Difference], title: str) -> str:
    """Return one self-contained page with all differences."""
    cells = "".join(
        "<tr class='{}'>{}</tr>\n".format(
            html.escape(difference.kind),
            "".join(f"<td>{breakable(str(value or ''))}</td>" for value in difference),
        )
        for difference in differences
    )
    head = "".join(f"<th>{name}</th>" for name in COLUMNS)
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(title)}</title>"
        "<style>body{font:15px system-ui;margin:2rem}table{border-collapse:collapse;width:100%}"
        "td,th{padding:.3rem .6rem;border-bottom:1px solid #ddd;text-align:left}"
        ".added td:first-child,.new td:first-child{color:#176e2c}"
        ".gone td:first-child{color:#a11}</style>"
        f"<h1>{html.escape(title)}</h1><table><tr>{head}</tr>\n{cells}</table></html>\n"
    )
