"""What single settings cost: CPU per page of one site, with each switched on, beside the defaults.

    .venv/bin/python bench/settings.py --corpus postgresql --rounds 3
    .venv/bin/python bench/settings.py --only text links

The crawler is that of this interpreter. Each setting takes turns with the defaults, and a ratio is
taken within a turn, so that the machine's mood is the same for both; start-up, measured beside
them, is left out of every figure.
"""

import argparse
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from sites import CORPORA, Corpus, served

HERE = Path(__file__).resolve().parent
CALM = ("politeness.delay=0", "politeness.per_host=32", "politeness.robots=false")
SETTINGS: dict[str, tuple[str, ...]] = {
    "defaults": (),
    "traps off": ("traps.endless_after=0",),
    "links: nofollow": ("links.nofollow=true",),
    "links: more tags": ('links.tags=["a","area","link","img"]',),
    "links: canonical": ('links.canonical="mark"',),
    "links: sitemaps": ("links.sitemaps=true", "politeness.robots=true"),
    "links: requisites": ("links.requisites=true",),
    "links: fragments": ("links.check_fragments=true",),
    "robots": ("politeness.robots=true",),
    "rate": ('politeness.rate="100000/1"',),
    "duplicates: mark": ('traps.duplicates="mark"',),
    "duplicates: near": ('traps.duplicates="mark"', "traps.near=3"),
    "queries capped": ("traps.max_queries=1000", "traps.max_pages_per_host=100000"),
    "uses heeded": ('politeness.heed_usage=["search"]', "politeness.robots=true"),
    "browser: auto": ('browser.mode="auto"',),
    "cache: record": ('cache.mode="record"',),
    "text": ("store.text=true",),
    "no bodies": ("store.bodies=false",),
    "no links": ("store.links=false",),
    "durable: full": ('store.durable="full"',),
    "two processes": ("engine.processes=2",),
}
SPIDERS = {
    "spider: a rule": "Follows",
    "spider: items": "Items",
    "spider: keyed items": "Keyed",
    "spider: keyed items, history": "History",
    "spider: css": "Selectors",
    "spider: text": "Texts",
    "spider: soup": "Soups",
}
"""Classes of `settings_spiders.py`, each for one thing that a spider may do on every page."""


def cpu(
    url: str, settings: tuple[str, ...] = (), pages: int | None = None, spider: str = ""
) -> tuple[float, int]:
    """Return CPU seconds of one crawl, children included, and the pages that it stored."""
    crawl = ["crawl", url]
    if spider:
        crawl = ["run", f"{HERE / 'settings_spiders.py'}:{spider}", "-a", f"seed={url}"]
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "crawler", *crawl, "--quiet", "--store", "settings.db"]
        command += ["--max-pages", str(pages)] if pages else []
        for setting in (*CALM, 'engine.scope="prefix"', *settings):
            command += ["--set", setting]
        process = subprocess.Popen(command, cwd=directory, env=os.environ)
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
        count = "SELECT value FROM crawl WHERE key = 'pages'"
        [(stored,)] = sqlite3.connect(Path(directory, "settings.db")).execute(count)
    return usage.ru_utime + usage.ru_stime, stored


def measured(corpus: Corpus, names: list[str], rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Return CPU ms a page by setting: its own, and that of the defaults just before it."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    with served([corpus]) as port:
        url = corpus.seed(port)
        for _ in range(rounds):
            for name in names:
                start, _ = cpu(url, pages=1)
                pair = [
                    (seconds - start) / pages * 1000
                    for seconds, pages in (
                        cpu(url),
                        cpu(url, SETTINGS.get(name, ()), spider=SPIDERS.get(name, "")),
                    )
                ]
                found[name].append((pair[1], pair[0]))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", choices=[one.name for one in CORPORA], default="postgresql")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", help="settings whose names contain one of these")
    options = parser.parse_args()
    corpus = next(one for one in CORPORA if one.name == options.corpus)
    names = [
        name
        for name in (*SETTINGS, *SPIDERS)
        if not options.only or any(word in name for word in options.only)
    ]
    found = measured(corpus, names, options.rounds)
    print("| setting | CPU ms a page | times the defaults |\n|---|---|---|")
    for name in names:
        mine = statistics.median(own for own, _ in found[name])
        times = statistics.median(own / defaults for own, defaults in found[name])
        print(f"| {name} | {mine:.2f} | {times:.2f} |")


if __name__ == "__main__":
    main()
