"""Numbers of pages, requests and hosts: made ready before a flush, without waiting for others."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from crawler.store import Batch, HostRow
from crawler.store.postgres.leases import Leases
from crawler.web.request import Candidate

if TYPE_CHECKING:
    import asyncpg

_PAGE_IDS, _SEQS = 200, 1000  # by which the sequences go on
_HOST_NAMES = 50_000  # names whose ids are remembered; 100 bytes each


class Numbers:
    """Numbers that no other worker has, taken from a sequence by the block."""

    def __init__(self, sequence: str, block: int) -> None:
        self._sequence, self._block = sequence, block
        self._blocks: list[tuple[int, int]] = []

    async def reserve(self, db: asyncpg.Connection, number: int) -> None:
        """Have at least `number` of them at hand; a number may stay unused."""
        short = number - sum(end - start for start, end in self._blocks)
        if short > 0:
            rows = await db.fetch(
                f"SELECT nextval('{self._sequence}') FROM generate_series(1, $1::integer)",
                -(-short // self._block),
            )
            self._blocks += [(row[0], row[0] + self._block) for row in rows]

    async def give_back(self, db: asyncpg.Connection) -> None:
        """Let the sequence go on behind the last number taken, where nobody took one since."""
        if not self._blocks:
            return
        start, _ = self._blocks[0]
        block = self._blocks[-1][1] - self._block
        # The lock by which the sequence changes keeps others from taking a number.
        await db.execute(f"ALTER SEQUENCE {self._sequence} OWNED BY NONE")
        last = await db.fetchval(f"SELECT last_value FROM {self._sequence}")
        whole = self._blocks[-1][1] - start == sum(b - a for a, b in self._blocks)
        if last == block and whole:
            await db.execute(f"ALTER SEQUENCE {self._sequence} RESTART WITH {start}")
        self._blocks.clear()

    def take(self) -> int:
        """Return the next one."""
        start, end = self._blocks[0]
        if start + 1 == end:
            del self._blocks[0]
        else:
            self._blocks[0] = (start + 1, end)
        return start


class Numbering:
    """The numbers of one worker; it remembers the ids of hosts by their names."""

    def __init__(self, leases: Leases) -> None:
        self.leases = leases
        self.ids: dict[str, int] = {}
        self.pages = Numbers("crawl_page_ids", _PAGE_IDS)
        self.seqs = Numbers("crawl_seqs", _SEQS)

    async def name_hosts(self, db: asyncpg.Connection, batch: Batch) -> dict[int, HostRow]:
        """Number the hosts of a batch that are not remembered, in a transaction of its own.

        A host that nobody knew is this worker's at once, as long as it has room.
        """
        names = dict.fromkeys(candidate.host for candidate in _candidates(batch))
        unknown = [name for name in names if name not in self.ids]
        if not unknown:
            return {}
        if len(self.ids) > _HOST_NAMES:
            self.ids.clear()
            unknown = list(names)
        found = await self._known_hosts(db, unknown)
        missing = [name for name in unknown if name not in found]
        if missing:
            await self._make_hosts(db, missing)
            found |= await self._known_hosts(db, missing)
        self.ids.update((name, row.host_id) for name, row in found.items())
        return {row.host_id: row for row in found.values()}

    async def _known_hosts(self, db: asyncpg.Connection, names: list[str]) -> dict[str, HostRow]:
        rows = await db.fetch(
            "SELECT host_id, name, 0, next_at, delay, failures, pages, worker_id FROM crawl_hosts"
            " WHERE name = ANY($1::text[])",
            names,
        )
        own = self.leases.worker_id
        self.leases.held.update(row[0] for row in rows if row["worker_id"] == own)
        return {row[1]: self.leases.read(HostRow(*tuple(row)[:7])) for row in rows}

    async def _make_hosts(self, db: asyncpg.Connection, names: list[str]) -> None:
        ids = await db.fetch(
            "SELECT nextval('crawl_hosts_host_id_seq') FROM generate_series(1, $1::integer)",
            len(names),
        )
        room = self.leases.vacant
        own = self.leases.worker_id
        rows = sorted(
            (name, row[0], own if place < room else None)
            for place, (name, row) in enumerate(zip(names, ids, strict=True))
        )
        await db.execute(
            "INSERT INTO crawl_hosts (name, host_id, worker_id) SELECT * FROM"
            " unnest($1::text[], $2::bigint[], $3::bigint[]) ON CONFLICT DO NOTHING",
            *map(list, zip(*rows, strict=True)),
        )
        if self.leases.groups is not None:
            await self.leases.groups.name(db, [(row[1], row[0]) for row in rows])

    async def give_back(self, db: asyncpg.Connection) -> None:
        """Let the sequences go on behind what was needed, so that one worker leaves no gaps."""
        await self.pages.give_back(db)
        await self.seqs.give_back(db)

    async def reserve(self, db: asyncpg.Connection, batch: Batch) -> None:
        """Take as many numbers as a batch can need."""
        visits = len(batch.visits) + len(batch.arrivals)
        found = len(batch.seeds) + sum(len(visit.candidates) for visit in batch.visits)
        await self.pages.reserve(db, visits)
        await self.seqs.reserve(db, found + len(batch.arrivals) + visits)


def _candidates(batch: Batch) -> Iterator[Candidate]:
    """Yield every candidate of a batch, in the order in which they are numbered."""
    yield from (arrival.candidate for arrival in batch.arrivals)
    yield from batch.seeds
    for visit in batch.visits:
        yield from visit.candidates
