"""Runs over PostgreSQL: the first worker begins one, others join it, the last one ends it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from crawler.errors import StoreClaimed, StoreRefused
from crawler.store.contract import CUT_SHORT
from crawler.store.postgres.leases import Leases, remove
from crawler.store.rows import iso
from crawler.version import __version__

if TYPE_CHECKING:
    import asyncpg

_END_RECRAWL = (
    "DELETE FROM crawl_values WHERE key = 'recrawl'"
    " AND NOT EXISTS (SELECT 1 FROM todo WHERE again > 0)"
)
_OWN = frozenset({"engine.workers", "engine.processes", "engine.grace", "engine.parse_processes"})
"""Keys that may differ between the workers of a run: how much one machine can do."""


class Beginning(NamedTuple):
    """What a run begins with."""

    spider: str
    settings: str  # JSON
    arguments: str | None


class Ending(NamedTuple):
    """How a worker's part of a run ends."""

    state: str
    reason: str | None
    seconds: float

    @property
    def told_all(self) -> bool:
        """Whether its last commit told when each of its hosts was asked last.

        A run that fails, or that a second Ctrl-C cancels, has none.
        """
        return self.state in ("finished", "stopped")


async def begin(
    db: asyncpg.Connection,
    leases: Leases,
    run: Beginning,
    highest: Callable[[asyncpg.Connection], Awaitable[str]],
) -> int:
    """Begin a run, or join the one that others are at; return its id.

    StoreRefused where theirs is of another spider, version or configuration.
    """
    # One row, locked first by all: of workers that start together one begins the run.
    current = await db.fetchval("SELECT run_id FROM crawl_control FOR UPDATE")
    await leases.reap(db)
    claims = await db.fetchrow("SELECT node, pid FROM crawl_workers WHERE claims LIMIT 1")
    if claims is not None:
        raise StoreClaimed(
            f"process {claims['pid']} on {claims['node'].partition('/')[0]} writes into this crawl"
            " between two runs; begin when it is done"
        )
    others = await db.fetchval(
        "SELECT count(*) FROM crawl_workers WHERE run_id = $1 AND worker_id <> $2",
        *(current, leases.worker_id),
    )
    if others:
        was = await db.fetchrow(
            "SELECT spider, version, settings FROM runs WHERE run_id = $1", current
        )
        _refuse_other(run, was)
        run_id = current
    else:
        run_id = await _begun(db, run, await highest(db))
    await db.execute(
        "UPDATE crawl_workers SET run_id = $2 WHERE worker_id = $1", leases.worker_id, run_id
    )
    return int(run_id)


async def joined(db: asyncpg.Connection, own: int, run_id: int) -> bool:
    """Return whether others have begun the run that this worker takes part in."""
    sql = "SELECT min(worker_id) FROM crawl_workers WHERE run_id = $1"
    return bool(await db.fetchval(sql, run_id) != own)


async def is_cut_short(db: asyncpg.Connection) -> bool:
    """Return whether the last run may not have done what is done at the end, and nobody will."""
    return bool(
        await db.fetchval(
            "SELECT 1 FROM runs WHERE run_id = (SELECT max(run_id) FROM runs) AND"
            " state = ANY ($1::text[]) AND NOT EXISTS (SELECT 1 FROM crawl_workers AS w"
            " WHERE w.run_id = runs.run_id AND expires_at > clock_timestamp())",
            list(CUT_SHORT),
        )
    )


async def _begun(db: asyncpg.Connection, run: Beginning, items: str) -> int:
    now = iso(time.time())
    await db.execute("UPDATE runs SET state = 'killed', ended_at = $1 WHERE state = 'running'", now)
    await db.execute(
        "INSERT INTO crawl_values VALUES ('spider', $1) ON CONFLICT DO NOTHING", run.spider
    )
    if run.arguments is not None:
        await db.execute(
            "INSERT INTO crawl_values VALUES ('arguments', $1)"
            " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            run.arguments,
        )
    run_id = await db.fetchval(
        "INSERT INTO runs (spider, started_at, state, pid, version, settings, items)"
        " VALUES ($1, $2, 'running', $3, $4, $5, $6) RETURNING run_id",
        *(run.spider, now, os.getpid(), __version__, run.settings, items),
    )
    await db.execute('UPDATE crawl_control SET run_id = $1, "order" = NULL', run_id)
    return int(run_id)


def _refuse_other(run: Beginning, was: Any) -> None:
    """Raise StoreRefused where a run under way is not the one that this worker would make."""
    if was["version"] != __version__:
        raise StoreRefused(
            f"the run under way is of Crawlkeep {was['version']}, this is {__version__}:"
            " upgrade every machine, then start them together"
        )
    theirs, ours = json.loads(was["settings"] or "{}"), json.loads(run.settings)
    other = list(_differences(theirs, ours))
    if other:
        told = "; ".join(other[:3])
        more = f" and {len(other) - 3} more" if len(other) > 3 else ""
        raise StoreRefused(
            f"the run under way has another configuration: {told}{more}; start with the same"
            " command, configuration and spider as the others"
        )


def _differences(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> Iterator[str]:
    """Yield each key in which two configurations differ, with both values."""
    for section in sorted({*theirs, *ours}):
        old, new = theirs.get(section) or {}, ours.get(section) or {}
        if not isinstance(old, dict) or not isinstance(new, dict):
            if old != new:
                yield f"{section} is {old!r:.60} there and {new!r:.60} here"
            continue
        for key in sorted({*old, *new}):
            name = f"{section}.{key}"
            if name not in _OWN and old.get(key) != new.get(key):
                yield f"{name} is {old.get(key)!r:.60} there and {new.get(key)!r:.60} here"


async def end(db: asyncpg.Connection, own: int, run_id: int, how: Ending) -> bool | None:
    """Take this worker out of its run, and end that with the last one.

    Return whether it was the last; None where it must wait: of those that have finished, the first
    one ends the run when the others have left.
    """
    await db.execute("SELECT 1 FROM crawl_control FOR UPDATE")
    others = await db.fetch(
        "SELECT worker_id FROM crawl_workers WHERE run_id = $1 AND worker_id <> $2"
        " ORDER BY worker_id",
        *(run_id, own),
    )
    if others and how.state == "finished" and own < others[0][0]:
        return None
    if how.state == "stopped":  # by the spider, or a limit: all of the crawl ends
        await db.execute('UPDATE crawl_control SET "order" = $1', how.reason)
    if others:
        await remove(db, own, died=not how.told_all)
        return False
    await db.execute(
        "UPDATE runs SET pages = runs.pages + w.run_pages, errors = runs.errors + w.run_errors"
        " FROM crawl_workers AS w WHERE w.worker_id = $1 AND runs.run_id = $2",
        *(own, run_id),
    )
    await db.execute(  # it stays until the spider has heard of the end, which may count more
        "UPDATE crawl_workers SET run_id = NULL, run_pages = 0, run_errors = 0"
        " WHERE worker_id = $1",
        own,
    )
    await db.execute(
        "UPDATE runs SET ended_at = $1, state = $2, reason = $3, seconds = $4 WHERE run_id = $5",
        *(iso(time.time()), how.state, how.reason, how.seconds, run_id),
    )
    if how.state == "finished":
        await db.execute(_END_RECRAWL)
    return True
