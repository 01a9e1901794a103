"""What a server saw: one record per request, and the two proofs of politeness over them."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise


@dataclass(slots=True)
class Hit:
    """One request as the server saw it.

    `target` is the request target as it came over the wire, `path` the part before its `?`.
    `started` and `ended` are monotonic seconds; `ended` and `status` are None while in flight
    (`status` stays None where the client went away).
    """

    method: str
    path: str
    started: float
    ended: float | None
    host: str
    headers: Mapping[str, str] = field(repr=False)
    target: str
    status: int | None = None


def max_in_flight(hits: Iterable[Hit]) -> int:
    """The highest number of requests that were open at one moment."""
    moments = []
    for hit in hits:
        moments.append((hit.started, 1))
        if hit.ended is not None:
            moments.append((hit.ended, -1))
    # An end and a start in the same instant do not overlap: -1 sorts before +1.
    open_now = highest = 0
    for _, step in sorted(moments):
        open_now += step
        highest = max(highest, open_now)
    return highest


def spacing(hits: Iterable[Hit], without: Collection[str] = ()) -> list[float]:
    """The seconds between one start and the next, for all hits but those on paths in `without`."""
    starts = sorted(hit.started for hit in hits if hit.path not in without)
    return [later - earlier for earlier, later in pairwise(starts)]
