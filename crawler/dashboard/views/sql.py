"""SQL: anything else. One SELECT, read-only, with a limit of time and of rows."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from crawler.dashboard.parts import url_link
from crawler.dashboard.sources import Look
from crawler.dashboard.state import State
from crawler.dashboard.view import PagePart, View
from crawler.dashboard.views.items import value_of
from crawler.errors import CrawlerError, QueryError
from crawler.inspect.saved_queries import saved, sql_of
from crawler.markup import Html, el, words
from crawler.markup.parts import TableColumn, section, table

SECONDS, ROWS = 5.0, 1000
_OWN = frozenset(
    "crawl seen todo robots simhashes endless patterns pattern_texts cookies outcomes".split()
)
_LONGEST = 20_000  # characters of SQL


def asked(look: Look) -> str:
    """Return the SQL that the URL asks for: as it stands, or saved under a name."""
    if name := look.params.get("saved"):
        return sql_of(name)
    return look.params.get("sql", "").strip()[:_LONGEST]


def answer(look: Look, sql: str) -> tuple[tuple[str, ...], list[tuple[Any, ...]], bool]:
    """Return columns, rows, and whether there are more than the limit."""
    found = look.reader.query(sql)
    rows = list(islice(found.rows, ROWS + 1))
    return found.columns, rows[:ROWS], len(rows) > ROWS


def box(look: Look, now: State) -> Html:
    """Return the box with the SQL, and what it gives."""
    try:
        sql = asked(look)
    except QueryError as error:
        sql, told = "", str(error)
        return section("box", "SQL", _form(look, sql), _wrong(told), level="h1")
    return section("box", "SQL", _form(look, sql), *_result(look, sql), level="h1")


def _form(look: Look, sql: str) -> Html:
    label = el("label", "One SELECT", class_="unseen", for_="sql")
    area = el(
        "textarea",
        sql or "SELECT url, title FROM pages ORDER BY page_id DESC LIMIT 20",
        id="sql",
        name="sql",
        rows=str(max(7, min(24, sql.count("\n") + 2))),
        spellcheck="false",
        autocapitalize="off",
    )
    buttons = el(
        "div",
        el("button", "Run", class_="first"),
        el("button", "Plan", name="explain", value="1"),
        el("p", f"Reads only. Stops after {SECONDS:g} s or {ROWS:,} rows.", class_="note"),
        class_="form",
    )
    return el("form", label, area, buttons, action=look.href("sql"))


def _result(look: Look, sql: str) -> Iterator[Html]:
    if not sql:
        return
    began = time.perf_counter()
    try:
        if look.params.get("explain"):
            lines = [line for (line,) in look.reader.explain(sql).rows]
            yield el("pre", "\n".join(lines), tabindex="0", role="region", aria_label="Plan")
            return
        columns, rows, more = answer(look, sql)
    except CrawlerError as error:
        yield _wrong(str(error))
        return
    took = time.perf_counter() - began
    yield _table(look, columns, rows)
    cut = f"the first {ROWS:,} rows" if more else words.plural(len(rows), "row")
    yield el(
        "div",
        el("span", f"{cut} in {words.duration(took)}"),
        el("a", "CSV", href=look.href("sql", sql=sql, format="csv")),
        el("a", "JSON", href=look.href("sql", sql=sql, format="json")),
        class_="pager",
    )


def _wrong(told: str) -> Html:
    first, _, rest = told.partition("\n")
    lines = el("pre", rest.strip("\n"), tabindex="0", role="region", aria_label="Where it is wrong")
    shown = lines if rest else ""
    return el("div", el("p", el("span", first, class_="bad")), shown, role="alert")


def _table(look: Look, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> Html:
    numbers = [
        bool(rows) and all(isinstance(row[n], (int, float)) or row[n] is None for row in rows)
        for n in range(len(columns))
    ]
    heads = [
        TableColumn(c or "?", "n" if n else "cut") for c, n in zip(columns, numbers, strict=True)
    ]
    made = [tuple(_cell(look, value) for value in row) for row in rows]
    return table("Result", heads, made)


def _cell(look: Look, value: Any) -> Html:
    if isinstance(value, str) and value.startswith(("http://", "https://")) and len(value) < 2000:
        return url_link(look, value)
    return value_of(value)


def tables(look: Look, now: State) -> Html:
    """Return the tables with their columns: items and pages first, the crawl's own last."""
    names = look.reader.names()
    types = [name for name in now.item_types if name in names]
    plain = [name for name in names if name not in types and name not in _OWN]
    own = [name for name in names if name in _OWN and name != "cookies"]
    shown = [*types, *sorted(plain, key=lambda name: (name != "pages", name)), *own]
    made = (
        el(
            "details",
            el("summary", el("code", name)),
            el("p", ", ".join(names[name]), class_="small soft"),
        )
        for name in shown
    )
    return section("tables", "Tables", *made)


def side(look: Look, now: State) -> Html:
    """Return what stands beside the box: queries to begin with, and the tables."""
    return el("div", queries(look, now), tables(look, now), id="side")


def queries(look: Look, now: State) -> Html:
    """Return the queries that are saved in queries/, and some to begin with."""
    found = saved()
    links = [
        el("li", el("a", name, href=look.href("sql", saved=name)), " ", about)
        for name, about in found.items()
    ]
    links += [el("li", el("a", told, href=look.href("sql", sql=sql))) for told, sql in _FIRST]
    return section("saved", "Queries", el("ul", *links, class_="small"))


_FIRST = (
    ("Slow pages", "SELECT url, elapsed, size FROM slow_pages LIMIT 50"),
    ("Redirects", "SELECT source, target, status, target_outcome FROM redirects LIMIT 100"),
    ("Pages by type", "SELECT content_type, count(*) FROM pages GROUP BY 1 ORDER BY 2 DESC"),
    ("Pages by depth", "SELECT depth, count(*) FROM pages GROUP BY 1 ORDER BY 1"),
    ("What was asked", "SELECT * FROM control ORDER BY control_id DESC LIMIT 50"),
)

VIEW = View(
    "sql",
    "SQL",
    ((PagePart("box", 0, box), PagePart("side", 0, side)),),
    key="s",
)
