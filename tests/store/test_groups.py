"""Hosts of one domain over PostgreSQL: one worker at a time, and their delay over hand-overs."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from postgres_server import server
from store_backends import candidate, visit

from crawler import Crawler, Spider
from crawler.config.revisit import RevisitSettings
from crawler.errors import ConfigError
from crawler.store import Batch, HostRow, Retention
from crawler.store.address import address_of
from crawler.store.postgres.store import PostgresStore

KEEP = Retention(True, True, 1, RevisitSettings(), False)


def domain(host: str) -> str:
    return host.partition("://")[2].partition(".")[2]


def on(story: Callable[..., Awaitable[None]], **options: Any) -> None:
    """Tell a story of two workers whose hosts are limited by domain."""

    async def run() -> None:
        address: Any = address_of(server().dsn())
        async with AsyncExitStack() as stack:
            stores = []
            for _ in range(2):
                store = PostgresStore(address, keep=KEEP, group_of=domain, **options)
                await store.open()
                stack.push_async_callback(store.close)
                await store.begin_run("test", "{}")
                stores.append(store)
            await story(*stores)

    asyncio.run(asyncio.wait_for(run(), 60))


def seeds(*hosts: str) -> Batch:
    return Batch(seeds=[candidate(f"http://{host}.example/") for host in hosts])


def test_hosts_of_one_domain_are_one_workers_until_it_has_none_of_them() -> None:
    async def story(a: PostgresStore, b: PostgresStore) -> None:
        await a.commit(seeds("h1.x", "h2.x", "h1.y"))
        [first] = await a.claim(1)
        others = await b.claim(10)
        assert {domain(row.name) for row in others}.isdisjoint({domain(first.name)})
        assert await b.claim(10) == []
        [todo] = await a.queue(first.host_id, (-9, 0), 9)
        at = time.time() + 30
        row = HostRow(first.host_id, first.name, 0, at, 5.0, 0, 0)
        await a.commit(Batch(visits=[visit(todo)], hosts=[row]))
        await a.release([first.host_id])
        rest = await b.claim(10)
        assert [domain(row.name) for row in rest] == [domain(first.name)]
        assert rest[0].next_at == pytest.approx(at, abs=1)  # as its domain was asked just now

    on(story)


def test_a_domain_rests_where_the_worker_died_that_asked_a_host_of_it() -> None:
    async def story(a: PostgresStore, b: PostgresStore) -> None:
        await a.commit(seeds("h1.x", "h2.x"))
        [first] = await a.claim(1)
        await a._fetch(
            "UPDATE crawl_workers SET expires_at = now() - interval '1 ms' WHERE worker_id = $1"
            " RETURNING 1",
            a.leases.worker_id,
        )
        b._reaped_at = 0.0
        await b.check()
        found = await b.claim(10)
        assert [row.name for row in found] != [first.name]
        assert all(row.next_at > time.time() + 15 for row in found)

    on(story, delay=20.0)


def test_hosts_of_a_run_by_host_get_their_domains_when_a_worker_joins() -> None:
    async def story(a: PostgresStore, b: PostgresStore) -> None:
        await a.commit(seeds("h1.x", "h2.x"))
        await a._fetch("UPDATE crawl_hosts SET group_name = NULL RETURNING 1")
        assert await b.claim(10) == []
        third = PostgresStore(a.address, keep=KEEP, group_of=domain)
        await third.open()
        try:
            assert len(await b.claim(10)) == 2
        finally:
            await third.close()

    on(story)


def test_by_address_is_refused_with_the_way_out() -> None:
    class Many(Spider):
        name = "many"
        start_urls = ("http://127.0.0.1/",)
        settings = {"politeness": {"limit_by": "address"}}  # noqa: RUF012

    async def run() -> None:
        async with Crawler(Many, store=server().dsn()):
            pass

    with pytest.raises(ConfigError, match="set it to host or domain"):
        asyncio.run(run())
