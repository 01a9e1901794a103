"""A store as a long crawl leaves it, made without crawling: does what reads it stay quick?

    python bench/data.py make FILE --pages 1000000 --items 5
    python bench/data.py measure FILE

`make` writes pages, hosts, links, texts, items, and requests still queued for a host on loopback;
the same every time. `measure` times what the promises are about: opening and resuming up to the
first request, status, search, export, the views.
"""

import argparse
import json
import os
import random
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from crawler.items import item, table_of  # noqa: E402
from crawler.store import views  # noqa: E402
from crawler.store.items import create  # noqa: E402
from crawler.store.schema import APPLICATION_ID, MIGRATIONS  # noqa: E402
from crawler.web.request import url_hash  # noqa: E402

HOSTS = 1000
QUEUED, PORT = 1000, 8497
STEMS = [a + b + c for a in ("ba", "ke", "lo", "ni", "su") for b in ("dr", "m", "sh", "t") for c in
         ("an", "el", "ix", "on", "um", "a", "o", "er", "ing", "ly")]  # fmt: skip
WORDS = [f"{stem}{number}" for number in range(100) for stem in STEMS]  # 20,000, after Zipf
WEIGHTS = list(accumulate(1 / (rank + 10) for rank in range(len(WORDS))))


def url(number: int) -> str:
    return f"https://host{number % HOSTS}.example.com/section/{number // HOSTS}/page.html"


def make(path: Path, pages: int, items: int, links: int, text: bool) -> None:
    """Write the store in one go, without the safety that only a live crawl needs."""
    path.unlink(missing_ok=True)
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA page_size = 8192")
    db.execute("PRAGMA journal_mode = OFF")
    db.execute("PRAGMA synchronous = OFF")
    db.execute("PRAGMA cache_size = -400000")
    for file in MIGRATIONS:
        db.executescript(file.read_text())
    db.executescript(views.script((), []))
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    db.execute("BEGIN")
    _fill(db, pages, links, text)
    _queue(db, pages)
    if items:
        _items(db, pages, items)
    db.execute("COMMIT")
    db.execute("PRAGMA journal_mode = WAL")
    db.close()


def _fill(db: sqlite3.Connection, pages: int, links: int, text: bool) -> None:
    db.executemany(
        "INSERT INTO hosts (host_id, name, pages) VALUES (?, ?, ?)",
        ((n + 1, f"https://host{n}.example.com", pages // HOSTS) for n in range(HOSTS)),
    )
    db.execute(
        "INSERT INTO runs (spider, started_at, state, pid, version, pages, seconds)"
        " VALUES ('made', '2026-01-01T00:00:00.000Z', 'finished', 1, '0', ?, 3600)",
        (pages,),
    )
    values = [("spider", "made"), ("seeded", 1), ("next_seq", pages), ("next_page_id", pages + 1)]
    db.executemany("INSERT INTO crawl VALUES (?, ?)", [*values, ("pages", pages)])
    db.executemany("INSERT INTO counters VALUES (?, ?)", [("outcome.ok", pages)])
    marks = ", ".join("?" * 15)
    db.executemany(
        "INSERT INTO pages (page_id, url, title, status, outcome, depth, fetched_at, elapsed,"
        " content_type, encoding, size, content_hash, attempts, redirect_to, parent_id, run_id,"
        f" url_hash, host_id) VALUES ({marks}, 1, 1, ?)",
        map(_page, range(pages)),
    )
    chosen = random.Random(1)
    db.executemany(
        "INSERT INTO link_lists (page_id, targets) VALUES (?, ?)",
        (
            (n + 1, json.dumps([url(chosen.randrange(pages)) for _ in range(links)]))
            for n in range(pages)
        ),
    )
    db.executemany("INSERT INTO seen VALUES (?, ?)", ((n % HOSTS + 1, n) for n in range(pages)))
    if text:
        chosen = random.Random(2)
        db.executemany(
            "INSERT INTO texts VALUES (?, ?, ?, ?, 0)",
            (
                (
                    n + 1,
                    url(n),
                    f"Page {n}",
                    " ".join(chosen.choices(WORDS, cum_weights=WEIGHTS, k=60)),
                )
                for n in range(pages)
            ),
        )
        db.execute("INSERT INTO search (search) VALUES ('rebuild')")


def _page(n: int) -> tuple[Any, ...]:
    outcome, status = ("ok", 200) if n % 50 else ("not_found", 404)
    redirect = None
    if n % 100 == 1:
        outcome, status, redirect = "redirect", 301, url(n + 1)
    return (
        *(n + 1, url(n), f"Page {n}", status, outcome, min(9, n.bit_length() // 2)),
        *(f"2026-01-01T00:{n % 60:02}:00.000Z", (n % 997) / 400, "text/html", "utf-8"),
        *(10_000 + n % 5000, f"{n - n % 20 % 2:032x}", 1, redirect, max(1, n // 10), n % HOSTS + 1),
    )


def _queue(db: sqlite3.Connection, pages: int) -> None:
    """Leave requests for a host on loopback, as an interrupted crawl does."""
    host, name = HOSTS + 1, f"http://127.0.0.1:{PORT}"
    db.execute("INSERT INTO hosts (host_id, name, pending) VALUES (?, ?, ?)", (host, name, QUEUED))
    rows = [(host, 1, pages + n, url_hash(f"{name}/{n}"), f"{name}/{n}") for n in range(QUEUED)]
    db.executemany(
        "INSERT INTO todo (host_id, rank, seq, url_hash, url, depth) VALUES (?, ?, ?, ?, ?, 1)",
        rows,
    )
    db.executemany("INSERT INTO seen VALUES (?, ?)", [(row[0], row[3]) for row in rows])
    db.execute("UPDATE crawl SET value = value + ? WHERE key = 'next_seq'", (QUEUED,))


@item(table="product")
class Product:
    name: str
    price: float
    stock: int
    tags: list[str]


def _items(db: sqlite3.Connection, pages: int, each: int) -> None:
    table = table_of(Product)
    for sql in create(table):
        db.execute(sql)
    columns = {"name": "TEXT", "price": "REAL", "stock": "INTEGER", "tags": "JSON"}
    db.execute("INSERT INTO item_types VALUES ('product', ?, '[]', 0)", (json.dumps(columns),))
    db.executemany(
        "INSERT INTO product (name, price, stock, tags, page_id, page_url, run_id, fetched_at)"
        " VALUES (?, ?, ?, '[\"a\",\"b\"]', ?, ?, 1, '2026-01-01T00:00:00.000Z')",
        (
            (f"Product {n}-{k}", n % 1000 / 10, k, n + 1, url(n))
            for n in range(pages)
            for k in range(each)
        ),
    )


# ---------------------------------------------------------------- measuring

COMMANDS: dict[str, list[str]] = {
    "status": ["status", "{file}"],
    "search a word of 1 page in 5": ["search", "badrum0", "--store", "{file}"],
    "search a word of 1 page in 60": ["search", "lotly2", "--store", "{file}"],
    "search two words": ["search", "kemel3 nitan7", "--store", "{file}", "--limit", "20"],
    "query count by outcome": [
        *("query", "SELECT outcome, count(*) FROM pages GROUP BY 1", "--store", "{file}")
    ],
    "export items, jsonl": ["export", "product", "--store", "{file}", "-o", "{out}.jsonl"],
    "export items, csv": ["export", "product", "--store", "{file}", "-o", "{out}.csv"],
    "export pages, jsonl": ["export", "pages", "--store", "{file}", "-o", "{out}.jsonl"],
}
VIEWS = ("errors", "broken_links", "redirects", "duplicates", "slow_pages", "orphans")


def measure(path: Path) -> Iterator[tuple[str, str]]:
    """Yield what was measured and the figure."""
    out = path.with_suffix(".out")
    wall, cpu = min(resumed(path) for _ in range(3))
    yield "resume, up to the first request", f"{wall:.2f} s, {cpu:.2f} s CPU"
    for name, words in COMMANDS.items():
        argv = [word.format(file=path, out=out) for word in words]
        seconds, cpu, peak = _run([sys.executable, "-m", "crawler", *argv])
        yield name, f"{seconds:.2f} s, {cpu:.2f} s CPU, {peak:.0f} MB"
    db = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
    for view in (*VIEWS, "link_counts"):
        seconds = _timed(lambda v=view: db.execute(f"SELECT count(*) FROM {v}").fetchone())
        yield f"view {view}, all of it", f"{seconds:.2f} s"
    for file in path.parent.glob(f"{out.name}*"):
        file.unlink()


SPIDER = """
from crawler import Spider

class Made(Spider):
    name = "made"
    start_urls = ["http://127.0.0.1:{port}/"]
"""


def resumed(path: Path) -> tuple[float, float]:
    """Return seconds from the start of `crawler run` to its first request, and of CPU till its end.

    It is killed then.
    """
    with socket.create_server(("127.0.0.1", PORT)) as server, TemporaryDirectory() as folder:
        file = Path(folder) / "made.py"
        file.write_text(SPIDER.format(port=PORT))
        argv = [sys.executable, "-m", "crawler", "run", str(file), "--store", str(path.absolute())]
        begun = time.perf_counter()
        process = subprocess.Popen(
            [*argv, "--quiet"], cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}
        )
        try:
            server.settimeout(60)
            server.accept()[0].close()
            wall = time.perf_counter() - begun
        finally:
            process.kill()
            _, _, usage = os.wait4(process.pid, 0)
            process.returncode = -9  # it has been waited for
        return wall, usage.ru_utime + usage.ru_stime


def _run(argv: list[str]) -> tuple[float, float, float]:
    """Return wall seconds, CPU seconds and the peak memory in MB of a command."""
    before = time.perf_counter()
    script = (
        "import resource, subprocess, sys; c = subprocess.run(sys.argv[1:],"
        " stdout=subprocess.DEVNULL);"
        " u = resource.getrusage(resource.RUSAGE_CHILDREN);"
        " print(u.ru_utime + u.ru_stime, u.ru_maxrss); sys.exit(c.returncode)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *argv], stdout=subprocess.PIPE, text=True, check=True,
        cwd=ROOT,
    )  # fmt: skip
    cpu, peak = done.stdout.split()
    return time.perf_counter() - before, float(cpu), int(peak) / 1024


def _timed(act: Callable[[], Any]) -> float:
    before = time.perf_counter()
    act()
    return time.perf_counter() - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("do", choices=["make", "measure"])
    parser.add_argument("file", type=Path)
    parser.add_argument("--pages", type=int, default=100_000)
    parser.add_argument("--items", type=int, default=5, help="items per page")
    parser.add_argument("--links", type=int, default=10, help="links per page")
    parser.add_argument("--no-text", action="store_true")
    options = parser.parse_args()
    if options.do == "make":
        seconds = _timed(
            lambda: make(
                options.file, options.pages, options.items, options.links, not options.no_text
            )
        )
        print(f"{options.file}: {options.file.stat().st_size / 1e6:,.0f} MB in {seconds:.0f} s")
        return
    for name, figure in measure(options.file):
        print(f"{name:32} {figure}", flush=True)


if __name__ == "__main__":
    main()
