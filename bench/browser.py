"""What a rendered page costs: ours against a bare Playwright loop, and the memory of 1,000 pages.

    python bench/browser.py [--pages 1000] [--compare 60]

The practice site's single-page shop, on loopback. CPU is that of the whole process tree (user and
system), memory its proportional set size, where Linux tells it. The loop opens a new page for each
URL, as many at once as we have tabs, waits until the network is idle, and reads the content.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from crawler import Crawler, Request, Spider
from crawler.browser import finding
from crawler.practice import PracticeSite
from crawler.practice.catalog import products

TABS = 4
SETTINGS = {
    "politeness": {"delay": 0.0, "per_host": TABS},
    "engine": {"workers": TABS},
    "browser": {
        "tabs": TABS,
        "sandbox": "required" if finding.sandbox_flaw() is None else "preferred",
        "recycle_after": 100_000,
    },
}


class Shop(Spider):
    """Renders what it is given."""

    name = "shop"

    def start(self) -> Iterator[Request]:
        """Ask for each page in the browser, as often as it is given."""
        for number, url in enumerate(self.start_urls):
            yield Request(f"{url}?n={number}", browser=True)


def family(pid: int) -> list[int]:
    """Return a process and all that it has started."""
    parents: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, at = [pid], 0
    while at < len(found):
        found += parents.get(found[at], [])
        at += 1
    return found


def memory_of(pids: list[int]) -> float:
    """Return the proportional set size of processes, in megabytes."""
    total = 0
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def cpu_of(pids: list[int]) -> float:
    """Return the CPU time of processes, and of those of theirs that have ended, in seconds."""
    ticks = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


async def ours(urls: list[str], watch: bool = False) -> dict[str, object]:
    """Crawl; with `watch`, tell the memory after each hundred pages."""
    memory: list[float] = []
    used = 0.0
    spider = Shop()
    spider.start_urls = urls
    with tempfile.TemporaryDirectory() as directory:
        async with Crawler(spider, store=Path(directory) / "x.db", settings=SETTINGS) as crawler:
            number = 0
            async for _ in crawler.pages():
                number += 1
                if number == len(urls):
                    used = cpu_of(family(os.getpid()))
                if watch and number % 100 == 0:
                    memory.append(round(memory_of(family(os.getpid()))))
    return {"pages": number, "cpu_ms": round(used * 1000 / number, 1), "memory": memory}


async def loop(urls: list[str]) -> dict[str, object]:
    """Render with Playwright alone, a new page for each URL."""
    from playwright.async_api import async_playwright

    found = finding.find()
    turns = asyncio.Semaphore(TABS)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=found.path, args=["--no-sandbox"] * (os.geteuid() == 0)
        )
        context = await browser.new_context()

        async def one(number: int, url: str) -> int:
            async with turns:
                page = await context.new_page()
                await page.goto(f"{url}?n={number}", wait_until="networkidle")
                size = len(await page.content())
                await page.close()
                return size

        sizes = await asyncio.gather(*(one(n, url) for n, url in enumerate(urls)))
        used = cpu_of(family(os.getpid()))
        await browser.close()
    return {"pages": len(sizes), "cpu_ms": round(used * 1000 / len(sizes), 1)}


def measured(kind: str, url: str, pages: int) -> dict[str, object]:
    """Run one kind in a process of its own; return what it told, its CPU and its wall time."""
    clock = time.perf_counter()
    done = subprocess.run(
        [sys.executable, __file__, "--run", kind, "--url", url, "--pages", str(pages)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return {
        **json.loads(done.stdout.splitlines()[-1]),
        "seconds": round(time.perf_counter() - clock, 1),
    }


async def main() -> None:
    """Measure, and print a row for each kind."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--pages", type=int, default=1000)
    parser.add_argument("--compare", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--run", choices=["ours", "loop", "watch"])
    parser.add_argument("--url", default="")
    given = parser.parse_args()
    goods = [f"app/product/{good.slug}" for good in products()]
    if given.run:
        urls = [given.url + goods[n % len(goods)] for n in range(given.pages)]
        kinds = {"ours": ours, "loop": loop, "watch": lambda urls: ours(urls, watch=True)}
        print(json.dumps(await kinds[given.run](urls)))
        return
    async with PracticeSite() as site:
        for _ in range(given.rounds):
            for kind in ("ours", "loop"):
                told = await asyncio.to_thread(measured, kind, site.url, given.compare)
                print(f"{kind:6} {told}", flush=True)
        if given.pages:
            print("watch ", await asyncio.to_thread(measured, "watch", site.url, given.pages))


if __name__ == "__main__":
    asyncio.run(main())
