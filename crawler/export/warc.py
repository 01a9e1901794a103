"""WARC 1.1 (ISO 28500:2017): a stored crawl as request and response records, and back.

Each record is a gzip member of its own, so that readers can jump to it. A body is stored after its
content coding: the response record says so by leaving Content-Encoding out, with the length of what
follows.
"""

from __future__ import annotations

import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from io import BytesIO
from pathlib import Path
from typing import IO, Any, NamedTuple

from crawler import urls
from crawler.errors import UsageError
from crawler.inspect.query import Reader
from crawler.store.damage import PAGE_DAMAGE
from crawler.store.rows import unpack
from crawler.urls.userinfo import userinfo
from crawler.version import __version__
from crawler.web.refusal import Refusal

_PAGES = (
    "SELECT url, status, method, fetched_at, headers, request, {rendered}, size, body FROM pages"
    " LEFT JOIN bodies USING (page_id) WHERE status IS NOT NULL"
)
_RENDERED = "(SELECT browser FROM rendered_pages AS r WHERE r.page_id = pages.page_id)"
_BROWSER = "WARC-Rendered-By"
"""A field of our own: the body of this record is what a browser made of the page."""
_TRUNCATED = "WARC-Truncated"
_STATUS = re.compile(r"[0-9]{3}")
_DROPPED = {"content-encoding", "transfer-encoding", "content-length"}


def write_warc(
    reader: Reader,
    path: Path,
    tick: Callable[[int], None] = lambda number: None,
    damaged: Callable[[str], None] = lambda url: None,
    where: str = "",
    *,
    index: Callable[[Indexed], None] = lambda found: None,
) -> int:
    """Write every answered request to a WARC file, and return their number.

    `where` chooses pages. One whose stored body is damaged is left out; `damaged` hears its URL.
    One whose body was not stored (`store.bodies`, errors, walls) has a record without it that says
    so. `index` hears where each response is. UsageError without warcio.
    """
    warcio = _warcio()
    number = 0
    with path.open("wb") as out:
        writer = warcio(out, gzip=True, warc_version="1.1")
        info = {"software": f"crawlkeep/{__version__}", "format": "WARC File Format 1.1"}
        writer.write_record(writer.create_warcinfo_record(path.name.removesuffix(".part"), info))
        pages = _PAGES.format(rendered=_RENDERED if _tells_rendered(reader) else "NULL")
        for *row, stored in reader.query(pages_where(pages, where)).rows:
            try:
                body = unpack(stored) if stored else None
                index(_write_page(writer, out, row, body))
            except PAGE_DAMAGE:
                damaged(str(row[0]))
                continue
            number += 1
            tick(number)
    return number


def _tells_rendered(reader: Reader) -> bool:
    """Return whether a store says which of its pages were rendered: since they can be."""
    sql = "SELECT 1 FROM sqlite_master WHERE name = 'rendered_pages' AND sql LIKE '%browser%'"
    return bool(list(reader.query(sql).rows))


def pages_where(sql: str, where: str) -> str:
    """Return a SELECT of pages in their order, narrowed by a `WHERE …` of a choice."""
    chosen = f" AND pages.page_id IN (SELECT page_id FROM pages{where})" if where else ""
    return f"{sql}{chosen} ORDER BY page_id"


class Indexed(NamedTuple):
    """A response in a WARC file: what it is, and the bytes of its record."""

    url: str
    at: str
    status: int
    mime: str
    digest: str
    offset: int
    length: int


def _write_page(writer: Any, out: IO[bytes], row: list[Any], stored: bytes | None) -> Indexed:
    """Write the response and the request that it answers."""
    from warcio.statusandheaders import StatusAndHeaders

    url, status, method, fetched_at, headers, request, browser, size = row
    body = stored or b""
    fields = [(k, v) for k, v in _fields(headers) if k.lower() not in _DROPPED]
    fields.append(("Content-Length", str(len(body))))
    date = {"WARC-Date": fetched_at}
    told = date if browser is None else {**date, _BROWSER: f"Chromium/{browser}"}
    if stored is None and size:
        told = {**told, _TRUNCATED: "unspecified"}
    response = writer.create_warc_record(
        url,
        "response",
        payload=BytesIO(body),
        length=len(body),  # else warcio buffers it in a file
        http_headers=StatusAndHeaders(_status_line(status), fields, protocol="HTTP/1.1"),
        warc_headers_dict=told,
    )
    asked = [("Host", urls.authority_of(url)), *_fields(_request_headers(request))]
    sent = writer.create_warc_record(
        url,
        "request",
        payload=BytesIO(),
        length=0,
        http_headers=StatusAndHeaders(
            f"{method} {_target(url)} HTTP/1.1", asked, is_http_request=True
        ),
        warc_headers_dict=date,
    )
    answers = response.rec_headers.get_header("WARC-Record-ID")
    sent.rec_headers.add_header("WARC-Concurrent-To", answers)
    offset = out.tell()
    writer.write_record(response)
    length = out.tell() - offset
    writer.write_record(sent)
    types = [value for name, value in fields if name.lower() == "content-type"]
    mime = types[0].partition(";")[0].strip().lower() if types else "application/octet-stream"
    digest = response.rec_headers.get_header("WARC-Payload-Digest")
    return Indexed(url, fetched_at, status, mime, digest, offset, length)


def _status_line(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} "


def _fields(headers: str | None) -> list[tuple[str, str]]:
    clean = str.maketrans("\r\n", "  ")
    return [
        (name, str(value).translate(clean)) for name, value in json.loads(headers or "{}").items()
    ]


def _request_headers(request: str | None) -> str:
    fields = (json.loads(request) if request else {}).get("headers") or {}
    return json.dumps({name: value for name, value in fields.items() if isinstance(value, str)})


def _target(url: str) -> str:
    return "/" + url.split("/", 3)[3] if url.count("/") >= 3 else "/"


# ---------------------------------------------------------------- reading


def read_warc(
    file: IO[bytes],
    other: Callable[[str], None] = lambda url: None,
    refused: Counter[Refusal] | None = None,
    *,
    bare: Callable[[str], None] | None = None,
) -> Iterator[tuple[str, int, dict[str, str], bytes, float]]:
    """Yield URL, status, headers, body and Unix time of each HTTP response in a WARC file.

    A response that is none of HTTP, or has no status of it, is left out; `other` hears its URL.
    With `bare`, so is a page of which the file has no body, which would pass for an empty one.
    `refused` counts those that have a user or password in theirs, which is left out. UsageError
    without warcio, and where the file is none.
    """
    _warcio()
    from warcio.archiveiterator import ArchiveIterator
    from warcio.exceptions import ArchiveLoadFailed

    try:
        records = ArchiveIterator(file)
        # Header bytes as the HTTP client reads them: warcio takes what is no UTF-8 for Latin-1,
        # and a Location for another URL than the one that was crawled.
        records.loader.http_parser.decode_header = _decoded
        for record in records:
            if record.rec_type != "response":
                continue
            target = record.rec_headers.get_header("WARC-Target-URI") or ""
            url = urls.parse(target)
            status = record.http_headers.get_statuscode() if record.http_headers else ""
            if url is None or not _STATUS.fullmatch(status):
                other(target)
                continue
            if refused is not None and userinfo(target) is not None:
                refused[Refusal.URL_CREDENTIALS] += 1
            headers = {
                name: value
                for name, value in record.http_headers.headers
                if name.lower() not in ("content-encoding", "transfer-encoding")
            }
            body = record.content_stream().read()
            if bare and not body and status[0] == "2" and record.rec_headers.get_header(_TRUNCATED):
                bare(url)
                continue
            yield url, int(status), headers, body, _time(record.rec_headers.get_header("WARC-Date"))
    except (ArchiveLoadFailed, ValueError, AttributeError, EOFError, zlib.error) as error:
        # warcio meets a record that is cut short with whatever error comes first.
        name = getattr(file, "name", "it")
        raise UsageError(f"{name} is no WARC file, or is damaged: {error!s:.100}") from None


def _decoded(line: bytes) -> str:
    return line.decode("utf-8", "surrogateescape")


def _time(text: str | None) -> float:
    try:
        made = datetime.fromisoformat((text or "").replace("Z", "+00:00"))
        return (made if made.tzinfo else made.replace(tzinfo=UTC)).astimezone(UTC).timestamp()
    except (ValueError, OverflowError):  # a time before the year 1, or after 9999, is none
        return 0.0


def _warcio() -> Any:
    try:
        from warcio.warcwriter import WARCWriter
    except ImportError:
        raise UsageError("WARC needs warcio: pip install 'crawlkeep[warc]'") from None
    return WARCWriter
