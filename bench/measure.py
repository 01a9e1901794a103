"""Run one command and say what it cost: wall time, CPU of it and its children, peak memory."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds on the wall, user + system seconds (start-up included), megabytes at the peak.

    The kernel counts in a process's CPU every descendant that was waited for. `peak_mb` is that
    of the largest single process, as `ru_maxrss` has it.
    """

    wall: float
    cpu: float
    peak_mb: float


class RunError(Exception):
    """A system failed or ran out of time; the message holds the end of its output."""


def run(command: Sequence[str], log: Path, limit: float = 900.0) -> Cost:
    """Run `command` to its end with its output in `log`; give its cost.

    Raises RunError when it exits with anything but 0 or runs longer than `limit` seconds.
    """
    with log.open("wb") as output:
        start = time.monotonic()
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
        )
        alarm = threading.Timer(limit, os.killpg, (child.pid, signal.SIGKILL))
        alarm.start()
        try:
            _, status, usage = os.wait4(child.pid, 0)
        finally:
            alarm.cancel()
        wall = time.monotonic() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        tail = log.read_bytes()[-1500:].decode("utf-8", "replace")
        raise RunError(f"{' '.join(command)}: exit {child.returncode}\n{tail}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
