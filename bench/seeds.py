"""Measure a spider whose `start` gives a million URLs over 100,000 hosts: time a URL, and memory.

    python bench/seeds.py                    10,000 and 1,000,000 URLs, ten of each host
    python bench/seeds.py --urls 10000 50000 --most 1.3 --memory 200

Each size runs in a process of its own, in quiet hours: nothing is fetched, all is queued durably.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from crawler import Crawler, Request, Spider

PER_HOST = 10


class Many(Spider):
    """Starts from many hosts, by turns."""

    name = "many"

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def start(self) -> Iterator[Request]:
        """Yield the URLs: host after host, then the next path of each."""
        hosts = self.number // PER_HOST
        for at in range(self.number):
            yield Request(f"http://www.host-{at % hosts}.example/page/{at // hosts}")


async def seeded(number: int, store: Path) -> dict[str, float]:
    """Queue so many URLs, and return what it took."""
    settings = {
        "politeness": {"quiet_hours": ["00:00-24:00"], "robots": False},
        "engine": {"grace": 0},
    }
    async with Crawler(Many(number), store=store, settings=settings) as crawler:
        began, busy = time.perf_counter(), time.process_time()

        complete = asyncio.Event()

        def look(*_: object) -> None:
            if crawler.frontier.pending >= number:
                complete.set()

        crawler.on_commit(look)
        run = asyncio.create_task(crawler.run())
        await complete.wait()
        took, cpu = time.perf_counter() - began, time.process_time() - busy
        crawler.stop()
        await run
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"urls": number, "us": took / number * 1e6, "cpu": cpu / number * 1e6, "mb": memory}


def main() -> None:
    """Measure each size, print a line of each, and fail where the bounds do not hold."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--urls", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--most", type=float, help="the cost a URL of the last against the first")
    parser.add_argument("--memory", type=float, help="MB that none may take more of")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(asyncio.run(seeded(asked.one, Path(folder) / "s.db"))))
        return
    found = []
    for number in asked.urls:
        command = [sys.executable, __file__, "--one", str(number)]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        found.append(json.loads(told))
        print(
            "{urls:>9,} URLs  {us:7.1f} µs each  {cpu:7.1f} µs CPU  {mb:6.0f} MB".format(
                **found[-1]
            )
        )
    growth = found[-1]["cpu"] / found[0]["cpu"]
    print(f"CPU a URL, last against first: {growth:.2f}")
    if (asked.most and growth > asked.most) or (
        asked.memory and max(each["mb"] for each in found) > asked.memory
    ):
        sys.exit(1)


if __name__ == "__main__":
    main()
