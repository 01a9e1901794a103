"""Several worker processes on one crawl over PostgreSQL: leases, fences, and nothing twice."""

import asyncio
import gc
import itertools
import json
import os
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from typing import Any

import pytest
from postgres_server import server
from store_backends import candidate, visit

from crawler import control
from crawler.cli import run as command
from crawler.config.revisit import RevisitSettings
from crawler.engine.committer import Committer
from crawler.errors import StoreError, StoreFenced, StoreRefused
from crawler.frontier import Frontier
from crawler.inspect.query import Reader
from crawler.items import item, record_of
from crawler.links.selection import Selection
from crawler.politeness.throttle import Pace
from crawler.store import Batch, QueueChange, Retention
from crawler.store.address import DatabaseAddress, address_of
from crawler.store.postgres.control import summed
from crawler.store.postgres.leases import steady
from crawler.store.postgres.store import PostgresStore

FLUSHES = int(os.environ.get("PROOF_FLUSHES", "6"))  # of each worker; from 7 on of eight workers
KEEP = Retention(True, True, 1, RevisitSettings(), False)


@item(key="name")
class Ware:
    name: str
    price: float


@item(key="name", table="ware")
class OtherWare:
    name: str
    price: float
    colour: str | None = None


def here() -> DatabaseAddress:
    address = address_of(server().dsn())
    assert isinstance(address, DatabaseAddress)
    return address


def on(story: Callable[..., Awaitable[None]], *, workers: int = 2, **options: float) -> None:
    """Tell a story of several workers that take part in one new crawl."""

    async def run() -> None:
        address = here()
        async with AsyncExitStack() as stack:
            stores = []
            for _ in range(workers):
                store = PostgresStore(address, keep=KEEP, **options)
                await store.open()
                stack.push_async_callback(store.close)
                await store.begin_run("test", "{}")
                stores.append(store)
            await story(*stores)

    asyncio.run(asyncio.wait_for(run(), 60 + 8 * FLUSHES))


def seeds(number: int, host: str = "a", **more: bool) -> Batch:
    return Batch(seeds=[candidate(f"http://{host}.example/{n}") for n in range(number)], **more)


async def rows(store: PostgresStore, sql: str) -> list[tuple]:
    return [tuple(row) for row in await store._fetch(sql)]


def test_a_second_worker_joins_the_run_and_the_last_one_ends_it() -> None:
    async def story(a: PostgresStore, b: PostgresStore) -> None:
        assert await rows(a, "SELECT state FROM runs") == [("running",)]
        assert await b.end_run("finished", "finished") is False
        assert await rows(a, "SELECT state FROM runs") == [("running",)]
        assert await a.end_run("finished", "finished") is True
        assert await rows(a, "SELECT state, reason FROM runs") == [("finished", "finished")]

    on(story)


def test_another_configuration_is_refused_with_the_difference() -> None:
    async def story(a: PostgresStore) -> None:
        other = PostgresStore(a.address, keep=KEEP)
        await other.open()
        try:
            with pytest.raises(StoreRefused, match=r"politeness\.delay is None there and 2 here"):
                await other.begin_run("test", '{"politeness": {"delay": 2}}')
        finally:
            await other.close()

    on(story, workers=1)


def test_a_host_is_one_workers_alone_until_it_is_given_back() -> None:
    async def story(a: PostgresStore, b: PostgresStore) -> None:
        [todo] = (await a.commit(seeds(1))).added
        assert await b.claim(10) == []
        more = await b.commit(seeds(3))
        assert (more.added, more.new) == ([], 2)  # they are a's
        await a.commit(Batch(visits=[visit(todo)]))
        await a.release([todo.host_id])
        [host] = await b.claim(10)
        assert len(await b.queue(host.host_id, (-9, 0), 10)) == 2

    on(story)


def test_hosts_of_a_worker_that_left_are_free_at_once() -> None:
    async def story(a: PostgresStore, b: PostgresStore) -> None:
        await a.commit(seeds(2))
        await a.close()
        assert len(await b.claim(10)) == 1

    on(story)


def test_hosts_of_the_dead_are_free_after_the_lease_and_one_delay() -> None:
    async def story(a: PostgresStore, b: PostgresStore) -> None:
        await a.commit(seeds(2))
        await b.check()
        assert await b.claim(10) == []
        await rows(b, "UPDATE crawl_workers SET expires_at = now() - interval '1 ms' WHERE"
                   f" worker_id = {a.leases.worker_id} RETURNING 1")  # fmt: skip
        b._reaped_at = 0.0
        await b.check()
        assert await b.claim(10) == []  # politeness outlives its worker
        [host] = await b.hosts(0, 10)
        assert 10 < host.next_at - time.time() <= 20.01

    on(story, delay=20.0)


def test_who_was_silent_for_its_lease_stores_nothing_and_sends_nothing() -> None:
    async def story(a: PostgresStore, b: PostgresStore) -> None:
        [todo] = (await a.commit(seeds(1))).added
        await rows(b, "UPDATE crawl_workers SET expires_at = now() - interval '1 ms' WHERE"
                   f" worker_id = {a.leases.worker_id} RETURNING 1")  # fmt: skip
        with pytest.raises(StoreFenced):
            await a.commit(Batch(visits=[visit(todo)]))
        b._reaped_at = 0.0
        await b.check()
        with pytest.raises(StoreFenced):
            await a.check() if a.leases.renewed_at == 0 else await a.commit(seeds(1, "c"))
        a.leases.renewed_at -= a.leases.lease
        with pytest.raises(StoreFenced):
            a.promise(0)
        assert await rows(b, "SELECT count(*) FROM pages") == [(0,)]
        assert len(await b.hosts(0, 10)) == 1

    on(story)


def test_a_renewal_that_is_rolled_back_keeps_nobody_sending() -> None:
    async def story(a: PostgresStore) -> None:
        a.leases.renewed_at = steady() - a.leases.lease
        with suppress(ConnectionError):
            async with a._connection.transaction() as db:
                await a.leases.renew(db)
                raise ConnectionError
        committer = Committer(a, Frontier(Pace(0.0, 1)), interval=0.25, size=200)
        for _ in range(2):  # all that are about to send hear it, not the first alone
            with pytest.raises(StoreFenced):
                committer.promise()
        await a.commit(seeds(1))
        committer.promise()

    on(story, workers=1)


def test_no_wake_up_is_lost_in_whatever_order_two_workers_come() -> None:
    """One adds work to a host while the other lets go of it: all ways to interleave their steps."""

    async def story(a: PostgresStore, b: PostgresStore) -> None:
        asleep = []
        ways = sorted(set(itertools.permutations("PPWW")))
        for number, way in enumerate(ways):
            name = f"h{number}"
            [todo] = (await a.commit(seeds(1, name))).added
            await a.commit(Batch(visits=[visit(todo)]))
            steps = {"P": _release(a, todo.host_id), "W": _add(b, name)}
            for who in way:
                with suppress(StopAsyncIteration):
                    await anext(steps[who])
            for rest in steps.values():
                async for _ in rest:
                    pass
            if not await b.claim(10):
                asleep.append("".join(way))
        assert asleep == []

    on(story)


async def _release(store: PostgresStore, host_id: int):
    await store._run(lambda db: store.leases.park(db, [host_id]))
    yield
    await store._run(lambda db: store.leases.wake(db, [host_id]))
    store.leases.held.discard(host_id)


async def _add(store: PostgresStore, name: str):
    wake, store.leases.wake = store.leases.wake, _nothing
    await store.commit(Batch(seeds=[candidate(f"http://{name}.example/new")]))
    store.leases.wake = wake
    foreign = store._flush.foreign
    yield
    await store._run(lambda db: wake(db, foreign))


async def _nothing(*_: object) -> None:
    return None


def test_overlapping_flushes_neither_deadlock_nor_store_a_url_twice() -> None:
    async def story(*stores: PostgresStore) -> None:
        async def flush(number: int, store: PostgresStore) -> int:
            new = 0
            for turn in range(FLUSHES):
                order = range(turn * 20, turn * 20 + 200, 1) if number % 2 else range(220, 20, -1)
                found = [candidate(f"http://h{n % 7}.example/{n}") for n in order]
                new += (await store.commit(Batch(seeds=found))).new
            return new

        added = await asyncio.gather(*(flush(n, store) for n, store in enumerate(stores)))
        [(seen,)] = await rows(stores[0], "SELECT count(*) FROM seen")
        assert sum(added) == seen >= 300
        assert await rows(stores[0], "SELECT count(*) FROM todo") == [(seen,)]

    before = server().psql("SELECT sum(deadlocks) FROM pg_stat_database")
    on(story, workers=8 if FLUSHES > 6 else 4)
    assert server().psql("SELECT sum(deadlocks) FROM pg_stat_database") == before


def test_tickets_are_never_more_than_the_pages_that_are_left() -> None:
    async def story(a: PostgresStore, b: PostgresStore) -> None:
        todos = (await a.commit(seeds(10))).added
        granted = [await a.tickets(32, 10), await b.tickets(32, 10), await a.tickets(32, 10)]
        assert [left for _, left in granted] == [10, 10, 10]
        assert sum(number for number, _ in granted) <= 10
        await a.commit(Batch(visits=[visit(todo) for todo in todos[:3]]))
        assert (await b.tickets(0, 10))[1] == 7
        while (await a.tickets(32, 10))[0]:
            pass
        [(out,)] = await rows(a, "SELECT sum(tickets)::bigint FROM crawl_workers")
        assert out == 7

    on(story)


def test_item_tables_grow_while_others_write_into_them() -> None:
    async def story(a: PostgresStore, b: PostgresStore) -> None:
        todos = (await a.commit(seeds(4))).added
        others = (await b.commit(seeds(2, "b"))).added
        one = [record_of(Ware("spoon", 2.5)), record_of(Ware("spoon", 3.5))]
        await a.commit(Batch(visits=[visit(todos[0], items=one)]))
        wider = [record_of(OtherWare("fork", 1.0, "red"))]
        await b.commit(Batch(visits=[visit(others[0], items=wider)]))
        await a.commit(Batch(visits=[visit(todos[1], items=[record_of(Ware("knife", 4.0))])]))
        await b.commit(Batch(visits=[visit(others[1], items=[record_of(OtherWare("spoon", 9.0))])]))
        found = await rows(a, "SELECT name, price, colour FROM ware ORDER BY name")
        assert found == [("fork", 1.0, "red"), ("knife", 4.0, None), ("spoon", 9.0, None)]

    on(story)


class CutOff:
    """A connection that is cut at its second COMMIT, before or after the server has heard it."""

    def __init__(self, db: Any, *, heard: bool) -> None:
        self._db, self._heard, self._commits = db, heard, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    async def execute(self, sql: str, *values: Any) -> str:
        self._commits += sql == "COMMIT"
        if sql != "COMMIT" or self._commits < 2:
            return await self._db.execute(sql, *values)
        if self._heard:
            await self._db.execute(sql)
        self._db.terminate()
        raise ConnectionResetError("cut")


@pytest.mark.parametrize("heard", [False, True])
def test_a_commit_whose_answer_was_lost_is_not_made_twice(heard: bool) -> None:
    """The server's word counts: this worker's row says how many commits came through."""

    async def story(a: PostgresStore) -> None:
        [todo, _] = (await a.commit(seeds(2))).added
        cut = a._connection._db = CutOff(a._connection._db, heard=heard)  # type: ignore[assignment]
        committed = await a.commit(Batch(visits=[visit(todo, candidates=[])]))
        assert cut._commits == 2  # the first is that of the numbers that a flush needs
        assert committed.pages == 1
        assert await rows(a, "SELECT count(*) FROM pages") == [(1,)]
        assert await rows(a, "SELECT count(*) FROM todo") == [(1,)]
        assert await rows(a, "SELECT flush_no FROM crawl_workers") == [(2,)]

    on(story, workers=1)


def test_a_server_that_is_killed_and_started_again_loses_nothing() -> None:
    async def story(a: PostgresStore) -> None:
        todos = (await a.commit(seeds(3))).added
        for todo in todos:
            await asyncio.to_thread(server().kill)
            flush = asyncio.create_task(a.commit(Batch(visits=[visit(todo)])))
            await asyncio.to_thread(server().start)
            await flush
        assert await rows(a, "SELECT count(*), count(DISTINCT url) FROM pages") == [(3, 3)]

    on(story, workers=1)


def test_the_workers_of_a_crawl_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    async def story(a: PostgresStore, b: PostgresStore) -> None:
        await a.commit(seeds(2))
        address = a.address.dsn + f"&crawl={a.address.crawl}"
        assert await asyncio.to_thread(command, ["workers", address, "--json"]) == 0
        told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        assert [(one["state"], one["hosts"], one["flushes"]) for one in told] == [
            ("alive", 1, 1),
            ("alive", 0, 0),
        ]
        assert {one["pid"] for one in told} == {os.getpid()}
        assert all(25 < one["lease"] <= 30 for one in told)

    on(story)
    assert command(["workers", "nothing.db"]) == 2


def test_what_is_asked_is_answered_once_every_worker_has_done_its_part() -> None:
    async def story(one: PostgresStore, two: PostgresStore) -> None:
        await one.commit(seeds(3))
        await one.commit(seeds(2, "b"))
        held = {row.name: row.host_id for row in await one.hosts(0, 9)}
        await one.release([held["http://b.example"]])
        [taken] = await two.claim(9)
        assert taken.name == "http://b.example"
        selection = Selection.parse("*.example/*")
        number = await asyncio.to_thread(control.ask, one.address, "block", selection.text)
        change = QueueChange("drop", selection, "dropped")
        [row] = await one.asked()
        assert await one.steer(row, change) == (3, (1, 2), None, 0)
        assert await one.asked() == []
        assert (await asyncio.to_thread(control.one, one.address, number)).state == "asked"
        busy = [(taken.host_id, *(await two.queue(taken.host_id, (-1, 0), 1))[0].key)]
        [row] = await two.asked()
        assert (await two.steer(row, change._replace(busy=busy))).number == 1
        told = await asyncio.to_thread(control.one, one.address, number)
        assert (told.state, told.result) == ("applied", "4 URLs dropped")
        assert await rows(one, "SELECT count(*) FROM pages WHERE outcome = 'blocked'") == [(4,)]
        assert await rows(one, "SELECT url FROM todo") == [("http://b.example/0",)]

    on(story)


def test_one_worker_alone_does_what_is_to_be_done_once_and_the_dead_are_not_waited_for() -> None:
    async def story(one: PostgresStore, two: PostgresStore) -> None:
        for action in ("add", "retry"):
            number = await asyncio.to_thread(control.ask, one.address, action, "a.example")
            found = [await store.asked() for store in (one, two, one)]
            assert [len(rows) for rows in found].count(1) == (2 if action == "add" else 1)
            await one.answer(number, "applied", "1 new, 0 known")
        number = await asyncio.to_thread(control.ask, one.address, "pause")
        assert len(await one.asked()) == 1
        await one.answer(number, "applied", "paused, 1 in flight")
        await two.close()
        assert await one.asked() == []
        told = await asyncio.to_thread(control.one, one.address, number)
        assert (told.state, told.result) == ("applied", "paused, 1 in flight")
        assert summed(["paused, 1 in flight", "paused, 20 in flight"]) == "paused, 21 in flight"
        assert summed(["1,200 URLs dropped", "5 URLs dropped"]) == "1,205 URLs dropped"

    on(story)


@pytest.mark.parametrize(("state", "rests"), [("stopped", False), ("interrupted", True)])
def test_a_host_rests_where_nobody_knows_when_it_was_asked_last(state: str, rests: bool) -> None:
    async def story(one: PostgresStore, two: PostgresStore) -> None:
        await one.commit(seeds(1))
        await one.end_run(state, "interrupted")
        free = await rows(two, "SELECT ready_at > clock_timestamp() FROM crawl_hosts")
        assert free == [(rests,)]

    on(story, delay=30.0)


def test_a_fence_that_is_met_while_a_run_is_cancelled_is_no_unheard_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story(a: PostgresStore) -> None:
        async def fenced(db: Any) -> None:
            await asyncio.sleep(0)
            raise a.leases.fenced()

        task = asyncio.create_task(a._run(fenced))
        await asyncio.sleep(0.05 if task.done() else 0)
        task.cancel()
        with pytest.raises((asyncio.CancelledError, StoreFenced)):
            await task
        del task
        gc.collect()

    on(story, workers=1)
    assert "never retrieved" not in caplog.text


def test_a_question_to_a_server_that_stops_ends_as_an_error_of_the_store() -> None:
    async def story(a: PostgresStore) -> None:
        reader = await asyncio.to_thread(Reader, a.address)
        with reader:
            server().kill()
            try:
                with pytest.raises(StoreError):
                    await asyncio.to_thread(lambda: list(reader.query("SELECT 1").rows))
            finally:
                server().start()

    on(story, workers=1)
