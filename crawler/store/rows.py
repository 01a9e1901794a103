"""How a Visit becomes the row of a page and a compressed body."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import xxhash
import zstandard

from crawler.parse.mime import is_text
from crawler.web import outcome
from crawler.web.body import shown
from crawler.web.visit import Visit

PAGE_COLUMNS = (
    *("page_id", "url", "title", "status", "outcome", "depth", "fetched_at", "elapsed"),
    *("content_type", "encoding", "size", "content_hash", "attempts", "redirect_to"),
    *("requested_url", "parent_id", "run_id", "host_id", "url_hash", "method", "callback"),
    *("request", "headers", "error", "canonical", "duplicate_of"),
)

FILE_COLUMNS = (
    *("page_id", "url", "path", "sha256", "size", "name", "content_type", "run_id", "fetched_at"),
)

_WITH_BODY = outcome.having("stored") | outcome.having("error") | {outcome.Outcome.REQUISITE}

BODY = (
    "INSERT INTO bodies SELECT value ->> 0, substr(?1, value ->> 1, value ->> 2) FROM json_each(?2)"
)


class _ZstdContexts(threading.local):
    """A compressor and a decompressor for each thread: neither may be in use by two."""

    def __init__(self) -> None:
        self.compress = zstandard.ZstdCompressor(level=1).compress
        self.decompress = zstandard.ZstdDecompressor().decompress


_zstd = _ZstdContexts()


def page_row(page_id: int, run_id: int, visit: Visit) -> tuple[Any, ...]:
    """Return the row of `pages` for a visit, in the order of PAGE_COLUMNS."""
    todo, response = visit.todo, visit.response
    extra = _said(todo.extra) if todo.extra else {}
    wire: tuple[Any, ...] = (visit.elapsed, *(None,) * 4)
    headers = None
    if response is not None:
        body, kind = response.body, response.content_type
        wire = (
            round(response.elapsed, 6),
            clean(kind) or None,
            visit.encoding if is_text(kind) or response.is_html else None,
            visit.file.size if visit.file else len(body),
            xxhash.xxh3_128_hexdigest(body) if body else None,
        )
        headers = to_json(_shown_headers(response.headers))
    return (
        *(page_id, todo.url, clean(visit.title), visit.status, str(visit.outcome), todo.depth),
        *(
            iso(visit.at),
            *wire,
            todo.attempts + 1,
            visit.redirect_to,
            extra.get("first_url") or extra.get("origin"),
        ),
        *(todo.parent_id, run_id, todo.host_id, todo.url_hash, extra.get("method", "GET")),
        *(
            todo.callback,
            shown(todo.extra) if todo.extra and extra else None,
            headers,
            clean(visit.error),
        ),
        *(visit.canonical, visit.duplicate_of),
    )


def file_row(page_id: int, run_id: int, visit: Visit) -> tuple[Any, ...]:
    """Return the row of `files` for a download, in the order of FILE_COLUMNS."""
    file = visit.file
    assert file is not None
    kind = clean(file.content_type) or None
    known = (file.url, file.address, file.sha256, file.size, clean(file.name), kind)
    return (page_id, *known, run_id, iso(visit.at))


def attempt_rows(retried: Iterable[Visit]) -> list[tuple[Any, ...]]:
    """Return the rows of `attempts` for visits that are to be tried again."""
    return [
        (
            *(visit.todo.host_id, visit.todo.url_hash, visit.todo.url, visit.todo.attempts + 1),
            *(iso(visit.at), visit.status, str(visit.outcome), clean(visit.error)),
            iso(visit.retry_at or 0.0),
            visit.elapsed if visit.response is None else round(visit.response.elapsed, 6),
        )
        for visit in retried
    ]


def _said(extra: str) -> dict[str, Any]:
    """Return what a request carried; nothing if the row is damaged."""
    try:
        said: dict[str, Any] = json.loads(extra)
    except ValueError:
        return {}
    return said


def _shown_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers without Set-Cookie: session cookies are kept in the jar alone."""
    if "Set-Cookie" not in headers:
        return dict(headers)
    return {name: value for name, value in headers.items() if name.lower() != "set-cookie"}


def content_hash_of(visit: Visit) -> str | None:
    """Return the XXH3-128 of a visit's body, None if there is none."""
    body = visit.response.body if visit.response is not None else b""
    return xxhash.xxh3_128_hexdigest(body) if body else None


def body_of(visit: Visit) -> bytes | None:
    """Return the stored form of a visit's body; of a page, its needs, or an error."""
    if visit.response is None or not visit.response.body or visit.outcome not in _WITH_BODY:
        return None
    return _zstd.compress(visit.response.body)


def unpack(stored: bytes) -> bytes:
    """Return a body from its stored form."""
    return _zstd.decompress(stored)


def to_json(value: Any) -> str:
    """Write a value as JSON; a lone surrogate, which no database takes, becomes "?"."""
    try:
        return msgspec.json.encode(value).decode()
    except UnicodeEncodeError:
        return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode()


def clean(text: str | None) -> str | None:
    """Return text that a database takes: a lone surrogate, as in a broken header, becomes "?"."""
    if text is None or text.isascii():
        return text
    return text.encode("utf-8", "replace").decode()


def iso(at: float) -> str:
    """Write Unix time as ISO 8601 in UTC with milliseconds."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


_LINK_COLUMNS = ("page_id", "targets", "fragments", "anchors")


def link_rows(
    ended: Iterable[tuple[int, Visit]],
) -> tuple[tuple[str, ...], list[tuple[int, str, str | None, str | None]]]:
    """Return the columns and the rows of `link_lists` of visits, each with its page's id."""
    rows = []
    for page_id, visit in ended:
        if visit.links or visit.anchors is not None:
            anchors = None if visit.anchors is None else to_json(visit.anchors)
            fragments = to_json(visit.fragments) if visit.fragments else None
            rows.append((page_id, to_json(visit.links), fragments, anchors))
    return _LINK_COLUMNS, rows
