"""Feeds of a gigabyte: time and memory of reading every record, in each format.

    python bench/feed.py [--size 1000] [--formats xml csv jsonl json] [--memory 150] [--crawl]

Each format is made in a temporary folder and read in a process of its own, whose peak memory is
told; with `--memory` a peak of more MB is a failure. With `--crawl` a FeedSpider downloads it over
loopback, and stores every record.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from crawler import item
from crawler.web.records import RecordFeed

WORDS = "green black white oolong rooibos jasmine mint chai " * 8


@item(key="id")
class Product:
    """What each record becomes."""

    id: int
    name: str
    price: float
    text: str


def xml(number: int) -> str:
    return (
        f"<product><id>{number}</id><name>Tea {number}</name><price>{number % 97}.5</price>"
        f"<text>{WORDS}</text></product>\n"
    )


def csv(number: int) -> str:
    return f"{number},Tea {number},{number % 97}.5,{WORDS}\n"


def jsonl(number: int) -> str:
    return (
        f'{{"id": {number}, "name": "Tea {number}", "price": {number % 97}.5, "text": "{WORDS}"}}\n'
    )


def json(number: int) -> str:
    return ("," if number else "") + jsonl(number)


FORMATS: dict[str, tuple[str, Callable[[int], str], str]] = {
    "xml": ("<shop>\n", xml, "</shop>"),
    "csv": ("id,name,price,text\n", csv, ""),
    "jsonl": ("", jsonl, ""),
    "json": ('{"items": [', json, "]}"),
}


def parts(kind: str, size: int) -> Iterator[str]:
    """Yield a feed of so many bytes, record by record."""
    first, make, last = FORMATS[kind]
    yield first
    written = number = 0
    while written < size:
        record = make(number)
        number, written = number + 1, written + len(record)
        yield record
    yield last


def read(kind: str, path: Path) -> None:
    """Read a feed whole, and print how many records, how many seconds and how many MB it took."""
    before = time.process_time()
    with path.open("rb") as file:
        feed = RecordFeed(f"https://a.example/{path.name}")
        found = feed.read(file, Product, lambda *told: sys.exit(str(told)))
        number = sum(1 for _ in found)
    seconds = time.process_time() - before
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{number} {seconds:.1f} {memory:.0f}")


def crawl(url: str, store: Path) -> None:
    """Let a FeedSpider store a feed, and print what `read` prints."""
    from crawler import Crawler, FeedSpider

    class Shop(FeedSpider):
        name = "shop"
        record_type = Product
        start_urls = (url,)

    async def run() -> int:
        async with Crawler(Shop(), store=store) as crawler:
            return (await crawler.run()).items

    number = asyncio.run(run())
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{number} {time.process_time():.1f} {memory:.0f}")


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder from another process, and yield the URL that its files stand below."""
    command = [sys.executable, "-um", "http.server", "0", "--bind", "127.0.0.1", "-d", str(folder)]
    pipe = subprocess.PIPE
    server = subprocess.Popen([*command], stdout=pipe, stderr=subprocess.DEVNULL, text=True)
    try:
        assert server.stdout is not None
        told = server.stdout.readline()
        yield told.partition("(")[2].partition(")")[0]
    finally:
        server.terminate()
        server.wait()


def measured(*words: str) -> tuple[int, float, int]:
    """Return the records, the seconds and the MB that a process of this file tells."""
    told = subprocess.run(
        [sys.executable, __file__, *words], stdout=subprocess.PIPE, text=True, check=True
    ).stdout.split()
    return int(told[0]), float(told[1]), int(told[2])


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--size", type=int, default=1000, help="MB of each feed")
    asked.add_argument("--formats", nargs="+", default=list(FORMATS), choices=FORMATS)
    asked.add_argument("--memory", type=int, help="MB that a peak may have")
    asked.add_argument("--read", nargs=2, metavar=("FORMAT", "FILE"), help=argparse.SUPPRESS)
    asked.add_argument("--crawl", action="store_true", help="store the records, by a FeedSpider")
    asked.add_argument("--into", nargs=2, metavar=("URL", "STORE"), help=argparse.SUPPRESS)
    given = asked.parse_args()
    if given.read:
        read(given.read[0], Path(given.read[1]))
        return
    if given.into:
        crawl(given.into[0], Path(given.into[1]))
        return
    worst = 0
    with tempfile.TemporaryDirectory() as folder:
        for kind in given.formats:
            path = Path(folder) / f"feed.{kind}"
            with path.open("w") as file:
                file.writelines(parts(kind, given.size * 1_000_000))
            if given.crawl:
                with tempfile.TemporaryDirectory() as stores, served(Path(folder)) as url:
                    told = measured("--into", f"{url}{path.name}", f"{stores}/{kind}.db")
            else:
                told = measured("--read", kind, str(path))
            number, seconds, memory = told
            megabytes = path.stat().st_size / 1e6
            path.unlink()
            worst = max(worst, memory)
            print(
                f"{kind:6} {megabytes:,.0f} MB  {number:,} records  {seconds:.1f} s of CPU "
                f" {megabytes / seconds:,.0f} MB/s  peak {memory} MB",
                flush=True,
            )
    if given.memory and worst > given.memory:
        sys.exit(f"over {given.memory} MB")


if __name__ == "__main__":
    main()
