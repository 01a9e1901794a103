"""A clock that jumps under a running crawl, told as a story; `plays` names its id."""

import time
from itertools import pairwise
from pathlib import Path
from unittest import mock

from fault_server import FaultServer, Wire, page
from fault_story import crawl, plays

DAY = 86_400.0


@plays("fault-098", "fault-074")
async def test_a_clock_that_jumps_causes_neither_a_burst_nor_a_stall(tmp_path: Path) -> None:
    """A day ahead, an hour back, with a Retry-After date of next week; each page fails once."""
    real, jump = time.time, 0.0
    starts: list[float] = []
    next_week = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(real() + 7 * DAY))

    async def jumpy(wire: Wire) -> None:
        nonlocal jump
        wire.keep = True
        if wire.hit.target == "/robots.txt":
            await wire.send(page(b"User-agent: *\nDisallow: /no"))
            return
        starts.append(time.monotonic())
        jump = (DAY, -3600.0, -2 * DAY, 0.0)[len(starts) // 4 % 4]
        if wire.server.count(wire.hit.target) > 1:
            await wire.send(page())
        elif wire.hit.target == "/0":
            asks = f"Retry-After: {next_week}\r\n".encode()
            await wire.send(page(b"", asks, b"503 Busy"))
        else:
            await wire.send(page(status=b"500 Broken"))

    with mock.patch("time.time", lambda: real() + jump):
        async with FaultServer() as server:
            server.at("*", jumpy)
            urls = [server.url(f"/{number}") for number in range(12)]
            politeness = {"robots": True, "delay": 0.05, "adaptive": False, "give_up_after": 0}
            ended = await crawl(urls, tmp_path / "a.db", politeness=politeness)
            assert {ended.outcome(url) for url in urls} == {"ok"}
            assert server.count("/robots.txt") == 1
    assert len(starts) == 24
    assert min(later - sooner for sooner, later in pairwise(starts)) > 0.05 - 0.02
