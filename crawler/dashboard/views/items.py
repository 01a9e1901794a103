"""Items: is the data right."""

from __future__ import annotations

from typing import Any

from crawler.dashboard.parts import choice, counted, hidden, url_link
from crawler.dashboard.sources import Look
from crawler.dashboard.state import State, quoted
from crawler.dashboard.view import PagePart, View
from crawler.errors import QueryError
from crawler.markup import Html, charts, el, words
from crawler.markup.parts import TableColumn, empty, section, soft, table

_SHOWN, _SAMPLE = 20, 1000
_OWN = {"item_id", "page_id", "page_url", "run_id", "fetched_at", "gone_at"}
_LONG = 200  # characters of a value that are shown


def _type(look: Look, now: State) -> str | None:
    asked = look.params.get("type")
    if asked in now.item_types:
        return asked
    return max(now.item_types, key=lambda name: now.item_types[name], default=None)


def _columns(look: Look, name: str) -> list[str]:
    sql = "SELECT name FROM pragma_table_info(?)"
    return [column for (column,) in look.rows(sql, name) if column not in _OWN]


def items(look: Look, now: State) -> Html:
    """Return the latest items of a type."""
    name = _type(look, now)
    if name is None:
        told = "The spider yields none. What pages hold is in the tables pages and texts."
        return section("items", "Items", empty(told), level="h1")
    columns = _columns(look, name)
    listed = ", ".join(map(quoted, columns))
    sql = f"SELECT {listed}, page_url FROM {quoted(name)} ORDER BY item_id DESC LIMIT 100"
    links = [
        look.sql(sql),
        el("a", "CSV", href=look.href("sql", sql=sql, format="csv")),
        el("a", "JSON", href=look.href("sql", sql=sql, format="json")),
    ]
    options = [
        (
            counted(one, number),
            look.again("items", type=one, where=None, before=None),
            one == name,
        )
        for one, number in now.item_types.items()
    ]
    filters = el("div", choice("Item types", options), _form(look, name), class_="filters")
    return section("items", "Items", filters, *_rows(look, name, columns), links=links, level="h1")


def _form(look: Look, name: str) -> Html:
    box = el(
        "input",
        id="iq",
        name="where",
        placeholder="where, as in kind = 'data'",
        size="26",
        value=look.params.get("where"),
    )
    label = el("label", "Condition", class_="unseen", for_="iq")
    return el("form", label, box, hidden(type=name), action=look.href("items"))


def _rows(look: Look, name: str, columns: list[str]) -> list[Html]:
    where, before = look.params.get("where", ""), look.params.get("before", "")
    below = f"item_id < {int(before)}" if before.isdecimal() and len(before) < 16 else "true"
    listed = ", ".join(["item_id", "page_url", *map(quoted, columns)])
    # A condition stands in brackets of its own, so that it cannot end the query around it.
    condition = f" AND ({where}\n)" if where else ""
    sql = (
        f"SELECT {listed} FROM {quoted(name)} WHERE {below}{condition}"
        f" ORDER BY item_id DESC LIMIT {_SHOWN}"
    )
    try:
        found = look.rows(sql)
    except QueryError as error:
        return [el("p", el("span", error, class_="bad"), role="alert")]
    if not found:
        return [empty("No item is like that.")]
    made = [(*(value_of(value) for value in row[2:]), url_link(look, row[1])) for row in found]
    numbers = [
        all(isinstance(row[2 + n], (int, float)) for row in found) for n in range(len(columns))
    ]
    heads = (
        TableColumn(column, "n" if number else ("cut wrap" if not n else "cut mid"))
        for n, (column, number) in enumerate(zip(columns, numbers, strict=True))
    )
    shown = table(f"The latest of {name}", (*heads, TableColumn("page", "cut mid")), made)
    older = el("a", "Older", href=look.again("items", before=found[-1][0]))
    told = el("span", f"The latest {len(found)}, by item_id")
    return [shown, el("div", told, older if len(found) >= _SHOWN else "", class_="pager")]


def value_of(value: Any) -> Html:
    """Return a value of a table as it is shown; NULL and bytes say what they are."""
    if value is None:
        return soft("null")
    if isinstance(value, bytes):
        return soft(words.plural(len(value), "byte"))
    text = str(value)
    return el("bdi", text if len(text) <= _LONG else f"{text[:_LONG]}…")


def fields(look: Look, now: State) -> Html:
    """Return how many of the last items have each field, and how many values differ."""
    name = _type(look, now)
    if name is None:
        return section("fields", "Fields", empty("No items."))
    columns = _columns(look, name)[:60]
    sums = ", ".join(f"count({quoted(c)}), count(DISTINCT {quoted(c)})" for c in columns)
    sql = (
        f"SELECT count(*), {sums or '1'} FROM (SELECT * FROM {quoted(name)}"
        f" ORDER BY item_id DESC LIMIT {_SAMPLE}) AS late"
    )
    [row] = look.rows(sql)
    rows = [
        (
            column,
            charts.bar(row[1 + 2 * n], row[0]),
            words.share(row[1 + 2 * n], row[0]),
            words.number(row[2 + 2 * n]),
        )
        for n, column in enumerate(columns)
    ]
    heads = (
        TableColumn("field", "cut"),
        TableColumn("", "grow"),
        TableColumn("filled", "n"),
        TableColumn("values", "n"),
    )
    title = f"Fields of the last {words.number(row[0])}"
    return section("fields", title, table("How often each field is there", heads, rows))


VIEW = View(
    "items",
    "Items",
    (PagePart("items", 2.0, items), PagePart("fields", 5.0, fields)),
    key="i",
)
