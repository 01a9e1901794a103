"""What single settings cost: CPU per page of one site, with each switched on, beside the defaults.

    .venv/bin/python bench/settings.py --corpus postgresql --rounds 3
    .venv/bin/python bench/settings.py --only text links

The crawler is that of this interpreter. The settings take turns, and a ratio is taken within a
round, so that the machine's mood is the same for both; start-up, measured beside them, is left out
of every figure.
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

CALM = ("politeness.delay=0", "politeness.per_host=32", "politeness.robots=false")
SETTINGS: dict[str, tuple[str, ...]] = {
    "defaults": (),
    "traps off": ("traps.endless_after=0",),
    "links: nofollow": ("links.nofollow=true",),
    "links: more tags": ('links.tags=["a","area","link","img"]',),
    "links: canonical": ('links.canonical="mark"',),
    "text": ("store.text=true",),
    "no bodies": ("store.bodies=false",),
    "no links": ("store.links=false",),
    "two processes": ("engine.processes=2",),
}


def cpu(url: str, settings: tuple[str, ...], pages: int | None = None) -> tuple[float, int]:
    """Return CPU seconds of one crawl, children included, and the pages that it stored."""
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "crawler", "crawl", url, "--quiet", "--scope", "prefix"]
        command += ["--store", "settings.db"]
        command += ["--max-pages", str(pages)] if pages else []
        for setting in (*CALM, *settings):
            command += ["--set", setting]
        process = subprocess.Popen(command, cwd=directory, env=os.environ)
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
        count = "SELECT value FROM crawl WHERE key = 'pages'"
        [(stored,)] = sqlite3.connect(Path(directory, "settings.db")).execute(count)
    return usage.ru_utime + usage.ru_stime, stored


def measured(corpus: Corpus, names: list[str], rounds: int) -> dict[str, list[float]]:
    """Return CPU ms a page by setting, one figure for each round."""
    found: dict[str, list[float]] = {name: [] for name in names}
    with served([corpus]) as port:
        url = corpus.seed(port)
        for _ in range(rounds):
            start, _ = cpu(url, (), pages=1)
            for name in names:
                seconds, pages = cpu(url, SETTINGS[name])
                found[name].append((seconds - start) / pages * 1000)
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
        for name in SETTINGS
        if name == "defaults" or not options.only or any(word in name for word in options.only)
    ]
    found = measured(corpus, names, options.rounds)
    print("| setting | CPU ms a page | times the defaults |\n|---|---|---|")
    for name in names:
        ratios = [a / b for a, b in zip(found[name], found["defaults"], strict=True)]
        print(
            f"| {name} | {statistics.median(found[name]):.2f} | {statistics.median(ratios):.2f} |"
        )


if __name__ == "__main__":
    main()
