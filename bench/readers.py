"""What does a crawl lose to those who read its store while it is written?

    python bench/readers.py [--pages 3000] [--rounds 5]

Rounds take turns: a crawl alone, and one beside readers. Readers are processes of their own. One
kind holds long SELECTs: it opens one on `pages` and leaves it half read, as an export to a slow
disk or a forgotten prompt does, so that no checkpoint can start over; the other one searches and
exports all the time, and costs a core of its own. Told are the medians of pages per second and of
the crawl's own CPU per page, and the longest write-ahead log.
"""

import argparse
import asyncio
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "bench")]

from generated import serving  # noqa: E402

from crawler import SiteSpider  # noqa: E402
from crawler.engine.crawler import Crawler  # noqa: E402

SETTINGS = {
    "politeness": {"delay": 0.0, "per_host": 32, "robots": False},
    "store": {"text": True},
    "engine": {"workers": 32},
}
HOLD = """
import sqlite3, sys, time
held = []
while True:
    db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True, timeout=0)
    cursor = db.execute("SELECT pages.*, body FROM pages JOIN bodies USING (page_id)")
    cursor.fetchone()
    held.append((db, cursor))
    if len(held) > 8:
        held.pop(0)[0].close()
    time.sleep(0.2)
"""
SCAN = """
import sqlite3, sys
while True:
    db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True, timeout=0)
    for _ in db.execute("SELECT * FROM links"): pass
    for _ in db.execute("SELECT * FROM orphans"): pass
    for _ in db.execute("SELECT rowid FROM search WHERE search MATCH 'page' ORDER BY rank"): pass
    db.close()
"""


class Round(NamedTuple):
    """One crawl: pages a second, CPU milliseconds a page, and the longest log in MB."""

    rate: float
    cpu: float
    log: float


def crawl(url: str, path: Path, script: str) -> Round:
    """Crawl once in a process of this one's, beside readers where there is a script for them."""
    source = f"import sys; sys.path[:0] = {sys.path[:2]!r}; import readers; readers.alone()"
    process = subprocess.Popen(
        [sys.executable, "-c", source, url, str(path)], stdout=subprocess.PIPE, text=True
    )
    with reading(path, script), log_of(path, process) as longest:
        out, _ = process.communicate()
    if process.returncode:
        raise SystemExit("the crawl failed")
    pages, seconds, cpu = map(float, out.split())
    return Round(pages / seconds, 1000 * cpu / pages, max(longest, default=0) / 1e6)


def alone() -> None:
    """Crawl sys.argv[1] into sys.argv[2], and print pages, seconds, and seconds of CPU."""

    async def story() -> float:
        spider = SiteSpider(sys.argv[1])
        async with Crawler(spider, store=sys.argv[2], settings=SETTINGS) as crawler:
            summary = await crawler.run()
            print(summary.pages, summary.seconds, end=" ")
        return summary.seconds

    asyncio.run(story())
    usage = resource.getrusage(resource.RUSAGE_SELF)
    print(usage.ru_utime + usage.ru_stime)


@contextmanager
def reading(path: Path, script: str) -> Iterator[None]:
    """Run a reader as soon as the store has its first page."""
    if not script:
        yield
        return
    wait = (
        "import sqlite3, sys, time\nwhile True:\n    try:\n"
        '        db = sqlite3.connect(f"file:{sys.argv[1]}?mode=ro", uri=True)\n'
        '        if db.execute("SELECT 1 FROM texts LIMIT 1").fetchone(): break\n'
        "    except sqlite3.OperationalError: pass\n    time.sleep(0.01)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", wait + script, str(path)])
    try:
        yield
        if process.poll() is not None:
            raise SystemExit("the reader ended: it was refused")
    finally:
        process.kill()
        process.wait()


@contextmanager
def log_of(path: Path, process: "subprocess.Popen[str]") -> Iterator[list[int]]:
    """Collect how long the write-ahead log is while the process lives."""
    seen: list[int] = []
    log = path.with_name(path.name + "-wal")

    def watch() -> None:
        while process.poll() is None:
            if log.exists():
                seen.append(log.stat().st_size)
            time.sleep(0.05)

    thread = threading.Thread(target=watch)
    thread.start()
    yield seen
    thread.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    kinds = {"alone": "", "beside held SELECTs": HOLD, "beside a busy reader": SCAN}
    rounds: dict[str, list[Round]] = {name: [] for name in kinds}
    with serving("tree", pages=options.pages) as url, tempfile.TemporaryDirectory() as folder:
        for number in range(options.rounds):
            for name, script in kinds.items():
                path = Path(folder) / f"{number}.db"
                rounds[name].append(crawl(url, path, script))
                [(pages,)] = sqlite3.connect(path).execute("SELECT count(*) FROM pages")
                assert pages == options.pages, f"{pages} of {options.pages} pages"
                for file in Path(folder).iterdir():
                    file.unlink()
    base = rounds["alone"]
    for name, found in rounds.items():
        rate = statistics.median(r.rate / b.rate for r, b in zip(found, base, strict=True))
        cpu = statistics.median(r.cpu / b.cpu for r, b in zip(found, base, strict=True))
        print(
            f"{name:22} {statistics.median(r.rate for r in found):6.0f} pages/s ({rate:.2f})"
            f"  {statistics.median(r.cpu for r in found):.2f} ms CPU a page ({cpu:.2f})"
            f"  log up to {max(r.log for r in found):.0f} MB"
        )


if __name__ == "__main__":
    main()
