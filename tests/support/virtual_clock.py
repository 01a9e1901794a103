"""An event loop without waiting: when nothing is left to do, its clock jumps to the next timer."""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any


class Deadlock(AssertionError):
    """Every task waits, and no timer will ever wake one of them."""


class _Jumping(selectors.DefaultSelector):
    """Waits for nothing: hands the time that it was asked to wait to the clock."""

    jumped = 0.0

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise Deadlock
        self.jumped += timeout
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """For code that does no I/O; a hang is a Deadlock at once."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return 1000.0 + self._jumping.jumped


def run_virtually(story: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end in virtual time."""
    loop = VirtualLoop()
    try:
        return loop.run_until_complete(story)
    finally:
        loop.close()
