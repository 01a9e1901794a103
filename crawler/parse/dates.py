"""The date that a text says: ISO 8601 and RFC 5322 by the standard library, others by dateparser.

dateparser knows two hundred languages and is slow to import: only what neither form has asks it.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Sequence
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, Literal, TypeVar, overload

from crawler.errors import UsageError

D = TypeVar("D", dt.datetime, dt.date)
Order = Literal["DMY", "MDY", "YMD"]

_ISO = re.compile(r"\d{4}-?(?:\d\d-?\d\d|W\d\d-?[1-7])(?:[T ]\d\d.*)?")
_RFC5322 = re.compile(
    r"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),?\s+)?\d{1,2}\s+[A-Z][a-z]{2}\s+\d{4}\s+"
    r"\d{1,2}:\d\d(?::\d\d)?\s+(?:[+-]\d{4}|GMT|UTC?|Z|[ECMP][SD]T)"
)
_PARTIAL = re.compile(r"\d{4}(?:-\d\d|-?W\d\d)?|\d\d-\d\d|\d\d:\d\d(?::\d\d)?")
_MOST = 200  # characters of a date: dateparser tries every language on all of them


@overload
def date(
    *, languages: Sequence[str] | None = None, order: Order | None = None
) -> Callable[..., Any]: ...
@overload
def date(
    found: str,
    /,
    *,
    languages: Sequence[str] | None = None,
    order: Order | None = None,
    now: dt.datetime | None = None,
) -> dt.datetime: ...
@overload
def date(
    found: str,
    /,
    *,
    languages: Sequence[str] | None = None,
    order: Order | None = None,
    now: dt.datetime | None = None,
    kind: type[D],
) -> D: ...
def date(
    found: str | None = None,
    /,
    *,
    languages: Sequence[str] | None = None,
    order: Order | None = None,
    now: dt.datetime | None = None,
    kind: type[Any] = dt.datetime,
) -> Any:
    """Return the day, or the time, that a text says; with a zone where it has one.

    ISO 8601, as HTML's `datetime` has it, and RFC 5322, as mail, HTTP and RSS have it, are read
    at once. Anything else is for dateparser (extra `dates`): `languages` (`["de"]`) and `order`
    tell it what "03/04/2026" or "3 mai" means; "2 days ago" counts from `now`, in UTC. ValueError
    for what is no date with day, month and year, UsageError where the extra is missing.
    Without a text it returns the function for such texts: `css("time", date(order="DMY"))`.
    """
    if found is None:
        return partial(date, languages=languages, order=order)
    text = " ".join(found.split())
    if len(text) > _MOST or not text:
        raise ValueError("no date")
    value = _iso(text) or _rfc5322(text) or _any(text, languages, order, now)
    return value if kind is dt.datetime else value.date()


def _iso(text: str) -> dt.datetime | None:
    if not _ISO.fullmatch(text):
        return None
    try:
        return dt.datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"no date: {error}") from None


def _rfc5322(text: str) -> dt.datetime | None:
    """Return the time of a mail or an answer; "-0000" is one in UTC, too (RFC 5322 3.3)."""
    if not _RFC5322.fullmatch(text):
        return None
    try:
        value = parsedate_to_datetime(text)
    except ValueError as error:
        raise ValueError(f"no date: {error}") from None
    return value if value.tzinfo is not None else value.replace(tzinfo=dt.UTC)


def _any(
    text: str, languages: Sequence[str] | None, order: Order | None, now: dt.datetime | None
) -> dt.datetime:
    if _PARTIAL.fullmatch(text):  # of HTML: what is missing would be made up from today
        raise ValueError("no date with day, month and year")
    try:
        import dateparser
    except ImportError:
        raise UsageError(
            "a date that is neither ISO 8601 nor RFC 5322 needs dateparser:"
            " pip install 'crawlkeep[dates]'"
        ) from None
    base = (now or dt.datetime.now(dt.UTC)).astimezone(dt.UTC).replace(tzinfo=None)
    settings = {"RELATIVE_BASE": base, "REQUIRE_PARTS": ["day", "month", "year"]}
    if order is not None:
        settings["DATE_ORDER"] = order
    known = list(languages) if languages is not None else None
    value: dt.datetime | None = dateparser.parse(text, languages=known, settings=settings)
    if value is None:
        raise ValueError("no date")
    return value
