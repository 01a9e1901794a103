"""A crawl by several processes over PostgreSQL, disturbed in every way: `make postgres-proof`.

Processes are killed, frozen past their lease and told to stop, connections are cut, the server is
stopped at once. What is stored in the end is what one undisturbed process stores into a file, and
the web's own log tells of no two workers on one host, nor of a gap under the delay.
"""

import os
import random
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from cluster import SPIDER, Cluster, ManyHosts, faketime
from postgres_server import pooler, server
from site_thread import on_a_thread
from store_truth import COUNTED

from crawler.cli import run as command
from crawler.inspect.query import Reader

FULL = "PROOF" in os.environ
"""Set by `make postgres-proof`; the suite has a small form."""


def size(name: str, whole: float, small: float) -> float:
    return float(os.environ.get(f"PROOF_{name}", whole if FULL else small))


HOSTS, PAGES = int(size("HOSTS", 200, 6)), int(size("PAGES", 25, 4))
WORKERS, DELAY = int(size("WORKERS", 4, 2)), size("DELAY", 2.5, 0.5)
LATE = size("LATE", 0.25, 0.25)  # seconds between a start and its request, on a busy machine
LEASE, PAUSE = size("LEASE", 10.0, 2.0), size("PAUSE", 1.5, 0.5)  # seconds
EVENTS = {
    "kill": int(size("KILLS", 20, 1)),
    "freeze": int(size("FREEZES", 5, 0)),
    "stop": int(size("STOPS", 5, 1)),
    "cut": int(size("CUTS", 10, 1)),
    "crash": int(size("CRASHES", 3, 0)),
}
TABLES = {
    "pages": "SELECT url, title, status, outcome, depth, content_hash, size, redirect_to, method,"
    " attempts, callback, error FROM pages",
    "bodies": "SELECT url, length(body) FROM bodies JOIN pages USING (page_id)",
    "links": "SELECT source, target, position FROM links",
    "items": "SELECT url, number, tags, page_url FROM thing",
    "seen": "SELECT name, url_hash FROM seen JOIN hosts USING (host_id)",
    "todo": "SELECT url FROM todo",
    "hosts": "SELECT name, pending, pages, failures FROM hosts",
    # Not what was "queued just before" by the same process: that depends on which one it was.
    "counters": "SELECT name, value FROM counters WHERE name <> 'refused.duplicate_request'",
    "attempts": "SELECT url, outcome FROM attempts",
    "problems": "SELECT page_url, reason FROM problems",
}


def spider_of(
    folder: Path,
    web: ManyHosts,
    *,
    delay: float = DELAY,
    lease: float = LEASE,
    limit_by: str = "host",
) -> Path:
    file = folder / "many.py"
    asked = {"delay": delay, "lease": lease, "workers": 16, "limit_by": limit_by}
    file.write_text(SPIDER.format(seeds=web.seeds(), **asked))
    return file


def rows_of(file: Path) -> dict[str, Counter[tuple[object, ...]]]:
    with closing(sqlite3.connect(file)) as db:
        return {name: Counter(db.execute(sql).fetchall()) for name, sql in TABLES.items()}


def rows_in(address: str) -> dict[str, Counter[tuple[object, ...]]]:
    with Reader(address) as reader:
        return {name: Counter(map(tuple, reader.query(sql).rows)) for name, sql in TABLES.items()}


def differing_counts(address: str) -> list[str]:
    """Every counter that is not what the tables come to."""
    with Reader(address) as reader:
        return [
            name
            for name, pair in COUNTED.items()
            if "FROM search" not in pair[0]
            and name != "crawl.pages" and "of the last run" not in name
            and len({frozenset(map(tuple, reader.query(sql).rows)) for sql in pair}) > 1
        ]  # fmt: skip


def plain() -> str:
    return server().dsn()


def pooled() -> str:
    return pooler().dsn()


@pytest.mark.parametrize(
    ("where", "clocks", "domains"),
    [
        pytest.param(plain, (), 0, id="plain"),
        pytest.param(pooled, (), 0, id="pgbouncer"),
        pytest.param(plain, ("+1h", "-1h"), 0, id="clocks"),
        pytest.param(plain, (), max(3, HOSTS // 4), id="domains"),
    ],
)
def test_whatever_is_killed_the_tables_are_those_of_an_undisturbed_crawl(
    where: Callable[[], str], clocks: tuple[str, ...], domains: int, tmp_path: Path
) -> None:
    if where is pooled and not shutil.which("pgbouncer", path="/usr/sbin:/usr/bin"):
        pytest.skip("not there: pgbouncer")
    if clocks and not faketime():
        pytest.skip("not there: libfaketime")
    if not FULL and (clocks or domains or where is pooled):
        pytest.skip("make postgres-proof")
    address, chance = where(), random.Random(os.environ.get("PROOF_SEED", "7"))
    delay = DELAY * domains / HOSTS if domains else DELAY  # that a domain takes as long as a host
    limit_by = "domain" if domains else "host"
    with on_a_thread(ManyHosts(HOSTS, PAGES, latency=0.02, domains=domains)) as web:
        spider, file = (
            spider_of(tmp_path, web, delay=delay, limit_by=limit_by),
            tmp_path / "calm.db",
        )
        calm = ["--store", str(file), "-q", "--set", "politeness.delay=0"]
        assert command(["run", str(spider), *calm]) == 0
        web.clear()
        cluster = Cluster(server(), address, spider, workers=WORKERS, lease=LEASE, clocks=clocks)
        try:
            late = disturbed(cluster, web, chance)
            cluster.wait(LEASE + 300)
        finally:
            cluster.end()
        gaps, together, again = web.gaps(), web.together(), web.answered - HOSTS * PAGES
        close = web.started_closer_than(delay - LATE)
    print(f"{dict(cluster.done)}, {late} after the end; {HOSTS * PAGES} pages, {again} asked"
          f" again; {len(gaps)} gaps, {len(close)} started too soon; the least gaps as they came:",
          *(f"{gap:.3f}" for gap in gaps[:8]))  # fmt: skip
    found, wanted = rows_in(address), rows_of(file)
    missing = {name: wanted[name] - found[name] for name in TABLES if wanted[name] - found[name]}
    more = {name: found[name] - wanted[name] for name in TABLES if found[name] - wanted[name]}
    assert (missing, more) == ({}, {})
    assert len(found["pages"]) == HOSTS * PAGES
    assert differing_counts(address) == []
    assert (together, close) == ([], [])
    assert "Traceback" not in cluster.told()


def disturbed(cluster: Cluster, web: ManyHosts, chance: random.Random) -> int:
    """Let everything happen, one thing after the other; return how much came after the end."""
    events = [what for what, number in EVENTS.items() for _ in range(number)]
    chance.shuffle(events)
    late = 0
    while web.answered < WORKERS:  # until they have begun
        time.sleep(0.05)
    for what in events:
        time.sleep(chance.uniform(PAUSE / 2, PAUSE * 1.5))
        late += all(worker.poll() is not None for worker in cluster.workers)
        cluster.disturb(what, chance)
    return late
