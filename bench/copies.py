"""Measure `crawler copy`: pages a second from a file into PostgreSQL and back, without bodies.

    python bench/copies.py                     100,000 pages with 50 links each
    python bench/copies.py --pages 20000 --bodies 4000 --least 20000

`--bodies` gives each page a body of so many bytes. PostgreSQL is one of its own (deploy/cluster.py
starts it), with fsync off as everything is thrown away.
"""

from __future__ import annotations

import argparse
import random
import resource
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "deploy"))

from cluster import postgres

from crawler.store.address import address_of
from crawler.store.copying import copy
from crawler.store.schema import migrate_now
from crawler.web.request import url_hash

HOSTS = 200
_PAGE = (
    "INSERT INTO pages (page_id, url, title, status, outcome, depth, fetched_at, elapsed,"
    " content_type, encoding, size, content_hash, attempts, run_id, host_id, url_hash, headers)"
    " VALUES (?, ?, ?, 200, 'ok', 3, '2026-01-01T00:00:00.000Z', 0.1, 'text/html', 'utf-8', 12345,"
    " ?, 0, 1, ?, ?, ?)"
)
_HEADERS = '{"content-type": "text/html", "etag": "abc", "date": "Thu, 01 Jan 2026 00:00:00 GMT"}'


def made(file: Path, pages: int, links: int, body: int) -> None:
    """Make a store with so many pages and three times as many requests that are queued."""
    chance = random.Random(1)
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        migrate_now(db, file)
        db.execute("PRAGMA synchronous = OFF")
        db.execute("BEGIN")
        db.execute("INSERT INTO runs (spider, started_at, state, pid, version)"
                   " VALUES ('x', '', 'finished', 1, '1')")  # fmt: skip
        names = [(n, f"https://www.host-{n}.example:443") for n in range(HOSTS)]
        db.executemany("INSERT INTO hosts (host_id, name) VALUES (?, ?)", names)
        urls = [f"https://www.host-{n % HOSTS}.example/some/path/page-{n}" for n in range(pages)]
        db.executemany(_PAGE, (
            (n, url, f"A title of page {n}", f"{n:032x}", n % HOSTS, url_hash(url), _HEADERS)
            for n, url in enumerate(urls)
        ))  # fmt: skip
        db.executemany("INSERT INTO link_lists (page_id, targets) VALUES (?, ?)", (
            (n, '["' + '","'.join(urls[(n + k * 7) % pages] for k in range(links)) + '"]')
            for n in range(pages)
        ))  # fmt: skip
        todo = [f"https://www.host-{n % HOSTS}.example/queued/page-{n}" for n in range(3 * pages)]
        keys = ((n % HOSTS, url_hash(url)) for url_list in (urls, todo)
                for n, url in enumerate(url_list))  # fmt: skip
        db.executemany("INSERT OR IGNORE INTO seen VALUES (?, ?)", keys)
        db.executemany(
            "INSERT INTO todo (host_id, rank, seq, url_hash, url, depth) VALUES (?, 0, ?, ?, ?, 4)",
            ((n % HOSTS, n, url_hash(url), url) for n, url in enumerate(todo)),
        )
        if body:
            bodies = ((n, chance.randbytes(body)) for n in range(pages))
            db.executemany("INSERT INTO bodies VALUES (?, ?)", bodies)
        db.execute("COMMIT")


def main() -> int:
    """Copy three times, and print the pages a second of each."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--pages", type=int, default=100_000)
    options.add_argument("--links", type=int, default=50)
    options.add_argument("--bodies", type=int, default=0)
    options.add_argument("--least", type=float, default=0.0, help="pages a second; exit code 1")
    given = options.parse_args()
    rates = []
    with tempfile.TemporaryDirectory(prefix="copy-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "server").mkdir()
        made(folder / "a.db", given.pages, given.links, given.bodies)
        with postgres(folder / "server") as store:
            for source, target in (
                (str(folder / "a.db"), store),
                (store, str(folder / "b.db")),
                (str(folder / "b.db"), str(folder / "c.db")),
            ):
                began, busy = time.perf_counter(), time.process_time()
                copy(address_of(source), address_of(target), lambda *_: None)
                took, cpu = time.perf_counter() - began, time.process_time() - busy
                rates.append(given.pages / took)
                kinds = ["PostgreSQL" if "://" in each else "SQLite" for each in (source, target)]
                print(
                    f"{kinds[0]:10} → {kinds[1]:10} {took:7.1f} s {rates[-1]:10,.0f} pages/s"
                    f" {cpu / given.pages * 1e6:7.1f} µs of CPU a page here", flush=True,
                )  # fmt: skip
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{given.pages:,} pages, {given.links} links each; memory {memory:.0f} MB")
    return int(min(rates[:2]) < given.least)


if __name__ == "__main__":
    sys.exit(main())
