"""The tasks of a run: seeding, workers, committer, and their end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from crawler.engine.engine import Engine
from crawler.engine.limits import ENDS
from crawler.engine.steering import Steering
from crawler.frontier import Frontier


async def run_workers(
    engine: Engine,
    seeding: Coroutine[Any, Any, None],
    steering: Steering,
    *,
    workers: int,
    grace: float,
    longest: float | None = None,
) -> None:
    """Run the seeding, the workers and the committer to the end.

    When the frontier is stopped from outside, requests in flight get `grace` seconds; after
    `longest` seconds it is stopped here, by `max_time`.
    A StoreError ends everything and is raised as it is.
    """
    frontier, committer = engine.frontier, engine.committer
    try:
        async with asyncio.TaskGroup() as group:
            seeds = group.create_task(seeding)
            group.create_task(committer.run())
            watch = group.create_task(committer.watch())
            others = engine.processes
            beside = None if others is None else group.create_task(others.run())
            steered = group.create_task(steering.run())
            tasks = [group.create_task(engine.work()) for _ in range(workers)]
            reaper = group.create_task(_reap(frontier, tasks, grace, longest))
            await asyncio.wait(tasks)
            reaper.cancel()
            watch.cancel()
            steered.cancel()
            seeds.cancel()
            if beside is not None:
                beside.cancel()
            committer.finish()
    except BaseExceptionGroup as problems:
        raise _first(problems) from problems


async def _reap(
    frontier: Frontier, tasks: list[asyncio.Task[None]], grace: float, longest: float | None
) -> None:
    """Cancel workers that are still busy `grace` seconds after the frontier was stopped."""
    try:
        async with asyncio.timeout(longest):
            await frontier.stopping.wait()
    except TimeoutError:
        frontier.stop("max_time")
    if frontier.stopped in ("finished", "max_pages"):
        return
    if frontier.stopped not in ENDS:  # after which nothing more is taken
        await asyncio.sleep(grace)
    for task in tasks:
        task.cancel()


def _first(problems: BaseExceptionGroup[BaseException]) -> BaseException:
    first = problems.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
