"""Feeds of a gigabyte: time and memory of reading every record, in each format.

    python bench/feed.py [--size 1000] [--formats xml csv jsonl json] [--memory 150]

Each format is made in a temporary folder and read in a process of its own, whose peak memory is
told; with `--memory` a peak of more MB is a failure.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from crawler.web.records import RecordFeed

WORDS = "green black white oolong rooibos jasmine mint chai " * 8


@dataclass(frozen=True)
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


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--size", type=int, default=1000, help="MB of each feed")
    asked.add_argument("--formats", nargs="+", default=list(FORMATS), choices=FORMATS)
    asked.add_argument("--memory", type=int, help="MB that a peak may have")
    asked.add_argument("--read", nargs=2, metavar=("FORMAT", "FILE"), help=argparse.SUPPRESS)
    given = asked.parse_args()
    if given.read:
        read(given.read[0], Path(given.read[1]))
        return
    worst = 0
    with tempfile.TemporaryDirectory() as folder:
        for kind in given.formats:
            path = Path(folder) / f"feed.{kind}"
            with path.open("w") as file:
                file.writelines(parts(kind, given.size * 1_000_000))
            told = subprocess.run(
                [sys.executable, __file__, "--read", kind, str(path)],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            number, seconds, memory = told.split()
            megabytes = path.stat().st_size / 1e6
            path.unlink()
            worst = max(worst, int(memory))
            print(
                f"{kind:6} {megabytes:,.0f} MB  {int(number):,} records  {seconds} s of CPU "
                f" {megabytes / float(seconds):,.0f} MB/s  peak {memory} MB",
                flush=True,
            )
    if given.memory and worst > given.memory:
        sys.exit(f"over {given.memory} MB")


if __name__ == "__main__":
    main()
