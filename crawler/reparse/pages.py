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

_PAGES = (
    "SELECT page_id, url, depth, status, headers, fetched_at, run_id, callback, request,"
    " content_hash, body, {rendered} FROM pages JOIN bodies USING (page_id)"
    " WHERE page_id IN (SELECT value FROM json_each(?)) ORDER BY page_id"
)

_KNOWN = "SELECT 1 FROM sqlite_master WHERE name = 'rendered_pages' AND sql LIKE '%browser%'"

Pages: TypeAlias = "array[int]"
"""The ids of the pages of a chunk, ascending: eight bytes each, so a million are nothing."""


class ChosenPages(NamedTuple):
    """The pages to parse, in chunks; their number and the bytes of their bodies."""

    chunks: list[Pages]
    pages: int
    size: int


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
    rendered: str | None = None
    """As JSON: the browser that rendered it, and what its scripts were answered, in hexadecimal."""


_RENDERED = (
    "(SELECT json_array(browser, (SELECT json_group_array(json_array(url, status, hex(body)))"
    " FROM (SELECT url, status, body FROM xhr_answers AS x WHERE x.page_id = r.page_id"
    " ORDER BY number))) FROM rendered_pages AS r WHERE r.page_id = pages.page_id)"
)


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
    known = bool(list(reader.query(_KNOWN).rows))  # not in a store of an older version
    sql = _PAGES.format(rendered=_RENDERED if known else "NULL")
    return (StoredPage(*row) for row in reader.query(sql, (to_json(chunk.tolist()),)).rows)
