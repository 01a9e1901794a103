"""How a Visit becomes the row of a page and a compressed body.

A worker process works out what the row says of a response, and compresses its body; who commits it
then touches neither (`PackedResponse`).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec
import xxhash
import zstandard
from msgspec import Struct
from multidict import CIMultiDict, CIMultiDictProxy

from crawler.parse.mime import is_text
from crawler.web import outcome
from crawler.web.body import read_extra, shown
from crawler.web.response import Response
from crawler.web.visit import Visit

PAGE_COLUMNS = (
    *("page_id", "url", "title", "status", "outcome", "depth", "fetched_at", "elapsed"),
    *("content_type", "encoding", "size", "content_hash", "attempts", "redirect_to"),
    *("requested_url", "parent_id", "run_id", "host_id", "url_hash", "method", "callback"),
    *("request", "headers", "error", "canonical", "duplicate_of", "first_at"),
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


def compress(body: bytes) -> bytes:
    """Return the stored form of a body."""
    return _zstd.compress(body)


def unpack(stored: bytes) -> bytes:
    """Return a body from its stored form."""
    return _zstd.decompress(stored)


class Packed(Struct, frozen=True):
    """A response on its way from one process to another."""

    url: str
    status: int
    headers: bytes  # MessagePack: the pairs, values as bytes
    started: float
    elapsed: float
    wire_size: int
    reason: str
    kind: tuple[str, bool, bool]  # what it is, whether a page, whether XML
    shown: str  # the headers as the row has them
    size: int
    digest: str | None
    body: bytes  # compressed; empty for none


_PAIRS = msgspec.msgpack.Decoder(list[tuple[str, bytes]])


class PackedResponse(Response):
    """A response made of its packed form; its headers and its body unfold when asked for."""

    __slots__ = ("_body", "_headers", "packed")

    def __init__(self, packed: Packed) -> None:
        self.packed = packed
        self.url, self.status, self.reason = packed.url, packed.status, packed.reason
        self.started, self.elapsed = packed.started, packed.elapsed
        self.wire_size = packed.wire_size
        self._kind, self.rendered = (
            packed.kind,
            None,
        )  # those that are, are not packed
        self._headers: CIMultiDictProxy[str] | None = None
        self._body: bytes | None = None

    @property
    def headers(self) -> Mapping[str, str]:  # type: ignore[override]
        """The headers, case-insensitive."""
        if self._headers is None:
            pairs = _PAIRS.decode(self.packed.headers)
            named = [(name, value.decode("utf-8", "surrogateescape")) for name, value in pairs]
            self._headers = CIMultiDictProxy(CIMultiDict(named))
        return self._headers

    @property
    def body(self) -> bytes:  # type: ignore[override]
        """The body after its content codings."""
        if self._body is None:
            self._body = unpack(self.packed.body) if self.packed.body else b""
        return self._body

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return self.packed.size


def page_row(
    page_id: int, run_id: int, visit: Visit, first_at: str | None = None
) -> tuple[Any, ...]:
    """Return the row of `pages` for a visit, in the order of PAGE_COLUMNS.

    `first_at` is when the page was first visited, where that was at an earlier visit.
    """
    todo, response = visit.todo, visit.response
    extra = _said(todo.extra) if todo.extra else {}
    wire: tuple[Any, ...] = (visit.elapsed, *(None,) * 4)
    headers = None
    if response is not None:
        kind = response.content_type
        wire = (
            round(response.elapsed, 6),
            clean(kind) or None,
            visit.encoding if is_text(kind) or response.is_html else None,
            visit.file.size if visit.file else response.size,
            _digest(response),
        )
        headers = headers_json(response)
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
        *(visit.canonical, visit.duplicate_of, first_at),
    )


def page_rows(
    ended: Iterable[tuple[int, Visit]], run_id: int, first_at: Mapping[int, str] | None
) -> list[tuple[Any, ...]]:
    """Return the rows of `pages` of visits; `first_at` is by page."""
    first = first_at or {}
    return [page_row(page_id, run_id, visit, first.get(page_id)) for page_id, visit in ended]


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
        said: dict[str, Any] = read_extra(extra)
    except ValueError:
        return {}
    return said


def headers_json(response: Response) -> str:
    """Return the headers of a response as its row has them."""
    if isinstance(response, PackedResponse):
        return response.packed.shown
    return to_json(_shown_headers(response.headers))


def _digest(response: Response) -> str | None:
    """Return the XXH3-128 of a body, None if there is none."""
    if isinstance(response, PackedResponse):
        return response.packed.digest
    return xxhash.xxh3_128_hexdigest(response.body) if response.body else None


def _shown_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers without Set-Cookie: session cookies are kept in the jar alone."""
    if "Set-Cookie" not in headers:
        return dict(headers)
    return {name: value for name, value in headers.items() if name.lower() != "set-cookie"}


def content_hash_of(visit: Visit) -> str | None:
    """Return the XXH3-128 of a visit's body, None if there is none."""
    return _digest(visit.response) if visit.response is not None else None


def body_of(visit: Visit) -> bytes | None:
    """Return the stored form of a visit's body; of a page, its needs, or an error."""
    response = visit.response
    if response is None or not response.size or visit.outcome not in _WITH_BODY:
        return None
    if isinstance(response, PackedResponse):
        return response.packed.body
    return compress(response.body)


def pack(response: Response) -> Packed:
    """Return a response in its packed form; compressing takes a millisecond for 300 KB."""
    body = response.body
    pairs = [
        (str(name), value.encode("utf-8", "surrogateescape"))
        for name, value in response.headers.items()
    ]
    return Packed(
        response.url,
        response.status,
        msgspec.msgpack.encode(pairs),
        response.started,
        response.elapsed,
        response.wire_size,
        response.reason.encode("utf-8", "replace").decode(),
        (response.content_type, response.is_html, response.is_xml),
        headers_json(response),
        len(body),
        _digest(response),
        compress(body) if body else b"",
    )


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
    microsecond = round(at * 1e6)  # as `datetime` rounds
    return f"{_second(microsecond // 1_000_000)}.{microsecond % 1_000_000 // 1000:03}Z"


@lru_cache(maxsize=64)
def _second(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()[:-6]  # without its "+00:00"


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
