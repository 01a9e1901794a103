"""Set-Cookie and Cookie headers, read and written to the letter of RFC 6265bis.

https://datatracker.ietf.org/doc/draft-ietf-httpbis-rfc6265bis/ (sections 5.1, 5.6 and 5.7): what
browsers do. A value is bytes without a meaning, never unquoted, escaped or cut. Pure functions;
`now` is in seconds since the epoch.
"""

from __future__ import annotations

import re
from calendar import timegm
from collections.abc import Iterable
from datetime import datetime

from msgspec import Struct

from crawler.lazy_regex import lazy
from crawler.web.refusal import Refusal

LONGEST_LIFE = 400 * 24 * 3600.0
"""The most seconds for which a cookie is kept, whatever it asks for (5.5)."""

_LONGEST_PAIR = 4096  # octets of name and value together (5.6)
_LONGEST_ATTRIBUTE = 1024  # octets of an attribute's value; a longer one is stepped over (5.6)
_WSP = " \t"
_CONTROL = lazy(r"[\x00-\x08\x0a-\x1f\x7f]")
_DELIMITERS = lazy(r"[\t\x20-\x2f\x3b-\x40\x5b-\x60\x7b-\x7e]+")
_TIME = lazy(r"(\d{1,2}):(\d{1,2}):(\d{1,2})(?:\D.*)?", re.ASCII | re.DOTALL)
_DAY = lazy(r"(\d{1,2})(?:\D.*)?", re.ASCII | re.DOTALL)
_YEAR = lazy(r"(\d{2,4})(?:\D.*)?", re.ASCII | re.DOTALL)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_SECONDS = lazy(r"-?\d+", re.ASCII)
_SAME_SITE = {"none": "None", "strict": "Strict", "lax": "Lax"}


class SetCookie(Struct, frozen=True):
    """What a Set-Cookie header asks for; `path` is "" and `domain` is "" where it names none.

    `ends` is when it expires, None with the session; `has_path` tells that it names a path at all.
    """

    name: str
    value: str
    ends: float | None = None
    domain: str = ""
    path: str = ""
    has_path: bool = False
    secure: bool = False
    http_only: bool = False
    same_site: str = ""


def parse(header: str, now: float) -> SetCookie | Refusal:
    """Return the cookie of one header line, or the reason for which it is ignored (5.6)."""
    if _CONTROL.search(header):
        return Refusal.COOKIE_CONTROL_CHARACTER
    pair, _, rest = header.partition(";")
    name, equals, value = pair.partition("=")
    if not equals:
        name, value = "", pair
    name, value = name.strip(_WSP), value.strip(_WSP)
    if not name and not value:
        return Refusal.COOKIE_EMPTY
    if (octets := size_of(name + value)) is None:
        return Refusal.COOKIE_NOT_UTF8
    if octets > _LONGEST_PAIR:
        return Refusal.COOKIE_TOO_LONG
    return _with_attributes(name, value, rest, now)


def _with_attributes(name: str, value: str, text: str, now: float) -> SetCookie:
    """Return the cookie with its attributes; of each the last one counts that can be read."""
    expires: float | None = None
    lifetime: float | None = None
    domain = path = same_site = ""
    has_path = secure = http_only = False
    for attribute in text.split(";"):
        key, _, said = attribute.partition("=")
        key, said = key.strip(_WSP).lower(), said.strip(_WSP)
        if len(said) > _LONGEST_ATTRIBUTE or size_of(said, _LONGEST_ATTRIBUTE) is None:
            continue
        if key == "expires":
            at = date(said)
            expires = expires if at is None else at
        elif key == "max-age":
            if _SECONDS.fullmatch(said):
                lifetime = float(max(-1, min(int(said), LONGEST_LIFE)))
        elif key == "domain":
            domain = said.removeprefix(".").lower()
        elif key == "path":
            path, has_path = (said if said.startswith("/") else ""), True
        elif key == "secure":
            secure = True
        elif key == "httponly":
            http_only = True
        elif key == "samesite":
            same_site = _SAME_SITE.get(said.lower(), "")
    if lifetime is not None:  # which comes before Expires, in whatever order they stand
        ends: float | None = now + lifetime if lifetime > 0 else 0.0
    else:
        ends = expires
    if ends is not None:
        ends = min(ends, now + LONGEST_LIFE)
    return SetCookie(name, value, ends, domain, path, has_path, secure, http_only, same_site)


def size_of(text: str, most: int | None = None) -> int | None:
    """Return the bytes of a text as UTF-8; None if it has no UTF-8, or is over `most`."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        return None
    return None if most is not None and size > most else size


def date(text: str) -> float | None:
    """Return the time that a cookie's date stands for, None if it is no date (5.1.1)."""
    clock = day = month = year = None
    for token in _DELIMITERS.split(text):
        if clock is None and (found := _TIME.fullmatch(token)):
            clock = [int(group) for group in found.groups()]
        elif day is None and (found := _DAY.fullmatch(token)):
            day = int(found[1])
        elif month is None and token[:3].lower() in _MONTHS:
            month = _MONTHS.index(token[:3].lower()) + 1
        elif year is None and (found := _YEAR.fullmatch(token)):
            year = int(found[1])
    if clock is None or day is None or month is None or year is None:
        return None
    if year < 100:
        year += 1900 if year >= 70 else 2000
    try:
        whole = datetime(year, month, day, clock[0], clock[1], clock[2])
    except ValueError:
        return None
    return float(timegm(whole.timetuple())) if year >= 1601 else None


def default_path(target: str) -> str:
    """Return the path of a cookie that names none, by the path of the URL that set it (5.1.4)."""
    return target[: target.rindex("/")] or "/" if target.startswith("/") else "/"


def path_matches(target: str, path: str) -> bool:
    """Return whether the path of a URL is the cookie's or below it (5.1.4)."""
    if not target.startswith(path):
        return False
    return len(target) == len(path) or path.endswith("/") or target[len(path)] == "/"


def keeps_prefix(cookie: SetCookie, path: str, *, host_only: bool) -> bool:
    """Return whether a cookie is what its name promises (5.7); upper or lower case is the same.

    A cookie without a name may not look like one with such a name once it is sent.
    """
    if not cookie.name:
        return not cookie.value.lower().startswith(("__secure-", "__host-"))
    name = cookie.name.lower()
    if name.startswith("__host-"):
        return cookie.secure and host_only and cookie.has_path and path == "/"
    return cookie.secure or not name.startswith("__secure-")


def pair_of(name: str, value: str) -> str:
    """Return what is sent of one cookie: its value alone where it has no name (5.8.3)."""
    return f"{name}={value}" if name else value


def flaw_of(name: str, value: str) -> str | None:
    """Return what forbids to send a cookie that was made by hand, None if nothing does."""
    if _CONTROL.search(name + value) or "\t" in name:
        return "it holds a control character"
    if ";" in name + value:
        return "a ';' would end it"
    if "=" in name:
        return "its name holds a '='"
    if not name and not value:
        return "it has neither name nor value"
    return None if size_of(name + value) is not None else "it is no text: a lone surrogate"


def joined(by_hand: str, pairs: Iterable[str]) -> str:
    """Return the Cookie header of what was given by hand and what a jar has for the URL.

    Of two cookies of one name the one by hand is sent.
    """
    given = {pair.partition("=")[0].strip(_WSP) for pair in by_hand.split(";")} if by_hand else ()
    sent = [pair for pair in pairs if not given or pair.partition("=")[0] not in given]
    return "; ".join([*sent, by_hand] if by_hand else sent)
