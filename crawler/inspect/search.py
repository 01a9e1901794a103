"""Full-text search over the readable text of pages, and the index made after the crawl."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

from crawler.errors import QueryError
from crawler.inspect.processes import can_fork, forked, processors
from crawler.inspect.query import Reader, Rows
from crawler.parse.charset import decode
from crawler.parse.text import read
from crawler.store import lock
from crawler.store.address import DatabaseAddress, StoreAddress
from crawler.store.claimed import ClaimedStore, claimed
from crawler.store.damage import PAGE_DAMAGE
from crawler.store.rows import unpack
from crawler.store.texts import INDEX, INSERT, Row, index_rows
from crawler.web.outcome import names

_BATCH = 200
_WORTH = 1_000  # pages for which it is worth while to start processes
MOST = 20_000  # hits that are ranked: 0.1 s on a store of a million pages

_BEST = (
    "SELECT rowid, bm25(search, 5.0) AS score FROM search WHERE search MATCH :words{site}"
    " LIMIT :most"
)
_SHOWN = (
    "SELECT search.rowid, t.url, t.title, snippet(search, 1, '[', ']', '…', 16) FROM search"
    " JOIN texts AS t ON t.page_id = search.rowid WHERE search MATCH :words"
    " AND {walk}search.rowid IN (SELECT value FROM json_each(:found))"
)
_FEW = 50_000  # pages of a site that are looked up before the words are
_OF_FEW = (
    " AND +rowid IN (SELECT page_id FROM json_each(:prefixes) AS prefix CROSS JOIN pages ON url"
    " >= prefix.value AND url < substr(prefix.value, 1, length(prefix.value) - 1) || '0')"
)
_OF_MANY = (
    " AND EXISTS (SELECT 1 FROM pages JOIN hosts USING (host_id) WHERE page_id = search.rowid"
    " AND host_id IN (SELECT value FROM json_each(:hosts))"
    " AND substr(url, 1, length(name || :below)) = name || :below)"
)


def search(
    reader: Reader, words: str, *, site: str | None = None, limit: int = 10, most: int = MOST
) -> Rows:
    """Return url, title and snippet of the best pages for some words.

    The words are FTS5 syntax where they parse as such ("a phrase", OR, NOT, word*), else words.
    The best are those of the highest BM25, with a word in the title worth five in the text. Of
    more than `most` hits the pages with all words in their title come first, and then the best
    of those that the crawl found first. QueryError where the store has no index.
    """
    if isinstance(reader.path, DatabaseAddress):
        from crawler.inspect import postgres_search

        of_site = None if site is None else _of_database(site)
        return postgres_search.search(reader, words, site=of_site, limit=limit, most=most)
    if not list(reader.query("SELECT 1 FROM texts LIMIT 1").rows):
        raise QueryError(
            f"{reader.path} has no text index; make it from the stored pages with"
            " `crawler search --index`, or crawl with --set store.text=true"
        )
    condition, values = ("", {}) if site is None else _of_site(reader, site)
    values["most"] = most + 1
    sql = _BEST.format(site=condition)
    try:
        found = _best(reader, sql, {**values, "words": words}, limit)
    except QueryError:
        words = _quoted(words)
        found = _best(reader, sql, {**values, "words": words}, limit)
    # With the plus one walk along the hits finds them all, instead of one search for each.
    sql = _SHOWN.format(walk="+" if "*" in words else "")
    shown = reader.query(sql, {"words": words, "found": json.dumps(found)}).rows
    rows = {page_id: row for page_id, *row in shown}
    return Rows(("url", "title", "snippet"), (tuple(rows[id_]) for id_ in found if id_ in rows))


def _best(reader: Reader, sql: str, values: dict[str, Any], limit: int) -> list[int]:
    """Return the ids of the best pages, the best first."""

    def ranked(words: str) -> tuple[list[int], bool]:
        rows = list(reader.query(sql, {**values, "words": words}).rows)
        best = sorted(rows[: values["most"] - 1], key=lambda row: (row[1], row[0]))
        return [page_id for page_id, _ in best], len(rows) == values["most"]

    words = values["words"]
    found, more = ranked(words)
    if more and "*" not in words:  # to begin with a word is costly, and seldom meant of a title
        titled, _ = ranked(f"{{title}} : ({words})")
        found = list(dict.fromkeys([*titled[:limit], *found]))
    return found[:limit]


def _of_site(reader: Reader, site: str) -> tuple[str, dict[str, Any]]:
    """Return the condition, with its values, of a page of a host or of one below it."""
    name, _, path = re.sub(r"^https?://", "", site).strip("/").partition("/")
    safe, below = _unglobbed(name.lower()), f"/{path}/" if path else "/"
    ports = ("", ":*") if ":" not in name else ("",)
    patterns = [f"http*://{sub}{safe}{port}" for sub in ("", "*.") for port in ports]
    where = " OR ".join(["name GLOB ?"] * len(patterns))
    rows = list(
        reader.query(f"SELECT host_id, name, pages FROM hosts WHERE {where}", patterns).rows
    )
    if sum(pages for _, _, pages in rows) <= _FEW:
        return _OF_FEW, {"prefixes": json.dumps([host + below for _, host, _ in rows])}
    hosts = json.dumps([host_id for host_id, _, _ in rows])
    return _OF_MANY, {"hosts": hosts, "below": below}


def _of_database(site: str) -> tuple[Callable[[str], bool], str]:
    """Return what takes the names of a host and of those below it, and the folder on them."""
    host, _, path = re.sub(r"^https?://", "", site).strip("/").partition("/")
    name = re.escape(host.lower())
    port = "" if ":" in name else r"(?::\d+)?"
    takes = re.compile(rf"https?://(?:.*\.)?{name}{port}").fullmatch
    return takes, f"/{path}/" if path else "/"  # type: ignore[return-value]


def _unglobbed(text: str) -> str:
    return re.sub(r"([*?\[])", r"[\1]", text)


def _quoted(words: str) -> str:
    """Make every word a phrase of its own: no character of it is syntax then."""
    return " ".join('"' + word.replace('"', '""') + '"' for word in words.split()) or '""'


def index(
    path: StoreAddress,
    tick: Callable[[int], None] = lambda number: None,
    damaged: Callable[[str], None] = lambda url: None,
    *,
    processes: int | None = None,
    lock_timeout: float = lock.TIMEOUT,
) -> int:
    """Index the stored bodies that are not indexed yet, and return their number.

    A page that is damaged in the store is passed over; `damaged` hears its URL. StoreClaimed while
    a crawl is running into the file. The texts are read in so many further processes while this one
    writes: as many as there are processors, none where a copy of this process is not safe.
    """
    number = 0
    with claimed(path, lock_timeout=lock_timeout) as db:
        [waiting] = db.execute(
            f"SELECT count(*) FROM (SELECT 1 {_UNREAD} LIMIT ?) AS part", (_WORTH,)
        ).fetchone()
        if processes is None:
            processes = processors() if waiting == _WORTH and can_fork() else 0
        with closing(forked(_texts, _batches(db), processes)) as made:
            for rows, broken in made:
                db.executemany(INSERT, rows)
                if not isinstance(path, DatabaseAddress):
                    db.executemany(INDEX, index_rows(rows))
                db.step()
                for url in broken:
                    damaged(url)
                number += len(rows)
                tick(number)
    if isinstance(path, DatabaseAddress):
        from crawler.inspect import postgres_search

        postgres_search.index(path)
    return number


_UNREAD = (
    "FROM pages JOIN bodies USING (page_id)"
    " WHERE content_type IN ('text/html', 'application/xhtml+xml')"
    f" AND outcome IN ({names('stored')}) AND page_id NOT IN (SELECT page_id FROM texts)"
)


def _batches(db: ClaimedStore) -> Iterator[list[tuple[Any, ...]]]:
    """Yield the pages that are not indexed yet, with their bodies; others may be while it waits."""
    last = 0
    while batch := db.execute(
        f"SELECT page_id, url, title, body, headers {_UNREAD} AND page_id > ?"
        " ORDER BY page_id LIMIT ?",
        (last, _BATCH),
    ).fetchall():
        last = batch[-1][0]
        yield batch


def _texts(batch: list[tuple[Any, ...]]) -> tuple[list[Row], list[str]]:
    """Return the rows of `texts` for some pages, and the URLs of those with a damaged body."""
    broken: list[str] = []
    rows = [made for row in batch if (made := _text_row(row, broken.append)) is not None]
    return rows, broken


def _text_row(row: tuple[Any, ...], damaged: Callable[[str], None]) -> Row | None:
    page_id, url, title, body, headers = row
    try:
        raw = unpack(body)
        html, encoding = decode(raw, header(headers, "content-type"))
        found = read(html, None if encoding.startswith("utf-16") else raw)
        return page_id, url, title, found.text, found.hidden
    except PAGE_DAMAGE:
        damaged(str(url))
        return None


def header(headers: str | None, name: str) -> str | None:
    """Return a header of a stored page, whatever its case."""
    fields: dict[str, str] = json.loads(headers) if headers else {}
    return next((value for key, value in fields.items() if key.lower() == name), None)
