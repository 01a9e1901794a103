"""Faults of whole hosts that never mend, and how they are given up; `plays` names their ids."""

import asyncio
import socket
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from fault_server import FaultServer, Wire, page, says
from fault_story import QUICK, Visitor, crawl, merged, plays

from crawler import Crawler
from crawler.store import Committed
from crawler.store.requeue import retry
from crawler.web.visit import Visit

LIMIT = 8  # failures in a row, in these stories
GIVES_UP: dict[str, dict[str, Any]] = {"politeness": {"give_up_after": LIMIT}}
TRIES = {"fetch": {"retries": 3}}
IN_FLIGHT = 2  # `politeness.per_host`


def ends(store: Path) -> Counter[str]:
    with closing(sqlite3.connect(store)) as db:
        rows = db.execute("SELECT outcome, count(*) FROM pages GROUP BY 1").fetchall()
        queued = db.execute("SELECT count(*) FROM todo").fetchone()[0]
        counted = db.execute("SELECT sum(pending) FROM hosts").fetchone()[0]
    assert queued == counted
    return Counter({**dict(rows), **({"queued": queued} if queued else {})})


@plays("fault-076")
async def test_a_host_of_errors_costs_so_many_requests_however_long_its_queue(
    tmp_path: Path,
) -> None:
    for status in (b"500 Broken", b"403 Forbidden", b"503 Busy", b"429 Slow Down"):
        async with FaultServer() as server:
            server.at("*", says(page(status=status), keep=True))
            urls = [server.url(f"/{number}") for number in range(300)]
            store = tmp_path / f"{status[:3].decode()}.db"
            ended = await crawl(urls, store, **merged(GIVES_UP, TRIES))
            tries = 4 if status.startswith(b"500") else 1  # another try may be of the page alone
            assert LIMIT <= len(server.hits) <= tries * (LIMIT + IN_FLIGHT)
            outcomes = Counter(ended.outcome(url) for url in urls)
            assert outcomes["host_given_up"] >= 300 - LIMIT - IN_FLIGHT
            assert ended.summary.outcomes["host_given_up"] == outcomes["host_given_up"]
            last = ended.error(urls[-1])
            assert last.startswith(f"{LIMIT} failures in a row, the last: "), last


@plays("fault-076", "fault-001", "fault-089")
async def test_a_host_that_never_answers_is_given_up_like_one_that_only_fails(
    tmp_path: Path,
) -> None:
    async def resets(wire: Wire) -> None:
        wire.reset()

    with socket.socket() as port:
        port.bind(("127.0.0.1", 0))  # bound and not listening: refuses
        async with FaultServer() as server:
            server.at("*", resets)
            for name, start in {
                "refuses": f"http://127.0.0.1:{port.getsockname()[1]}",
                "resets": server.url().rstrip("/"),
                "unknown": "http://no-such-host.invalid",
            }.items():
                urls = [f"{start}/{number}" for number in range(100)]
                settings = merged(GIVES_UP, TRIES)
                ended = await crawl(urls, tmp_path / f"{name}.db", **settings)
                outcomes = Counter(ended.outcome(url) for url in urls)
                assert outcomes["host_given_up"] >= 100 - LIMIT - IN_FLIGHT, (name, outcomes)
            # aiohttp asks once more by itself when a connection ends without an answer
            assert len(server.hits) <= 2 * (LIMIT + IN_FLIGHT)


@plays("fault-076")
async def test_without_a_limit_every_url_is_tried(tmp_path: Path) -> None:
    async with FaultServer() as server:
        server.at("*", says(page(status=b"500 Broken"), keep=True))
        urls = [server.url(f"/{number}") for number in range(40)]
        ended = await crawl(urls, tmp_path / "a.db", politeness={"give_up_after": 0})
        assert {ended.outcome(url) for url in urls} == {"server_error"}
        assert len(server.hits) == 80


@plays("fault-076")
async def test_the_closed_part_of_a_site_is_not_the_whole_of_it(tmp_path: Path) -> None:
    """Fewer pages in a row are refused than were given before, though more than the limit."""

    async def some(wire: Wire) -> None:
        closed = 12 <= int(wire.hit.target[1:]) < 12 + LIMIT + 2
        await wire.send(page(status=b"403 Members Only") if closed else page())
        wire.keep = True

    async with FaultServer() as server:
        server.at("*", some)
        urls = [server.url(f"/{number}") for number in range(40)]
        settings = merged(GIVES_UP, {"politeness": {"per_host": 1}})
        ended = await crawl(urls, tmp_path / "a.db", **settings)
        outcomes = Counter(ended.outcome(url) for url in urls)
        assert outcomes == {"ok": 40 - LIMIT - 2, "http_error": LIMIT + 2}


@plays("fault-076")
async def test_a_few_broken_pages_that_are_tried_again_are_not_the_whole_host(
    tmp_path: Path,
) -> None:
    """Their tries make more failures in a row than the limit; the pages behind them are fine."""
    broken = range(1, LIMIT)

    async def some(wire: Wire) -> None:
        known = int(wire.hit.target[1:]) in broken
        await wire.send(page(status=b"500 Broken") if known else page())
        wire.keep = True

    async with FaultServer() as server:
        server.at("*", some)
        urls = [server.url(f"/{number}") for number in range(40)]
        ended = await crawl(urls, tmp_path / "a.db", **merged(GIVES_UP, TRIES))
        outcomes = Counter(ended.outcome(url) for url in urls)
        assert outcomes == {"ok": 40 - len(broken), "server_error": len(broken)}
        assert len(server.hits) == 40 + 3 * len(broken)


@plays("fault-076")
async def test_many_that_are_in_flight_together_fail_together_without_an_end_of_the_host(
    tmp_path: Path,
) -> None:
    """A host of one's own that is down for a moment while 20 requests are under way."""
    together = 20
    down, under_way = asyncio.Event(), 0

    async def down_once(wire: Wire) -> None:
        nonlocal under_way
        under_way += 1
        if under_way == together:
            down.set()
        if under_way > together:
            await wire.send(page())
        else:
            await down.wait()
            wire.reset()
        wire.keep = True

    async with FaultServer() as server:
        server.at("*", down_once)
        urls = [server.url(f"/{number}") for number in range(60)]
        parallel = {"politeness": {"per_host": together}, "engine": {"workers": together}}
        ended = await crawl(urls, tmp_path / "a.db", **merged(GIVES_UP, TRIES, parallel))
        assert {ended.outcome(url) for url in urls} == {"ok"}


@plays("fault-076")
async def test_many_that_are_in_flight_together_slow_a_host_down_once(tmp_path: Path) -> None:
    """A hundred times would leave it at a page a minute."""
    together = 20
    busy, under_way = asyncio.Event(), 0

    async def all_busy(wire: Wire) -> None:
        nonlocal under_way
        under_way += 1
        if under_way == together:
            busy.set()
        await busy.wait()
        await wire.send(page(status=b"503 Busy"))

    async with FaultServer() as server:
        server.at("*", all_busy)
        urls = [server.url(f"/{number}") for number in range(together)]
        parallel = {"politeness": {"per_host": together}, "engine": {"workers": together}}
        store = tmp_path / "a.db"
        await crawl(urls, store, **merged(parallel, {"fetch": {"retries": 0}}))
        with closing(sqlite3.connect(store)) as db:
            slowed = db.execute(
                "SELECT failures FROM hosts JOIN pages USING (host_id)"
                " WHERE outcome = 'server_error' GROUP BY host_id"
            ).fetchall()
        assert slowed == [(1,)]


@plays("fault-076")
async def test_what_was_given_up_comes_back_with_a_retry(tmp_path: Path) -> None:
    store = tmp_path / "a.db"
    broken = True

    async def mended_later(wire: Wire) -> None:
        await wire.send(page(status=b"500 Broken") if broken else page())
        wire.keep = True

    async with FaultServer() as server:
        server.at("*", mended_later)
        urls = [server.url(f"/{number}") for number in range(50)]
        settings = merged(QUICK, GIVES_UP)
        async with Crawler(Visitor(urls), store=store, settings=settings) as crawler:
            await crawler.run()
        broken = False
        assert retry(store, "outcome = 'host_given_up'") >= 50 - LIMIT - IN_FLIGHT
        retry(store)
        async with Crawler(Visitor(urls), store=store, settings=settings) as crawler:
            await crawler.run()
        assert ends(store) == {"ok": 50}


def stops_at(crawler: Crawler, outcome: str) -> Callable[[list[Visit], Committed], None]:
    """Stop a crawl at the first commit in which something ended like that."""

    def look(visits: list[Visit], committed: Committed) -> None:
        if any(visit.outcome == outcome for visit in visits):
            crawler.stop()

    return look


@plays("fault-076")
async def test_a_crawl_stopped_while_it_gives_up_a_host_loses_nothing_of_it(
    tmp_path: Path,
) -> None:
    """What is left is queued, and the next run gives the host another chance."""
    store = tmp_path / "a.db"
    async with FaultServer() as server:
        server.at("*", says(page(status=b"500 Broken"), keep=True))
        urls = [server.url(f"/{number}") for number in range(1000)]
        settings = merged(QUICK, GIVES_UP, {"store": {"flush_visits": 50}})
        async with Crawler(Visitor(urls), store=store, settings=settings) as crawler:
            crawler.on_commit(stops_at(crawler, "host_given_up"))
            summary = await crawler.run()
        first = ends(store)
        assert summary.state == "interrupted" and summary.queued == first["queued"] > 0
        assert first.total() == 1000 and first["host_given_up"] > 0
        async with Crawler(Visitor(urls), store=store, settings=settings) as crawler:
            await asyncio.wait_for(crawler.run(), 10)
        assert ends(store).total() == 1000 and not ends(store)["queued"]
        assert len(server.hits) <= 2 * 2 * (LIMIT + IN_FLIGHT)


@plays("fault-076")
async def test_a_host_is_given_up_in_a_lane_with_others_too(tmp_path: Path) -> None:
    async with FaultServer() as server:
        server.at("*", says(page(status=b"500 Broken"), keep=True))
        urls = [server.url(f"/{number}") for number in range(200)]
        for kind in ("address", "domain"):
            settings = merged(GIVES_UP, {"politeness": {"limit_by": kind}})
            ended = await crawl(urls, tmp_path / f"{kind}.db", **settings)
            assert ended.summary.outcomes["host_given_up"] >= 200 - LIMIT - IN_FLIGHT


@plays("fault-076", "fault-080")
async def test_a_host_whose_robots_txt_is_never_had_is_given_up_as_well(tmp_path: Path) -> None:
    """Its tries count like those of pages; until then what its turn comes for is denied."""
    async with FaultServer() as server:
        server.at("/robots.txt", says(page(status=b"503 Busy"), keep=True))
        server.at("*", says(page(), keep=True))
        urls = [server.url(f"/{number}") for number in range(100)]
        for limit, outcome in ((2, "host_given_up"), (3, "robots_unreachable")):
            politeness = {"robots": True, "give_up_after": limit}
            ended = await crawl(urls, tmp_path / f"{limit}.db", politeness=politeness)
            assert {ended.outcome(url) for url in urls} == {outcome}
        assert len(server.hits) == server.count("/robots.txt") == 4
