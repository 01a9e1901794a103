"""Starting a browser as a process of ours that is driven over two pipes, and never by a port.

It ends when its pipe does, also where we are killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from crawler.browser.devtools import DevTools

_FREE = 10  # the first of the descriptors that a pipe may have here: 3 and 4 are the browser's


class BrowserProcess:
    """A browser that was started, and the connection to it. It is the leader of its group."""

    def __init__(self, pid: int, devtools: DevTools) -> None:
        self.pid, self.devtools = pid, devtools
        self._ended = False

    @property
    def alive(self) -> bool:
        """Whether the browser is at the other end of its pipe."""
        return not self.devtools.root.gone.is_set()

    async def close(self, seconds: float) -> None:
        """Ask the browser to end, and end it if it has not within so many seconds."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(seconds):
                asking = asyncio.ensure_future(self.devtools.root.send("Browser.close"))
                asking.add_done_callback(lambda done: done.cancelled() or done.exception())
                await self.devtools.root.gone.wait()
        self.devtools.close()
        await asyncio.to_thread(self._end, seconds)

    def _end(self, seconds: float) -> None:
        """Wait for the process: it is no zombie, and its files are nobody's."""
        if self._ended:
            return
        self._ended = True
        if sys.platform == "win32":
            raise NotImplementedError
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(self.pid, 0)


async def started(
    command: Sequence[str], environment: Mapping[str, str], said: Path
) -> BrowserProcess:
    """Start a browser; what it says goes to the file `said`. OSError where there is none."""
    loop = asyncio.get_running_loop()
    theirs_in, ours_out = _pipe()
    ours_in, theirs_out = _pipe()
    try:
        pid = _spawned(command, environment, said, (theirs_in, theirs_out))
    except OSError:
        os.close(ours_in)
        os.close(ours_out)
        raise
    finally:
        os.close(theirs_in)
        os.close(theirs_out)
    devtools = DevTools()
    out, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, os.fdopen(ours_out, "wb", 0))
    devtools.writes_to(out)
    await loop.connect_read_pipe(lambda: devtools, os.fdopen(ours_in, "rb", 0))
    return BrowserProcess(pid, devtools)


def _spawned(
    command: Sequence[str], environment: Mapping[str, str], said: Path, pipes: tuple[int, int]
) -> int:
    """Return the pid of a browser that reads commands from 3 and writes answers to 4."""
    if sys.platform == "win32":
        raise NotImplementedError  # `finding.required` has refused it
    return os.posix_spawnp(
        command[0],
        [*command],
        {**environment},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_OPEN, 2, str(said), os.O_WRONLY | os.O_CREAT, 0o600),
            (os.POSIX_SPAWN_DUP2, pipes[0], 3),
            (os.POSIX_SPAWN_DUP2, pipes[1], 4),
        ],
        setpgroup=0,  # Ctrl-C is for us
    )


def _pipe() -> tuple[int, int]:
    """Return both ends of a pipe, neither of which is 3 or 4."""
    if sys.platform == "win32":
        raise NotImplementedError
    import fcntl  # not there on Windows

    ends = os.pipe()
    try:
        read = fcntl.fcntl(ends[0], fcntl.F_DUPFD_CLOEXEC, _FREE)
        write = fcntl.fcntl(ends[1], fcntl.F_DUPFD_CLOEXEC, _FREE)
    finally:
        for end in ends:
            os.close(end)
    return read, write
