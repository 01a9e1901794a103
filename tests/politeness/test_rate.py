"""RateLimit and the sliding window: never more than allowed in any window, fair, cancellable."""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest
from client_story import on_site

from crawler import Crawler, SiteSpider
from crawler.clients import RateLimit
from crawler.politeness.rate import Rate, Window
from crawler.practice import PracticeSite


class Clock:
    """A clock that moves only while somebody sleeps on it."""

    def __init__(self, late: float = 0.0) -> None:
        self.now, self.late = 0.0, late

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.now += seconds + random.random() * self.late


def most_in_any_window(starts: list[float], period: float) -> int:
    return max(sum(a <= b < a + period for b in starts) for a in starts)


@pytest.mark.parametrize(("calls", "period"), [(1, 1.0), (3, 1.0), (10, 60.0), (7, 0.5)])
@pytest.mark.parametrize("late", [0.0, 0.3])
def test_no_window_holds_more_than_allowed(calls: int, period: float, late: float) -> None:
    clock, starts = Clock(late), []
    limit = RateLimit(calls, period, clock=clock, sleep=clock.sleep)

    async def one(pause: float) -> None:
        async with limit:
            starts.append(clock.now)
        clock.now += pause

    async def story() -> None:
        pauses = random.Random(7)
        await asyncio.gather(*(one(pauses.random() * period / calls) for _ in range(10 * calls)))

    asyncio.run(story())
    assert len(starts) == 10 * calls
    assert most_in_any_window(starts, period - 1e-9) <= calls


def test_a_pause_saves_nothing_up_for_the_edge_of_a_window() -> None:
    clock, starts = Clock(), []
    limit = RateLimit(4, 10, clock=clock, sleep=clock.sleep)

    async def story() -> None:
        for pause in [9.9, 0, 0, 0, 0, 0, 0, 0]:  # one early, then seven around the edge
            await limit.acquire()
            starts.append(clock.now)
            clock.now += pause

    asyncio.run(story())
    assert most_in_any_window(starts, 10) == 4


def test_who_asks_first_passes_first() -> None:
    clock, order = Clock(), []
    limit = RateLimit(1, 5, clock=clock, sleep=clock.sleep)

    async def one(name: int) -> None:
        await limit.acquire()
        order.append(name)

    async def story() -> None:
        await asyncio.gather(*(one(name) for name in range(20)))

    asyncio.run(story())
    assert order == list(range(20))


def test_a_cancelled_wait_uses_nothing_up_and_stops_nobody() -> None:
    clock = Clock()
    gate = asyncio.Event()

    async def sleep(seconds: float) -> None:
        await gate.wait()
        clock.now += seconds

    async def story() -> None:
        limit = RateLimit(1, 5, clock=clock, sleep=sleep)
        await limit.acquire()
        waiting = [asyncio.create_task(limit.acquire()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        waiting[1].cancel()
        await asyncio.gather(*waiting[:2], return_exceptions=True)
        gate.set()
        await waiting[2]
        assert clock.now == 5.0

    asyncio.run(story())


def test_even_spaces_the_calls() -> None:
    clock, starts = Clock(), []
    limit = RateLimit(4, 2, even=True, clock=clock, sleep=clock.sleep)

    async def story() -> None:
        for _ in range(4):
            await limit.acquire()
            starts.append(clock.now)

    asyncio.run(story())
    assert starts == [0.0, 0.5, 1.0, 1.5]


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("10/60", Rate(10, 60.0)),
        ("1/0.5", Rate(1, 0.5)),
        ("500/1h", Rate(500, 3600.0)),
        ("20/1m", Rate(20, 60.0)),
        (" 3 / 2s ", Rate(3, 2.0)),
    ],
)
def test_a_rate_is_written_as_calls_over_seconds(text: str, rate: Rate) -> None:
    assert Rate.parse(text) == rate


@pytest.mark.parametrize("text", ["", "10", "0/60", "10/0", "-1/5", "a/b", "10/60/2", "1/1d"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Rate.parse(text)


def test_a_window_knows_when_it_no_longer_matters() -> None:
    window = Window(Rate(2, 10))
    assert window.free_at == 0.0
    window.note(3.0)
    assert (window.next_at(4.0), window.free_at) == (4.0, 13.0)
    window.note(4.0)
    assert (window.next_at(5.0), window.free_at) == (13.0, 14.0)


@on_site()
async def test_a_crawl_keeps_to_the_rate_of_each_host(site: PracticeSite, tmp_path: Path) -> None:
    site.add_links("/start", [f"/status/200?{n}" for n in range(8)])
    settings = {
        "politeness": {"delay": 0.0, "per_host": 8, "rate": "4/0.5", "robots": False},
        "engine": {"max_depth": 1},
    }
    spider = SiteSpider(site.at("/start"))
    async with Crawler(spider, store=tmp_path / "c.db", settings=settings) as crawler:
        await crawler.run()
    starts = [hit.started for hit in site.hits]
    assert len(starts) >= 9
    assert most_in_any_window(starts, 0.48) <= 4  # the server's clock sees some jitter


@on_site()
async def test_a_resumed_crawl_does_not_start_a_window_anew(
    site: PracticeSite, tmp_path: Path
) -> None:
    site.add_links("/start", [f"/status/200?{n}" for n in range(3)])
    settings: dict[str, Any] = {
        "politeness": {"delay": 0.0, "rate": "2/0.4", "robots": False},
        "engine": {"max_depth": 1},
    }
    for most in (2, None):
        settings["engine"]["max_pages"] = most
        async with Crawler(
            SiteSpider(site.at("/start")), store=tmp_path / "c.db", settings=settings
        ) as crawler:
            await crawler.run()
    starts = [hit.started for hit in site.hits]
    assert len(starts) >= 4
    assert most_in_any_window(starts, 0.38) <= 2
