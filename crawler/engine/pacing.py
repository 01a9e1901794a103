"""Pacing: what the end of a visit does to its host, and when a request is tried again.

The decisions are those of `politeness`; here they meet the hosts of the frontier.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable
from datetime import datetime

from crawler.config.layers import Config
from crawler.frontier import Frontier
from crawler.frontier.host_queue import HostQueue
from crawler.politeness import retry, throttle
from crawler.politeness.retry_after import retry_after
from crawler.web.outcome import Outcome, having
from crawler.web.response import Response
from crawler.web.visit import Visit

_LOOK_AGAIN = 60.0  # seconds
_FEW_TOGETHER = 3  # requests of a host in flight, for which `give_up_after` is meant as it stands

# Not those that may be late, nor of a part of a feed, which takes no slot of its host.
UNSENT = (
    frozenset(Outcome)
    - having("sent")
    - {Outcome.INTERNAL_ERROR, Outcome.RECORDS, Outcome.RECORD_ERROR}
)
"""The outcomes of requests whose slot another may have, if there was no response."""


class Pacing:
    """Lets hosts rest, slows them down, speeds them up and gives them up."""

    def __init__(
        self, config: Config, frontier: Frontier, hurry: Callable[[], None] = lambda: None
    ) -> None:
        """`hurry` lets the next visit be committed at once: a host has asked for a rest."""
        politeness = config.politeness
        self._frontier, self._fetch, self._hurry = frontier, config.fetch, hurry
        self._workers = config.engine.workers
        self.limits = throttle.PauseLimits(
            *(politeness.max_delay, politeness.max_retry_after),
            *(politeness.adaptive, politeness.load),
        )
        self._give_up_after = politeness.give_up_after
        self.quiet_hours = throttle.spans_of(politeness.quiet_hours)

    async def keep_quiet(self) -> bool:
        """Wait for the end of the quiet hours, or until stopped; tell whether there was a wait."""
        quiet = throttle.quiet_for(self.quiet_hours, datetime.now())
        if not quiet:
            return False
        with contextlib.suppress(TimeoutError):  # looks again soon: the clock may be set anew
            await asyncio.wait_for(self._frontier.stopping.wait(), min(quiet, _LOOK_AGAIN))
        return True

    def next_try(self, visit: Visit) -> float | None:
        """Return the time at which a request is tried again, None if that would change nothing."""
        asked = _asked(visit.response)
        if asked is not None:
            asked = min(asked, self.limits.max_retry_after)
        seconds = retry.wait(
            visit.outcome,
            visit.todo.attempts,
            status=visit.status,
            asked=asked,
            retries=self._fetch.retries,
            first=self._fetch.retry_delay,
            jitter=random.random(),
            statuses=self._fetch.retry_status,
        )
        return None if seconds is None else self._frontier.wall() + seconds

    def note(self, host: HostQueue, visit: Visit, turn: float) -> None:
        """Let trouble slow the host down, and an answer without trouble speed it up a little.

        Requests whose `turn` came before the host was slowed down met the same trouble: a hundred
        that are under way together slow it down once, not a hundred times.
        """
        self._doubt(host, visit)
        slows = retry.slows(visit.outcome, visit.status)
        self.slow(host, visit.response, turn, slows=slows)

    def slow(self, host: HostQueue, response: Response | None, turn: float, *, slows: bool) -> None:
        """Slow the host down where this was trouble for it, and up where it was not."""
        if not slows:
            if response is not None and response.status < 300:  # a fast error proves nothing
                host.recover(response.elapsed, self.limits)
            return
        now, asked = self._frontier.now(), _asked(response)
        if asked is not None:
            self._hurry()
        slower, rest = throttle.slowed(host.pace, asked, self.limits)
        if turn >= host.slowed_at:
            host.slow_down(slower, now)
        elif asked is None:
            return
        self._frontier.rest(host, now + rest)

    def unreachable(self, host: HostQueue) -> None:
        """Count a try to get a host's robots.txt that failed."""
        host.failed()
        self._weigh(host, 0.0, "robots.txt cannot be had")

    def _doubt(self, host: HostQueue, visit: Visit) -> None:
        """Let a host rest that fails again and again, and in the end give it up."""
        share = retry.share(visit.outcome, visit.status)
        if share is None:
            if visit.status is not None:
                host.answered()
            return
        if visit.todo.attempts and retry.may_be_of_page(visit.outcome, visit.status):
            return
        host.failed()
        pause = throttle.pause(host.failures, self.limits)
        if pause and visit.status != 403:  # which costs a server nothing
            self._frontier.rest(host, self._frontier.now() + pause)
        last = visit.error.strip().rpartition("\n")[2] if visit.error else visit.status
        together = min(host.pace.per_host, self._workers)
        self._weigh(host, share, f"{visit.outcome}, {last}", together=together)

    def _weigh(self, host: HostQueue, share: float, last: str, *, together: int = 1) -> None:
        """Abandon a host whose failures in a row outweigh what it has answered before.

        Requests that are under way `together` fail together, of one short outage.
        """
        rounds = max(1.0, together / _FEW_TOGETHER)
        enough = max(self._give_up_after * rounds, share * host.answers)
        if self._give_up_after and host.failures >= enough and host.given_up is None:
            reason = f"{host.failures} failures in a row, the last: {last}"
            self._frontier.give_up(host, reason)


def _asked(response: Response | None) -> float | None:
    """Return the seconds that an answer asks us to wait, None if there is none or it does not."""
    return retry_after(response.headers.get("Retry-After"), time.time()) if response else None
