"""What differs between two runs of one store, or between two stores."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from crawler.errors import UsageError
from crawler.query import Reader, Rows

_PAGES = "SELECT url, status, outcome, title, content_hash, redirect_to FROM pages"
COLUMNS = ("kind", "what", "key", "before", "after")


class Difference(NamedTuple):
    """One thing that is not as it was; `what` is page or the name of an item type."""

    kind: str
    what: str
    key: str
    before: str | None
    after: str | None


def stores(a: Path, b: Path) -> Iterator[Difference]:
    """Yield how the store `b` differs from `a`: pages by URL, items by their key."""
    with Reader(a) as old, Reader(b) as new:
        yield from _pages(old, new)
        yield from _items(old, new)


def runs(path: Path, a: int, b: int) -> Iterator[Difference]:
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


def _told(status: Any, outcome: str, title: str | None, redirect: str | None) -> str:
    parts = [str(status or outcome), title or "", f"→ {redirect}" if redirect else ""]
    return " ".join(part for part in parts if part)


def _pages(old: Reader, new: Reader) -> Iterator[Difference]:
    """Yield the differences of pages by merging both in the order of their URLs."""
    for url, was, now in _merged(
        iter(old.query(f"{_PAGES} ORDER BY url").rows),
        iter(new.query(f"{_PAGES} ORDER BY url").rows),
    ):
        before = _told(was[1], was[2], was[3], was[5]) if was else None
        after = _told(now[1], now[2], now[3], now[5]) if now else None
        kind = _kind(was, now)
        if kind is not None:
            yield Difference(kind, "page", url, before, after)


def _kind(was: tuple[Any, ...] | None, now: tuple[Any, ...] | None) -> str | None:
    if was is None:
        return "added"
    if now is None:
        return "gone"
    if now[5] != was[5]:
        return "redirected"
    if (now[1], now[2]) != (was[1], was[2]):
        return "status"
    return "changed" if now[2] == "ok" and now[4] != was[4] else None


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


def _items(old: Reader, new: Reader) -> Iterator[Difference]:
    """Yield the differences of item types that both stores have under one key."""
    sql = "SELECT name, columns, key FROM item_types ORDER BY name"
    ours = {name: (list(json.loads(c)), json.loads(k)) for name, c, k in new.query(sql).rows}
    for name, columns, key_text in old.query(sql).rows:
        key = json.loads(key_text)
        if name not in ours or not key or ours[name][1] != key:
            continue
        shared = [column for column in json.loads(columns) if column in ours[name][0]]
        yield from _table(old, new, name, key, shared)


def _table(
    old: Reader, new: Reader, name: str, key: list[str], columns: list[str]
) -> Iterator[Difference]:
    keys = ", ".join(f'"{column}"' for column in key)
    names = ", ".join(f'"{column}"' for column in columns)
    shown = f"json_array({keys})"
    sql = f'SELECT {shown} AS k, {names} FROM "{name}" ORDER BY k'
    for text, was, now in _merged(iter(old.query(sql).rows), iter(new.query(sql).rows)):
        label = ", ".join(map(str, json.loads(text)))
        if was is None or now is None:
            yield Difference("added" if was is None else "gone", name, label, None, None)
            continue
        fields = [at for at, column in enumerate(columns, 1) if was[at] != now[at]]
        if fields:
            before = ", ".join(f"{columns[at - 1]}={was[at]}" for at in fields)
            after = ", ".join(f"{columns[at - 1]}={now[at]}" for at in fields)
            yield Difference("changed", name, label, before, after)


def _history(reader: Reader, a: int, b: int) -> Iterator[Difference]:
    """Yield what keyed items were before, where their history was kept."""
    sql = "SELECT name, columns, key FROM item_types WHERE history = 1"
    for name, columns, key_text in reader.query(sql).rows:
        key, own = json.loads(key_text), list(json.loads(columns))
        olds = ", ".join(f'h."{c}"' for c in own)
        news = ", ".join(f't."{c}"' for c in own)
        keys = ", ".join(f'h."{c}"' for c in key)
        rows = reader.query(
            f'SELECT json_array({keys}), t.item_id, {olds}, {news} FROM "{name}_history" AS h'
            f' LEFT JOIN "{name}" AS t USING (item_id)'
            " WHERE h.run_id >= ? AND h.run_id < ? ORDER BY h.rowid",
            (a, b),
        ).rows
        for text, item_id, *values in rows:
            label = ", ".join(map(str, json.loads(text)))
            was, now = values[: len(own)], values[len(own) :]
            fields = [at for at in range(len(own)) if was[at] != now[at]]
            before = ", ".join(f"{own[at]}={was[at]}" for at in fields)
            after = ", ".join(f"{own[at]}={now[at]}" for at in fields)
            kind = "gone" if item_id is None else "changed"
            yield Difference(kind, name, label, before, None if item_id is None else after)


def as_rows(differences: Iterator[Difference]) -> Rows:
    """Give the differences as rows, to be written like any other."""
    return Rows(COLUMNS, (tuple(difference) for difference in differences))


def as_html(differences: Iterator[Difference], title: str) -> str:
    """Give one self-contained page with all differences."""
    cells = "".join(
        "<tr class='{}'>{}</tr>\n".format(
            html.escape(difference.kind),
            "".join(f"<td>{html.escape(str(value or ''))}</td>" for value in difference),
        )
        for difference in differences
    )
    head = "".join(f"<th>{name}</th>" for name in COLUMNS)
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(title)}</title>"
        "<style>body{font:15px system-ui;margin:2rem}table{border-collapse:collapse;width:100%}"
        "td,th{padding:.3rem .6rem;border-bottom:1px solid #ddd;text-align:left;"
        "overflow-wrap:anywhere}.added td:first-child,.new td:first-child{color:#176e2c}"
        ".gone td:first-child{color:#a11}</style>"
        f"<h1>{html.escape(title)}</h1><table><tr>{head}</tr>\n{cells}</table></html>\n"
    )
