"""Crawl 100,000 pages of eight hosts, and see whether the last cost what the first did.

    .venv/bin/python bench/haul.py
    .venv/bin/python bench/haul.py --set engine.processes=2 --set store.text=true

The hosts are eight names of the shop of `shop_pages.py`, served by nginx. Exit code 1 when the last
ten thousand pages came at less than 0.95 of the first ten thousand's pages a second.
"""

import argparse
import asyncio
import resource
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from run import make_shop
from scale import memory
from sites import CORPORA, served

from crawler import Crawler, SiteSpider
from crawler.config.layers import load
from crawler.web.visit import Visit

SETTINGS = (
    *("politeness.delay=0", "politeness.per_host=8", "politeness.robots=false"),
    *("engine.workers=32", "engine.scope=prefix"),
)
HOSTS = [f"127.0.0.{number}" for number in range(20, 28)]
STEP = 10_000
LEAST = 0.95


class Watch:
    """Pages a second, CPU and memory, by ten thousand pages."""

    def __init__(self, store: Path) -> None:
        self.speeds: list[float] = []
        self._log = store.with_name(f"{store.name}-wal")
        self._pages, self._largest = 0, 0
        self._then = time.monotonic(), _cpu()

    def look(self, visits: list[Visit], committed: object) -> None:
        """Hear of each commit."""
        before, self._pages = self._pages, self._pages + len(visits)
        self._largest = max(self._largest, self._log.stat().st_size)
        if before // STEP == self._pages // STEP:
            return
        now = time.monotonic(), _cpu()
        seconds, cpu = now[0] - self._then[0], now[1] - self._then[1]
        self._then = now
        self.speeds.append(STEP / seconds)
        print(
            f"| {self._pages:,} | {STEP / seconds:,.0f} | {cpu * 1000 / STEP:.3f}"
            f" | {memory('VmRSS'):.0f} | {self._largest / 1e6:.0f} |",
            flush=True,
        )
        self._largest = 0


def _cpu() -> float:
    """Seconds of this process; of its worker processes only once they have ended."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def crawl(seeds: list[str], store: Path, overrides: list[str]) -> list[float]:
    watch = Watch(store)
    config = load(overrides=[*SETTINGS, *overrides])
    async with Crawler(SiteSpider(*seeds), store=store, config=config) as crawler:
        crawler.on_commit(watch.look)
        await crawler.run()
    return watch.speeds


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", type=int, default=100_000)
    parser.add_argument("--set", action="append", default=[], help="section.key=value")
    options = parser.parse_args()
    try:
        import uvloop as loops
    except ImportError:
        loops = asyncio
    make_shop()
    shop = next(corpus for corpus in CORPORA if corpus.name == "shop")
    shops = [replace(shop, host=host) for host in HOSTS]
    limit = f"engine.max_pages={options.pages}"
    print("| pages | pages/s | CPU ms a page | RSS MB | log MB |\n|---|---|---|---|---|")
    with served(shops) as port, tempfile.TemporaryDirectory() as directory:
        seeds = [corpus.seed(port) for corpus in shops]
        speeds = loops.run(crawl(seeds, Path(directory, "haul.db"), [limit, *options.set]))
    share = speeds[-1] / speeds[0]
    print(f"\nthe last ten thousand at {share:.2f} of the first's pages a second")
    return 0 if share >= LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
