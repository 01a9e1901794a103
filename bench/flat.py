"""Crawl a generated site of 100,000 pages, and see whether memory stays flat.

    .venv/bin/python bench/flat.py
    .venv/bin/python bench/flat.py --pages 20000 --set engine.processes=2

Everything is stored: bodies, links, headers. Exit code 1 when the memory of any moment after the
first 5,000 pages is more than a tenth above what it was then.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from generated import serving
from scale import memory

from crawler import Crawler, SiteSpider
from crawler.config.layers import load
from crawler.web.visit import Visit

POLITENESS = ("politeness.delay=0", "politeness.per_host=32", "politeness.robots=false")
WARM = 5_000  # pages after which memory should be what it will be


class Watch:
    """Memory by pages stored."""

    def __init__(self, step: int) -> None:
        self.step, self.pages, self.next = step, 0, 0
        self.marks: list[tuple[int, float, float]] = []
        self._started = time.monotonic()

    def look(self, visits: list[Visit], committed: object) -> None:
        """Note memory and the seconds so far, each time another `step` pages are stored."""
        self.pages += len(visits)
        if self.pages >= self.next:
            self.next += self.step
            mark = (self.pages, memory("VmRSS"), time.monotonic() - self._started)
            self.marks.append(mark)
            print("| {:,} | {:.1f} | {:.1f} |".format(*mark), flush=True)


async def crawl(url: str, store: Path, overrides: list[str], step: int) -> Watch:
    config = load(overrides=[*POLITENESS, *overrides])
    watch = Watch(step)
    async with Crawler(SiteSpider(url), store=store, config=config) as crawler:
        crawler.on_commit(watch.look)
        await crawler.run()
    return watch


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", type=int, default=100_000)
    parser.add_argument("--set", action="append", default=[], help="section.key=value")
    options = parser.parse_args()
    try:
        import uvloop as loops
    except ImportError:
        loops = asyncio
    print("| pages | RSS MB | s |\n|---|---|---|")
    with (
        serving("tree", pages=options.pages) as url,
        tempfile.TemporaryDirectory() as directory,
    ):
        store = Path(directory, "flat.db")
        watch = loops.run(crawl(url, store, options.set, max(1000, options.pages // 20)))
        size = store.stat().st_size
    warm = [rss for pages, rss, _ in watch.marks if pages >= WARM]
    most = max(warm)
    print(f"\n{watch.pages:,} pages, {size / 1e6:.0f} MB stored;", end=" ")
    print(f"{warm[0]:.1f} MB after the first {WARM:,}, never more than {most:.1f} MB later")
    return 0 if most <= 1.1 * warm[0] else 1


if __name__ == "__main__":
    sys.exit(main())
