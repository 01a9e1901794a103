"""Faults of names and addresses, told as stories; `plays` names their ids."""

import asyncio
import socket
from collections import Counter
from pathlib import Path
from typing import Any

from fault_server import FaultServer, Wire, page, says
from fault_story import QUICK, Visitor, crawl, merged, plays
from stub_names import names, only_loopback

from crawler import Crawler
from tests.faults.test_faults_hosts import redirect

PUBLIC, INNER = "93.184.216.34", "127.0.0.1"
ANYWHERE = {"engine": {"scope": "any"}, "fetch": {"retries": 3, "dns_cache": 0}}


@plays("fault-044", "fault-043")
async def test_a_name_that_leads_elsewhere_at_the_second_look_is_refused(tmp_path: Path) -> None:
    """Public when it is first resolved, private for the next try; no seed names it."""
    turns = iter([[PUBLIC], [INNER], [INNER], [INNER]])
    with names(rebinds=lambda: next(turns)) as stub, only_loopback() as connected:
        async with FaultServer() as server, FaultServer() as inner:
            there = inner.at("/", page()).replace("127.0.0.1", "rebinds.example")
            seed = server.at("/", redirect(there))
            ended = await crawl([seed], tmp_path / "a.db", **ANYWHERE)
            assert ended.outcome(there) == "address_refused"
            assert ended.tries(there) == stub.asked["rebinds.example"] == 2
            assert inner.connections == 0
    assert connected.count(PUBLIC) == 1 and set(connected) == {PUBLIC, INNER}


@plays("fault-044")
async def test_of_two_addresses_only_the_public_one_is_connected_to(tmp_path: Path) -> None:
    """A client that tries the next address where the first is dead would get in."""
    with names(both=[PUBLIC, INNER]), only_loopback() as connected:
        async with FaultServer() as server, FaultServer() as inner:
            there = inner.at("/", page()).replace("127.0.0.1", "both.example")
            seed = server.at("/", redirect(there))
            ended = await crawl([seed], tmp_path / "a.db", **ANYWHERE)
            assert ended.outcome(there) == "connect_error"
            assert inner.connections == 0
    assert PUBLIC in connected


@plays("fault-089")
async def test_names_without_an_address_are_told_apart_and_hold_nobody_up(tmp_path: Path) -> None:
    """NXDOMAIN, SERVFAIL, a circle of CNAMEs, an empty answer, and fifty that never answer."""
    lasting = {"empty": [], "circle": socket.EAI_FAIL, "servfail": socket.EAI_AGAIN}
    hanging = [f"hangs{number}" for number in range(50)]
    with names(fine=["127.0.0.1"], **lasting) as stub:
        stub.answers |= {f"{name}.example": stub.hang for name in hanging}
        async with FaultServer() as server:
            server.at("*", says(page(), keep=True))
            fine = [f"http://fine.example:{server.port}/{number}" for number in range(50)]
            odd = ["unknown", *lasting]
            urls = {name: f"http://{name}.example:{server.port}/" for name in (*odd, *hanging)}
            fetch = {"connect_timeout": 1.0, "total_timeout": 1.0}
            engine = {"workers": 80}
            ended = await crawl(
                [*urls.values(), *fine], tmp_path / "a.db", fetch=fetch, engine=engine
            )
            outcomes = {name: (ended.outcome(urls[name]), ended.tries(urls[name])) for name in odd}
            assert outcomes["unknown"] == ("dns_error", 1)
            assert outcomes["servfail"] == outcomes["circle"] == ("dns_error", 2)
            assert outcomes["empty"][0] == "dns_error"
            assert {ended.outcome(urls[name]) for name in hanging} <= {"dns_error", "timeout"}
            assert {ended.outcome(url) for url in fine} == {"ok"}
            assert stub.asked["unknown.example"] == stub.asked["fine.example"] == 1


async def most_at_once(store: Path, hosts: int, **settings: Any) -> int:
    """Crawl so many hosts at one address, and give the most connections that are open at once."""
    at_work: Counter[int] = Counter()
    most = 0

    async def counted(wire: Wire) -> None:
        nonlocal most
        at_work[wire.hit.connection] += 1
        most = max(most, len(at_work))
        await asyncio.sleep(0)
        await wire.send(page())
        del at_work[wire.hit.connection]

    everywhere: Any = {f"h{number}": ["127.0.0.1"] for number in range(hosts)}
    with names(**everywhere):
        async with FaultServer() as server:
            server.at("*", counted)
            urls = [f"http://h{number}.example:{server.port}/" for number in range(hosts)]
            settings = merged(QUICK, {"fetch": {"total_timeout": 10.0}}, settings)
            async with Crawler(Visitor(urls), store=store, settings=settings) as crawler:
                summary = await crawler.run()
    assert summary.pages == hosts
    return most


@plays("fault-079")
async def test_a_thousand_hosts_on_one_address_are_bounded_by_the_workers(tmp_path: Path) -> None:
    assert await most_at_once(tmp_path / "a.db", 1000) <= 32  # `engine.workers`


@plays("fault-079")
async def test_hosts_on_one_address_can_be_limited_like_one_host(tmp_path: Path) -> None:
    """`politeness.limit_by` tells that they are one machine."""
    politeness = {"limit_by": "address", "per_host": 3}
    settings = {"politeness": politeness, "engine": {"workers": 64}}
    assert await most_at_once(tmp_path / "a.db", 200, **settings) <= 3
