"""RateLimit: at most so many calls in any window of so many seconds, for any number of tasks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Self

from crawler.politeness.rate import Rate, Window

Sleep = Callable[[float], Awaitable[object]]


class RateLimit:
    """Lets at most `calls` pass in any window of `period` seconds.

        limit = RateLimit(10, 60)
        async with limit:
            ...

    Fair: who asks first passes first. A call that is cancelled while it waits uses nothing up.
    Up to `calls` may pass at once after a pause; `even=True` spaces them by `period / calls`.
    `clock` gives seconds that never go back, `sleep` waits for some: tests give their own.
    """

    def __init__(
        self,
        calls: int,
        period: float,
        *,
        even: bool = False,
        clock: Callable[[], float] | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._window = Window(Rate(1, period / calls) if even else Rate(calls, period))
        self._clock, self._sleep = clock, sleep
        self._turn = asyncio.Lock()  # its waiters stand in line (FIFO), and one may walk away

    async def acquire(self) -> None:
        """Wait until one more call may start."""
        async with self._turn:
            while (wait := self._window.next_at(now := self._now()) - now) > 0:
                await self._sleep(wait)
            self._window.note(now)  # when it really starts: a late wake-up must not be forgotten

    def _now(self) -> float:
        return self._clock() if self._clock else asyncio.get_running_loop().time()

    async def __aenter__(self) -> Self:
        await self.acquire()
        return self

    async def __aexit__(self, *exc: object) -> None:
        return None
