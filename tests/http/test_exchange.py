"""The deadline that many tries share, in virtual time."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

import pytest
from virtual_clock import run_virtually

from crawler.http.exchange import Deadline


def virtually(story: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    @wraps(story)
    def run() -> None:
        run_virtually(story())

    return run


def now() -> float:
    return asyncio.get_running_loop().time()


@virtually
async def test_cuts_off_what_takes_longer_and_nothing_else() -> None:
    deadline, began = Deadline(10.0), now()

    async def take(after: float, seconds: float) -> tuple[str, float]:
        await asyncio.sleep(after)
        try:
            with deadline:
                await asyncio.sleep(seconds)
        except TimeoutError:
            return "late", now() - began
        return "done", now() - began

    stories = [(0.0, 5.0), (1.0, 20.0), (2.0, 9.0), (3.0, 20.0), (20.0, 3.0)]
    found = await asyncio.gather(*(take(*story) for story in stories))
    assert found == [
        *(("done", 5.0), ("late", 11.0), ("done", 11.0), ("late", 13.0), ("done", 23.0))
    ]


@virtually
async def test_a_task_goes_on_after_it_was_late() -> None:
    deadline = Deadline(1.0)
    for _ in range(3):
        with pytest.raises(TimeoutError), deadline:
            await asyncio.sleep(5)
        with deadline:
            await asyncio.sleep(0.5)
    task = asyncio.current_task()
    assert task is not None and task.cancelling() == 0


@virtually
async def test_cancelling_from_outside_stays_cancelling() -> None:
    deadline = Deadline(5.0)

    async def work() -> None:
        with deadline:
            await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@virtually
async def test_cancelling_in_the_same_instant_wins() -> None:
    deadline = Deadline(5.0)

    async def work() -> None:
        with deadline:
            await asyncio.sleep(60)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_later(5.0, task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task


@virtually
async def test_an_error_of_its_own_is_not_called_late() -> None:
    deadline = Deadline(5.0)

    async def stubborn() -> None:
        with deadline:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                raise KeyError("mine") from None

    with pytest.raises(KeyError):
        await asyncio.create_task(stubborn())


@virtually
async def test_leaves_no_timer_once_closed() -> None:
    deadline = Deadline(5.0)
    with deadline:
        await asyncio.sleep(1)
    deadline.close()
    began = now()
    await asyncio.sleep(100)
    assert now() - began == 100
