"""asyncpg for callers that are not asynchronous: one event loop, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class LoopThread:
    """An event loop that runs in a thread until it is closed."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine there and return its result; Ctrl-C cancels it."""
        future = self.start(work)
        try:
            return future.result()
        finally:
            future.cancel()  # of what has ended, nothing

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Begin a coroutine there, and return what its result will be."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self) -> None:
        """End the loop and its thread."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
