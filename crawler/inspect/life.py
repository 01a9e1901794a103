"""The life of a URL as a store has it: where it was found, its tries, its end, what it gave."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from crawler import urls
from crawler.inspect import rendering
from crawler.inspect.query import Reader
from crawler.markup.words import plural
from crawler.store.damage import told
from crawler.web.error_place import last_line

_CHAIN = 1000  # parents that are looked up at most
_NEAREST, _FIRST = 10, 2  # of a long chain of parents, these are told


class Line(NamedTuple):
    """One line of the answer: its subject, and what is known of it."""

    about: str
    text: str


NEVER = Line("state", "never accepted: neither fetched nor queued")


def life(reader: Reader, url: str) -> Iterator[Line]:
    """Yield what happened to a URL; `NEVER` alone where nothing did."""
    pages = rows_of(
        reader,
        "SELECT page_id, parent_id, depth, fetched_at, status, outcome, elapsed, attempts, error,"
        " redirect_to, requested_url, canonical, duplicate_of, callback, method, title,"
        " request AS said FROM pages"
        " WHERE url = ? ORDER BY page_id",
        url,
    )
    queued = rows_of(
        reader,
        "SELECT parent_id, depth, attempts, rank, callback, extra AS said,"
        " strftime('%Y-%m-%dT%H:%M:%SZ', not_before, 'unixepoch') AS later, not_before"
        " FROM todo WHERE url = ? AND host_id = (SELECT host_id FROM hosts WHERE name = ?)",
        url,
        urls.host_of(url),
    )
    if not pages and not queued:
        yield NEVER
        return
    for row in [*pages, *queued]:
        yield from _found(reader, row)
    yield from _attempts(reader, url)
    for row in queued:
        later = f", to be tried again at {row['later']}" if row["not_before"] else ""
        yield Line("state", f"queued, {plural(row['attempts'], 'try', 'tries')} so far{later}")
    for row in pages:
        with told(reader.path, f"the row of pages with page_id {row['page_id']}"):
            lines = list(_ended(row))
        yield from lines
        if shown := rendering.rendered(reader, row["page_id"]):
            yield Line("rendered", shown)
        yield from _items(reader, row["page_id"])


def _found(reader: Reader, row: dict[str, Any]) -> Iterator[Line]:
    """Yield the chain of pages that led to a request, from the nearest to the seed."""
    parent = row["parent_id"]
    yield Line("depth", str(row["depth"]) + ("" if parent is not None else _origin(row)))
    chain: list[Line] = []
    while parent is not None and len(chain) < _CHAIN:
        above = rows_of(reader, "SELECT url, depth, parent_id FROM pages WHERE page_id = ?", parent)
        if not above:
            break
        chain.append(Line("found on", f"{above[0]['url']} (depth {above[0]['depth']})"))
        parent = above[0]["parent_id"]
    left_out = len(chain) - _NEAREST - _FIRST
    if left_out > 1:
        chain[_NEAREST:-_FIRST] = [Line("found on", f"… {plural(left_out, 'page')} between …")]
    yield from chain


def _origin(row: dict[str, Any]) -> str:
    """Return where a request comes from that no page led to."""
    if row["depth"]:
        return ", from a sitemap of over 50,000 entries"
    if '"kind": "sitemap"' in (row["said"] or "").replace('":"', '": "'):
        return ", a sitemap that the spider or robots.txt names"
    return ", a start URL"


def _attempts(reader: Reader, url: str) -> Iterator[Line]:
    sql = (
        "SELECT * FROM attempts WHERE url = ? AND host_id ="
        " (SELECT host_id FROM hosts WHERE name = ?) ORDER BY at"
    )
    for row in rows_of(reader, sql, url, urls.host_of(url)):
        status = f" {row['status']}" if row["status"] else ""
        error = f": {last_line(row['error'])}" if row["error"] else ""
        again = f"; again from {row['retry_at']}" if row["retry_at"] else ""
        yield Line(f"try {row['attempt']}", f"{row['at']} {row['outcome']}{status}{error}{again}")


def _ended(row: dict[str, Any]) -> Iterator[Line]:
    status = f" {row['status']}" if row["status"] else ""
    took = f" in {row['elapsed'] * 1000:.0f} ms" if row["elapsed"] is not None else ""
    tries = f", try {row['attempts']}" if row["attempts"] > 1 else ""
    method = f"{row['method']} " if row["method"] != "GET" else ""
    yield Line("outcome", f"{method}{row['outcome']}{status}{took} at {row['fetched_at']}{tries}")
    for name, about in _FACTS:
        if row[name]:
            yield Line(about, last_line(row[name]) if name == "error" else row[name])


_FACTS = (
    ("title", "title"),
    ("callback", "callback"),
    ("error", "error"),
    ("redirect_to", "leads to"),
    ("requested_url", "asked as"),
    ("canonical", "canonical"),
    ("duplicate_of", "same as"),
)


def _items(reader: Reader, page_id: int) -> Iterator[Line]:
    for row in rows_of(reader, "SELECT name FROM item_types ORDER BY name"):
        name = row["name"].replace('"', '""')
        sql = f'SELECT count(*) AS number FROM "{name}" WHERE page_id = ?'
        [counted] = rows_of(reader, sql, page_id)
        if counted["number"]:
            yield Line("items", f"{counted['number']} {row['name']}")
    sql = "SELECT item, reason FROM problems WHERE page_id = ?"
    for row in rows_of(reader, sql, page_id):
        yield Line("problem", f"{row['item']} not stored: {last_line(row['reason'])}")


def rows_of(reader: Reader, sql: str, *values: Any) -> list[dict[str, Any]]:
    """Return the rows of a query, each by the names of its columns."""
    found = reader.query(sql, values)
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]
