"""SIGINT and SIGTERM: the first lets the crawl drain, the second cancels it, a third leaves."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Hears both signals as a context manager, inside a running loop's main thread.

    In any other thread Python lets nobody hear signals: there they are the main thread's to hear.
    Plain handlers and not the loop's own: they run even while a spider's callback holds the loop,
    so that a third signal always ends the process. Nothing is lost by that: what was in flight is
    still in the store's `todo`.
    """

    def __init__(
        self, stop: Callable[[], None], cancel: Callable[[], object], say: Callable[[str], None]
    ) -> None:
        """Take what the first and the second signal do, and where to say it."""
        self._loop = asyncio.get_running_loop()
        self._stop, self._cancel, self._say = stop, cancel, say
        self._heard = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._hear) for number in _SIGNALS}
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self._heard += 1
        if self._heard == 1:
            self._loop.call_soon_threadsafe(self._first)
        elif self._heard == 2:
            self._loop.call_soon_threadsafe(self._cancel)
        else:
            os._exit(130)

    def _first(self) -> None:
        self._say("stopping: what is in flight may end; once more to stop at once")
        self._stop()


def leave_interrupts() -> None:
    """Let the process that started this one see to Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
