"""Trying again by the crawl's own rules (`crawler.politeness.retry`), for a client that waits."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from crawler.clients.ratelimit import RateLimit
from crawler.errors import FetchError
from crawler.politeness import retry
from crawler.politeness.retry_after import retry_after
from crawler.web.outcome import Outcome, outcome_of
from crawler.web.response import Response

T = TypeVar("T")


class Sleep(Protocol):
    """Waits for some seconds; tests give one that does not."""

    def __call__(self, seconds: float, /) -> Awaitable[object]: ...


@dataclass(frozen=True, slots=True)
class Retries:
    """How often and when a call is tried again.

    `tries` after the first; `first` seconds before the first of them, doubling, half of it spread
    at random; Retry-After wins, up to `longest` seconds: who asks for more is not waited for.
    """

    tries: int = 3
    first: float = 0.5
    longest: float = 120.0
    sleep: Sleep = asyncio.sleep

    def wait(self, outcome: Outcome, attempts: int, answer: Response | None) -> float | None:
        """Return the seconds until the next try after `attempts` others, None for no more."""
        asked = None
        if answer is not None:
            asked = retry_after(answer.headers.get("Retry-After"), time.time())
        seconds = retry.wait(
            outcome,
            attempts,
            status=answer.status if answer else None,
            asked=asked,
            retries=self.tries,
            first=self.first,
            jitter=random.random(),
        )
        return None if seconds is None or seconds > self.longest else seconds


async def with_retries(
    fetch: Callable[[], Awaitable[Response]], retries: Retries, *, limit: RateLimit | None = None
) -> Response:
    """Return the answer of the first try that needs no other, else the last; FetchError if none.

    Every try waits for the `limit`.
    """
    attempts = 0
    while True:
        answer, error = None, None
        if limit is not None:
            await limit.acquire()
        try:
            answer = await fetch()
            if answer.status < 400:
                return answer
            outcome = outcome_of(answer.status)
        except FetchError as problem:
            error, outcome = problem, Outcome(problem.outcome)
        seconds = retries.wait(outcome, attempts, answer)
        if seconds is None:
            break
        await retries.sleep(seconds)
        attempts += 1
    if answer is None:
        assert error is not None
        raise error
    return answer
