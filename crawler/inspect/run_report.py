"""One run as one self-contained HTML page: figures, plots, the slowest, the broken."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from typing import Any

from crawler.errors import UsageError
from crawler.inspect import svg
from crawler.inspect.query import Reader
from crawler.store import views
from crawler.web import outcome

_STYLE = """
:root{color-scheme:light dark;--ink:#1c2530;--soft:#66727f;--line:#dde3e8;--bar:#3b7dd8}
@media(prefers-color-scheme:dark){:root{--ink:#e6ebf0;--soft:#93a0ad;--line:#333d47;--bar:#5b9bf0}}
body{font:15px/1.45 system-ui,sans-serif;color:var(--ink);max-width:1180px;margin:2rem auto;
padding:0 1.2rem}h1{font-size:1.5rem;margin:0}h2{font-size:1rem;margin:0 0 .6rem}
.soft,.none{color:var(--soft)}.figures{display:flex;flex-wrap:wrap;gap:1.8rem;margin:1.4rem 0}
.figures b{display:block;font-size:1.7rem;font-weight:600}.grid{display:grid;gap:1.6rem 2rem;
grid-template-columns:repeat(auto-fit,minmax(440px,1fr))}section{border-top:1px solid var(--line);
padding-top:.9rem;min-width:0}svg{width:100%;height:auto;font:12px system-ui;fill:var(--ink)}
rect,polygon{fill:var(--bar);opacity:.85}line{stroke:var(--line)}.number{fill:var(--soft)}
table{border-collapse:collapse;width:100%;font-size:13px}td,th{text-align:left;padding:.25rem .5rem;
border-bottom:1px solid var(--line);vertical-align:top}section{overflow-x:auto}
"""
_LONG = re.compile(r"\S{40}")
_PAGES = " FROM pages WHERE run_id = ?"
_SIZES = (
    "SELECT CASE WHEN size < 1000 THEN '< 1 kB' WHEN size < 10000 THEN '1 to 10 kB'"
    " WHEN size < 100000 THEN '10 to 100 kB' WHEN size < 1000000 THEN '100 kB to 1 MB'"
    " ELSE '> 1 MB' END, count(*)" + _PAGES + " AND size IS NOT NULL GROUP BY 1 ORDER BY min(size)"
)


_REJECTED = (
    "SELECT item, reason, count(*) AS number, min(page_url) AS page, substr(value, 1, 500) AS value"
    " FROM problems WHERE run_id = ? GROUP BY item, reason ORDER BY 3 DESC LIMIT 25"
)


def page(reader: Reader, run: int | None = None) -> str:
    """Return the report of a run, the last one unless told otherwise; UsageError without it."""
    runs = list(
        reader.query(
            "SELECT run_id, spider, started_at, ended_at, state, reason, pages, errors, seconds"
            " FROM runs WHERE run_id = coalesce(?, (SELECT max(run_id) FROM runs))",
            (run,),
        ).rows
    )
    if not runs:
        raise UsageError(f"{reader.path} has no run {run or ''}")
    number, spider, started, ended, state, reason, pages, errors, seconds = runs[0]
    head = f"{spider}, run {number}"
    body = (
        f"<h1>{escape(head)}</h1><p class=soft>{escape(started)} to {escape(ended or 'now')},"
        f" {escape(state)}{f': {escape(reason)}' if reason and reason != state else ''},"
        f" {escape(str(reader.path))}</p>"
        f"{_figures(reader, number, pages, errors, seconds)}"
        f"<div class=grid>{_plots(reader, number)}{_tables(reader, number)}</div>"
    )
    return (
        f"<!doctype html>\n<html lang=en><head><meta charset=utf-8><title>{escape(head)}</title>"
        '<meta name=viewport content="width=device-width">'
        f"<style>{_STYLE}</style></head><body>{body}</body></html>\n"
    )


def _figures(reader: Reader, run: int, pages: int, errors: int, seconds: float) -> str:
    [(size, hosts)] = reader.query(
        f"SELECT coalesce(sum(size), 0), count(DISTINCT host_id){_PAGES}", (run,)
    ).rows
    figures = [
        (f"{pages:,}", "pages"),
        (f"{errors:,}", "errors"),
        (f"{seconds:,.1f} s", "time"),
        (f"{pages / seconds if seconds else 0:,.1f}", "pages a second"),
        (f"{size / 1e6:,.1f} MB", "bodies"),
        (f"{hosts:,}", "hosts"),
    ]
    for (name,) in list(reader.query("SELECT name FROM item_types ORDER BY name").rows):
        [(items,)] = reader.query(f'SELECT count(*) FROM "{name}" WHERE run_id = ?', (run,)).rows
        figures.append((f"{items:,}", f"items: {name}"))
    shown = "".join(f"<div><b>{value}</b>{escape(name)}</div>" for value, name in figures)
    return f"<div class=figures>{shown}</div>"


def _plots(reader: Reader, run: int) -> str:
    def bars(title: str, sql: str) -> str:
        found = [(str(label), float(n)) for label, n in reader.query(sql, (run,)).rows]
        return _section(title, svg.bars(found))

    return "".join(
        [
            _section("Pages over time", svg.area(_over_time(reader, run), "seconds")),
            bars("Outcomes", f"SELECT outcome, count(*){_PAGES} GROUP BY 1 ORDER BY 2 DESC"),
            bars(
                "HTTP statuses",
                f"SELECT status, count(*){_PAGES} AND status > 0 GROUP BY 1 ORDER BY 2 DESC",
            ),
            bars(
                "Hosts",
                "SELECT name, count(*) FROM pages JOIN hosts USING (host_id) WHERE run_id = ?"
                " GROUP BY 1 ORDER BY 2 DESC LIMIT 12",
            ),
            bars("Depth", f"SELECT depth, count(*){_PAGES} GROUP BY 1 ORDER BY 1 LIMIT 15"),
            bars("Sizes", _SIZES),
            bars(
                "Seconds to answer (mean by host)",
                "SELECT name, round(avg(elapsed), 3) FROM pages JOIN hosts USING (host_id)"
                " WHERE run_id = ? AND elapsed IS NOT NULL GROUP BY 1 ORDER BY 2 DESC LIMIT 12",
            ),
        ]
    )


def _over_time(reader: Reader, run: int) -> list[tuple[float, float]]:
    """Return (seconds since the start, pages so far) at sixty moments."""
    rows = list(
        reader.query(
            "WITH t AS (SELECT (julianday(fetched_at) - julianday(min(fetched_at) OVER ())) * 86400"
            f" AS s{_PAGES}), e AS (SELECT max(s) AS last FROM t)"
            " SELECT CAST(60 * s / max(last, 0.001) AS INTEGER) AS moment, max(s), count(*)"
            " FROM t, e GROUP BY moment ORDER BY moment",
            (run,),
        ).rows
    )
    points, total = [(0.0, 0.0)], 0
    for _, seconds, number in rows:
        total += number
        points.append((seconds, float(total)))
    return points if len(rows) > 1 else []


def _tables(reader: Reader, run: int) -> str:
    manners = (
        "SELECT name AS host, count(*) AS requests, round((julianday(max(fetched_at))"
        " - julianday(min(fetched_at))) * 86400 / max(1, count(*) - 1), 3) AS mean_gap,"
        " hosts.delay FROM pages JOIN hosts USING (host_id) WHERE run_id = ?"
        " GROUP BY host_id ORDER BY 2 DESC LIMIT 12"
    )
    slowest = (
        f"SELECT url, round(elapsed, 2) AS seconds, size{_PAGES} AND outcome <> 'sitemap'"
        " ORDER BY elapsed DESC LIMIT 12"
    )
    failed = (
        f"SELECT url, outcome, status{_PAGES} AND outcome IN ({outcome.names('error')}) LIMIT 15"
    )
    links = views.select("broken_links")
    broken = f"SELECT source, target, outcome FROM ({links}) AS told LIMIT 15"
    return "".join(
        [
            _table("Politeness: seconds between two requests", reader, manners, (run,)),
            _table("Slowest pages", reader, slowest, (run,)),
            _table("Errors", reader, failed, (run,)),
            _table("Refused items", reader, _REJECTED, (run,)),
            _table("Broken links (of all runs)", reader, broken, ()),
        ]
    )


def _table(title: str, reader: Reader, sql: str, values: tuple[Any, ...]) -> str:
    found = reader.query(sql, values)
    rows = list(found.rows)
    if not rows:
        return _section(title, "<p class=none>none</p>")
    head = _row("th", found.columns)
    return _section(title, f"<table>{head}{''.join(_row('td', row) for row in rows)}</table>")


def _row(cell: str, values: Iterable[Any]) -> str:
    texts = ("" if v is None else breakable(str(v)) for v in values)
    inside = "".join(f"<{cell}>{text}</{cell}>" for text in texts)
    return f"<tr>{inside}</tr>"


def breakable(text: str) -> str:
    """Return a text as HTML in which a long URL may break behind its marks, and no word does."""
    parts = re.split(r"(?<=[/?&=])(?=[^/\s]\S{7})", text) if _LONG.search(text) else [text]
    return "<wbr>".join(map(escape, parts))


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>"
