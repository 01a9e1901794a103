"""Leases: which worker process has which hosts, and until when.

A worker's row in `crawl_workers` is its heartbeat and its fence. Times are those of the server's
clock. Whoever frees a host looks afterwards whether it has work, and whoever adds work wakes the
host afterwards: in whatever order the two come, one of them sees the other.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crawler.errors import StoreFenced
from crawler.store import HostRow
from crawler.store.postgres import groups
from crawler.store.postgres.groups import Groups

if TYPE_CHECKING:
    import asyncpg

LEASE = 30.0  # seconds
_SHARED_ROOM = 4  # hosts that a worker takes as it finds them, where others wait for some
MARGIN = 5.0  # seconds before its end at which a worker sends nothing more
_HOST = "h.host_id, h.name, 0, h.next_at, h.delay, h.failures, h.pages"
_HOST_OF_GROUP = _HOST.replace("h.next_at", groups.NEXT_AT)
_FREE = "worker_id IS NULL AND ready_at IS NOT NULL"
_REST = "greatest(clock_timestamp(), to_timestamp(least(h.next_at, 9e9)))"
_HAS_WORK = "EXISTS (SELECT 1 FROM todo WHERE todo.host_id = h.host_id)"


@cache
def node() -> str:
    """Return what tells machines apart, and on one the name spaces in which a pid is the same."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()[:8])
    with suppress(OSError):
        parts.append(str(Path("/proc/self/ns/pid").stat().st_ino))
    return "/".join(parts)


def started_at(pid: int) -> float:
    """Return when a process of this machine began, in ticks of its kernel; 0 where none knows."""
    try:
        said = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
        return float(said.rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return 0.0


def has_died(place: str, pid: int, started: float) -> bool:
    """Return whether a worker's process is known to be gone: it ran on this machine, and does not.

    Of another machine's process nobody can say before its lease has run out.
    """
    return place == node() and started > 0 and started_at(pid) != started


def steady() -> float:
    """Return seconds that go on while the machine sleeps, as a lease does (clock_gettime(2))."""
    if sys.platform == "linux":
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class Leases:
    """What one worker process has taken. `worker_id` is 0 until it has joined."""

    def __init__(
        self,
        *,
        lease: float = LEASE,
        delay: float = 0.0,
        room: int = 64,
        groups: Groups | None = None,
    ) -> None:
        """`delay`: seconds between two starts of a host, added where a worker died on it.

        `room`: hosts up to which one that this worker has found is its own at once. `groups`: hosts
        that are leased together.
        """
        self.groups = groups
        self.lease, self.delay, self.room = lease, delay, room
        self.worker_id = self.flush_no = 0
        self.held: set[int] = set()
        self.alone = True  # whether no other worker takes part, as far as is known
        self.renewed_at = self._asked_at = steady()
        self.skew = (0.0, 0.0)  # the server's clock less ours: for times we write, and we read

    # ------------------------------------------------------------ this worker's row

    async def join(self, db: asyncpg.Connection) -> None:
        """Take part: make this worker's row."""
        sent = steady()
        self.worker_id = await db.fetchval(
            "INSERT INTO crawl_workers (node, pid, started, expires_at, delay)"
            " VALUES ($1, $2, $3, clock_timestamp() + $4 * interval '1 second', $5)"
            " RETURNING worker_id",
            *(node(), os.getpid(), started_at(os.getpid()), self.lease, self.delay),
        )
        self.flush_no, self.renewed_at = 0, sent
        self.held.clear()

    async def renew(self, db: asyncpg.Connection, *, flushes: int = 0, lag: float = 0.0) -> Any:
        """Prolong the lease, as the first step of a transaction; StoreFenced if it had run out.

        From here to its end no other may take this worker for dead: its row is locked. It is
        `committed` that tells this worker of it: a transaction that is cut off prolongs nothing.
        """
        sent, wall = steady(), time.time()
        row = await db.fetchrow(
            "UPDATE crawl_workers SET expires_at = clock_timestamp() + $2 * interval '1 second',"
            " flush_no = flush_no + $3, lag = CASE WHEN $3 > 0 THEN $4 ELSE lag END"
            " WHERE worker_id = $1 AND expires_at > clock_timestamp() RETURNING"
            " extract(epoch FROM clock_timestamp())::double precision AS now, flush_no,"
            " (SELECT items_version FROM crawl_control) AS items_version,"
            " (SELECT count(*) FROM crawl_workers) AS workers,"
            ' (SELECT "order" FROM crawl_control) AS "order"',
            *(self.worker_id, self.lease, flushes, lag),
        )
        if row is None:
            raise self.fenced()
        self._asked_at, self.alone = sent, row["workers"] == 1
        self.skew = (row["now"] - wall, row["now"] - time.time())
        return row

    def committed(self) -> None:
        """Count the lease from the last renewal, whose transaction has come through."""
        self.renewed_at = self._asked_at

    def fenced(self) -> StoreFenced:
        """Return what says that others may have this worker's hosts by now."""
        return StoreFenced(
            f"worker {self.worker_id} was silent for longer than its lease of {self.lease:.0f} s:"
            " its hosts are others' now, and what it had not stored is fetched again"
        )

    @property
    def vacant(self) -> int:
        """How many hosts that it finds are this worker's at once: where it is alone, most.

        None where hosts are leased with others: those may be somebody's.
        """
        if self.groups is not None:
            return 0
        return max(0, (self.room if self.alone else _SHARED_ROOM) - len(self.held))

    @property
    def sure(self) -> bool:
        """Whether this worker's hosts are its own for the next seconds, by its own clock."""
        margin = min(MARGIN, self.lease / 4)
        return steady() - self.renewed_at < self.lease - margin

    # ------------------------------------------------------------ hosts

    async def claim(
        self, db: asyncpg.Connection, limit: int, *, ahead: float = 0.0, again: bool = False
    ) -> list[HostRow]:
        """Take up to `limit` hosts that have work and may be asked within `ahead` seconds."""
        if self.groups is not None:
            return await self._claim_grouped(db, self.groups, limit, ahead, again=again)
        only = " AND EXISTS (SELECT 1 FROM todo WHERE todo.host_id = f.host_id AND again > 0)"
        rows = await db.fetch(
            f"WITH free AS MATERIALIZED (SELECT host_id FROM crawl_hosts AS f WHERE {_FREE}"
            f" AND ready_at <= clock_timestamp() + $3 * interval '1 second'{only if again else ''}"
            " ORDER BY ready_at LIMIT $2 FOR UPDATE SKIP LOCKED)"
            " UPDATE crawl_hosts AS h SET worker_id = $1, ready_at = NULL FROM free"
            f" WHERE h.host_id = free.host_id RETURNING {_HOST}",
            *(self.worker_id, limit, ahead),
        )
        self.held.update(row[0] for row in rows)
        return [self.read(HostRow(*row)) for row in rows]

    async def _claim_grouped(
        self, db: asyncpg.Connection, own: Groups, limit: int, ahead: float, *, again: bool
    ) -> list[HostRow]:
        """Take hosts with their groups, but for those of which another worker has the group."""
        only = " AND EXISTS (SELECT 1 FROM todo WHERE todo.host_id = f.host_id AND again > 0)"
        free = await db.fetch(
            f"SELECT host_id, group_name FROM crawl_hosts AS f WHERE {_FREE} AND ready_at <="
            f" clock_timestamp() + $3 * interval '1 second'{groups.FREE}{only if again else ''}"
            " AND group_name IS NOT NULL ORDER BY ready_at LIMIT $2 FOR UPDATE SKIP LOCKED",
            *(self.worker_id, limit, ahead),
        )
        taken = await own.take(db, self.worker_id, free) if free else []
        rows = await db.fetch(
            "UPDATE crawl_hosts AS h SET worker_id = $1, ready_at = NULL"
            f" WHERE host_id = ANY($2::bigint[]) RETURNING {_HOST_OF_GROUP}",
            *(self.worker_id, taken),
        )
        self.held.update(row[0] for row in rows)
        return [self.read(HostRow(*row)) for row in rows]

    async def park(self, db: asyncpg.Connection, hosts: list[int]) -> None:
        """Release hosts, as if they had nothing to do; `wake` looks whether they have."""
        await db.execute(
            "UPDATE crawl_hosts SET worker_id = NULL, ready_at = NULL"
            " WHERE worker_id = $1 AND host_id = ANY($2::bigint[])",
            *(self.worker_id, sorted(hosts)),
        )
        if self.groups is not None:
            await self.groups.give_back(db, self.worker_id, hosts)

    async def wake(self, db: asyncpg.Connection, hosts: list[int]) -> None:
        """Let hosts that nobody has, and that have work, be taken. After the commit, never in it.

        A row that somebody else changes just now is waited for, and looked at as it then is.
        """
        await db.execute(
            f"UPDATE crawl_hosts AS h SET ready_at = {_REST} FROM (SELECT host_id FROM crawl_hosts"
            " AS h WHERE host_id = ANY($1::bigint[]) AND worker_id IS NULL AND ready_at IS NULL"
            f" AND {_HAS_WORK} ORDER BY host_id FOR UPDATE) AS w WHERE h.host_id = w.host_id",
            sorted(hosts),
        )

    async def mine(
        self, db: asyncpg.Connection, after: int, limit: int, *, again: bool = False
    ) -> list[HostRow]:
        """Return this worker's hosts with work and an id above `after`, by id."""
        at = groups.NEXT_AT if self.groups is not None else "h.next_at"
        only = " AND EXISTS (SELECT 1 FROM todo WHERE todo.host_id = h.host_id AND again > 0)"
        rows = await db.fetch(
            "SELECT h.host_id, h.name, (SELECT count(*) FROM (SELECT 1 FROM todo WHERE"
            " todo.host_id = h.host_id LIMIT 1000) AS part),"
            f" {at}, h.delay, h.failures, h.pages FROM crawl_hosts AS h"
            f" WHERE worker_id = $1 AND host_id > $2 AND {_HAS_WORK}"
            f"{only if again else ''} ORDER BY host_id LIMIT $3",
            *(self.worker_id, after, limit),
        )
        return [self.read(HostRow(*row)) for row in rows]

    async def tickets(self, db: asyncpg.Connection, wanted: int, most: int) -> tuple[int, int]:
        """Take tickets for pages, or give those back that are left, and return what is to come.

        Pages that are stored and tickets that are out are never more than `most` together. Of what
        is free one worker takes no more than its share of a half, so that none waits for long.
        """
        await db.execute("SELECT 1 FROM crawl_control FOR UPDATE")
        if not wanted:
            await db.execute(
                "UPDATE crawl_workers SET tickets = 0 WHERE worker_id = $1", self.worker_id
            )
        row = await db.fetchrow(
            "SELECT c.pages + sum(w.pages) AS stored, sum(w.tickets) AS out, count(*) AS workers"
            " FROM crawl_control AS c, crawl_workers AS w GROUP BY c.pages"
        )
        if row is None:
            raise self.fenced()
        left = most - int(row["stored"])
        free = left - int(row["out"])
        granted = max(0, min(wanted, -(-free // (2 * row["workers"]))))
        if granted:
            await db.execute(
                "UPDATE crawl_workers SET tickets = tickets + $2 WHERE worker_id = $1",
                *(self.worker_id, granted),
            )
        return granted, left

    # ------------------------------------------------------------ the dead

    async def reap(self, db: asyncpg.Connection) -> int:
        """Remove workers that are dead, and free their hosts; return how many hosts that were.

        A host of theirs may have been asked until the end of the lease: one delay is added.
        """
        rows = await db.fetch(
            "SELECT worker_id, node, pid, started, expires_at < clock_timestamp() AS late"
            " FROM crawl_workers WHERE worker_id <> $1 FOR UPDATE SKIP LOCKED",
            self.worker_id,
        )
        dead = [row[0] for row in rows if row["late"] or has_died(*row[1:4])]
        freed = 0
        for worker_id in dead:
            freed += await remove(db, worker_id, died=True)
        freed += len(
            await db.fetch(
                f"UPDATE crawl_hosts AS h SET worker_id = NULL, ready_at = {_REST}"
                " WHERE worker_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM crawl_workers AS w"
                " WHERE w.worker_id = h.worker_id) RETURNING 1"
            )
        )
        await db.execute(
            "UPDATE crawl_groups AS g SET worker_id = NULL WHERE worker_id IS NOT NULL AND NOT"
            " EXISTS (SELECT 1 FROM crawl_workers AS w WHERE w.worker_id = g.worker_id)"
        )
        return freed

    async def sweep(self, db: asyncpg.Connection) -> None:
        """Wake every host that has work and that nobody has or waits for.

        That is so only where a worker died between a commit and its look.
        """
        await db.execute(
            f"UPDATE crawl_hosts AS h SET ready_at = {_REST} WHERE worker_id IS NULL"
            f" AND ready_at IS NULL AND {_HAS_WORK}"
        )

    # ------------------------------------------------------------ clocks

    def read(self, row: HostRow) -> HostRow:
        """Return a row with its time by our clock."""
        return row._replace(next_at=row.next_at - self.skew[1] if row.next_at else 0.0)

    @property
    def seconds_ahead(self) -> int:
        """How far the server's clock is ahead, as exactly as a retry needs it."""
        return round(self.skew[0])

    def written(self, at: float) -> float:
        """Return a time of our clock by the server's, rather later than earlier."""
        return at + self.skew[0] if at else 0.0


async def remove(db: asyncpg.Connection, worker_id: int, *, died: bool) -> int:
    """Take a worker out of the crawl: its hosts are free, its counts are kept; return the hosts."""
    row = await db.fetchrow(
        "DELETE FROM crawl_workers WHERE worker_id = $1 RETURNING pages, run_id, run_pages,"
        " run_errors, delay, name,"
        " least(expires_at, clock_timestamp()) AS silent",
        worker_id,
    )
    if row is None:
        return 0
    await db.execute("DELETE FROM workers WHERE name = $1", row["name"])
    await db.execute(
        "UPDATE crawl_control SET pages = pages + $1,"
        " seeder = CASE WHEN seeder = $2 THEN NULL ELSE seeder END",
        *(row["pages"], worker_id),
    )
    await db.execute(
        "UPDATE runs SET pages = pages + $1, errors = errors + $2 WHERE run_id = $3",
        *(row["run_pages"], row["run_errors"], row["run_id"]),
    )
    await db.execute(
        "INSERT INTO crawl_counters SELECT 0, name, value FROM crawl_counters WHERE worker_id = $1"
        " ORDER BY name ON CONFLICT (worker_id, name)"
        " DO UPDATE SET value = crawl_counters.value + excluded.value",
        worker_id,
    )
    await db.execute("DELETE FROM crawl_counters WHERE worker_id = $1", worker_id)
    later = (
        "greatest(h.next_at, extract(epoch FROM $2::timestamptz)::double precision"
        " + coalesce(h.delay, $3))"
    )
    at = later if died else "h.next_at"
    values = [worker_id, row["silent"], row["delay"]] if died else [worker_id]
    await groups.free_groups(db, worker_id, at, values)
    status = await db.execute(
        f"UPDATE crawl_hosts AS h SET worker_id = NULL, next_at = {at}, ready_at ="
        f" greatest(clock_timestamp(), to_timestamp(least({at}, 9e9))) WHERE worker_id = $1",
        *values,
    )
    return int(status.rpartition(" ")[2])
