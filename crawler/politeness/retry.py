"""Which outcomes are tried again, and when. A retry is a row of `todo` with a later time."""

from __future__ import annotations

from collections.abc import Collection

from crawler.web.outcome import MEANINGS, Outcome, outcome_of

_LASTING = frozenset({501, 505, 511})  # server errors that trying again does not mend


def slows(outcome: Outcome, status: int | None) -> bool:
    """Return whether the host should rest after this."""
    return MEANINGS[outcome].slows or status == 503


def share(outcome: Outcome, status: int | None) -> float | None:
    """Return how many failures in a row speak against a host for each good answer it has given.

    0.0 where it gave no answer at all: what was before proves nothing. Errors weigh against the
    answers, because the broken or closed part of a site is not the whole of it; 403 the least.
    None where the outcome is no failure of the host.
    """
    if status == 403:
        return 1.0
    return 0.1 if status == 408 else MEANINGS[outcome].weight


def may_be_of_page(outcome: Outcome, status: int | None) -> bool:
    """Return whether a page may fail so on a host without trouble.

    Then only its first failure speaks against the host: the next ones tell nothing new, and come
    one after the other where a few such pages stand together.
    """
    return outcome is Outcome.SERVER_ERROR and status != 503


LONGEST = 600.0
"""Seconds until the next try at most, where the host does not ask for more."""


def wait(
    outcome: Outcome,
    attempts: int,
    *,
    status: int | None,
    asked: float | None,
    retries: int,
    first: float,
    jitter: float,
    statuses: Collection[int] | None = None,
) -> float | None:
    """Return the seconds until the next try, None if this was the last one.

    Doubles from `first` with each try, up to `LONGEST`, half of it spread by `jitter` (0 to 1) so
    that failures together do not come back together; `asked` (Retry-After, seconds) wins.
    `statuses` are those that are tried again; None: those of which the outcome says so.
    """
    if statuses is not None and status is not None and outcome is outcome_of(status):
        again = status in statuses
    else:
        again = MEANINGS[outcome].retried and status not in _LASTING
    if not again or attempts >= retries:
        return None
    if asked is not None:
        return asked
    whole = min(LONGEST, first * 2.0**attempts)
    return whole / 2 + whole / 2 * jitter
