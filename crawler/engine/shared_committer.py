"""The committer of one of several worker processes: it takes hosts, and gives them back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from crawler.engine.committer import Committer
from crawler.frontier.page_limit import PageTickets
from crawler.frontier.shared import SharedFrontier
from crawler.store import SharedStore

_TICK = 0.25  # seconds between two looks for hosts, where workers wait
_CLAIMED = 64  # hosts taken at once
_TICKETS = 32  # pages that are asked for at once


class SharedCommitter(Committer):
    """Takes as many hosts as workers wait for work, and looks whether all of the crawl is done."""

    def __init__(
        self,
        store: SharedStore,
        frontier: SharedFrontier,
        *,
        rescope: Callable[[], Awaitable[None]],
        **options: Any,
    ) -> None:
        """`rescope` is called after hosts were taken: other workers may have widened the scope."""
        super().__init__(store, frontier, **options)
        self._shared, self._leased, self._rescope = store, frontier, rescope

    async def watch(self) -> None:
        """Keep the lease, and look for work and for the end, until cancelled."""
        while True:
            await asyncio.sleep(_TICK)
            await self._shared.check()
            if self._shared.order is not None:
                self._leased.stop(self._shared.order)
            if self._leased.idle or not self._leased.hosts:
                self._unloaded = True
                self._due.set()

    def finish(self) -> None:
        """Let `run` end after a last flush, which says when each host may be asked next."""
        hosts = self._leased.hosts.values()
        self._resting.update(host.host_id for host in hosts if host.touched)
        super().finish()

    async def _take_turn(self) -> None:
        async with self._turn:
            await self._flush()
            await self._give_back()
            await self._get_tickets()
            await self._load()
            await self._look()

    async def _give_back(self) -> None:
        """Release hosts of which nothing is left here, as far as they were not met again."""
        gone, self._leased.let_go = self._leased.let_go, []
        hosts = [host_id for host_id in gone if host_id not in self._leased.hosts]
        if hosts:
            await self._shared.release(hosts)

    async def _load_hosts(self) -> None:
        """Take hosts for the workers that wait, and no more: others wait, too."""
        self._unloaded = False
        frontier = self._leased
        limit = min(_CLAIMED, frontier.vacant, frontier.idle)
        if not limit or frontier.stopped is not None:
            return
        again = frontier.limit is not None and frontier.limit.closed
        rows = await self._shared.claim(limit, again=again)
        for row in rows:
            if row.host_id not in frontier.hosts:
                self._admit(row)
        if rows:
            await self._rescope()

    async def _get_tickets(self) -> None:
        """Ask for more pages that may begin, where none may and workers wait."""
        frontier, limit = self._leased, self._leased.limit
        if not isinstance(limit, PageTickets) or limit.room or not frontier.in_memory:
            return
        if frontier.stopped is not None:
            return
        granted, left = await self._shared.tickets(max(_TICKETS, frontier.idle), limit.most)
        if granted:
            frontier.grant(granted)
        elif left <= 0 and limit.reached:
            self._spent()

    def _spent(self) -> None:
        """End, as all pages are stored that there may be."""
        self._leased.spent = True
        self._leased.check()

    async def _look(self) -> None:
        """Ask the store whether all is done, where nothing is to be done here."""
        frontier = self._leased
        if frontier.hosts or frontier.in_flight or self._batch or frontier.stopped is not None:
            return
        limit = frontier.limit
        if isinstance(limit, PageTickets):
            limit.give_back()
            _, left = await self._shared.tickets(0, limit.most)
            if left <= 0 and limit.reached:
                self._spent()
                return
        if await self._shared.over():
            frontier.over, frontier.pending = True, 0
            frontier.check()
