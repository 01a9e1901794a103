"""The pages of a file that a recrawl has chosen: queued a part at a time, as the queue runs low.

To choose a million pages takes half a second, to make their requests twelve. So the crawl makes
them while it fetches, in its commits: `todo` is never empty while a page is left here, and a kill
loses none and queues none twice.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from crawler.store.statements import Statements
from crawler.web import outcome
from crawler.web.request import EARLY, RENEWAL, REVISIT, Todo

if TYPE_CHECKING:
    from crawler.web.visit import Visit

log = logging.getLogger(__name__)

AT_ONCE = 2000  # pages of which requests are made at once: 24 ms of the writer's thread
LOW = 5000  # requests of a recrawl in `todo`, below which more are made

_PARSED = ", ".join(  # others: 304 would leave them so
    f"'{one}'" for one in sorted(outcome.having("stored") - outcome.having("error"))
)
NUMBER = f"CASE WHEN outcome IN ({outcome.names('stored')}) THEN {RENEWAL} ELSE {REVISIT} END"
"""What a request of a recrawl is to its page (`todo.again`), in SQL over `pages`."""
ASKS = f"CASE WHEN outcome IN ({_PARSED}) THEN headers END"
"""The headers whose validators it carries."""

CHOOSE = (
    "INSERT OR IGNORE INTO revisit_queue SELECT p.page_id"
    " FROM pages AS p JOIN (SELECT host_id, name AS host FROM hosts) USING (host_id)"
    " WHERE {where} AND (p.host_id, p.url_hash) NOT IN (SELECT host_id, url_hash FROM todo)"
)
NEXT = (
    "SELECT p.page_id, host_id, url_hash, url, depth, parent_id, callback, request,"
    f" {ASKS}, {NUMBER}, EXISTS (SELECT 1 FROM pages AS later WHERE later.url = p.url"
    " AND later.page_id > p.page_id AND later.url_hash = p.url_hash)"
    " FROM (SELECT page_id FROM revisit_queue ORDER BY page_id LIMIT ?) AS chosen"
    " CROSS JOIN pages AS p USING (page_id)"
)
"""The first of the pages, each with whether a later row tells of the same request."""
TAKEN = (
    "DELETE FROM revisit_queue WHERE page_id IN"
    " (SELECT page_id FROM revisit_queue ORDER BY page_id LIMIT ?)"
)
LEFT = "SELECT EXISTS (SELECT 1 FROM revisit_queue)"
QUEUED_OTHERWISE = (
    "DELETE FROM revisit_queue WHERE page_id IN (SELECT page_id FROM todo CROSS JOIN pages"
    " ON pages.url = todo.url AND pages.url_hash = todo.url_hash WHERE todo.seq >= ?)"
)
"""Leaves out pages of which another request was queued, from a `seq` on."""

Damaged = tuple[int, str]  # a page's id, and what is wrong with its request


def requests(rows: Iterable[Any], first: int) -> tuple[list[Todo], list[Damaged]]:
    """Return the requests of rows of `NEXT`, numbered from `first` on, and what cannot be read."""
    from crawler.store import conditional  # of no use to a first crawl

    todos: list[Todo] = []
    damaged: list[Damaged] = []
    for page_id, host_id, digest, url, depth, parent, callback, request, asks, again, later in rows:
        if later:
            continue
        try:
            extra = conditional.extra(request, asks)
        except (ValueError, TypeError, AttributeError) as error:
            damaged.append((page_id, str(error)))
            continue
        seq = first + len(todos)
        todos.append(
            Todo(host_id, EARLY, seq, digest, url, depth, 0, 0.0, parent, callback, extra, again)
        )
    return todos, damaged


class RevisitQueue:
    """What is left of the pages that a recrawl has chosen, in the commits of a crawl."""

    def __init__(self, db: Statements) -> None:
        self._db = db
        self._queued: int | None = None  # requests of the recrawl in `todo`; None: no page is left

    async def count(self) -> None:
        """Count anew, as after a change of the queue that no visit made."""
        [(left,)] = await self._db.execute_fetchall(LEFT)
        self._queued = None
        if left:
            sql = "SELECT count(*) FROM todo WHERE again > 0"
            [(self._queued,)] = await self._db.execute_fetchall(sql)

    async def more(self, visits: Sequence[Visit], added: Sequence[Todo], seq: int) -> list[Todo]:
        """Return requests, numbered from `seq` on, where few are left beside what a commit adds.

        They come into being in the commit that takes the last ones away.
        """
        if self._queued is None:
            return []
        self._queued -= sum(visit.todo.again > 0 for visit in visits)
        self._queued += sum(todo.again > 0 for todo in added)
        made: list[Todo] = []
        while self._queued is not None and self._queued < LOW:
            made += await self.take(seq + len(made))
        return made

    async def take(self, seq: int) -> list[Todo]:
        """Return the next requests, numbered from `seq` on."""
        import asyncio  # slow, and this module is also for commands that need none

        rows = list(await self._db.execute_fetchall(NEXT, (AT_ONCE,)))
        await self._db.execute(TAKEN, (AT_ONCE,))
        todos, damaged = await asyncio.to_thread(requests, rows, seq)
        for page_id, said in damaged:
            log.warning(
                "page_id %d is not visited again: its request is damaged (%.100s)", page_id, said
            )
        self._queued = (self._queued or 0) + len(todos) if len(rows) == AT_ONCE else None
        return todos

    @property
    def left(self) -> bool:
        """Whether a page is left."""
        return self._queued is not None
