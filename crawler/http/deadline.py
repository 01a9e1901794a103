"""One deadline for many tries at once: what takes longer than its time is cut off.

A timer of its own for each try, as aiohttp's total time-out has it, costs a tenth of a small GET.
All tries have the same time, so they end in the order in which they began: one timer, set for the
oldest, serves them all.
"""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any

_GRAIN = 0.001  # seconds; a loop's timer may ring that much too early


class Deadline:
    """At most `seconds` for every `with` block; then TimeoutError is raised in it.

    A task may be in one block at a time. Cancelling from outside wins, as in `asyncio.timeout`.
    """

    __slots__ = ("_began", "_late", "_timer", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        # Task → when it began, and how often it was asked to end before; in order of beginning.
        self._began: dict[asyncio.Task[Any], tuple[float, int]] = {}
        self._late: dict[asyncio.Task[Any], int] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        self._began[task] = (loop.time(), task.cancelling())
        if self._timer is None:
            self._timer = loop.call_later(self.seconds, self._cut_off)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        if self._began.pop(task, None) is None:
            asked = self._late.pop(task)
            if task.uncancel() <= asked and kind is asyncio.CancelledError:
                raise TimeoutError(f"no end after {self.seconds:g} s") from error

    def close(self) -> None:
        """Stop the timer; nobody is in a block any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _cut_off(self) -> None:
        """Cancel what is late, and set the timer for what is then the oldest."""
        loop, self._timer = asyncio.get_running_loop(), None
        while self._began:
            task, (began, asked) = next(iter(self._began.items()))
            left = began + self.seconds - loop.time()
            if left > _GRAIN:
                self._timer = loop.call_later(left, self._cut_off)
                return
            del self._began[task]
            self._late[task] = asked
            task.cancel()
