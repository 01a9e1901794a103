"""Starting over: the schema of a crawl gets another name, and keeps all that is in it."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING

from crawler.errors import StoreClaimed
from crawler.store.address import DatabaseAddress
from crawler.store.postgres.connection import Connection
from crawler.store.postgres.leases import Leases

if TYPE_CHECKING:
    import asyncpg


def move_schema_aside(address: DatabaseAddress) -> DatabaseAddress | None:
    """Rename the crawl's schema, and return the new address; None where there was none.

    StoreClaimed while workers are at it.
    """
    return asyncio.run(_moved(address))


async def _moved(address: DatabaseAddress) -> DatabaseAddress | None:
    name = f"{address.crawl[:30]}_{datetime.now():%Y%m%d_%H%M%S}"

    async def move(db: asyncpg.Connection) -> bool:
        if await db.fetchval("SELECT to_regclass($1)", f'"{address.crawl}".crawl_control') is None:
            return False
        await Leases().reap(db)
        workers = await db.fetchval("SELECT count(*) FROM crawl_workers")
        if workers:
            raise StoreClaimed(
                f"{address}: {workers} worker processes are at it; stop them first:"
                " crawler workers shows them"
            )
        await db.execute(f'ALTER SCHEMA "{address.crawl}" RENAME TO "{name}"')
        return True

    connection = Connection(address, patience=5.0)
    await connection.open()
    try:
        moved = await connection.run(move)
    finally:
        await connection.close()
    shown = address.shown.replace(f"crawl={address.crawl}", f"crawl={name}")
    return DatabaseAddress(address.dsn, name, shown) if moved else None
