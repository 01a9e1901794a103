"""Render pages with Crawlee's PlaywrightCrawler; prints what they cost as JSON.

Usage: crawlee_browser.py CONCURRENCY CHROMIUM < URLs
"""

import asyncio
import json
import logging
import os
import sys
import tempfile
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from crawlee import ConcurrencySettings, service_locator
from crawlee.configuration import Configuration
from crawlee.crawlers import PlaywrightCrawler
from process_tree import Toll


async def render(urls: list[str], tabs: int, chromium: str) -> dict[str, object]:
    toll, done = Toll(), count(1)
    args = ["--no-sandbox"] * (os.geteuid() == 0)
    crawler = PlaywrightCrawler(
        headless=True,
        browser_launch_options={"executable_path": chromium, "args": args},
        concurrency_settings=ConcurrencySettings(
            min_concurrency=tabs, max_concurrency=tabs, desired_concurrency=tabs
        ),
        respect_robots_txt_file=False,
    )
    # One browser for all pages, as for the others: of one that is retired the CPU would be lost.
    crawler._browser_pool._retire_browser_after_page_count = 100_000
    sizes: list[int] = []

    @crawler.router.default_handler
    async def page(context) -> None:
        await context.page.wait_for_load_state("networkidle")
        sizes.append(len(await context.page.content()))
        toll.passed(next(done), len(urls))

    await crawler.run(urls)
    return toll.told(len(sizes))


logging.disable(logging.CRITICAL)
with tempfile.TemporaryDirectory() as folder:
    service_locator.set_configuration(Configuration(storage_dir=folder))
    asked = [f"{url}?n={number}" for number, url in enumerate(sys.stdin.read().split())]
    print(json.dumps(asyncio.run(render(asked, int(sys.argv[1]), sys.argv[2]))))
