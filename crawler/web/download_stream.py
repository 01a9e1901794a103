"""Download and Stream: requests whose answer is a file, or messages, and no page.

Both are Requests: queued, deduplicated, polite, retried and durable like any other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crawler import urls
from crawler.web.request import Callback, Request

if TYPE_CHECKING:
    from crawler.web.records import Format
    from crawler.web.visit import Visit

DOWNLOAD, STREAM = "download", "stream"
FEED = "feed"
"""The `kind` of a download whose records are read in parts, each a request of `RECORDS`."""
RECORDS = "records"
_URGENT = 1000  # messages do not wait behind the pages of their host
_WS = {"ws": "http", "wss": "https"}

Named = Callable[..., Any] | str | None


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A downloaded file: the row of `files`, and what a Download's callback gets.

    `path` is where it lies, under its content address; `name` a safe name that the server gave.
    """

    url: str
    path: Path
    sha256: str
    size: int
    name: str
    content_type: str
    request: Request
    visit: Visit | None = field(default=None, repr=False, compare=False)

    def records(
        self,
        kind: type[Any] | None = None,
        *,
        at: str | None = None,
        format: Format | None = None,
        delimiter: str | None = None,
    ) -> Iterator[Any]:
        """Yield the records of a downloaded feed, read from the disk: see `ScrapedPage.records`."""
        from crawler.web import record_types, records

        refuse = record_types.refuse_for(self.visit, self.url)
        feed = records.RecordFeed(self.url, self.content_type, at, format, delimiter)
        with self.path.open("rb") as file:
            yield from feed.read(file, kind, refuse)

    def urljoin(self, reference: str) -> str | None:
        """Return the canonical http(s) URL of a reference in this file, None if it is none."""
        return urls.parse(reference, self.url)

    @property
    def address(self) -> str:
        """Its place below the directory of files, as the table has it."""
        return address_of(self.sha256)

    @property
    def meta(self) -> Mapping[str, Any]:
        """What the request carried along."""
        return self.request.meta


def address_of(sha256: str) -> str:
    """Return the content address of a digest: two characters, then all of it."""
    return f"{sha256[:2]}/{sha256}"


def Download(
    url: str, *, callback: Callback = None, sha256: str | None = None, **fields: Any
) -> Request:
    """Return the Request that stores a file; `fields` are those of Request.

    The file goes into the crawl's directory of files, with a row in `files`. `callback` gets a
    StoredFile; `sha256` is what the digest must be. BadUrl where `url` is none.
    """
    options = {"sha256": sha256.lower()} if sha256 else None
    return Request(url, callback=callback, kind=DOWNLOAD, options=options, **fields)


def Stream(
    url: str,
    *,
    callback: Callback = None,
    until: int | timedelta | Named = None,
    cursor: Named = None,
    resume: str | None = None,
    opened: Named = None,
    batch: int = 500,
    priority: int = _URGENT,
    **fields: Any,
) -> Request:
    """Return the Request that turns the messages of a WebSocket into items.

    `callback` gets each Message. Every batch of up to `batch` messages is committed like a page,
    with the place from which to go on, so that a killed crawl resumes there: `cursor` is a method
    that gives the cursor of a message, `resume` the query parameter in which it is sent when the
    socket is opened again; or `opened`, a method that gets the cursor (None at first) and gives
    what to send as JSON after each opening.
    It ends when the server closes with 1000, or with `until`: a number of messages, a timedelta
    from now, or a method that says so of a message. BadUrl where `url` is no ws(s) or http(s) URL.
    """
    scheme, colon, rest = url.partition(":")
    http = f"{_WS[scheme.lower()]}:{rest}" if colon and scheme.lower() in _WS else url
    options: dict[str, Any] = {
        "cursor": _name(cursor),
        "resume": resume,
        "opened": _name(opened),
        "batch": batch,
        **_until(until),
    }
    options = {name: value for name, value in options.items() if value is not None}
    return Request(
        http, callback=callback, kind=STREAM, options=options, priority=priority, **fields
    )


def is_download(visit: Visit) -> bool:
    """Return whether a visit may be a download's; the marker is looked for, not the JSON read."""
    extra = visit.todo.extra
    return extra is not None and (f'"{DOWNLOAD}"' in extra or f'"{FEED}"' in extra)


def is_stream(visit: Visit) -> bool:
    """Return whether a visit may be a stream's, whose every batch of messages is a visit."""
    return visit.todo.extra is not None and f'"{STREAM}"' in visit.todo.extra


def _until(until: int | timedelta | Named) -> dict[str, Any]:
    if isinstance(until, int):
        return {"until": until}
    if isinstance(until, timedelta):
        return {"until_at": time.time() + until.total_seconds()}
    return {"until_method": _name(until)}


def _name(method: Named) -> str | None:
    return method.__name__ if callable(method) else method
