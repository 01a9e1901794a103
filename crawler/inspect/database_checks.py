"""What `crawler doctor` looks at over PostgreSQL; nothing is made or changed by it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from statistics import median
from typing import TYPE_CHECKING, Any

from crawler.errors import StoreError
from crawler.inspect.store_checks import FAIL, OK, WARN, Check, schema_check
from crawler.markup.words import plural
from crawler.store.address import DatabaseAddress
from crawler.store.postgres.connection import Connection, server_errors, to_store_error
from crawler.store.postgres.schema import OLDEST, VERSION
from crawler.store.postgres.thread import LoopThread

if TYPE_CHECKING:
    import asyncpg

_SLOW = 0.010  # seconds there and back: a flush asks about fifteen times
_SKEWED = 2.0  # seconds
_LONG = 600.0  # seconds for which a transaction may be open before it is told of
_DEAD = 100_000  # rows of the queue that nobody has cleared away

_SERVER = """
SELECT current_setting('server_version') AS version,
       current_setting('server_version_num')::integer AS number,
       pg_is_in_recovery() AS standby,
       current_setting('default_transaction_read_only')::boolean AS reads,
       current_setting('server_encoding') AS encoding,
       current_setting('fsync')::boolean AS fsync,
       current_setting('full_page_writes')::boolean AS pages,
       current_setting('autovacuum')::boolean AS autovacuum,
       current_setting('max_connections')::integer
           - current_setting('superuser_reserved_connections')::integer AS allowed,
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'
           OR backend_type IS NULL) AS used,
       (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user) AS own_limit,
       (SELECT count(*) FROM pg_stat_activity WHERE usename = current_user) AS own_used,
       (SELECT datconnlimit FROM pg_database WHERE datname = current_database()) AS base_limit,
       (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()) AS base_used,
       current_database() AS name, current_user::text AS me,
       has_database_privilege(current_database(), 'CREATE') AS creates
"""
_SNAPSHOTS = """
SELECT pid, coalesce(usename, '?') AS who, coalesce(application_name, '') AS what, state,
       extract(epoch FROM clock_timestamp() - xact_start)::bigint AS seconds
FROM pg_stat_activity
WHERE xact_start < clock_timestamp() - make_interval(secs => $1) AND pid <> pg_backend_pid()
      AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL OR state LIKE 'idle in%')
ORDER BY xact_start LIMIT 3
"""
_LEFT_OPEN = """
SELECT 'the prepared transaction ' || gid AS what, 'ROLLBACK PREPARED ''' || gid || '''' AS way
FROM pg_prepared_xacts WHERE prepared < clock_timestamp() - make_interval(secs => $1)
UNION ALL
SELECT 'the replication slot ' || slot_name || ', which nobody reads',
       'SELECT pg_drop_replication_slot(''' || slot_name || ''')'
FROM pg_replication_slots WHERE NOT active
"""
_CRAWL = """
SELECT to_regnamespace(quote_ident($1)) IS NOT NULL AS there,
       EXISTS (SELECT 1 FROM pg_class WHERE relname = 'crawl_control'
               AND relnamespace = to_regnamespace(quote_ident($1))) AS crawl,
       coalesce(has_schema_privilege(to_regnamespace(quote_ident($1)), 'USAGE'), true) AS uses,
       coalesce(has_schema_privilege(to_regnamespace(quote_ident($1)), 'CREATE'), true) AS creates
"""
_WRITES = """
SELECT relname::text FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident($1))
AND relkind = 'r' AND NOT has_table_privilege(oid, 'INSERT, UPDATE, DELETE') ORDER BY 1 LIMIT 1
"""


def checks(address: DatabaseAddress) -> Iterator[Check]:
    """Yield what there is to say of a crawl in PostgreSQL, or of where one is to be."""
    with ExitStack() as stack:
        thread = LoopThread()
        stack.callback(thread.close)
        connection = Connection(address, patience=0.0, timeout=20.0)
        stack.callback(lambda: thread.wait(connection.close()))
        try:
            thread.wait(connection.open())
            yield from thread.wait(connection.run(lambda db: _every(db, connection)))
        except StoreError as error:
            said, _, way = str(error).partition("; ")
            yield Check("connection", FAIL, said, way)
        except server_errors() as error:
            yield Check("connection", FAIL, str(to_store_error(address, error)))


async def _every(db: asyncpg.Connection, connection: Connection) -> list[Check]:
    server = await db.fetchrow(_SERVER)
    found = [await _distance(db), _version(server), _pooler(connection)]
    found += [_writable(server), _encoding(server), await _clock(db), _connections(server)]
    found += [_durable(server), _vacuum(server), await _snapshots(db)]
    found += await _crawl(db, connection, server)
    return found


async def _distance(db: asyncpg.Connection) -> Check:
    times = []
    for _ in range(7):
        began = time.perf_counter()
        await db.fetchval("SELECT 1")
        times.append(time.perf_counter() - began)
    took = median(times)
    said = f"there and back in {took * 1000:.1f} ms"
    if took > _SLOW:
        way = "let the workers run near the server: each commit waits about fifteen times so long"
        return Check("connection", WARN, said, way)
    return Check("connection", OK, said)


def _version(server: Any) -> Check:
    said = f"PostgreSQL {server['version']}"
    if server["number"] < OLDEST:
        return Check("version", FAIL, said, f"it takes {OLDEST // 10000} or later")
    return Check("version", OK, said)


def _pooler(connection: Connection) -> Check:
    if connection.pooled:
        said = "a pooler in transaction mode; statements are sent without names"
        return Check("pooler", OK, said)
    return Check("pooler", OK, "none that shares sessions")


def _writable(server: Any) -> Check:
    if server["standby"]:
        way = "name the primary: ?target_session_attrs=read-write finds it among several hosts"
        return Check("writes", FAIL, "a stand-by server, which only reads", way)
    if server["reads"]:
        way = f"ALTER ROLE {server['me']} SET default_transaction_read_only = off"
        return Check("writes", FAIL, "transactions only read (default_transaction_read_only)", way)
    return Check("writes", OK, "the server takes writes")


def _encoding(server: Any) -> Check:
    if server["encoding"] != "UTF8":
        way = "make a database that takes every text: createdb -E UTF8 -T template0 NAME"
        return Check("encoding", FAIL, f"{server['name']} is in {server['encoding']}", way)
    return Check("encoding", OK, "UTF8")


async def _clock(db: asyncpg.Connection) -> Check:
    before = time.time()
    there = await db.fetchval("SELECT extract(epoch FROM clock_timestamp())::double precision")
    ahead = there - (before + time.time()) / 2
    said = f"the server is {abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} this machine"
    if abs(ahead) > _SKEWED:
        way = "leases and delays hold all the same, fetched_at is by each machine's clock; run NTP"
        return Check("clock", WARN, said, way)
    return Check("clock", OK, said)


def _connections(server: Any) -> Check:
    pairs = [("server", server["used"], server["allowed"])]
    pairs += [("user", server["own_used"], server["own_limit"])]
    pairs += [("database", server["base_used"], server["base_limit"])]
    whose, used, allowed = min((p for p in pairs if p[2] >= 0), key=lambda p: p[2] - p[1])
    said = f"{used} of {allowed} of the {whose} are used; a worker process takes one"
    way = "raise max_connections, or put pgbouncer (transaction mode) between"
    if used >= allowed:
        return Check("connections", FAIL, said, way)
    if used > 0.8 * allowed:
        return Check("connections", WARN, said, way)
    return Check("connections", OK, said)


def _durable(server: Any) -> Check:
    off = [name for key, name in (("fsync", "fsync"), ("pages", "full_page_writes"))
           if not server[key]]  # fmt: skip
    if off:
        said = f"{' and '.join(off)} off: a power cut may destroy the database"
        return Check("durability", WARN, said, f"{off[0]} = on, unless it is for tests")
    return Check("durability", OK, "what is committed stays")


def _vacuum(server: Any) -> Check:
    if not server["autovacuum"]:
        said = "off: each request that is done leaves a dead row of the queue, and none is cleared"
        return Check("autovacuum", WARN, said, "autovacuum = on, and reload")
    return Check("autovacuum", OK, "on")


async def _snapshots(db: asyncpg.Connection) -> Check:
    rows = await db.fetch(_SNAPSHOTS, _LONG)
    left = await db.fetch(_LEFT_OPEN, _LONG)
    if rows:
        row = rows[0]
        who = " ".join(filter(None, (row["who"], row["what"])))
        said = f"process {row['pid']} ({who}) has had a transaction open for {row['seconds']:,} s"
        said += ": nothing that was deleted since is cleared away"
        return Check("snapshots", WARN, said, f"SELECT pg_terminate_backend({row['pid']})")
    if left:
        said = f"{left[0]['what']}, keeps the server from clearing away"
        return Check("snapshots", WARN, said, left[0]["way"])
    sees = await db.fetchval("SELECT pg_has_role('pg_read_all_stats', 'USAGE')")
    more = "" if sees else " (of this user; GRANT pg_read_all_stats shows all)"
    return Check("snapshots", OK, f"no transaction is open for over {_LONG:.0f} s{more}")


async def _crawl(db: asyncpg.Connection, connection: Connection, server: Any) -> list[Check]:
    crawl = connection.address.crawl
    found = await db.fetchrow(_CRAWL, crawl)
    if not found["there"]:
        schema = Check("schema", OK, f"the crawl {crawl} is not there yet; the first run makes it")
        if server["creates"]:
            return [Check("rights", OK, f"{server['me']} may make the crawl's schema"), schema]
        way = f"GRANT CREATE ON DATABASE {server['name']} TO {server['me']}"
        return [Check("rights", FAIL, f"{server['me']} may make no schema", way), schema]
    if not found["crawl"]:
        said = f"there is a schema {crawl}, but it is no crawl's"
        return [Check("schema", FAIL, said, "name the crawl otherwise: ?crawl=NAME")]
    rights = await _rights(db, crawl, found, server["me"])
    if rights.state == FAIL:
        return [rights]
    version = await db.fetchval("SELECT version FROM crawl_control")
    return [rights, schema_check(version, VERSION), await _queue(db), await _workers(db)]


async def _rights(db: asyncpg.Connection, crawl: str, found: Any, me: str) -> Check:
    if not (found["uses"] and found["creates"]):
        way = f"GRANT ALL ON SCHEMA {crawl} TO {me}"
        return Check("rights", FAIL, f"{me} may make no tables in the schema {crawl}", way)
    closed = await db.fetchval(_WRITES, crawl)
    if closed:
        way = f"GRANT ALL ON ALL TABLES IN SCHEMA {crawl} TO {me}"
        return Check("rights", FAIL, f"{me} may not write the table {closed}", way)
    return Check("rights", OK, f"{me} may write the crawl")


async def _queue(db: asyncpg.Connection) -> Check:
    row = await db.fetchrow(
        "SELECT n_live_tup AS live, n_dead_tup AS dead FROM pg_stat_user_tables"
        " WHERE relid = 'todo'::regclass"
    )
    live, dead = (row["live"], row["dead"]) if row else (0, 0)
    said = f"about {plural(live, 'row')} and {dead:,} dead"
    if dead > max(_DEAD, 2 * live):
        way = "end what holds old snapshots, then: VACUUM todo; let autovacuum come more often"
        return Check("queue", WARN, said, way)
    return Check("queue", OK, said)


async def _workers(db: asyncpg.Connection) -> Check:
    row = await db.fetchrow(
        "SELECT count(*) FILTER (WHERE expires_at > clock_timestamp()) AS alive,"
        " count(*) FILTER (WHERE expires_at <= clock_timestamp()) AS silent,"
        " coalesce(max(lag), 0) AS lag FROM crawl_workers"
    )
    said = f"{row['alive']} at work"
    if row["silent"]:
        said += f", {row['silent']} silent past the lease: the next one to come frees their hosts"
    if row["lag"] > 2:
        way = "fewer workers, or a server with faster disks (docs/machines.md has sizes)"
        return Check("workers", WARN, f"{said}; a commit took {row['lag']:.1f} s", way)
    return Check("workers", OK, said)
