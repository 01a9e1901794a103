"""Hosts that are limited together (`politeness.limit_by = domain`) are leased together.

A group has one worker at a time, whose hosts of it alone may be asked; when any of them may be
asked next goes with the group over a hand-over, as it does with a host.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncpg

NAMED_AT_ONCE = 5000  # hosts of an earlier run that one statement gives a group
FREE = (
    " AND NOT EXISTS (SELECT 1 FROM crawl_groups AS g WHERE g.name = f.group_name"
    " AND g.worker_id IS NOT NULL AND g.worker_id <> $1)"
)
"""The condition that a host `f` is in no group that another worker ($1 is this one) has."""
NEXT_AT = (
    "greatest(h.next_at, (SELECT g.next_at FROM crawl_groups AS g WHERE g.name = h.group_name))"
)
"""When a host `h` may be asked next: not before its group."""


class Groups:
    """The groups of one worker's hosts; `group_of` gives the group of a host's name."""

    def __init__(self, group_of: Callable[[str], str]) -> None:
        self._group_of = group_of

    async def name(self, db: asyncpg.Connection, hosts: Sequence[tuple[int, str]]) -> None:
        """Set the groups of hosts (id, name), making those that are not there."""
        if not hosts:
            return
        groups = [self._group_of(name) for _, name in hosts]
        await db.execute(
            "INSERT INTO crawl_groups (name) SELECT * FROM unnest($1::text[])"
            " ON CONFLICT DO NOTHING",
            sorted(set(groups)),
        )
        await db.execute(
            "UPDATE crawl_hosts AS h SET group_name = n.name FROM (SELECT k.name, c.host_id FROM"
            " unnest($1::bigint[], $2::text[]) AS k (host_id, name) JOIN crawl_hosts AS c"
            " USING (host_id) ORDER BY host_id FOR UPDATE OF c) AS n WHERE h.host_id = n.host_id"
            " AND h.group_name IS DISTINCT FROM n.name",
            [host_id for host_id, _ in hosts],
            groups,
        )

    async def name_rest(self, db: asyncpg.Connection) -> int:
        """Set the groups of some hosts of a run without groups; return how many those were."""
        rows = await db.fetch(
            "SELECT host_id, name FROM crawl_hosts WHERE group_name IS NULL"
            " ORDER BY host_id LIMIT $1",
            NAMED_AT_ONCE,
        )
        await self.name(db, [(row[0], row[1]) for row in rows])
        return len(rows)

    async def take(self, db: asyncpg.Connection, worker_id: int, hosts: Sequence[Any]) -> list[int]:
        """Take the groups of hosts (id, group), and return the hosts whose group is this worker's.

        What somebody else takes just now is not waited for.
        """
        rows = await db.fetch(
            "UPDATE crawl_groups AS g SET worker_id = $1 FROM (SELECT name FROM crawl_groups WHERE"
            " name = ANY($2::text[]) AND (worker_id IS NULL OR worker_id = $1) ORDER BY name"
            " FOR UPDATE SKIP LOCKED) AS f WHERE g.name = f.name RETURNING g.name",
            *(worker_id, sorted({group for _, group in hosts if group is not None})),
        )
        own = {row[0] for row in rows}
        return [host_id for host_id, group in hosts if group in own]

    async def give_back(self, db: asyncpg.Connection, worker_id: int, hosts: Sequence[int]) -> None:
        """Release the groups of which this worker has no host any more, `hosts` just released."""
        await db.execute(
            "UPDATE crawl_groups AS g SET next_at = greatest(g.next_at, r.at) FROM"
            " (SELECT group_name, max(next_at) AS at FROM crawl_hosts WHERE"
            " host_id = ANY($1::bigint[]) GROUP BY group_name) AS r WHERE g.name = r.group_name",
            list(hosts),
        )
        await db.execute(
            "UPDATE crawl_groups AS g SET worker_id = NULL WHERE worker_id = $1 AND NOT EXISTS"
            " (SELECT 1 FROM crawl_hosts AS h WHERE h.group_name = g.name AND h.worker_id = $1)",
            worker_id,
        )


async def free_groups(db: asyncpg.Connection, worker_id: int, at: str, values: list[Any]) -> None:
    """Free the groups of a worker that is gone, its hosts still being its own.

    `at` is SQL that says when each of its hosts may be asked next.
    """
    await db.execute(
        "UPDATE crawl_groups AS g SET next_at = greatest(g.next_at, r.at) FROM (SELECT group_name,"
        f" max({at}) AS at FROM crawl_hosts AS h WHERE h.worker_id = $1 AND group_name IS NOT NULL"
        " GROUP BY group_name) AS r WHERE g.name = r.group_name",
        *values,
    )
    await db.execute("UPDATE crawl_groups SET worker_id = NULL WHERE worker_id = $1", worker_id)
