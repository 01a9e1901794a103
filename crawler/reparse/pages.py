"""Which stored pages are parsed again, in chunks that are read, compared and stored together."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, TypeAlias

from crawler.errors import QueryError
from crawler.inspect.query import Reader
from crawler.store.rows import to_json
from crawler.web.outcome import names

CHUNK, CHUNK_BYTES = 100, 1_000_000
"""A chunk ends with so many pages or bytes of bodies; the processes hold one each."""

_IDS = "(SELECT CAST(value AS BIGINT) FROM json_each(?))"
_PAGES = (
    "SELECT page_id, url, depth, status, headers, fetched_at, run_id, callback, request,"
    " content_hash, body FROM pages JOIN bodies USING (page_id)"
    f" WHERE page_id IN {_IDS} ORDER BY page_id"
)

_KNOWN = "SELECT sql FROM sqlite_master WHERE name = 'rendered_pages' AND sql LIKE '%browser%'"

Pages: TypeAlias = "array[int]"
"""The ids of the pages of a chunk, ascending: eight bytes each, so a million are nothing."""


class ChosenPages(NamedTuple):
    """The pages to parse, in chunks; their number and the bytes of their bodies."""

    chunks: list[Pages]
    pages: int
    size: int


XhrRow: TypeAlias = tuple[str, int, bytes]
"""URL, status and packed body of what a script was answered."""


class StoredRendering(NamedTuple):
    """What a browser told of a page: errors of its scripts and findings of checks as JSON."""

    browser: str
    errors: str
    findings: str
    answers: list[XhrRow]


class StoredPage(NamedTuple):
    """A stored page as its row has it."""

    page_id: int
    url: str
    depth: int
    status: int
    headers: str | None
    fetched_at: str
    run_id: int
    callback: str | None
    request: str | None
    content_hash: str | None
    body: bytes
    rendered: StoredRendering | None = None
    """What is kept of it where a browser rendered it."""


def choose(reader: Reader, where: str = "") -> ChosenPages:
    """Return the stored pages that fulfil `where`, SQL over `pages`; QueryError if none does."""
    rows = reader.query(
        "SELECT page_id, coalesce(size, 0) FROM pages"
        f" WHERE page_id IN (SELECT page_id FROM bodies) AND outcome IN ({names('stored')})"
        f" AND ({where or 'true'}) ORDER BY page_id"
    ).rows
    chosen = _cut(rows)
    if not chosen.pages:
        raise QueryError(
            f"{reader.path}: no stored body fits; bodies are kept with store.bodies = true"
            " (the default)"
        )
    return chosen


def _cut(rows: Iterable[tuple[Any, ...]]) -> ChosenPages:
    chunks: list[Pages] = []
    pages = size = held = 0
    for page_id, length in rows:
        if not chunks or len(chunks[-1]) >= CHUNK or held >= CHUNK_BYTES:
            chunks.append(array("q"))
            held = 0
        chunks[-1].append(page_id)
        pages, size, held = pages + 1, size + length, held + length
    return ChosenPages(chunks, pages, size)


def read(reader: Reader, chunk: Pages) -> Iterator[StoredPage]:
    """Yield the stored pages of a chunk; what is gone since it was chosen is passed over."""
    ids = to_json(chunk.tolist())
    known = "".join(sql for (sql,) in reader.query(_KNOWN).rows)  # none in a store before it
    rendered = _rendered(reader, ids, findings="findings" in known) if known else {}
    for row in reader.query(_PAGES, (ids,)).rows:
        yield StoredPage(*row)._replace(rendered=rendered.get(row[0]))


def _rendered(reader: Reader, ids: str, *, findings: bool) -> dict[int, StoredRendering]:
    """Return what is kept of the pages among these that a browser rendered."""
    column = "findings" if findings else "'[]'"
    sql = f"SELECT page_id, browser, errors, {column} FROM rendered_pages WHERE page_id IN {_IDS}"
    found = {
        page_id: StoredRendering(browser, errors, told, [])
        for page_id, browser, errors, told in reader.query(sql, (ids,)).rows
    }
    if found:
        sql = (
            f"SELECT page_id, url, status, body FROM xhr_answers WHERE page_id IN {_IDS}"
            " ORDER BY page_id, number"
        )
        for page_id, *answer in reader.query(sql, (ids,)).rows:
            if page_id in found:
                found[page_id].answers.append((answer[0], answer[1], answer[2]))
    return found
