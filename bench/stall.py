"""Crawl pages of 2 MB, and measure for how long the event loop stands still.

    .venv/bin/python bench/stall.py

A timer of one millisecond runs beside the crawl; a stall is by how much it comes late. Pages are
mostly text, mostly tags, or 20,000 links; everything is stored. Exit code 1 for a stall over 50 ms.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from flat import POLITENESS
from generated import serving

from crawler import Crawler, SiteSpider
from crawler.config import load

TICK = 0.001  # seconds
LIMIT = 0.050


async def watched(stalls: list[float]) -> None:
    """Note by how much each tick comes late."""
    while True:
        at = time.perf_counter()
        await asyncio.sleep(TICK)
        stalls.append(time.perf_counter() - at - TICK)


async def crawl(url: str, store: Path, overrides: list[str]) -> tuple[int, list[float]]:
    stalls: list[float] = []
    config = load(overrides=[*POLITENESS, *overrides])
    async with Crawler(SiteSpider(url), store=store, config=config) as crawler:
        watch = asyncio.create_task(watched(stalls))
        summary = await crawler.run()
        watch.cancel()
    return summary.pages, sorted(stalls)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", type=int, default=40)
    parser.add_argument("--kinds", nargs="+", default=["prose", "markup", "links"])
    parser.add_argument("--set", action="append", default=[], help="section.key=value")
    options = parser.parse_args()
    try:
        import uvloop as loops
    except ImportError:
        loops = asyncio
    longest = 0.0
    print("| 2 MB of | pages | s | longest stall ms | 99 % under ms |\n|---|---|---|---|---|")
    for kind in options.kinds:
        with (
            serving(kind, pages=options.pages) as url,
            tempfile.TemporaryDirectory() as directory,
        ):
            started = time.monotonic()
            pages, stalls = loops.run(crawl(url, Path(directory, "stall.db"), options.set))
            seconds = time.monotonic() - started
        longest = max(longest, stalls[-1])
        common = stalls[int(len(stalls) * 0.99)]
        print(f"| {kind} | {pages} | {seconds:.1f} | {1e3 * stalls[-1]:.1f} | {1e3 * common:.1f} |")
    return 0 if longest <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
