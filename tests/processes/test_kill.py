"""A crawl in several processes, any of which is killed at any moment, ends as if nothing was.

`KILLS=100` (make kill-test) kills a hundred times; the quick suite a few.
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import crawl_victim
import pytest
from crawl_victim import children_of, is_alive
from site_thread import site_on_a_thread
from store_truth import check

from tests.store.test_kill import build, outcome_of

KILLS = int(os.environ.get("KILLS", "3"))
VICTIM = Path(crawl_victim.__file__)
GONE = 20.0  # seconds in which a process must end whose owner is gone


def killed_again_and_again(
    url: str,
    store: Path,
    kills: int,
    seed: int,
    *,
    mode: str = "processes",
    pause: float = 0.4,
    family_of: Callable[[int], list[int]] = children_of,
) -> dict[str, int]:
    """Crawl to the end in several processes, and kill up to `kills` of them; count which."""
    dice, done = random.Random(seed), {"owner": 0, "worker": 0}
    while True:
        victim = subprocess.Popen(
            [sys.executable, VICTIM, mode, url, store], stdout=subprocess.PIPE
        )
        family: set[int] = set()
        with victim:
            victim.stdout.readline()
            while sum(done.values()) < kills and victim.poll() is None:
                time.sleep(dice.uniform(0.0, pause))
                workers = family_of(victim.pid)
                family.update(workers)
                chosen = dice.choice([victim.pid, *workers])
                try:
                    os.kill(chosen, signal.SIGKILL)
                except ProcessLookupError:
                    continue
                done["owner" if chosen == victim.pid else "worker"] += 1
                if chosen == victim.pid:
                    break
            else:
                family.update(family_of(victim.pid))
                assert victim.wait(120) == 0
                assert_gone(family)
                return done
        assert_gone(family)


def assert_gone(pids: set[int]) -> None:
    """Assert that no process outlives the one that owned it."""
    until = time.monotonic() + GONE
    while left := [pid for pid in pids if is_alive(pid)]:
        assert time.monotonic() < until, f"still there: {left}"
        time.sleep(0.01)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_crawl_whose_processes_are_killed_ends_like_an_undisturbed_one(tmp_path):
    with site_on_a_thread(robots=False, latency=0.004) as site:
        url = build(site, 200 if KILLS >= 50 else 60)
        asyncio.run(crawl_victim.crawl(url, tmp_path / "undisturbed.db"))
        expected = outcome_of(tmp_path / "undisturbed.db")
        left, number = KILLS, 0
        while left > 0:
            number += 1
            store = tmp_path / f"{number}.db"
            done = killed_again_and_again(url, store, min(left, 6), seed=number)
            left -= sum(done.values())
            assert outcome_of(store) == expected
            check(store)
