"""Following a crawl over PostgreSQL, whose workers commit in any order: each row once.

`KILLS=50` (make postgres-proof) kills the command fifty times; the quick suite twice.
"""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from postgres_server import server
from store_backends import candidate, visit

from crawler.config.revisit import RevisitSettings
from crawler.errors import UsageError
from crawler.export.choice import Choice
from crawler.export.follow import follow, open_sink
from crawler.export.formats import WriteOptions
from crawler.export.position import Position
from crawler.inspect.query import Reader
from crawler.items import item, record_of
from crawler.store import Batch, Retention
from crawler.store.address import address_of
from crawler.store.postgres.store import PostgresStore

KILLS = int(os.environ.get("KILLS", "2"))
KEEP = Retention(True, True, 1, RevisitSettings(), False)


@item(key="name")
class Ware:
    name: str
    price: int


class Shop:
    """Workers that store pages and wares of hosts of their own, each as fast as it likes."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._stack = AsyncExitStack()
        self.stores: list[PostgresStore] = []
        self._numbers = [0, 0, 0]

    async def __aenter__(self) -> "Shop":
        for _ in self._numbers:
            store = PostgresStore(address_of(self.address), keep=KEEP)  # type: ignore[arg-type]
            await store.open()
            self._stack.push_async_callback(store.close)
            await store.begin_run("test", "{}")
            self.stores.append(store)
        return self

    async def __aexit__(self, *exc: object) -> None:
        for store in self.stores:
            await store.end_run("stopped", "stopped")
        await self._stack.aclose()

    async def sell(self, place: int, number: int = 5) -> None:
        """Store so many pages with a ware each, and one ware that comes again and again."""
        first = self._numbers[place]
        self._numbers[place] += number
        names = [f"{place}-{n}" for n in range(first, first + number)]
        store = self.stores[place]
        seeds = [candidate(f"http://h{place}.example/{name}") for name in names]
        added = (await store.commit(Batch(seeds=seeds))).added
        again = record_of(Ware(f"again {place}", first))
        visits = [
            visit(todo, items=[record_of(Ware(name, 1)), again])
            for todo, name in zip(added, names, strict=True)
        ]
        await store.commit(Batch(visits=visits))


def grow(address: str, out: Path, what: str = "ware") -> int:
    store = address_of(address)
    with Reader(address) as reader, open_sink(store, what, out, None) as sink:
        return follow(reader, "jsonl", Choice(), sink, WriteOptions(), live=False)


def ids(out: Path, name: str = "item_id") -> list[int]:
    return [json.loads(line)[name] for line in out.read_text().splitlines()]


def position(out: Path) -> Position:
    return Position.read(out.with_name(out.name + ".position"), "ware")


async def open_sale(shop: Shop, number: int) -> Any:
    """A transaction of a worker that has stored a ware, and is not committed yet."""
    import asyncpg

    address = address_of(shop.address)
    db = await asyncpg.connect(address.dsn)  # type: ignore[union-attr]
    await db.execute(f'BEGIN; SET LOCAL search_path TO "{address.crawl}"')  # type: ignore[union-attr]
    await db.execute("UPDATE crawl_hosts SET failures = 0 WHERE host_id = 0")
    await db.execute("SELECT pg_current_xact_id()")
    await db.execute(
        "INSERT INTO ware (name, price, page_id, page_url, run_id, fetched_at)"
        f" VALUES ('late {number}', 1, 1, 'http://x/', 1, '2026-01-01T00:00:00Z')"
    )
    return db


def test_a_row_that_is_committed_after_one_with_a_higher_id_is_given(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"

    async def story() -> None:
        async with Shop(server().dsn()) as shop:
            await shop.sell(0)
            late = [await open_sale(shop, number) for number in range(2)]
            await shop.sell(1)
            assert await asyncio.to_thread(grow, shop.address, out) == 12
            assert position(out).beyond
            await late[1].execute("COMMIT")
            assert await asyncio.to_thread(grow, shop.address, out) == 1
            await late[0].execute("ROLLBACK")
            for db in late:
                await db.close()
            await shop.sell(0)
            assert await asyncio.to_thread(grow, shop.address, out) == 5
            assert await asyncio.to_thread(grow, shop.address, out) == 0
        assert await asyncio.to_thread(grow, shop.address, out) == 0
        assert position(out).beyond == ()  # nobody takes part: no number is to come any more
        with Reader(shop.address) as reader:
            there = [row[0] for row in reader.query("SELECT item_id FROM ware").rows]
        assert sorted(ids(out)) == sorted(there)
        assert position(out).last == max(there)

    asyncio.run(asyncio.wait_for(story(), 60))


def test_what_was_given_is_kept_as_ranges_that_close() -> None:
    begin = Position("ware", beyond=())
    assert begin.given([3, 4, 9]).beyond == ((3, 4), (9, 9))
    given = begin.given([3, 4, 9]).given([1, 2, 8])
    assert (given.last, given.beyond) == (4, ((8, 9),))
    assert (given.settled(7).last, given.settled(7).beyond) == (9, ())
    assert given.settled(3) == given
    condition = Choice(after=4, beyond=((8, 9),)).condition("u", "i")
    assert condition == " WHERE (i BETWEEN 5 AND 7 OR i > 9)"


def test_the_command_is_killed_while_three_workers_store_and_each_row_comes_once(
    tmp_path: Path,
) -> None:
    outs = {"ware": tmp_path / "ware.jsonl", "pages": tmp_path / "pages.jsonl"}
    dice = random.Random(3)

    async def story() -> None:
        async with Shop(server().dsn()) as shop:
            await shop.sell(0)

            async def sells(place: int) -> None:
                while True:
                    await shop.sell(place, dice.randrange(1, 30))
                    await asyncio.sleep(dice.random() / 20)

            sellers = [asyncio.create_task(sells(place)) for place in range(3)]
            await asyncio.to_thread(kill_exports, shop.address)
            for seller in sellers:
                seller.cancel()
            await asyncio.gather(*sellers, return_exceptions=True)
        for what, out in outs.items():
            await asyncio.to_thread(grow, shop.address, out, what)
        with Reader(shop.address) as reader:
            for what, name in (("ware", "item_id"), ("pages", "page_id")):
                there = [row[0] for row in reader.query(f"SELECT {name} FROM {what}").rows]
                found = ids(outs[what], name)
                assert sorted(found) == sorted(there), what
                print(f"{KILLS} kills, {len(found)} rows of {what}, each once")

    def kill_exports(address: str) -> None:
        for number in range(KILLS):
            what = ("ware", "pages")[number % 2]
            asked = ["export", what, "--follow", "-o", str(outs[what]), "--store", address]
            run = subprocess.Popen(
                [sys.executable, "-m", "crawler", *asked], stderr=subprocess.DEVNULL
            )
            size, until = _size(outs[what]), time.monotonic() + 10
            while _size(outs[what]) == size and time.monotonic() < until:
                time.sleep(0.01)
            time.sleep(dice.random() / 4)
            run.send_signal(signal.SIGKILL)
            run.wait()

    asyncio.run(asyncio.wait_for(story(), 60 + 10 * KILLS))


def _size(out: Path) -> int:
    return out.stat().st_size if out.exists() else 0


def test_a_position_of_ones_own_is_refused_with_the_way_out() -> None:
    with pytest.raises(UsageError, match="--since-last NAME"):  # noqa: SIM117
        with open_sink(address_of(server().dsn()), "ware", Path("-"), None, 3):
            pass
