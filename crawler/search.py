"""Full-text search over the readable text of pages, and the index made after the crawl."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path
from typing import Any

import zstandard

from crawler.charset import decode
from crawler.errors import QueryError, StoreRefused
from crawler.query import Reader, Rows
from crawler.readable import text_of
from crawler.store.claim import Claim
from crawler.store.rows import unpack

_BATCH = 500
_CANDIDATES = 2000  # best hits among which a site's are looked for before all are

_FOUND = (
    "SELECT t.url, t.title, snippet(search, 1, '[', ']', '…', 16) AS snippet, page_id"
    " FROM search JOIN texts AS t ON t.page_id = search.rowid"
    " WHERE search MATCH ?{site} ORDER BY rank LIMIT ?"
)


def search(reader: Reader, words: str, *, site: str | None = None, limit: int = 10) -> Rows:
    """Give url, title and snippet of the best pages for some words.

    The words are FTS5 syntax where they parse as such ("a phrase", OR, NOT, word*), else words.
    QueryError where the store has no index.
    """
    if not list(reader.query("SELECT 1 FROM texts LIMIT 1").rows):
        raise QueryError(
            f"{reader.path} has no text index; make it from the stored pages with"
            " `crawler search --index`, or crawl with --set store.text=true"
        )
    condition, values = "", []
    if site:
        condition = " AND (t.url GLOB ? OR t.url GLOB ?)"
        name = re.sub(r"([*?\[])", r"[\1]", re.sub(r"^https?://", "", site).rstrip("/"))
        values = [f"http*://{name}[/:]*", f"http*://*.{name}[/:]*"]
    sql = _FOUND.format(site=condition)
    try:
        rows = list(reader.query(sql, (words, *values, limit)).rows)
    except QueryError:
        rows = list(reader.query(sql, (_quoted(words), *values, limit)).rows)
    return Rows(("url", "title", "snippet"), iter([row[:3] for row in rows]))


def _quoted(words: str) -> str:
    """Make every word a phrase of its own: no character of it is syntax then."""
    return " ".join('"' + word.replace('"', '""') + '"' for word in words.split()) or '""'


def index(path: Path, tick: Any = lambda number: None) -> int:
    """Index the stored bodies that are not indexed yet, and give their number.

    StoreClaimed while a crawl is running into the file. A damaged body is passed over.
    """
    if not path.is_file():
        raise StoreRefused(f"{path}: there is no such store")
    claim = Claim(path)
    claim.take()
    db = sqlite3.connect(path, isolation_level=None, timeout=60)
    number = last = 0
    try:
        while batch := db.execute(
            "SELECT page_id, url, title, body, headers FROM pages JOIN bodies USING (page_id)"
            " WHERE page_id > ? AND content_type IN ('text/html', 'application/xhtml+xml')"
            " AND page_id NOT IN (SELECT page_id FROM texts) ORDER BY page_id LIMIT ?",
            (last, _BATCH),
        ).fetchall():
            rows = [row for row in map(_text_row, batch) if row is not None]
            db.execute("BEGIN IMMEDIATE")
            db.executemany("INSERT INTO texts VALUES (?, ?, ?, ?)", rows)
            db.execute("COMMIT")
            last, number = batch[-1][0], number + len(rows)
            tick(number)
    finally:
        db.close()
        claim.release()
    return number


def _text_row(row: tuple[Any, ...]) -> tuple[Any, ...] | None:
    page_id, url, title, body, headers = row
    try:
        html, _ = decode(unpack(body), header(headers, "content-type"))
    except zstandard.ZstdError:
        return None
    return page_id, url, title, text_of(html)


def header(headers: str | None, name: str) -> str | None:
    """Give a header of a stored page, whatever its case."""
    import json

    fields: dict[str, str] = json.loads(headers) if headers else {}
    return next((value for key, value in fields.items() if key.lower() == name), None)
