"""Checks of links that lead out of scope: whether something is there, and nothing more.

A check is a request like any other: robots.txt, pace, address guard and retries hold, it is in the
queue, and its outcome is a row. It is no page: nothing of it is kept, and it leads nowhere.
"""

from __future__ import annotations

from crawler.web.outcome import Outcome, having
from crawler.web.request import Request, Todo

CHECK = "check"
"""The `kind` of a request that only asks whether something is there."""

_BROKEN = having("broken")
_AS_GOOD_AS_THERE = frozenset({Outcome.OK, Outcome.NOT_MODIFIED})


def check_of(url: str) -> Request:
    """Return the request that checks a canonical URL: a HEAD (RFC 9110 section 9.3.2)."""
    return Request(url, "HEAD", kind=CHECK)


def as_sent(request: Request, todo: Todo, *, read: bool) -> Request:
    """Return a check as it is sent now: a HEAD at first, a GET whenever it is tried again.

    With `read`, as its anchors are asked for, it is a GET at once.

    Servers refuse HEAD with 405, 501, 403, 404 and more, so whatever it says that is an error has
    to be said to a GET, too.
    """
    return request.replace(method="GET") if read or todo.attempts else request


def asks_again(outcome: Outcome, request: Request) -> bool:
    """Return whether a GET is to say what a HEAD said."""
    return request.method == "HEAD" and outcome in _BROKEN


def checked(outcome: Outcome) -> Outcome:
    """Return how a check ended whose answer would have been this outcome of a page."""
    return Outcome.CHECKED if outcome in _AS_GOOD_AS_THERE else outcome
