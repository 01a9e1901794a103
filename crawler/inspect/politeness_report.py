"""How polite a crawl was, proven from its store: starts, spacing and requests in flight per host.

Every try is a row of `pages` or `attempts` with its start and its seconds. The last fetch of each
robots.txt counts as a start, too; earlier ones, a day or more before, left no row.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby, pairwise

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

    The promise is that of the last run's settings, and the Crawl-delay is not among them: it is
    only ever longer. Starts of different runs are compared too.
    """
    delay, per_host = _promise(reader)
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
        found.append(_of(name, tries, delay, per_host))
    return sorted(found, key=lambda one: -one.requests)


def _promise(reader: Reader) -> tuple[float, int]:
    rows = list(reader.query("SELECT settings FROM runs ORDER BY run_id DESC LIMIT 1").rows)
    with damage.told(reader.path, "runs.settings of the last run"):
        settings = json.loads(rows[0][0] or "{}") if rows else {}
        politeness = settings.get("politeness", {})
        return politeness.get("delay", 0.25), politeness.get("per_host", 2)


def _of(host: str, tries: list[tuple[float, float]], delay: float, per_host: int) -> HostPoliteness:
    starts = [start for start, _ in tries]
    gaps = sorted(later - sooner for sooner, later in pairwise(starts))
    return HostPoliteness(
        host,
        len(tries),
        most_at_once(tries),
        gaps[0] if gaps else None,
        gaps[len(gaps) // 2] if gaps else None,
        sum(gap < delay - _TOLERANCE for gap in gaps),
        delay,
        per_host,
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
