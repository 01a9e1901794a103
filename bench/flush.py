"""What a flush costs over PostgreSQL beside SQLite's: CPU of client and server, bytes of the log.

    .venv/bin/python bench/flush.py                       # both by turns, then workers at once
    .venv/bin/python bench/flush.py --known 100000 2000000  # with so many URLs seen before

A page has 50 links, 14 candidates of which 5 are new, and a body of 3.9 KB that does not compress;
a flush has 200. Visits are made ahead: what is measured is `store.commit` alone. CPU is user and
system time, of the server that of all its processes; `--workers` of them store into hosts of their
own, and their candidates overlap. The server is that of the tests (tests/support): `fsync` is off.
"""

import argparse
import asyncio
import multiprocessing
import random
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

from postgres_server import Server, server  # noqa: E402
from process_tree import cpu_of, family  # noqa: E402

from crawler.store import Batch, open_store  # noqa: E402
from crawler.web.outcome import Outcome  # noqa: E402
from crawler.web.request import Candidate, Todo, url_hash  # noqa: E402
from crawler.web.response import Response  # noqa: E402
from crawler.web.visit import Visit  # noqa: E402

HOSTS, FLUSH, LINKS, KNOWN, NEW, BODY = 40, 200, 50, 9, 5, 3900


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one page: CPU of client and server and the log; and pages a second of wall time."""

    client: float  # microseconds
    server: float
    log: float  # bytes
    rate: float


def address(worker: int, host: int, page: int) -> str:
    return f"http://h{host}.w{worker}.example/archive/section-{page % 97}/article-{page}.html"


def candidate(url: str, depth: int = 1) -> Candidate:
    return Candidate(url[: url.index("/", 8)], url_hash(url), url, depth, depth, None, None, False)


def made(todo: Todo, worker: int, number: int, workers: int, dice: random.Random) -> Visit:
    """Return a visit; of its candidates those of a common host are other workers', too."""
    new = [address(worker, number % HOSTS, 10_000_000 + number * NEW + n) for n in range(NEW - 1)]
    common = f"http://common.example/{number * workers // 3}"
    known = [address(worker, n % HOSTS, n) for n in range(number % 50, number % 50 + KNOWN)]
    links = [*new, common, *known, *(f"{known[0]}?{n}" for n in range(LINKS - NEW - KNOWN))]
    response = Response(
        todo.url, 200, {"Content-Type": "text/html"}, dice.randbytes(BODY), time.time(), 0.1
    )
    visit = Visit(todo, Outcome.OK, response.started, 200, response, encoding="utf-8")
    visit.title, visit.links = f"Article {number}", tuple(links)
    visit.candidates = [candidate(url) for url in [*new, common, *known]]
    return visit


async def flushes(place: str, worker: int, pages: int, workers: int, ready: Any) -> Cost:
    """Store so many pages as one worker, and return what that cost it."""
    store = open_store(place)
    await store.open()
    await store.begin_run("bench", "{}")
    seeds = [candidate(address(worker, n % HOSTS, n), 0) for n in range(pages)]
    todos = list((await store.commit(Batch(seeds=seeds, seeded=True))).added)
    if len(todos) < pages:  # others take part: its hosts become its own
        todos = await own_hosts(store, worker)
    dice = random.Random(worker)
    visits = [made(todo, worker, n, workers, dice) for n, todo in enumerate(todos[:pages])]
    ready()
    cpu, began = time.process_time(), time.perf_counter()
    for at in range(0, pages, FLUSH):
        await store.commit(Batch(visits=visits[at : at + FLUSH]))
    cpu, wall = time.process_time() - cpu, time.perf_counter() - began
    await store.end_run("stopped", "bench")
    await store.close()
    return Cost(1e6 * cpu / pages, 0.0, 0.0, pages / wall)


async def own_hosts(store: Any, worker: int) -> list[Todo]:
    own, like = store.leases.worker_id, f"http://h%.w{worker}.example"
    sql = "UPDATE crawl_hosts SET worker_id = $1, ready_at = NULL WHERE name LIKE $2 RETURNING 1"
    await store._fetch(sql, own, like)
    names = ", ".join(f"t.{name}" for name in Todo._fields)
    rows = await store._fetch(
        f"SELECT {names} FROM todo AS t JOIN crawl_hosts AS h USING (host_id) WHERE h.name LIKE $1",
        like,
    )
    todos = [Todo(*row) for row in rows]
    store.leases.held.update(todo.host_id for todo in todos)
    return todos


# ---------------------------------------------------------------- the server


def server_cpu(of: Server) -> float:
    """Return the seconds of CPU that all processes of a server have taken so far."""
    return cpu_of(family(of.process.pid))


def log_bytes(of: Server) -> int:
    return int(of.psql("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint"))


def fill(of: Server, crawl: str, known: int) -> None:
    """Let a crawl have seen so many URLs."""

    async def make() -> None:
        store = open_store(of.dsn(crawl))
        await store.open()
        await store.close()

    asyncio.run(make())
    of.psql(
        f'INSERT INTO "{crawl}".seen SELECT 1 + n % 5000, hashint8extended(n, 7)'
        f" FROM generate_series(1, {known}) AS n ON CONFLICT DO NOTHING"
    )
    of.psql(f'ANALYZE "{crawl}".seen')
    of.psql("CHECKPOINT")


def over_postgres(of: Server, pages: int, known: int = 0) -> Cost:
    crawl = f"b{time.time_ns() % 10**12}"
    if known:
        fill(of, crawl, known)
    begin: list[float] = []

    def ready() -> None:
        begin[:] = [server_cpu(of), log_bytes(of)]

    cost = asyncio.run(flushes(of.dsn(crawl), 0, pages, 1, ready))
    cpu, log = server_cpu(of) - begin[0], log_bytes(of) - begin[1]
    of.psql(f'DROP SCHEMA "{crawl}" CASCADE')
    return Cost(cost.client, 1e6 * cpu / pages, log / pages, cost.rate)


def over_sqlite(pages: int) -> Cost:
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(flushes(f"{folder}/a.db", 0, pages, 1, lambda: None))


def one_of(place: str, worker: int, pages: int, workers: int, barrier: Barrier, out: Any) -> None:
    cost = asyncio.run(flushes(place, worker, pages, workers, lambda: barrier.wait(120)))
    out.put(cost.rate)


def at_once(of: Server, pages: int, workers: int) -> float:
    """Return the pages a second of several worker processes at once."""
    crawl = f"m{time.time_ns() % 10**12}"
    fill(of, crawl, 1)
    spawn = multiprocessing.get_context("spawn")
    barrier, out = spawn.Barrier(workers), spawn.Queue()
    each = [
        spawn.Process(target=one_of, args=(of.dsn(crawl), n, pages, workers, barrier, out))
        for n in range(workers)
    ]
    for process in each:
        process.start()
    slowest = min(out.get(timeout=200) for _ in each)
    for process in each:
        process.join(60)
    of.psql(f'DROP SCHEMA "{crawl}" CASCADE')
    return slowest * workers


def median(costs: list[Cost], name: str) -> float:
    return statistics.median(getattr(cost, name) for cost in costs)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--pages", type=int, default=4000)
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--workers", type=int, default=4)
    asked.add_argument("--known", type=int, nargs="*", default=[])
    options = asked.parse_args()
    of = server()
    of.kill()
    of.start(shared_buffers="256MB", max_wal_size="8GB", checkpoint_timeout="1h")
    if options.known:
        for known in options.known:
            costs = [over_postgres(of, options.pages, known) for _ in range(options.rounds)]
            print(
                f"{known:,} URLs seen before: client {median(costs, 'client'):.0f}, server"
                f" {median(costs, 'server'):.0f} µs a page, log {median(costs, 'log'):,.0f} B"
            )
        return
    files, bases = [], []
    for _ in range(options.rounds):
        files.append(over_sqlite(options.pages))
        bases.append(over_postgres(of, options.pages))
    theirs, client, load = (
        median(files, "client"),
        median(bases, "client"),
        median(bases, "server"),
    )
    print(f"SQLite: client {theirs:.0f} µs a page, {median(files, 'rate'):,.0f} pages/s")
    print(
        f"PostgreSQL: client {client:.0f} µs ({client / theirs:.2f} of SQLite's), server"
        f" {load:.0f} µs (together {(client + load) / theirs:.2f}), log"
        f" {median(bases, 'log'):,.0f} B a page, {median(bases, 'rate'):,.0f} pages/s"
    )
    turns = [
        (at_once(of, options.pages, options.workers), over_sqlite(options.pages).rate)
        for _ in range(options.rounds)
    ]
    many, one = (statistics.median(each) for each in zip(*turns, strict=True))
    print(
        f"{options.workers} workers: {many:,.0f} pages/s beside one SQLite writer's {one:,.0f}:"
        f" {statistics.median(a / b for a, b in turns):.2f}"
    )


if __name__ == "__main__":
    main()
