"""Crawl pages of 2 MB and pages made to hurt, and measure how long the event loop stands still.

    .venv/bin/python bench/stall.py
    .venv/bin/python bench/stall.py --kinds links --hostile links nested

A timer of one millisecond runs beside the crawl; a stall is by how much it comes late, and at most
the CPU time that this process used meanwhile: what other programs on the machine took is shown, but
is not counted. The pages of 2 MB are mostly text, mostly tags, or 20,000 links, and everything is
stored; the hostile pages are those of tests/parse/test_hostile_pages.py, of each the median of
some runs.
Garbage is collected as in a crawl from the command line. Exit code 1 for a stall over 50 ms.
"""

import argparse
import asyncio
import gc
import statistics
import sys
import tempfile
import time
from pathlib import Path

from flat import POLITENESS
from generated import serving
from systems import ROOT

from crawler import Crawler, SiteSpider
from crawler.config.layers import load

sys.path += [str(ROOT), str(ROOT / "tests" / "support")]

from tests.parse.test_hostile_pages import PAGES, measured

TICK = 0.001  # seconds
LIMIT = 0.050
KINDS = ("prose", "markup", "links")


async def watched(stalls: list[tuple[float, float]]) -> None:
    """Note each stall, and by how much the tick comes late."""
    while True:
        at, worked = time.perf_counter(), time.process_time()
        await asyncio.sleep(TICK)
        late = time.perf_counter() - at - TICK
        stalls.append((min(late, time.process_time() - worked), late))


async def crawl(
    url: str, store: Path, overrides: list[str]
) -> tuple[int, list[tuple[float, float]]]:
    stalls: list[tuple[float, float]] = []
    config = load(overrides=[*POLITENESS, *overrides])
    async with Crawler(SiteSpider(url), store=store, config=config) as crawler:
        watch = asyncio.create_task(watched(stalls))
        summary = await crawler.run()
        watch.cancel()
    return summary.pages, sorted(stalls)


def large(kind: str, number: int, overrides: list[str]) -> float:
    """Crawl `number` pages of a kind, print how it went, and give the longest stall in seconds."""
    try:
        import uvloop as loops
    except ImportError:
        loops = asyncio
    with serving(kind, pages=number) as url, tempfile.TemporaryDirectory() as directory:
        pages, stalls = loops.run(crawl(url, Path(directory, "stall.db"), overrides))
    longest, common = stalls[-1][0], stalls[int(len(stalls) * 0.99)][0]
    late = max(late for _, late in stalls)
    print(f"| {kind} | {pages} | {1e3 * longest:.1f} | {1e3 * common:.1f} | {1e3 * late:.0f} |")
    return longest


def hostile(name: str, rounds: int) -> float:
    """Crawl a hostile page some times, print how it went, and give the median stall in seconds."""
    with tempfile.TemporaryDirectory() as directory:
        found = [measured(Path(directory, f"{n}.db"), PAGES[name][0]) for n in range(rounds)]
    cpu = statistics.median(figures["cpu"] for figures in found)
    memory = max(figures["memory"] for figures in found)
    stall = statistics.median(figures["stall"] for figures in found)
    late = statistics.median(figures["late"] for figures in found)
    print(f"| {name} | {cpu:.1f} | {memory:.0f} | {1e3 * stall:.1f} | {1e3 * late:.0f} |")
    return stall


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", type=int, default=40, help="of each kind")
    parser.add_argument("--rounds", type=int, default=3, help="of each hostile page")
    parser.add_argument("--kinds", nargs="*", choices=KINDS, default=KINDS)
    parser.add_argument("--hostile", nargs="*", choices=list(PAGES), default=list(PAGES))
    parser.add_argument("--set", action="append", default=[], help="section.key=value")
    options = parser.parse_args()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    print(
        "| 2 MB of | pages | longest stall ms | 99 % under | latest tick |\n|---|---|---|---|---|"
    )
    stalls = [large(kind, options.pages, options.set) for kind in options.kinds]
    print("\n| hostile page | CPU s | peak MB | longest stall ms | latest tick |")
    print("|---|---|---|---|---|")
    stalls += [hostile(name, options.rounds) for name in options.hostile]
    return 0 if max(stalls, default=0.0) <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
