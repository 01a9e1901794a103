"""Clocks that jump: what is stored as a time is never waited for longer than it was meant."""

import asyncio
from collections.abc import Iterator

import pytest
from model_store import ModelStore
from simulated_crawl import EPOCH, Page, SimulatedCrawl, Web
from virtual_clock import run_virtually

from crawler.frontier.clock import MonotonicClock
from crawler.politeness.throttle import Pace

HOUR, DAY = 3600.0, 86_400.0


def test_the_clock_is_the_machines_and_goes_on_by_itself_where_that_is_set_back():
    wall: Iterator[float] = iter([1000.0, 1001.0, 1001.0 + DAY, 1002.0, 1003.0 + 2 * DAY])
    steady: Iterator[float] = iter([5.0, 6.0, 7.0, 8.0, 9.0])
    clock = MonotonicClock(lambda: next(wall), lambda: next(steady))
    assert [clock() for _ in range(4)] == [1001.0, 1001.0 + DAY, 1002.0 + DAY, 1003.0 + 2 * DAY]


class Jumping:
    """A wall clock over the loop's, which a test sets anew; it never goes back by itself."""

    def __init__(self) -> None:
        self.loop, self.offset = asyncio.get_running_loop(), EPOCH

    def __call__(self) -> float:
        return self.loop.time() + self.offset


@pytest.mark.parametrize("jump", [-HOUR, DAY, -10 * 365 * DAY])
def test_a_clock_that_jumps_while_a_crawl_runs_neither_holds_it_up_nor_hurries_it(jump):
    """Every page fails once, in a queue that is longer than the memory."""

    async def story():
        loop = asyncio.get_running_loop()
        machine = Jumping()
        web = Web(
            tuple(Page(failures=1, latency=0.1) for _ in range(300)),
            seeds=tuple(range(300)),
            pace=Pace(0.1, 2),
        )
        run = SimulatedCrawl(web, ModelStore(), wall=MonotonicClock(machine, loop.time))
        for at in (3.0, 17.0):
            loop.call_later(at, setattr, machine, "offset", EPOCH + jump)
            jump_back = at + 1.0
            loop.call_later(jump_back, setattr, machine, "offset", EPOCH)
        assert await run.run() == "finished"
        assert len(run.store.ended) == 300
        assert loop.time() - 1000.0 < 70.0  # 600 starts, a tenth of a second apart
        gaps = [b - a for a, b in zip(run.starts[1], run.starts[1][1:], strict=False)]
        assert min(gaps) > 0.099

    run_virtually(story())


def test_what_an_earlier_run_left_for_a_time_far_ahead_waits_for_an_hour_at_most():
    """Its clock was a year ahead: a retry and the rest of a host."""

    async def story():
        loop = asyncio.get_running_loop()
        web = Web((Page(failures=1), Page(rest=60.0), Page()), seeds=(0, 1, 2), pace=Pace(1.0, 1))
        store = ModelStore()
        ahead = SimulatedCrawl(web, store, wall=lambda: EPOCH + 365 * DAY + loop.time())
        loop.call_later(2.5, ahead.frontier.stop, "interrupted")
        await ahead.run()
        assert store.pending and min(store.next_at.values()) > EPOCH + 365 * DAY
        run = SimulatedCrawl(web, store)
        started = loop.time()
        assert await run.run() == "finished"
        assert loop.time() - started < 2 * run.frontier.longest + 10.0

    run_virtually(story())
