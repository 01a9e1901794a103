"""Redirects: where one leads, and what the request for that is (RFC 9110 section 15.4, Fetch).

Pure. A redirect is a link: whether it is followed is decided where links are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from crawler import urls
from crawler.request import Request, url_hash
from crawler.secret import is_secret

_BYTES = re.compile("[\udc80-\udcff]")  # bytes of a header that are no UTF-8
_OF_BODY = frozenset(
    f"content-{name}" for name in ("type", "length", "encoding", "language", "location")
)


def location_of(headers: Mapping[str, str], base: str) -> str | None:
    """Give the canonical URL of a Location header, None where there is none that is http(s).

    Bytes that are no UTF-8 are escaped as they are, as browsers do.
    """
    location = headers.get("Location", "").strip()
    if not location:
        return None
    return urls.parse(_BYTES.sub(lambda byte: f"%{ord(byte[0]) - 0xDC00:02X}", location), base)


def onward(request: Request, status: int, target: str) -> Request:
    """Give the request that a redirect asks for.

    303 turns all but HEAD into GET, 301 and 302 only POST; the body and what describes it go with
    the method. Another origin gets no secret: no Authorization, no cookies by hand, no Secret.
    """
    changes: dict[str, Any] = {"url": target, "hops": request.hops + 1}
    changes["origin"] = request.origin or request.url
    headers = dict(request.headers or {})
    if _turns_to_get(request.method, status):
        changes |= {"method": "GET", "data": None, "json": None, "files": None}
        headers = {k: v for k, v in headers.items() if k.lower() not in _OF_BODY}
    if urls.host_of(target) != urls.host_of(request.url):
        headers = {k: v for k, v in headers.items() if not is_secret(k, v)}
        changes["cookies"] = None
    return request.replace(headers=headers or None, **changes)


def _turns_to_get(method: str, status: int) -> bool:
    if status == 303:
        return method not in ("GET", "HEAD")
    return status in (301, 302) and method == "POST"


def betrays(request: Request, following: Request) -> bool:
    """Tell whether the body of the next request would take a Secret to another origin."""
    return following.has_secrets and urls.host_of(following.url) != urls.host_of(request.url)


def comes_back(request: Request, following: Request) -> bool:
    """Tell whether a redirect leads to where it started, or where its chain did."""
    known = following.identity
    return known == request.identity or (
        request.origin is not None and known == url_hash(request.origin)
    )
