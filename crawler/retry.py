"""Which outcomes are tried again, and when. A retry is a row of `todo` with a later time."""

from __future__ import annotations

from crawler.page import Outcome

RETRIED = frozenset(
    {
        Outcome.TIMEOUT,
        Outcome.CONNECT_ERROR,
        Outcome.DNS_ERROR,
        Outcome.PROTOCOL_ERROR,
        Outcome.BAD_FILE,
        Outcome.RATE_LIMITED,
        Outcome.SERVER_ERROR,
        Outcome.PROXY_ERROR,
    }
)
"""Outcomes that may be otherwise next time."""

SLOWING = frozenset({Outcome.TIMEOUT, Outcome.CONNECT_ERROR, Outcome.RATE_LIMITED})
"""Outcomes after which the whole host rests, and 503 with them (see `slows`)."""

_LASTING = frozenset({501, 505, 511})  # server errors that trying again does not mend


def outcome_of(status: int) -> Outcome:
    """Give the outcome that an HTTP status means (RFC 9110 section 15)."""
    if 200 <= status < 300:
        return Outcome.OK
    if status in (301, 302, 303, 307, 308):
        return Outcome.REDIRECT
    if status == 304:
        return Outcome.NOT_MODIFIED
    if status in (404, 410):
        return Outcome.NOT_FOUND
    if status == 429:
        return Outcome.RATE_LIMITED
    if status == 408:
        return Outcome.TIMEOUT
    if 500 <= status < 600:
        return Outcome.SERVER_ERROR
    return Outcome.HTTP_ERROR


def slows(outcome: Outcome, status: int | None) -> bool:
    """Tell whether the host should rest after this."""
    return outcome in SLOWING or status == 503


def wait(
    outcome: Outcome,
    attempts: int,
    *,
    status: int | None,
    asked: float | None,
    retries: int,
    first: float,
    jitter: float,
) -> float | None:
    """Give the seconds until the next try, None when this was the last one.

    Doubles from `first` with each try, up to 10 minutes, half of it spread by `jitter` (0 to 1) so
    that failures together do not come back together; `asked` (Retry-After, seconds) wins.
    """
    if outcome not in RETRIED or attempts >= retries or status in _LASTING:
        return None
    if asked is not None:
        return asked
    whole = min(600.0, first * 2.0**attempts)
    return whole / 2 + whole / 2 * jitter
