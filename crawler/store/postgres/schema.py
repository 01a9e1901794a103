"""The schema of a crawl in PostgreSQL: made once, migrated while other workers run, its views."""

from __future__ import annotations

import asyncio
import hashlib
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from crawler.errors import StoreClaimed, StoreRefused
from crawler.store import views
from crawler.store.postgres.connection import Connection, asyncpg_module, server_errors
from crawler.store.postgres.statements import spelled
from crawler.web import outcome

if TYPE_CHECKING:
    import asyncpg

_HERE = Path(__file__).parent
MIGRATIONS = sorted((_HERE / "migrations").glob("[0-9]*.sql"))
VERSION = len(MIGRATIONS)
OLDEST = 140000  # of the servers that are supported
_LOCK_TIMEOUT = "SET LOCAL lock_timeout = '3s'"
MASTER = """
CREATE OR REPLACE VIEW sqlite_master AS
    SELECT CASE c.relkind WHEN 'v' THEN 'view' WHEN 'i' THEN 'index' ELSE 'table' END AS type,
           c.relname::text AS name, c.relname::text AS tbl_name,
           CASE WHEN c.relkind = 'v' THEN pg_get_viewdef(c.oid) WHEN c.relkind = 'i'
               THEN pg_get_indexdef(c.oid) ELSE (SELECT format('CREATE TABLE %I (%s)', c.relname,
               string_agg(format('%I %s', attname, format_type(atttypid, NULL)), ', '
               ORDER BY attnum)) FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0
               AND NOT attisdropped) END AS sql
    FROM pg_class AS c WHERE relnamespace = '{crawl}'::regnamespace
    AND relkind IN ('r', 'v', 'i', 'p')
"""


async def migrate(connection: Connection) -> None:
    """Bring the crawl's schema to `VERSION`, making it where there is none.

    StoreRefused for one of a newer version, for a schema that is no crawl's, and for a server that
    is too old. Others that do the same at the same time wait.
    """
    asyncpg = asyncpg_module()
    began = time.monotonic()
    while True:
        try:
            async with connection.lock, connection.transaction() as db:
                await bring(db, connection)
            return
        except (asyncpg.DuplicateSchemaError, asyncpg.UniqueViolationError):
            await asyncio.sleep(0.02)  # somebody else has made it just now: look again
        except server_errors() as error:
            await connection.mend(error, began)


async def bring(db: asyncpg.Connection, connection: Connection) -> None:
    """Do in one transaction what `migrate` does."""
    crawl, address = connection.address.crawl, connection.address
    server = int(await db.fetchval("SELECT current_setting('server_version_num')::integer"))
    if server < OLDEST:
        raise StoreRefused(f"{address}: PostgreSQL {server // 10000}; it takes 14 or later")
    there = await db.fetchval("SELECT 1 FROM pg_namespace WHERE nspname = $1", crawl)
    if not there:
        await db.execute(f'CREATE SCHEMA "{crawl}"')
        version = 0
    else:
        version = await _version(db, connection)
    text = fingerprint()
    if version == VERSION:
        now = await db.fetchval("SELECT value FROM crawl_values WHERE key = 'views'")
        if now == text:
            return
    await db.execute(_LOCK_TIMEOUT)
    if version:  # a row lock, for which other openers wait; workers do not
        version = await db.fetchval("SELECT version FROM crawl_control FOR UPDATE")
    for file in MIGRATIONS[version:]:
        await db.execute(file.read_text(encoding="utf-8"))
    if not version:
        await db.execute("INSERT INTO crawl_control (version) VALUES (0)")
    await db.execute(f"UPDATE crawl_control SET version = {VERSION}")
    await db.execute((_HERE / "functions.sql").read_text(encoding="utf-8"))
    await _operators(db)
    await _views(db, crawl)
    await db.execute(
        "INSERT INTO crawl_values VALUES ('views', $1)"
        " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        text,
    )


async def make_tables(db: asyncpg.Connection, crawl: str) -> None:
    """Make a crawl's schema with tables and functions; `bring` makes its views."""
    await db.execute(f'CREATE SCHEMA "{crawl}"')
    for file in MIGRATIONS:
        await db.execute(file.read_text(encoding="utf-8"))
    await db.execute(f"INSERT INTO crawl_control (version) VALUES ({VERSION})")
    await db.execute((_HERE / "functions.sql").read_text(encoding="utf-8"))


async def refuse_full(db: asyncpg.Connection, connection: Connection) -> None:
    """Drop a crawl's schema that has nothing in it; StoreRefused where something is.

    StoreClaimed while workers are at it.
    """
    crawl, address = connection.address.crawl, connection.address
    if not await db.fetchval("SELECT 1 FROM pg_namespace WHERE nspname = $1", crawl):
        return
    await _version(db, connection)
    await db.execute(_LOCK_TIMEOUT)
    await db.execute("SELECT 1 FROM crawl_control FOR UPDATE")
    if await db.fetchval("SELECT 1 FROM crawl_workers WHERE expires_at > clock_timestamp()"):
        raise StoreClaimed(f"{address}: worker processes are at it; crawler workers shows them")
    for table in ("crawl_hosts", "seen", "todo", "pages", "runs"):
        if await db.fetchval(f"SELECT 1 FROM {table} LIMIT 1"):
            raise StoreRefused(f"{address}: there is a crawl in it; name another: ?crawl=NAME")
    await db.execute(f'DROP SCHEMA "{crawl}" CASCADE')


async def _version(db: asyncpg.Connection, connection: Connection) -> int:
    """Return the version of a schema that is there; StoreRefused where it is no crawl's."""
    crawl = connection.address.crawl
    if await db.fetchval("SELECT to_regclass($1)", f'"{crawl}".crawl_control') is None:
        raise StoreRefused(
            f"{connection.address}: there is a schema {crawl!r}, but it is no crawl's;"
            " name the crawl otherwise: ?crawl=NAME"
        )
    version = int(await db.fetchval("SELECT version FROM crawl_control"))
    if version > VERSION:
        raise StoreRefused(
            f"{connection.address}: made by a newer Crawlkeep (schema {version}, this one knows"
            f" {VERSION}); upgrade crawlkeep, on every machine"
        )
    return version


@cache
def statements() -> dict[str, str]:
    """Return the statement that makes each view, by its name, as PostgreSQL takes it."""
    return {name: spelled(sql) for name, sql in views.views().items()}


def fingerprint() -> str:
    """Return what tells whether functions, views and outcomes are those of this version."""
    parts = (
        (_HERE / "functions.sql").read_text("utf-8"),
        statements(),
        outcome.rows(),
        "marks of outcomes are boolean",
        MASTER,
        _OPERATORS,
    )
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


_OPERATORS = (
    ("->>", "text", "integer", "json_part"),  # by which SQLite reads JSON in a text
    ("->>", "text", "text", "json_part"),
    ("~@", "text", "text", "glob_matches"),
    ("!~@", "text", "text", "glob_differs"),
    ("=", "boolean", "integer", "is_number"),  # SQLite's columns of BOOLEAN are 1 and 0
    ("<>", "boolean", "integer", "is_not_number"),
)


async def _operators(db: asyncpg.Connection) -> None:
    """Make the operators of SQLite that PostgreSQL has not."""
    for name, left, right, function in _OPERATORS:
        there = await db.fetchval(
            f"SELECT 1 FROM pg_operator WHERE oprname = '{name}' AND oprleft = '{left}'::regtype"
            f" AND oprright = '{right}'::regtype AND oprnamespace ="
            " current_schema()::regnamespace"
        )
        if not there:
            await db.execute(
                f"CREATE OPERATOR {name} (LEFTARG = {left}, RIGHTARG = {right},"
                f" FUNCTION = {function})"
            )


async def _views(db: asyncpg.Connection, crawl: str) -> None:
    """Make views and outcomes anew; an item type of such a name was there first, and stays."""
    items = {name for (name,) in await db.fetch("SELECT name FROM item_types")}
    await db.execute(MASTER.format(crawl=crawl))
    for name, sql in statements().items():
        if name not in items:
            await db.execute(f'DROP VIEW IF EXISTS "{name}"; {sql}')
    if "outcomes" not in items:
        create = outcome.CREATE.replace(" REAL) WITHOUT ROWID", " double precision)")
        create = create.replace(" INTEGER ", " boolean ")  # `WHERE outcomes.error` needs one
        await db.execute(f"DROP TABLE IF EXISTS outcomes; {create}")
        rows = [(*row[:2], *map(bool, row[2:-1]), row[-1]) for row in outcome.rows()]
        marks = ", ".join(f"${number}" for number in range(1, len(rows[0]) + 1))
        await db.executemany(f"INSERT INTO outcomes VALUES ({marks})", rows)
