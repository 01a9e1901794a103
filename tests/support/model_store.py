"""The store as a model: what every backend must do, in a few dictionaries.

It serves as the oracle of the contract suite, and lets the laws of the frontier be tried on
thousands of small webs without a disk.
"""

import asyncio

from crawler.store import Batch, Committed, HostRow
from crawler.web.request import Todo


class ModelStore:
    """Commits in memory; `latency` virtual seconds a call."""

    def __init__(self, latency: float = 0.0) -> None:
        self.latency = latency
        self.ids: dict[str, int] = {}
        self.seen: set[tuple[int, int]] = set()
        self.todo: dict[int, dict[tuple[int, int], Todo]] = {}
        self.ended: list[tuple[str, str]] = []
        self.next_at: dict[int, float] = {}
        self.seeded = False
        self.seq = 0
        self.promised = 0.0

    @property
    def pending(self) -> int:
        return sum(map(len, self.todo.values()))

    async def commit(self, batch: Batch) -> Committed:
        await asyncio.sleep(self.latency)
        met: dict[int, HostRow] = {}
        added: list[Todo] = []
        ended = [visit for visit in batch.visits if visit.retry_at is None]
        for candidate in [*batch.seeds, *(c for visit in ended for c in visit.candidates)]:
            if candidate.host not in self.ids:
                self.ids[candidate.host] = len(self.ids) + 1
                host_id = self.ids[candidate.host]
                met[host_id] = HostRow(host_id, candidate.host)
            host_id = self.ids[candidate.host]
            if (host_id, candidate.url_hash) not in self.seen or candidate.force:
                self.seen.add((host_id, candidate.url_hash))
                added.append(self._todo(candidate, host_id))
        new = len(added)
        for visit in batch.visits:
            del self.todo[visit.todo.host_id][visit.todo.key]
            if visit.retry_at is None:
                self.ended.append((visit.todo.url, str(visit.outcome)))
            else:
                tries = visit.todo.attempts + 1
                again = visit.todo._replace(attempts=tries, not_before=visit.retry_at)
                added.append(again._replace(seq=self._next()))
        for todo in added:
            self.todo.setdefault(todo.host_id, {})[todo.key] = todo
        self.next_at.update((row.host_id, row.next_at) for row in batch.hosts)
        self.seeded = self.seeded or batch.seeded
        return Committed(added, met, new)

    def promise(self, until: float) -> None:
        self.promised = until

    def _next(self) -> int:
        self.seq += 1
        return self.seq

    def _todo(self, candidate, host_id: int) -> Todo:
        _, url_hash, url, depth, rank, callback, extra, *_ = candidate
        seq = self._next()
        return Todo(host_id, rank, seq, url_hash, url, depth, 0, 0.0, None, callback, extra)

    async def hosts(self, after: int, limit: int, *, again: bool = False) -> list[HostRow]:
        await asyncio.sleep(self.latency)
        if again:
            return []  # the model knows no recrawl
        names = {host_id: name for name, host_id in self.ids.items()}
        found = [host_id for host_id in sorted(names) if host_id > after and self.todo.get(host_id)]
        return [
            HostRow(host_id, names[host_id], len(self.todo[host_id]), self.next_at.get(host_id, 0))
            for host_id in found[:limit]
        ]

    async def queue(self, host_id: int, after: tuple[int, int], limit: int) -> list[Todo]:
        await asyncio.sleep(self.latency)
        rows = self.todo.get(host_id, {})
        return [rows[key] for key in sorted(rows) if key > after][:limit]
