"""Candidates of a flush: where each was found, and the rows of the queue that new ones become."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain

from crawler.web.request import FIRST, NEEDED, REVISIT, Candidate, Todo, early
from crawler.web.visit import Visit

Found = tuple[Candidate, int | None, int]
"""A candidate, the page that it was found on, and what it is to its page (`todo.again`)."""


def to_queue(
    candidates: Iterable[Found],
    ids: Mapping[str, int],
    new: set[tuple[int, int]],
    next_seq: Callable[[], int],
) -> list[Todo]:
    """Return the rows of the candidates that are `new` (host and hash of their URL), or forced."""
    added = []
    for candidate, parent_id, again in candidates:
        host, number, url, depth, rank, callback, extra, force, at, _ = candidate
        key = (ids[host], number)
        if key in new or force:
            new.discard(key)
            rank = early(rank) if again else rank
            row = (key[0], rank, next_seq(), number, url, depth, 0, at, parent_id, callback, extra)
            added.append(Todo(*row, again=again))
    return added


def with_parents(
    seeds: Iterable[Candidate], rows: Iterable[tuple[int | None, Visit]]
) -> Iterator[Found]:
    """Return every candidate with the id of the page that it was found on.

    Where a recrawl comes to a redirect, what is behind it belongs to the recrawl, too.
    """
    found = (
        (candidate, page_id, NEEDED if candidate.needed else again)
        for page_id, visit in rows
        for again in (REVISIT if visit.todo.again and visit.redirect_to is not None else FIRST,)
        for candidate in visit.candidates
    )
    return chain(((seed, None, FIRST) for seed in seeds), found)
