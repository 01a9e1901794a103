"""A store at a glance, in a few look-ups by key: it takes no longer on a big one."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from crawler.errors import QueryError, StoreRefused
from crawler.inspect.query import Reader
from crawler.store.address import DatabaseAddress, StoreAddress
from crawler.web import outcome

_COUNTED = 1_000_000  # items up to which they are counted; beyond, the highest id is told
_RUNS = 10
_HOSTS = 5
_KINDS = 100  # of refused items
_REST = 3.0  # seconds: a shorter rest is its pace, and not told

_RUN_COLUMNS = "run_id, started_at, ended_at, state, reason, pid, pages, errors, seconds"


@dataclass(frozen=True, slots=True)
class Run:
    """One start-to-stop of the crawl. A run is `running` only while its process lives."""

    run_id: int
    started_at: str
    ended_at: str | None
    state: str
    reason: str | None
    pid: int
    pages: int
    errors: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Overview:
    """What a store holds. `state` is running, finished, interrupted, killed, failed or new."""

    store: str
    bytes: int
    spider: str | None
    state: str
    pages: int
    queued: int
    errors: int
    hosts: int
    outcomes: dict[str, int]
    retries: int
    refused: dict[str, int]
    hidden: dict[str, int]
    items: dict[str, int]
    problems: int
    rejected: dict[str, int]
    dropped: dict[str, int]
    widened: int
    renamed: list[str]
    replaced: int
    busiest: dict[str, int]
    resting: dict[str, int]
    """Hosts with a queue that are left alone, and for how many seconds, the longest first."""
    runs: list[Run]
    processes: int = 0
    """How many processes crawl into it now; of worker processes on one machine the one that owns
    the store counts."""
    paused: bool = False
    """Whether all of these are paused."""
    chosen: int = 0
    """Pages that a recrawl visits again, and has not queued yet."""
    pool: dict[str, Any] = field(default_factory=dict)
    """Connections as of the last commit: open, idle, waiting, names, memory; only while it runs."""


def overview(path: StoreAddress) -> Overview:
    """Return the overview of a store; StoreRefused for a file that is no store."""
    with Reader(path) as reader:
        try:
            return _overview(reader)
        except QueryError:
            raise StoreRefused(f"{path}: not a crawl's store; name another") from None


def knows(path: StoreAddress, host: str, url_hash: int) -> bool:
    """Return whether a crawl has ever taken this request; an unseeded store knows every one."""
    with Reader(path) as reader:
        try:
            seeded = list(reader.query("SELECT 1 FROM crawl WHERE key = 'seeded'").rows)
            return not seeded or has_met(reader, host, url_hash)
        except QueryError:
            return True  # no store at all, which the crawl itself will say


def has_met(reader: Reader, host: str, url_hash: int) -> bool:
    """Return whether a crawl has ever taken this request."""
    sql = "SELECT 1 FROM seen JOIN hosts USING (host_id) WHERE name = ? AND url_hash = ?"
    return bool(list(reader.query(sql, (host, url_hash)).rows))


def _overview(reader: Reader) -> Overview:
    values = reader.values()
    counters = dict(reader.query("SELECT name, value FROM counters").rows)
    for name in counters:
        whole(counters, name, 0, reader.path, table="counters")
    outcomes = _below("outcome.", counters)
    hosts = "SELECT count(*), coalesce(sum(pending), 0) FROM hosts"
    [(number, queued)] = reader.query(hosts).rows
    runs = _runs(reader)
    state = _state(runs, bool(values.get("seeded")), queued)
    working = _working(reader, runs[0].run_id) if state == "running" else []
    return Overview(
        store=str(reader.path),
        bytes=reader.size(),
        spider=values.get("spider"),
        state=state,
        pages=whole(values, "pages", 0, reader.path),
        queued=queued,
        chosen=_chosen(reader),
        errors=sum(outcomes.get(name, 0) for name in outcome.having("error")),
        hosts=number,
        outcomes=outcomes,
        retries=sum(_below("retry.", counters).values()),
        refused=_below("refused.", counters),
        hidden=_below("hidden.", counters),
        items=_items(reader),
        problems=next(iter(reader.query("SELECT count(*) FROM problems").rows))[0],
        rejected=_rejected(reader),
        dropped=_most(_below("dropped.", counters)),
        widened=counters.get("items.widened", 0),
        renamed=renamed(reader),
        replaced=counters.get("items.replaced", 0),
        busiest=dict(
            reader.query(
                "SELECT name, pending FROM hosts WHERE pending > 0 ORDER BY pending DESC LIMIT ?",
                (_HOSTS,),
            ).rows
        ),
        resting=_resting(reader),
        runs=runs,
        processes=len(working),
        paused=bool(working) and set(working) == {"paused"},
        pool=json.loads(values.get("pool") or "{}") if state == "running" else {},
    )


def _resting(reader: Reader) -> dict[str, int]:
    sql = (
        "SELECT name, next_at FROM hosts WHERE pending > 0 AND next_at > ?"
        " ORDER BY next_at DESC LIMIT ?"
    )
    now = time.time()
    rows = reader.query(sql, (now + _REST, _HOSTS)).rows
    return {name: round(next_at - now) for name, next_at in rows}


def _runs(reader: Reader) -> list[Run]:
    """Return the last runs, the latest first; one that was killed says so."""
    sql = f"SELECT {_RUN_COLUMNS} FROM runs ORDER BY run_id DESC LIMIT ?"
    runs = []
    for row in reader.query(sql, (_RUNS,)).rows:
        run_id, started, ended, state, *rest = row
        reason, pid, pages, errors, seconds = rest
        if state == "running" and not reader.runs_on(pid):
            state = "killed"
        if state == "running":
            more = reader.uncounted(run_id)
            pages, errors = pages + more[0], errors + more[1]
        runs.append(Run(run_id, started, ended, state, reason, pid, pages, errors, seconds))
    return runs


def _working(reader: Reader, run_id: int) -> list[str]:
    """Return the states of the processes that crawl: running, paused, stopping."""
    rows = reader.query("SELECT state FROM workers WHERE run_id = ?", (run_id,)).rows
    return [state for (state,) in rows]


def _chosen(reader: Reader) -> int:
    """Return how many pages a recrawl has still to queue; 0 for a store that queues at once."""
    if isinstance(reader.path, DatabaseAddress):
        return 0
    made = reader.query("SELECT 1 FROM sqlite_master WHERE name = 'revisit_queue'").rows
    if not list(made):  # by an earlier version
        return 0
    [(number,)] = reader.query("SELECT count(*) FROM revisit_queue").rows
    return int(number)


def _state(runs: list[Run], seeded: bool, queued: int) -> str:
    last = runs[0] if runs else None
    if last is None:
        return "new"
    if last.state == "running":
        return "running"
    imported = last.reason == "import"  # no spider has said yet where it starts
    if queued == 0 and (seeded or (imported and last.state == "finished")):
        return "finished"
    if last.state == "finished":
        return "new" if imported else "interrupted"
    return last.state


def lives(pid: int) -> bool:
    """Return whether there is a process of that number."""
    if os.name == "nt":  # there `kill` with 0 would end the process
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _items(reader: Reader) -> dict[str, int]:
    found = {}
    for (name,) in list(reader.query("SELECT name FROM item_types ORDER BY name").rows):
        table = '"' + name.replace('"', '""') + '"'
        [(highest,)] = reader.query(f"SELECT coalesce(max(item_id), 0) FROM {table}").rows
        if highest <= _COUNTED:
            [(highest,)] = reader.query(f"SELECT count(*) FROM {table}").rows
        found[name] = highest
    return found


def renamed(reader: Reader) -> list[str]:
    """Return the tables and columns of items that are not called as the class or key is."""
    found = _of_taken_names(reader)
    there = "SELECT 1 FROM pragma_table_info('item_types') WHERE name = 'names'"
    if not list(reader.query(there).rows):
        return found  # of an older schema
    sql = "SELECT name, columns, names FROM item_types WHERE names <> '{}' ORDER BY name"
    rows = list(reader.query(sql).rows)
    return found + (_renamed(reader, rows) if rows else [])


def _of_taken_names(reader: Reader) -> list[str]:
    """Return the tables of items whose classes are called as a table of the crawl is."""
    tables = [name for (name,) in reader.query("SELECT name FROM item_types ORDER BY name").rows]
    plain = {name: name.removesuffix("_item").removeprefix("item_") for name in tables}
    if all(name == bare for name, bare in plain.items()):
        return []
    from crawler.items import is_taken  # with all that items need, which most stores do not

    return [
        f"{name} (the name {bare} is taken)"
        for name, bare in plain.items()
        if name != bare and is_taken(bare)
    ]


def _renamed(reader: Reader, rows: list[Any]) -> list[str]:
    from crawler.store import damage  # which has JSON to read, and a tenth of a second to load
    from crawler.store.widening import EXACT

    found = []
    for name, *texts in rows:
        columns, given = damage.item_type(name, *texts, path=reader.path)
        found += [
            f"{name}.{column} for {key!r}"
            for column, key in given.items()
            if columns.get(column) != EXACT  # the digits of a decimal
        ]
    return found


def _rejected(reader: Reader) -> dict[str, int]:
    """Return how many items were refused, by type and reason, the most frequent first."""
    sql = (
        "SELECT item || ': ' || reason, count(*) FROM problems GROUP BY 1 ORDER BY 2 DESC, 1"
        f" LIMIT {_KINDS}"
    )
    return dict(reader.query(sql).rows)


def _most(counts: dict[str, int]) -> dict[str, int]:
    """Return counts with the highest first."""
    return dict(sorted(counts.items(), key=lambda pair: -pair[1]))


def _below(prefix: str, counters: dict[str, Any]) -> dict[str, int]:
    return {
        name.removeprefix(prefix): value
        for name, value in sorted(counters.items())
        if name.startswith(prefix)
    }


def whole(
    values: Mapping[str, Any], key: str, default: int, path: StoreAddress, *, table: str = "crawl"
) -> int:
    """Return a whole number of a table of values; what tells of damage is slow to import."""
    if isinstance(value := values.get(key, default), int):
        return value
    from crawler.store import damage

    return damage.whole(values, key, default, path, table=table)
