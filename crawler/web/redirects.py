"""Redirects: where one leads, and what the request for that is (RFC 9110 section 15.4, Fetch).

Pure, and the only place that follows a Location: for the crawl, the clients, `crawler fetch`,
robots.txt and imported pages alike. Whether a crawl goes there is decided where links are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crawler import urls
from crawler.config.secrets import may_leave
from crawler.errors import FetchError
from crawler.lazy_regex import lazy
from crawler.urls.userinfo import userinfo
from crawler.web.outcome import Outcome
from crawler.web.request import Request, url_hash

STATUSES = frozenset({301, 302, 303, 307, 308})
"""The redirect statuses of Fetch, section 2.2.3."""

_BYTES = lazy("[\udc80-\udcff]")  # bytes of a header that are no UTF-8
_SPACE = " \t\r\n"  # HTTP white space; a no-break space belongs to the URL
_OF_BODY = frozenset(
    f"content-{name}" for name in ("type", "length", "encoding", "language", "location")
)
_SOCKETS = {"ws": "http", "wss": "https"}


def http_url(url: str) -> str:
    """Return the http(s) URL of a ws(s) one: the same host and target, by RFC 6455."""
    scheme, colon, rest = url.partition(":")
    known = _SOCKETS.get(scheme.lower())
    return f"{known}:{rest}" if known and colon else url


def location_of(headers: Mapping[str, str], base: str, *, socket: bool = False) -> str | None:
    """Return the canonical URL of a Location header, None if there is none that is http(s).

    Bytes that are no UTF-8 are escaped as they are, as browsers do. Several headers that differ are
    none (Fetch, "location URL"). Of a `socket`, ws(s) URLs are http(s) ones.
    """
    said = _said(headers)
    location = said[0] if len(said) == 1 else ""
    if not location:
        return None
    location = _BYTES.sub(lambda byte: f"%{ord(byte[0]) - 0xDC00:02X}", location)
    if socket:
        location = http_url(location.lstrip("".join(map(chr, range(0x21)))))
    return urls.parse(location, base)


def _said(headers: Mapping[str, str]) -> list[str]:
    """Return what Location headers say, each text once; [""] where they say nothing."""
    getall = getattr(headers, "getall", None)  # a multidict may hold several
    values = getall("Location", [""]) if getall else [headers.get("Location", "")]
    return list(dict.fromkeys(value.strip(_SPACE) for value in values))


def credentials_of(headers: Mapping[str, str], base: str) -> tuple[str, str] | None:
    """Return the user and password that a Location says; None if it says neither.

    `following` leaves them out: whether they are used, for that origin alone, is the caller's.
    """
    location = headers.get("Location", "")
    if "@" not in location:
        return None
    url = urls.join(base, location.strip(_SPACE))
    return userinfo(url) if url is not None else None


def following(
    request: Request, status: int, headers: Mapping[str, str], *, most: int, socket: bool = False
) -> Request | None:
    """Return the request that an answer redirects to, None if the answer is no redirect.

    One whose Location is empty is none, as in Chromium. FetchError, as bad_redirect or
    too_many_redirects, where it leads nowhere: there is no http(s) URL, there were `most` before
    it, or a Secret of the body would go to another origin.
    """
    if status not in STATUSES or (said := _said(headers)) == [""]:
        return None
    target = location_of(headers, request.url, socket=socket)
    if target is None:
        what = "no http(s) URL in Location" if len(said) == 1 else "several Locations that differ"
        told = ", ".join(map(repr, said))
        raise FetchError(f"{what}: {told:.200}", Outcome.BAD_REDIRECT)
    found = onward(request, status, target)
    if request.hops >= most:
        raise FetchError(said_of_too_many(request, found), Outcome.TOO_MANY_REDIRECTS)
    if found.has_secrets and urls.host_of(target) != urls.host_of(request.url):
        raise FetchError(
            f"it would take the secret of a form to {urls.host_of(target)}", Outcome.BAD_REDIRECT
        )
    return found


def said_of_too_many(request: Request, found: Request) -> str:
    """Return what to say of a redirect that is one too many."""
    return f"{request.hops} redirects from {found.first_url}, then to {found.url}"


def onward(request: Request, status: int, target: str) -> Request:
    """Return the request that a redirect asks for.

    303 turns all but HEAD into GET, 301 and 302 only POST; the body and what describes it go with
    the method. To another origin goes no header that may be secret (`secret.may_leave`), and no
    cookie by hand; another scheme is another origin.
    """
    changes: dict[str, Any] = {"url": target, "hops": request.hops + 1}
    changes["first_url"] = request.first_url or request.url
    headers = dict(request.headers or {})
    if _turns_to_get(request.method, status):
        changes |= {"method": "GET", "data": None, "json": None, "files": None}
        headers = {k: v for k, v in headers.items() if k.lower() not in _OF_BODY}
    if urls.host_of(target) != urls.host_of(request.url):
        headers = {k: v for k, v in headers.items() if may_leave(k, v)}
        changes["cookies"] = None
    return request.replace(headers=headers or None, **changes)


def _turns_to_get(method: str, status: int) -> bool:
    if status == 303:
        return method not in ("GET", "HEAD")
    return status in (301, 302) and method == "POST"


def comes_back(request: Request, found: Request) -> bool:
    """Return whether a redirect leads to where it started, or where its chain did."""
    known = found.identity
    return known == request.identity or (
        request.first_url is not None and known == url_hash(request.first_url)
    )
