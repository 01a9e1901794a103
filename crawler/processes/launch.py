"""How a worker process comes to be: forked while that is safe, else started as a new interpreter.

A fork costs milliseconds, as everything is imported already; a new interpreter costs 0.3 s of CPU.
Safe is a fork only while there is one thread: before the store is open, in a program without
threads of its own. Whoever takes the place of a process that died is a new interpreter.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import mmap
import os
import signal
import socket
import sys
import tempfile
import threading
import traceback
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable
from typing import NoReturn

from crawler.processes.beat import Beat

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop());"
    " from crawler.processes.worker import main; main(*map(int, sys.argv[1:4]))"
)


class Launched:
    """A process that was launched, and the owner's ends of what it shares with it."""

    def __init__(self, pid: int, ends: _Ends, process: Process | None) -> None:
        self.pid, self.socket, self.beat = pid, ends.ours, ends.beat
        self._lifeline, self._process, self._code = ends.lifeline, process, None

    async def wait(self) -> int:
        """Wait for its end, and return its exit code, below 0 for a signal."""
        if self._process is not None:
            return await self._process.wait()
        if self._code is None:
            self._code = await asyncio.to_thread(_waited, self.pid)
        return self._code

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
        elif sys.platform != "win32" and self._process is None and self._code is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def release(self) -> None:
        """Let go of it: if it still lives, it ends now."""
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1
        self.socket.close()

    _code: int | None


class _Ends:
    """Both ends of what the owner and a process share: a socket pair, a pipe, the beat."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.watched, self.lifeline = os.pipe()
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - both processes close it
        self._file.truncate(Beat.SIZE)
        self.beat = Beat(mmap.mmap(self._file.fileno(), Beat.SIZE))

    @property
    def theirs_by_number(self) -> tuple[int, int, int]:
        """The descriptors that the process is given."""
        return self.theirs.fileno(), self.watched, self._file.fileno()

    def keep_ours(self) -> None:
        """Close, in the owner, what is the process's."""
        self.theirs.close()
        os.close(self.watched)
        self._file.close()

    def keep_theirs(self) -> None:
        """Close, in the process, what is the owner's."""
        self.ours.close()
        os.close(self.lifeline)


async def spawned() -> Launched:
    """Start a process as a new interpreter."""
    ends = _Ends()
    passed = ends.theirs_by_number
    arguments = (*map(str, passed), json.dumps(sys.path))
    try:
        process = await asyncio.shield(
            asyncio.create_subprocess_exec(
                *(sys.executable, "-c", _START, *arguments), stdin=DEVNULL, pass_fds=passed
            )
        )
    finally:
        ends.keep_ours()
    return Launched(process.pid, ends, process)


def forked(number: int) -> list[Launched]:
    """Fork so many processes, none where that is not safe."""
    alone = threading.active_count() == 1 and threading.current_thread() is threading.main_thread()
    if not (alone and sys.platform == "linux"):
        return []
    from crawler.processes import worker  # all that they need is imported once, here

    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            stream.flush()  # what waits there is written once
    launched: list[Launched] = []
    for _ in range(number):
        ends = _Ends()
        pid = os.fork()
        if pid == 0:
            for other in launched:
                other.release()
            ends.keep_theirs()
            _serve(ends, worker.main)
        ends.keep_ours()
        launched.append(Launched(pid, ends, None))
    return launched


def _serve(ends: _Ends, main: Callable[[int, int, int], None]) -> NoReturn:
    """Be a worker process from here on, whatever this process was at work on before."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        asyncio._set_running_loop(None)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        main(*ends.theirs_by_number)
        code = 0
    finally:
        if code:
            traceback.print_exc()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError, AttributeError):
                stream.flush()
        os._exit(code)


def _waited(pid: int) -> int:
    try:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    except ChildProcessError:  # somebody else has asked after it
        return 0
