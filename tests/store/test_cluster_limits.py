"""What holds over several processes on one PostgreSQL, with figures: `make postgres-proof`.

`max_pages` is exact, the hosts of the dead are asked again soon, who is told to stop hands its own
back at once, and more workers are faster where the web is slow.
"""

import os
import random
import signal
import time
from pathlib import Path

import pytest
from cluster import SPIDER, Cluster, ManyHosts
from postgres_server import server
from site_thread import on_a_thread

from crawler.inspect.query import Reader

FULL = "PROOF" in os.environ
MOST, ROUNDS = int(os.environ.get("PROOF_MOST", "1000")), int(os.environ.get("PROOF_ROUNDS", "10"))
SLOW_HOSTS = int(os.environ.get("PROOF_SLOW_HOSTS", "400"))
pytestmark = pytest.mark.skipif(not FULL, reason="make postgres-proof")


def spider_of(folder: Path, web: ManyHosts, **values: float) -> Path:
    file = folder / "many.py"
    asked = {"delay": 0.0, "lease": 3.0, "workers": 8, "limit_by": "host"} | values
    file.write_text(SPIDER.format(seeds=web.seeds(), **asked))
    return file


def number(address: str, sql: str) -> int:
    with Reader(address) as reader:
        return int(next(iter(reader.query(sql).rows))[0])


@pytest.mark.parametrize("turn", range(ROUNDS))
def test_max_pages_is_exact_whoever_is_killed(turn: int, tmp_path: Path) -> None:
    address, chance = server().dsn(), random.Random(turn)
    with on_a_thread(ManyHosts(40, MOST // 20, latency=0.05)) as web:
        spider = spider_of(tmp_path, web, delay=0.1)
        limit = ("--max-pages", str(MOST))
        cluster = Cluster(server(), address, spider, workers=4, lease=3.0, options=limit)
        try:
            for _ in range(6):
                time.sleep(chance.uniform(0.3, 1.2))
                cluster.disturb("kill", chance)
            cluster.wait(300)
        finally:
            cluster.end()
    pages = number(address, "SELECT count(*) FROM pages WHERE outcome = 'ok'")
    print(f"{dict(cluster.done)}: {pages} pages, {web.answered} asked")
    assert pages == MOST


def test_hosts_of_the_dead_are_asked_again_within_the_lease_and_five_seconds(
    tmp_path: Path,
) -> None:
    address, lease = server().dsn(), 10.0
    # More hosts than the first one takes for its own while it is alone.
    with on_a_thread(ManyHosts(120, 100)) as web:
        spider = spider_of(tmp_path, web, delay=1.0, lease=lease)
        cluster = Cluster(server(), address, spider, workers=2, lease=lease)  # on two machines
        try:
            deadline = time.monotonic() + 120
            while len({a.worker for log in web.log.values() for a in log}) < 2:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            time.sleep(3)
            dead = cluster.workers[0]
            sql = f"SELECT worker_id FROM crawl_workers WHERE pid = {dead.pid}"
            own = number(address, sql)
            with Reader(address) as reader:
                held = f"SELECT name FROM hosts WHERE worker_id = {own} AND pending > 1"
                names = [row[0].split("//")[1].split(":")[0] for row in reader.query(held).rows]
            dead.send_signal(signal.SIGKILL)
            dead.wait()
            died = time.monotonic()
            time.sleep(lease + 12)
            first = [
                min((a.came for a in web.log[name] if a.came > died + 0.1), default=died + 99)
                for name in names
            ]
            stopping = cluster.workers[1]
            began = time.monotonic()
            stopping.send_signal(signal.SIGTERM)
            stopping.wait(20)
            stopped = time.monotonic() - began
        finally:
            cluster.end()
    waits = sorted(at - died for at in first)
    print(f"{len(names)} hosts of the dead, asked again after {waits[0]:.1f} to {waits[-1]:.1f} s"
          f" with a lease of {lease:.0f} s; a clean stop took {stopped:.2f} s")  # fmt: skip
    assert len(names) > 3
    assert waits[-1] <= lease + 5
    assert stopped < float(os.environ.get("PROOF_STOP", "1.0"))
    left = "SELECT count(*) FROM crawl_hosts WHERE worker_id IS NOT NULL"
    assert number(address, left) == 0


def test_where_the_web_is_slow_four_processes_are_nearly_four_times_as_fast(tmp_path: Path) -> None:
    rates = {}
    for workers in (1, 4):
        with on_a_thread(ManyHosts(SLOW_HOSTS, 2, latency=1.0)) as web:
            spider = spider_of(tmp_path, web, workers=16)
            cluster = Cluster(server(), server().dsn(), spider, workers=workers, lease=30.0)
            try:
                cluster.wait(300)
            finally:
                cluster.end()
            every = sorted((a for log in web.log.values() for a in log), key=lambda a: a.came)
        assert len(every) == 2 * SLOW_HOSTS
        first = {a.worker: a.came for a in reversed(every)}
        # From when all have begun until there is no longer enough to do for all.
        begin, end = max(first.values()), every[int(len(every) * 0.9)].came
        rates[workers] = sum(begin <= a.came < end for a in every) / (end - begin)
    times = rates[4] / rates[1]
    print(f"{2 * SLOW_HOSTS} pages of {SLOW_HOSTS} hosts, 1 s each: one process {rates[1]:.1f}"
          f" pages/s, four {rates[4]:.1f}: {times:.2f} times")  # fmt: skip
    assert times >= 3.6
