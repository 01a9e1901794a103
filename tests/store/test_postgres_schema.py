"""The schema of a crawl over PostgreSQL: made once by many, and migrated while workers store."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from postgres_server import server
from store_backends import candidate, visit

from crawler.config.revisit import RevisitSettings
from crawler.errors import StoreRefused
from crawler.store import Batch, Retention
from crawler.store.address import address_of
from crawler.store.postgres import runs, schema
from crawler.store.postgres.connection import Connection
from crawler.store.postgres.store import PostgresStore

KEEP = Retention(True, True, 1, RevisitSettings(), False)


async def opened(address: Any) -> PostgresStore:
    store = PostgresStore(address, keep=KEEP)
    await store.open()
    return store


def test_eight_that_open_a_new_crawl_at_once_make_it_once() -> None:
    async def story() -> None:
        address = address_of(server().dsn())
        stores = await asyncio.gather(*(opened(address) for _ in range(8)))
        [row] = await stores[0]._fetch("SELECT version, one FROM crawl_control")
        assert row["version"] == schema.VERSION
        for store in stores:
            await store.close()

    asyncio.run(asyncio.wait_for(story(), 60))


def test_a_worker_stores_on_while_a_newer_version_migrates_and_an_older_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = tmp_path / "9999_later.sql"
    later.write_text(
        "ALTER TABLE pages ADD COLUMN later text; ALTER TABLE crawl_hosts ADD COLUMN later text;"
    )

    async def story() -> None:
        address: Any = address_of(server().dsn())
        worker = await opened(address)
        await worker.begin_run("test", "{}")
        seeds = [candidate(f"http://a.example/{n}") for n in range(30)]
        todos = list((await worker.commit(Batch(seeds=seeds))).added)

        async def stores() -> None:
            for todo in todos:
                await worker.commit(Batch(visits=[visit(todo)]))

        newer = Connection(address)
        await newer.open()
        storing = asyncio.create_task(stores())
        with monkeypatch.context() as patch:
            patch.setattr(schema, "MIGRATIONS", [*schema.MIGRATIONS, later])
            patch.setattr(schema, "VERSION", schema.VERSION + 1)
            await schema.migrate(newer)
        await storing
        await newer.close()
        sql = "SELECT count(*), count(later), (SELECT version FROM crawl_control) FROM pages"
        assert tuple((await worker._fetch(sql))[0]) == (30, 0, schema.VERSION + 1)
        with pytest.raises(StoreRefused, match="made by a newer Crawlkeep"):
            await opened(address)
        await worker.close()

    asyncio.run(asyncio.wait_for(story(), 60))


def test_a_run_of_another_version_is_refused_with_both_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story() -> None:
        address: Any = address_of(server().dsn())
        first, second = await opened(address), await opened(address)
        await first.begin_run("test", "{}")
        with monkeypatch.context() as patch:
            patch.setattr(runs, "__version__", "99.1")
            with pytest.raises(StoreRefused, match=r"is of Crawlkeep .*, this is 99\.1"):
                await second.begin_run("test", "{}")
        await second.close()
        await first.close()

    asyncio.run(asyncio.wait_for(story(), 60))
