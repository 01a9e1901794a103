"""What a server asks for in its answers: when it may be asked again. The time is a parameter."""

import re
from datetime import UTC, datetime

from crawler.lazy_regex import lazy

LONGEST_WAIT = 365 * 24 * 3600.0
"""The most seconds that `retry_after` gives: whatever asks for more means "never"."""

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_CLOCK = r"(\d\d):(\d\d):(\d\d)"
# The three forms of RFC 9110 5.6.7. The name of the day tells nothing and is not checked.
_DAY_FIRST = lazy(
    rf"(?:[a-z]+, *)?(\d\d?)(?: +|-)([a-z]{{3}})(?: +|-)(\d{{4}}|\d\d) +{_CLOCK} +(?:gmt|utc)",
    re.ASCII | re.IGNORECASE,
)
_ASCTIME = lazy(rf"[a-z]+ +([a-z]{{3}}) +(\d\d?) +{_CLOCK} +(\d{{4}})", re.ASCII | re.IGNORECASE)


def retry_after(value: str | None, now: float | datetime) -> float | None:
    """Return the seconds to wait that a `Retry-After` header asks for; None if it cannot be read.

    `now` is in seconds since the epoch, or an aware datetime. The value is a number of seconds
    or a date (RFC 9110 10.2.3) in any of the three formats; a date that is past gives 0.0.
    The answer is at most `LONGEST_WAIT`.
    """
    text = (value or "").strip(" \t")
    if text.isascii() and text.isdecimal():
        digits = text.lstrip("0")
        return LONGEST_WAIT if len(digits) > 9 else min(float(digits or 0), LONGEST_WAIT)
    seconds = now.timestamp() if isinstance(now, datetime) else now
    then = _http_date(text, seconds)
    return None if then is None else min(max(0.0, then - seconds), LONGEST_WAIT)


def _http_date(text: str, now: float) -> float | None:
    """Read a date of HTTP as seconds since the epoch."""
    if found := _DAY_FIRST.fullmatch(text):
        day, month, year, *clock = found.groups()
    elif found := _ASCTIME.fullmatch(text):
        month, day, *clock, year = found.groups()
    else:
        return None
    hour, minute, second = map(int, clock)
    try:
        number = _MONTHS.index(month.lower()) + 1
        # A leap second is the second before it.
        second -= second == 60
        date = datetime(_year(year, now), number, int(day), hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return date.timestamp()


def _year(text: str, now: float) -> int:
    """Read a year; one of two digits is never more than 50 years ahead (RFC 9110 5.6.7)."""
    year = int(text)
    if len(text) == 4:
        return year
    first = datetime.fromtimestamp(now, UTC).year - 49
    return first + (year - first) % 100
