"""The beat of a worker process: memory that it shares with the owner, which outlives its death.

It says when the event loop last came round, and which task is being read: so a process that hangs
is found, and the page that hung or killed it is told from those that only were in flight with it.
"""

from __future__ import annotations

import asyncio
import mmap
import struct
import time
from collections.abc import Callable
from itertools import count

_BEAT = struct.Struct("d")
_NUMBER = struct.Struct("q")
_EVERY = 0.25  # seconds
_TELL = 4  # beats


class Beat:
    """Both ends of the shared memory."""

    SIZE = _BEAT.size + _NUMBER.size

    def __init__(self, shared: mmap.mmap) -> None:
        self._shared = shared

    # ------------------------------------------------------------ the process

    def begin(self, number: int) -> None:
        """Note which task is read from now on."""
        _NUMBER.pack_into(self._shared, _BEAT.size, number)

    def end(self, number: int) -> None:
        """Note that a task is read; another one may have begun since."""
        if self.reading == number:
            _NUMBER.pack_into(self._shared, _BEAT.size, 0)

    async def tick(self, tell: Callable[[], None]) -> None:
        """Note again and again that the loop comes round, and call `tell` once a second."""
        for number in count(1):
            _BEAT.pack_into(self._shared, 0, time.monotonic())
            await asyncio.sleep(_EVERY)
            if number % _TELL == 0:
                tell()

    # ------------------------------------------------------------ the owner

    @property
    def reading(self) -> int:
        """The number of the task that is being read, 0 for none."""
        return int(_NUMBER.unpack_from(self._shared, _BEAT.size)[0])

    def silence(self) -> float:
        """Return for how many seconds the process's loop has not come round; 0 at its start."""
        last = _BEAT.unpack_from(self._shared, 0)[0]
        return time.monotonic() - last if last else 0.0
