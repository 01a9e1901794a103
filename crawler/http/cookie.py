"""One cookie: as it is kept, and as a row of the store."""

from __future__ import annotations

import json
from typing import Any

from msgspec import Struct

from crawler.http import set_cookie
from crawler.store import CookieRow

CookieKey = tuple[str, bool, str, str]  # domain, host-only, path, name


class Cookie(Struct):
    """One cookie as it is kept. `ends` is None for one that ends with the crawl."""

    name: str
    value: str
    domain: str
    path: str
    host_only: bool = True
    secure: bool = False
    http_only: bool = False
    same_site: str = ""
    ends: float | None = None
    created: float = 0.0
    used: int = 0

    @property
    def key(self) -> str:
        """Its name, as http.cookies calls it."""
        return self.name

    @property
    def identity(self) -> CookieKey:
        """What it shares with the cookie that replaces it, and with no other."""
        return self.domain, self.host_only, self.path, self.name


def is_over(cookie: Cookie, now: float) -> bool:
    """Return whether a cookie has ended."""
    return cookie.ends is not None and cookie.ends <= now


def written(cookie: Cookie) -> str:
    """Return what is stored of a cookie beside its place and its name."""
    kept: dict[str, Any] = {"value": cookie.value, "created": cookie.created}
    for name in ("secure", "http_only", "same_site", "ends"):
        if getattr(cookie, name) not in (False, "", None):
            kept[name] = getattr(cookie, name)
    return json.dumps(kept)


def read_row(row: CookieRow) -> tuple[Cookie, bool]:
    """Return the cookie of a row, and whether an earlier version wrote it."""
    kept = json.loads(row.cookie or "")
    domain, host_only = row.domain.removeprefix("."), not row.domain.startswith(".")
    if isinstance(kept, dict):
        return Cookie(row.name, domain=domain, path=row.path, host_only=host_only, **kept), False
    value, _, host_only, attributes = kept  # until 0.1: value, quoted value, host-only, attributes
    cookie = Cookie(row.name, value, domain, row.path, host_only=host_only)
    cookie.secure, cookie.http_only = bool(attributes.get("secure")), "httponly" in attributes
    cookie.same_site = str(attributes.get("samesite") or "")
    cookie.ends = set_cookie.date(str(attributes.get("expires", "")))
    return cookie, True
