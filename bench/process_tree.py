"""CPU and memory of a process and of all that it has started, from Linux's /proc."""

from __future__ import annotations

import os
from pathlib import Path


def family(pid: int) -> list[int]:
    """Return a process and all that it has started."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, at = [pid], 0
    while at < len(found):
        found += parents.get(found[at], [])
        at += 1
    return found


def memory_of(pids: list[int], *parts: str) -> float:
    """Return the proportional set size of processes, in megabytes: all of it, or parts by name.

    What is mapped from files counts less while other programs map the same ones; `Anon` and `Shmem`
    are theirs alone.
    """
    total, names = 0, tuple(f"Pss_{part}:" for part in parts) or ("Pss:",)
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith(names))
    return total / 1024


def cpu_of(pids: list[int]) -> float:
    """Return the CPU time of processes, and of those of theirs that have ended, in seconds."""
    ticks = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def cpu_by_kind(pids: list[int]) -> dict[str, float]:
    """Return the CPU time of processes by what they are: python, node, a kind of Chromium's."""
    found: dict[str, float] = {}
    for pid in pids:
        try:
            line = Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
        except OSError:
            continue
        words = line.replace("\0", " ").split()  # Chromium's own have spaces between them
        kind = next((word[7:] for word in words if word.startswith("--type=")), "")
        utility = next((w.rpartition(".")[2] for w in words if w.startswith("--utility-sub")), "")
        name = utility or kind or Path(words[0]).name if words else "?"
        found[name] = found.get(name, 0.0) + cpu_of([pid])
    return found


class Toll:
    """What pages have cost this process tree: from its start, and from the first pages on."""

    def __init__(self, warm: int = 8) -> None:
        self._warm, self._at = warm, 0
        self._first = self._last = self._memory = 0.0
        self._kinds: dict[str, float] = {}

    def passed(self, number: int, of: int) -> None:
        """Note that so many pages are done, of so many."""
        if number == self._warm:
            self._first, self._at = cpu_of(family(os.getpid())), number
        if number == of:
            self._last = cpu_of(family(os.getpid()))
            self._memory = memory_of(family(os.getpid()))
            self._kinds = cpu_by_kind(family(os.getpid()))

    def told(self, number: int) -> dict[str, object]:
        """Return milliseconds of CPU for each page, also by kind of process, and megabytes."""
        kinds = sorted(self._kinds.items(), key=lambda one: -one[1])
        later = max(1, number - self._at)
        return {
            "pages": number,
            "cpu_ms": round(1000 * (self._last - self._first) / later, 1),
            "whole_ms": round(1000 * self._last / number, 1),
            "memory": round(self._memory),
            "kinds": {name: round(1000 * cpu / number, 1) for name, cpu in kinds if cpu},
        }
