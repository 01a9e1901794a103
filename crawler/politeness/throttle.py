"""The pace at which a host is visited: its own response time, and what trouble does to it.

Plain decisions: time is a parameter, nothing sleeps here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime, time, timedelta

from msgspec import Struct
from msgspec.structs import replace

from crawler.errors import ConfigError
from crawler.lazy_regex import lazy
from crawler.politeness.rate import Rate


class Pace(Struct, frozen=True):
    """Seconds between two starts, requests in flight at once, and slow-downs in a row.

    `floor` is the least delay: the setting, or a longer Crawl-delay; None stands for `delay`.
    `latency` is the mean of the last response times, in seconds, the latest counting half.
    `rate` caps the starts in any window of time, beside the delay.
    """

    delay: float
    per_host: int
    failures: int = 0
    floor: float | None = None
    latency: float = 0.0
    rate: Rate | None = None

    @property
    def least(self) -> float:
        """The least delay, in seconds."""
        return self.delay if self.floor is None else self.floor


class PauseLimits(Struct, frozen=True):
    """How long a host may be left alone: on its own account, and because it asked.

    `adaptive`: the delay follows the response time. `load` is the share of its time that a host
    spends on us: 1.0 waits as long as an answer took.
    """

    max_delay: float
    max_retry_after: float
    adaptive: bool = True
    load: float = 1.0


_LEAST_STEP = 0.25  # seconds: the delay of a host in trouble, where there is none at all
_FEW, _LONGEST_PAUSE = 5, 10.0
_RECOVERY = 0.9  # what an answer without trouble leaves of a delay that is too long


def slowed(pace: Pace, asked: float | None, limits: PauseLimits) -> tuple[Pace, float]:
    """Return the pace after trouble (429, 503, a time-out) and the seconds that the host rests now.

    The rest doubles with each trouble in a row, from one second or the delay; what the host
    itself asked for in Retry-After wins. The delay doubles, too, and stays when the rest is over.
    """
    failures = pace.failures + 1
    own = min(limits.max_delay, max(1.0, pace.delay) * 2.0 ** min(failures - 1, 16))
    rest = min(limits.max_retry_after, asked) if asked is not None else own
    if not limits.adaptive:
        return replace(pace, failures=failures, floor=pace.least), rest
    delay = min(max(limits.max_delay, pace.least), max(_LEAST_STEP, 2 * pace.delay))
    return replace(pace, failures=failures, floor=pace.least, delay=delay), rest


def pause(failed: int, limits: PauseLimits) -> float:
    """Return the seconds that a host rests after the `failed`-th failure in a row, of any kind.

    The first few may be those of a few pages: 1, 2, 4 … 10 seconds from the fifth on.
    """
    if failed < _FEW:
        return 0.0
    return min(_LONGEST_PAUSE, limits.max_delay, 2.0 ** min(failed - _FEW, 16))


def recovered(pace: Pace, elapsed: float, limits: PauseLimits) -> Pace:
    """Return the pace after an answer without trouble that took `elapsed` seconds.

    One step back, not all at once. The delay follows the response time between its floor and
    `max_delay`: up at once, down by a tenth with each answer. With a floor of 0 there is nothing
    to follow: that is a host of one's own.
    """
    if not pace.failures and (not limits.adaptive or pace.delay == 0.0):
        return pace
    least = pace.least
    latency = elapsed if pace.latency == 0.0 else (pace.latency + elapsed) / 2
    if limits.adaptive:
        wanted = max(least, min(limits.max_delay, latency / limits.load)) if least else 0.0
        delay = max(wanted, min(pace.delay, pace.delay * _RECOVERY - 0.001))
    else:
        delay = pace.delay
    failures = max(0, pace.failures - 1)
    return replace(pace, delay=delay, failures=failures, latency=latency, floor=least)


# ---------------------------------------------------------------- quiet hours

_SPAN = lazy(r"([01]?\d|2[0-4]):([0-5]\d)\s*-\s*([01]?\d|2[0-4]):([0-5]\d)", re.ASCII)
Span = tuple[time, time]


def spans_of(texts: Iterable[str]) -> tuple[Span, ...]:
    """Read quiet hours like "22:00-06:30"; ConfigError for any other text."""
    return tuple(_span(text) for text in texts)


def _span(text: str) -> Span:
    found = _SPAN.fullmatch(text.strip())
    if found is None or "24:" in text.replace("24:00", ""):
        raise ConfigError(
            f"politeness.quiet_hours: {text!r} is no span of time; write it like 22:00-06:00"
        )
    first, last = (
        time(int(hour) % 24, int(minute)) for hour, minute in (found.group(1, 2), found.group(3, 4))
    )
    return first, last


def quiet_for(spans: Iterable[Span], now: datetime) -> float:
    """Return the seconds until the quiet hours that `now` lies in end; 0.0 where it lies in none.

    A span that ends before it starts goes over midnight; one that ends where it starts is a day.
    """
    waits = [0.0]
    clock = now.time().replace(tzinfo=None)
    for first, last in spans:
        over_midnight = last <= first
        inside = clock >= first or clock < last if over_midnight else first <= clock < last
        if inside:
            end = now.replace(hour=last.hour, minute=last.minute, second=0, microsecond=0)
            if end <= now:
                end += timedelta(days=1)
            waits.append((end - now).total_seconds())
    return max(waits)
