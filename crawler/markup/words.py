"""Numbers, times and sizes as a page writes them: `12,345`, `2 h 10 min`, `82 ms`, `1.4 MB`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

_UNITS = ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s"))


def number(value: float | None) -> str:
    """Return a count: `12,345`; "" for none."""
    return "" if value is None else f"{value:,.0f}"


def rate(value: float) -> str:
    """Return a number a second, with the digits that are worth reading."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 0.1 or not value else f"{value:.2f}"


def share(part: float, whole: float) -> str:
    """Return a share in percent: `36 %`, `5.8 %`, `0.02 %`."""
    if not whole:
        return "0 %"
    percent = 100 * part / whole
    if percent >= 10 or not percent:
        return f"{percent:.0f} %"
    return f"{percent:.1f} %" if percent >= 0.1 else f"{percent:.2f} %"


def duration(seconds: float) -> str:
    """Return a time span in its two largest units: `9 d 20 h`, `5 min 3 s`, `3.4 s`, `82 ms`."""
    if seconds < 1:
        return f"{1000 * max(0.0, seconds):.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    for large, name, small, rest in _UNITS:
        if seconds >= large or large == 60:
            whole, left = divmod(round(seconds / small), large // small)
            if name == "min" and whole == 60:
                return "1 h"
            return f"{whole} {name} {left} {rest}" if left else f"{whole} {name}"
    raise AssertionError(seconds)


def seconds(value: float) -> str:
    """Return a delay: `0.25 s`, `18.4 s`, `10 s`."""
    if value >= 59.5:
        return duration(value)
    return f"{value:.2f}".rstrip("0").rstrip(".") + " s" if value < 10 else f"{value:.3g} s"


def size(value: float | None) -> str:
    """Return a number of bytes: `10 B`, `147 kB`, `1.4 MB`; "" for none."""
    if value is None:
        return ""
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5:
            return (
                f"{value:.0f} {unit}" if value >= 10 or unit in ("B", "kB") else _tenth(value, unit)
            )
        value /= 1000
    return f"{value:,.1f} TB"


def _tenth(value: float, unit: str) -> str:
    return f"{value:.1f} {unit}"


def moment(iso: str | None) -> float | None:
    """Return the Unix time of what the store writes as ISO 8601; None for what is no time."""
    try:
        found = datetime.fromisoformat(iso or "")
    except (ValueError, TypeError):
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def clock(at: float | None, now: float, *, seconds: bool = False) -> str:
    """Return a time of day in UTC, with the date where it is more than a day away; "" for none."""
    if at is None:
        return ""
    try:
        when = datetime.fromtimestamp(at, UTC)
    except (OverflowError, OSError, ValueError):
        return ""
    shown = when.strftime("%H:%M:%S" if seconds else "%H:%M")
    if abs(now - at) < 86400:
        return shown
    return f"{when.day} {when.strftime('%b')} {shown}"


def day(at: float) -> str:
    """Return a day and time in words: `6 December at 09:02`."""
    when = datetime.fromtimestamp(at, UTC)
    return f"{when.day} {when.strftime('%B')} at {when.strftime('%H:%M')}"


def plural(count: float, one: str, many: str | None = None) -> str:
    """Return a count with its noun: `1 host`, `5 hosts`."""
    return f"{number(count)} {one if count == 1 else many or one + 's'}"


def some(names: Sequence[str], most: int = 5) -> str:
    """Return the first of many names, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return f"{', '.join(names[:most])}{more}"
