"""The processes of a browser, read from /proc: what memory is theirs alone, which one does what.

All of them descend from its first one.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

_SERVICES = (b"network.mojom.NetworkService", b"--type=zygote")
_PROC = Path("/proc")
if sys.platform == "win32":
    _PAGE = 4096
else:
    _PAGE = os.sysconf("SC_PAGE_SIZE")


class ProcessSize(NamedTuple):
    """A process of the browser; `is_page`: it runs the scripts of pages."""

    pid: int
    is_page: bool


def of_browser(first: int) -> dict[ProcessSize, int]:
    """Return the private memory of a browser's first process and of each that descends from it."""
    found: dict[ProcessSize, int] = {}
    family = [first]
    for pid in family:
        size = _private(pid)
        if size is not None:
            found[ProcessSize(pid, b"--type=renderer" in _command(pid))] = size
        family += _children(pid)
    return found


def largest_page(sizes: Mapping[ProcessSize, int]) -> int | None:
    """Return the pid of the largest process that runs pages, None if there is none."""
    pages = [each for each in sizes if each.is_page]
    return max(pages, key=lambda each: sizes[each]).pid if pages else None


def services_of(first: int) -> list[int]:
    """Return the pids of what a browser needs: its way to the net, and what starts pages."""
    family = [first]
    for pid in family:
        family += _children(pid)
    return [pid for pid in family if any(word in _command(pid) for word in _SERVICES)]


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for task in (_PROC / str(pid) / "task").iterdir():
            found += map(int, (task / "children").read_text().split())
    except OSError:  # it has gone, or this kernel does not tell
        pass
    return found


def _command(pid: int) -> bytes:
    try:
        return (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return b""


def _private(pid: int) -> int | None:
    try:
        fields = (_PROC / str(pid) / "statm").read_text().split()
    except OSError:
        return None
    return (int(fields[1]) - int(fields[2])) * _PAGE
