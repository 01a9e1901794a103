"""What a rendered page costs: ours, a bare Playwright loop, Crawlee; and the memory of 1,000 pages.

    python bench/browser.py [--pages 1000] [--compare 200] [--kinds ours loop crawlee]

The practice site's single-page shop, on loopback. CPU is that of the whole process tree (user and
system), once from the start on (`whole_ms`), once from the first pages on (`cpu_ms`): without
Python's imports and the launch of the browser. Memory is the proportional set size of the tree at
the end, where Linux tells it. The loop opens a new page for each URL, as many at once as we have
tabs, waits until the network is idle, and reads the content; so does Crawlee's PlaywrightCrawler,
in an environment of its own under bench/.work.
"""

from __future__ import annotations

import argparse
import asyncio
import compileall
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from install import environment
from process_tree import Toll, family, memory_of

import crawler
from crawler import Crawler, Request, Spider
from crawler.browser import finding
from crawler.practice import PracticeSite
from crawler.practice.catalog import products

HERE = Path(__file__).parent
TABS = 4
SETTINGS = {
    "politeness": {"delay": 0.0, "per_host": TABS},
    "engine": {"workers": TABS},
    "traps": {"endless_after": 0},  # the same products under other queries are one trap
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


async def ours(urls: list[str], watch: bool = False) -> dict[str, object]:
    """Crawl; with `watch`, tell the memory after each hundred pages: all, and what is not files."""
    memory: list[list[int]] = [[], []]
    toll = Toll()
    spider = Shop()
    spider.start_urls = urls
    with tempfile.TemporaryDirectory() as directory:
        async with Crawler(spider, store=Path(directory) / "x.db", settings=SETTINGS) as crawler:
            number = 0
            async for _ in crawler.pages():
                number += 1
                toll.passed(number, len(urls))
                if watch and number % 100 == 0:
                    for row, parts in zip(memory, ((), ("Anon", "Shmem")), strict=True):
                        row.append(round(memory_of(family(os.getpid()), *parts)))
    return {**toll.told(number), "watched": memory}


async def loop(urls: list[str]) -> dict[str, object]:
    """Render with Playwright alone, a new page for each URL."""
    from playwright.async_api import async_playwright

    found = finding.find()
    turns, toll, done = asyncio.Semaphore(TABS), Toll(), count(1)
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
                toll.passed(next(done), len(urls))
                return size

        sizes = await asyncio.gather(*(one(n, url) for n, url in enumerate(urls)))
        await browser.close()
    return toll.told(len(sizes))


def crawlee(urls: list[str]) -> dict[str, object]:
    """Render with Crawlee, in its own environment."""
    python = environment("crawlee-browser", ("crawlee[playwright]",))
    command = [python, HERE / "peers" / "crawlee_browser.py", str(TABS), finding.find().path]
    done = subprocess.run(
        [*map(str, command)], input="\n".join(urls), check=True, stdout=subprocess.PIPE, text=True
    )
    return dict(json.loads(done.stdout.splitlines()[-1]))


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
    parser.add_argument("--compare", type=int, default=200)
    parser.add_argument("--kinds", nargs="+", default=["ours", "loop", "crawlee"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--run", choices=["ours", "loop", "watch", "crawlee"])
    parser.add_argument("--url", default="")
    given = parser.parse_args()
    goods = [f"app/product/{good.slug}" for good in products()]
    if given.run:
        urls = [given.url + goods[n % len(goods)] for n in range(given.pages)]
        kinds = {"ours": ours, "loop": loop, "watch": lambda urls: ours(urls, watch=True)}
        if given.run == "crawlee":
            print(json.dumps(crawlee(urls)))
            return
        print(json.dumps(await kinds[given.run](urls)))
        return
    compileall.compile_dir(Path(crawler.__file__).parent, quiet=1)  # as pip does for the others
    async with PracticeSite() as site:
        for _ in range(given.rounds):
            for kind in given.kinds:
                told = await asyncio.to_thread(measured, kind, site.url, given.compare)
                print(f"{kind:7} {told}", flush=True)
        if given.pages:
            print("watch ", await asyncio.to_thread(measured, "watch", site.url, given.pages))


if __name__ == "__main__":
    asyncio.run(main())
