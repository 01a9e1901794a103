"""Full-text search over the readable text of pages, and the index made after the crawl."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable
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
MOST = 20_000  # hits that are ranked: 0.1 s on a store of a million pages

_HITS = "SELECT rowid FROM search WHERE search MATCH ?{site} LIMIT 1 OFFSET ?"
_BEST = (
    "SELECT page_id FROM (SELECT rowid AS page_id, bm25(search, 5.0) AS score FROM search"
    " WHERE search MATCH ?{site} LIMIT ?) ORDER BY score, page_id LIMIT ?"
)
_SHOWN = (
    "SELECT t.url, t.title, snippet(search, 1, '[', ']', '…', 16) FROM search"
    " JOIN texts AS t ON t.page_id = search.rowid WHERE search MATCH ? AND search.rowid = ?"
)
_OF_SITE = (  # the plus keeps FTS5 from looking every page up by its id
    " AND +rowid IN (SELECT page_id FROM json_each(?) AS site CROSS JOIN pages"
    " ON url >= site.value AND url < substr(site.value, 1, length(site.value) - 1) || '0')"
)


def search(
    reader: Reader, words: str, *, site: str | None = None, limit: int = 10, most: int = MOST
) -> Rows:
    """Give url, title and snippet of the best pages for some words.

    The words are FTS5 syntax where they parse as such ("a phrase", OR, NOT, word*), else words.
    The best are those of the highest BM25, with a word in the title worth five in the text. Of
    more than `most` hits the pages with all words in their title come first, and then the best
    of those that the crawl found first. QueryError where the store has no index.
    """
    if not list(reader.query("SELECT 1 FROM texts LIMIT 1").rows):
        raise QueryError(
            f"{reader.path} has no text index; make it from the stored pages with"
            " `crawler search --index`, or crawl with --set store.text=true"
        )
    prefixes = None if site is None else json.dumps(_prefixes(reader, site))
    try:
        found = _best(reader, words, prefixes, limit, most)
    except QueryError:
        words = _quoted(words)
        found = _best(reader, words, prefixes, limit, most)
    shown = (row for page_id in found for row in reader.query(_SHOWN, (words, page_id)).rows)
    return Rows(("url", "title", "snippet"), shown)


def _best(reader: Reader, words: str, prefixes: str | None, limit: int, most: int) -> list[int]:
    """Give the ids of the best pages, the best first."""

    def ask(sql: str, words: str, *values: int) -> list[int]:
        filled = sql.format(site="" if prefixes is None else _OF_SITE)
        sites = () if prefixes is None else (prefixes,)
        return [page_id for (page_id,) in reader.query(filled, (words, *sites, *values)).rows]

    titled = []
    if ask(_HITS, words, most):
        titled = ask(_BEST, f"{{title}} : ({words})", most, limit)
    return list(dict.fromkeys([*titled, *ask(_BEST, words, most, limit)]))[:limit]


def _prefixes(reader: Reader, site: str) -> list[str]:
    """Give what the URLs of a site begin with: those of its host and of the hosts below it."""
    name, _, path = re.sub(r"^https?://", "", site).strip("/").partition("/")
    safe = re.sub(r"([*?\[])", r"[\1]", name.lower())
    ports = ("", ":*") if ":" not in name else ("",)
    patterns = [f"http*://{sub}{safe}{port}" for sub in ("", "*.") for port in ports]
    sql = f"SELECT name FROM hosts WHERE {' OR '.join(['name GLOB ?'] * len(patterns))}"
    below = f"/{path}/" if path else "/"
    return [host + below for (host,) in reader.query(sql, patterns).rows]


def _quoted(words: str) -> str:
    """Make every word a phrase of its own: no character of it is syntax then."""
    return " ".join('"' + word.replace('"', '""') + '"' for word in words.split()) or '""'


def index(
    path: Path,
    tick: Callable[[int], None] = lambda number: None,
    damaged: Callable[[str], None] = lambda url: None,
) -> int:
    """Index the stored bodies that are not indexed yet, and give their number.

    A page whose stored body is damaged is passed over; `damaged` hears its URL. StoreClaimed while
    a crawl is running into the file.
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
            rows = [made for row in batch if (made := _text_row(row, damaged)) is not None]
            db.execute("BEGIN IMMEDIATE")
            db.executemany("INSERT INTO texts VALUES (?, ?, ?, ?)", rows)
            db.execute("COMMIT")
            last, number = batch[-1][0], number + len(rows)
            tick(number)
    finally:
        db.close()
        claim.release()
    return number


def _text_row(row: tuple[Any, ...], damaged: Callable[[str], None]) -> tuple[Any, ...] | None:
    page_id, url, title, body, headers = row
    try:
        html, _ = decode(unpack(body), header(headers, "content-type"))
    except zstandard.ZstdError:
        damaged(url)
        return None
    return page_id, url, title, text_of(html)


def header(headers: str | None, name: str) -> str | None:
    """Give a header of a stored page, whatever its case."""
    fields: dict[str, str] = json.loads(headers) if headers else {}
    return next((value for key, value in fields.items() if key.lower() == name), None)
