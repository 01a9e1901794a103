"""Pages for tests: a real ScrapedPage from text, bytes or a file, without a crawl."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from multidict import CIMultiDict

from crawler import urls
from crawler.errors import UsageError
from crawler.web.page import ScrapedPage
from crawler.web.request import Request
from crawler.web.response import Response

WHEN = 1_767_225_600.0
"""Unix time at which answers of tests begin: always the same, so that `timestamp` is, too."""

HTML = "text/html; charset=utf-8"
_TYPES = {
    ".html": None,
    ".htm": None,
    ".json": "application/json",
    ".xml": "application/xml",
    ".txt": "text/plain",
    ".xhtml": "application/xhtml+xml",
}


def page_from(
    source: str | bytes | Path,
    *,
    url: str = "https://example.com/",
    status: int = 200,
    headers: Mapping[str, str] | None = None,
    **request: Any,
) -> ScrapedPage:
    """Return the page that an answer with this body would be.

    `source` is text (sent as UTF-8), bytes, or the Path of a file, whose ending gives the type.
    `headers` are those of the answer; HTML in UTF-8 is declared where they name no Content-Type and
    `source` is text. `request` are fields of Request, like `meta` and `args`.
    UsageError for a URL that is none, or a file that cannot be read.
    """
    parsed = urls.parse(url)
    if parsed is None:
        raise UsageError(
            f"page_from: {url!r} is no http(s) URL; give one like https://example.com/"
        )
    body, kind = _read(source)
    named = CIMultiDict(headers or {})
    if kind is not None:
        named.setdefault("Content-Type", kind)
    response = Response(parsed, status, named, body, WHEN, 0.0, len(body))
    return ScrapedPage(response, Request(parsed, **request))


def _read(source: str | bytes | Path) -> tuple[bytes, str | None]:
    """Return the body and its type; None leaves that to its bytes."""
    if isinstance(source, str):
        looks_like_json = source.lstrip()[:1] in ("{", "[")
        return source.encode("utf-8", "replace"), "application/json" if looks_like_json else HTML
    if isinstance(source, bytes):
        return source, None
    try:
        return source.read_bytes(), _TYPES.get(source.suffix.lower())
    except OSError as error:
        raise UsageError(f"page_from: {source}: {error.strerror}") from None
