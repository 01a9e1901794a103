"""Cookies both ways: those of a session's jar into its context, and what pages set back to it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from crawler.http.cookie import Cookie, CookieKey
from crawler.http.cookies import CookieJar

Known = dict[CookieKey, str]
"""The values of the cookies that jar and context agree on."""

_SAME_SITE = {"strict": "Strict", "lax": "Lax", "none": "None"}


def to_context(jar: CookieJar, known: Known) -> list[dict[str, Any]]:
    """Return what of a jar the context does not have yet, as `Network.setCookies` takes it."""
    now = time.time()
    return [
        _param(cookie)
        for cookie in jar
        if known.get(cookie.identity) != cookie.value and (cookie.ends is None or cookie.ends > now)
    ]


def from_context(rows: Iterable[Mapping[str, Any]], jar: CookieJar, known: Known) -> None:
    """Bring a jar to where its context is: what pages set, changed and removed.

    A cookie of one embedding site alone (`Partitioned`) stays in the browser.
    """
    found = {c.identity: c for c in map(_cookie, rows) if c is not None}
    for key, cookie in found.items():
        if known.get(key) != cookie.value:
            jar.take(cookie)
            known[key] = cookie.value
    gone = {key for key in known if key not in found}
    if gone:
        jar.clear(lambda cookie: cookie.identity in gone)
        for key in gone:
            del known[key]


def _param(cookie: Cookie) -> dict[str, Any]:
    host = f"[{cookie.domain}]" if ":" in cookie.domain else cookie.domain
    param: dict[str, Any] = {
        "name": cookie.name,
        "value": cookie.value,
        "path": cookie.path,
        "secure": cookie.secure,
        "httpOnly": cookie.http_only,
        "url": f"{'https' if cookie.secure else 'http'}://{host}{cookie.path}",
    }
    if not cookie.host_only:
        param["domain"] = f".{cookie.domain}"
    if cookie.same_site.lower() in _SAME_SITE:
        param["sameSite"] = _SAME_SITE[cookie.same_site.lower()]
    if cookie.ends is not None:
        param["expires"] = cookie.ends
    return param


def _cookie(row: Mapping[str, Any]) -> Cookie | None:
    if row.get("partitionKey"):
        return None
    domain = str(row["domain"])
    ends = float(row.get("expires", -1))
    return Cookie(
        row["name"],
        row["value"],
        domain.removeprefix(".").strip("[]"),
        row["path"],
        host_only=not domain.startswith("."),
        secure=bool(row.get("secure")),
        http_only=bool(row.get("httpOnly")),
        same_site=str(row.get("sameSite", "")).lower(),
        ends=ends if ends > 0 else None,
    )
