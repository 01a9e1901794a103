"""How polite a crawl was, proven from its store: starts, spacing and requests in flight per host.

Every try is a row of `pages` or `attempts` with its start and its seconds. The last fetch of each
robots.txt counts as a start, too; earlier ones, a day or more before, left no row.
"""

from __future__ import annotations

import heapq
import json
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, pairwise
from typing import NamedTuple

from crawler.config.layers import Config
from crawler.inspect.bounds import config_of
from crawler.inspect.query import Reader
from crawler.store import damage
from crawler.web import outcome

_SENT = (
    "SELECT host_id, {at} AS at, coalesce(elapsed, 0) FROM {table}"
    f" WHERE outcome IN ({outcome.names('sent')})"
)
_ROBOTS = (
    "SELECT host_id, strftime('%Y-%m-%dT%H:%M:%fZ', fetched_at, 'unixepoch'), 0 FROM robots"
    " WHERE status IS NOT NULL"
)


@dataclass(frozen=True, slots=True)
class HostPoliteness:
    """One host: requests, most in flight at once, and the seconds between two starts."""

    host: str
    requests: int
    in_flight: int
    least: float | None
    median: float | None
    early: int
    delay: float
    per_host: int

    @property
    def kept(self) -> bool:
        """Whether both promises were kept, to the millisecond."""
        return self.in_flight <= self.per_host and not self.early


_TOLERANCE = 0.002  # seconds: starts are stored in whole milliseconds


def manners(reader: Reader) -> list[HostPoliteness]:
    """Return how each host was treated, the busiest first.

    The promise is that of the settings of the run in which a request began, and the Crawl-delay is
    not among them: it is only ever longer. Starts of different runs are compared too.
    """
    promises = _promises(reader)
    names = dict(reader.query("SELECT host_id, name FROM hosts").rows)
    sent = reader.query(
        f"{_SENT.format(at='fetched_at', table='pages')}"
        f" UNION ALL {_SENT.format(at='at', table='attempts')} UNION ALL {_ROBOTS} ORDER BY 1, 2"
    ).rows
    found = []
    for host_id, rows in groupby(sent, key=lambda row: row[0]):
        name = names.get(host_id, "?")
        with damage.told(reader.path, f"a time of {name} in pages, attempts or robots"):
            tries = [
                (datetime.fromisoformat(at).timestamp(), float(seconds)) for _, at, seconds in rows
            ]
        found.append(_of(name, tries, promises))
    return sorted(found, key=lambda one: -one.requests)


class _Promise(NamedTuple):
    """What the settings of a run promise, from its start on."""

    since: float
    config: Config

    def of(self, host: str) -> tuple[float, int]:
        """Return the seconds between two starts at a host, and the most in flight."""
        own, all_others = self.config.hosts.of(host), self.config.politeness
        delay = all_others.delay if own.delay is None else own.delay
        return delay, own.per_host or all_others.per_host


def _promises(reader: Reader) -> list[_Promise]:
    """Return the promises of the runs, the first run's for whatever was before it."""
    found = []
    for run_id, started, settings in reader.query(
        "SELECT run_id, started_at, settings FROM runs ORDER BY started_at"
    ).rows:
        with damage.told(reader.path, f"the row of runs with run_id {run_id}"):
            since = datetime.fromisoformat(started).timestamp()
            found.append(_Promise(since, config_of(json.loads(settings or "{}"))))
    return found or [_Promise(0.0, Config())]


def _of(host: str, tries: list[tuple[float, float]], promises: list[_Promise]) -> HostPoliteness:
    starts = [start for start, _ in tries]
    runs = [max(0, bisect_right(promises, at, key=lambda one: one.since) - 1) for at in starts]
    made = {run: promises[run].of(host) for run in dict.fromkeys(runs)}
    gaps = [later - sooner for sooner, later in pairwise(starts)]
    early = sum(gap < made[run][0] - _TOLERANCE for gap, run in zip(gaps, runs[1:], strict=True))
    gaps.sort()
    return HostPoliteness(
        host,
        len(tries),
        most_at_once(tries),
        gaps[0] if gaps else None,
        gaps[len(gaps) // 2] if gaps else None,
        early,
        made[runs[-1]][0],
        max(per_host for _, per_host in made.values()),
    )


def most_at_once(tries: Iterable[tuple[float, float]]) -> int:
    """Return how many of the tries (start, seconds), in the order of their starts, overlap at most.

    One that ends within the tolerance of another's start is over by then.
    """
    ends: list[float] = []
    most = 0
    for start, seconds in tries:
        while ends and ends[0] <= start + _TOLERANCE:
            heapq.heappop(ends)
        heapq.heappush(ends, start + seconds)
        most = max(most, len(ends))
    return most
