"""Parse stored pages again: `crawler reparse` beside Scrapy's replay from its HTTP cache.

Both crawl the sites once. Then nginx ends, and both extract title, headings and number of links
from the same pages again: Scrapy by crawling through its cache, for it gets to the pages by their
links only; ours from its store, where the first crawl had left other items, so that every page
changes. The items must be the same in the end: exit code 1 where they are not.

python bench/reparse.py                          # each site alone and all together, 5 rounds
python bench/reparse.py --rounds 1 --cases postgresql
"""

import argparse
import json
import shutil
import sqlite3
import statistics
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from install import install
from measure import Cost, run
from sites import Corpus, available, served
from systems import HERE, OURS, OURS_COMMAND, OURS_FLAGS, SYSTEMS, WORK, python_of

SCRAPY = "scrapy"
SPIDER = str(HERE / "peers" / "heads_spider.py")
FLOOR = str(HERE / "peers" / "lxml_floor.py")
NAMES = {
    SCRAPY: "Scrapy, from its HTTP cache",
    "diff": "crawler reparse",
    "apply": "crawler reparse --apply",
    "floor": "lxml alone, one process",
}
Items = dict[str, tuple[str, list[str], int]]
"""Title, headings and number of links of each page, by its URL."""


@dataclass(frozen=True, slots=True)
class Case:
    """Sites that are crawled together, and where their stores are."""

    name: str
    corpora: list[Corpus]

    @property
    def folder(self) -> Path:
        return WORK / f"reparse-{self.name}"

    def seeds(self, port: int) -> list[str]:
        return [corpus.seed(port) for corpus in self.corpora]


@dataclass(frozen=True, slots=True)
class Sample:
    """What one command of one round cost."""

    case: str
    what: str
    number: int
    pages: int
    cost: Cost


def main() -> int:
    cases = [*(Case(corpus.name, [corpus]) for corpus in available()), Case("all", available())]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cases", nargs="+", default=[case.name for case in cases])
    options = parser.parse_args()
    WORK.mkdir(exist_ok=True)
    if problems := install([s for s in SYSTEMS if s.name in (OURS, SCRAPY)]):
        print(problems, file=sys.stderr)
        return 2
    chosen = [case for case in cases if case.name in options.cases]
    with served(available()) as port:
        for case in chosen:
            crawl(case, port)
    samples: list[Sample] = []
    equal = True
    for number in range(options.rounds):
        for case in chosen:
            costs, pages, same = replay(case, port)
            equal &= same
            for what, cost in costs.items():
                samples.append(Sample(case.name, what, number, pages, cost))
                print(f"{case.name:12}{what:8}{cost.wall:8.2f} s wall{cost.cpu:8.2f} s CPU"
                      f"{cost.peak_mb:6.0f} MB", file=sys.stderr)  # fmt: skip
    print(markdown(samples))
    return 0 if equal else 1


def crawl(case: Case, port: int) -> None:
    """Fill the store and the cache. Ours keeps the titles only: another spider than the later."""
    shutil.rmtree(case.folder, ignore_errors=True)
    case.folder.mkdir()
    flags = [word.format(result=case.folder) for word in OURS_FLAGS]
    seeds = " ".join(case.seeds(port))
    ours = [OURS_COMMAND, "run", SPIDER, "-a", f"seeds={seeds}", "-a", "old=1", *flags]
    run([*ours, "--set", "engine.scope=prefix"], case.folder / "log")
    run(scrapy(case, port, "online"), case.folder / "log")


def scrapy(case: Case, port: int, network: str) -> list[str]:
    cache, feed = case.folder / "cache", case.folder / f"{network}.jsonl"
    feed.unlink(missing_ok=True)
    script = HERE / "peers" / "scrapy_replay.py"
    words = [python_of(SCRAPY), script, cache, feed, network, *case.seeds(port)]
    return [str(word) for word in words]


def replay(case: Case, port: int) -> tuple[dict[str, Cost], int, bool]:
    """Run all three once; give their costs, the number of pages, and whether the items agree."""
    folder = case.folder
    store = folder / "again.db"
    with (
        closing(sqlite3.connect(folder / "pages.db")) as old,
        closing(sqlite3.connect(store)) as new,
    ):
        old.backup(new)
    ours = [OURS_COMMAND, "reparse", SPIDER, "-a", f"seeds={case.seeds(port)[0]}"]
    ours += ["--store", str(store)]
    costs = {
        SCRAPY: run(scrapy(case, port, "offline"), folder / "log"),
        "diff": run(ours, folder / "log"),
        "apply": run([*ours, "--apply"], folder / "log"),
        "floor": run([str(python_of(OURS)), FLOOR, str(store)], folder / "log"),
    }
    with closing(sqlite3.connect(store)) as db:
        rows = db.execute("SELECT url, title, headings, links FROM head")
        mine: Items = {url: (title, json.loads(h), links) for url, title, h, links in rows}
    theirs = dict(scraped(folder / "offline.jsonl"))
    return costs, len(mine), agree(mine, theirs)


def scraped(feed: Path) -> Iterator[tuple[str, tuple[str, list[str], int]]]:
    """Yield what Scrapy found, but the one page that no browser would ask for (see README.md)."""
    with feed.open() as lines:
        for item in map(json.loads, lines):
            if not item["url"].endswith("//"):
                yield item["url"], (item["title"], item["headings"], item["links"])


def agree(mine: Items, theirs: Items) -> bool:
    """Return whether every page of both has the same item, and say which has not."""
    differ = [url for url in mine.keys() | theirs.keys() if mine.get(url) != theirs.get(url)]
    for url in differ[:5]:
        print(f"{url}: ours {mine.get(url)}, Scrapy {theirs.get(url)}", file=sys.stderr)
    return not differ


def markdown(samples: list[Sample]) -> str:
    """Return the medians, and those of the ratios within a round."""
    lines = [
        "| pages | what | wall s | CPU s | MB | times Scrapy, wall | CPU |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for case in dict.fromkeys(sample.case for sample in samples):
        of_case = [sample for sample in samples if sample.case == case]
        peer = {sample.number: sample.cost for sample in of_case if sample.what == SCRAPY}
        for what, title in NAMES.items():
            row = [sample for sample in of_case if sample.what == what]
            wall = statistics.median(s.cost.wall for s in row)
            cpu = statistics.median(s.cost.cpu for s in row)
            peak = max(s.cost.peak_mb for s in row)
            faster = statistics.median(peer[s.number].wall / s.cost.wall for s in row)
            leaner = statistics.median(peer[s.number].cpu / s.cost.cpu for s in row)
            lines.append(
                f"| {case}, {row[0].pages:,} | {title} | {wall:.2f} | {cpu:.2f} | {peak:.0f}"
                f" | {faster:.1f} | {leaner:.1f} |"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
