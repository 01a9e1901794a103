"""What it costs to visit the pages of a store again: unchanged ones, and changed ones.

    .venv/bin/python bench/recrawl.py --corpus postgresql --rounds 3

A copy of one site is crawled, and then visited again five times: as it was (304), with other dates
and the same bytes, with other markup and the same text, with another text, and with another text
once more. CPU ms a page beside the crawl itself, start-up left out, by turns.
"""

import argparse
import os
import re
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from sites import CORPORA, Corpus, served

OPTIONS = (
    *("--set", "politeness.delay=0", "--set", "politeness.per_host=32"),
    *("--set", "politeness.robots=false", "--set", 'engine.scope="prefix"', "--quiet"),
)
END = re.compile(rb"</body", re.IGNORECASE)


def again(root: Path, added: bytes) -> None:
    """Write every page anew, with something at its end, at a time later than any before."""
    for file in root.rglob("*.html"):
        data, old = file.read_bytes(), file.stat().st_mtime
        file.write_bytes(END.sub(added + b"</body", data, count=1) if added else data)
        os.utime(file, (old + 1, old + 1))


STEPS: dict[str, Callable[[Path], None]] = {
    "as it was (304)": lambda root: None,
    "the same bytes": lambda root: again(root, b""),
    "other markup, the same text": lambda root: again(root, b"<!-- 1 -->"),
    "another text": lambda root: again(root, b"<p>One more paragraph.</p>"),
    "another text once more": lambda root: again(root, b"<p>And one more.</p>"),
}


def cpu(store: Path, *command: str) -> float:
    """Return the CPU seconds of one command on a store."""
    line = [sys.executable, "-m", "crawler", *command, "--store", str(store), *OPTIONS]
    process = subprocess.Popen(line, cwd=store.parent)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime


def one_round(corpus: Corpus, directory: Path) -> dict[str, float]:
    """Return CPU ms a page by step."""
    root = directory / "site"
    found = corpus.root()
    assert found is not None
    shutil.copytree(found, root)
    store = directory / "recrawl.db"
    with served([replace(corpus, roots=(str(root),))], steady=False) as port:
        url = corpus.seed(port)
        starts = [
            cpu(directory / f"start{n}.db", "crawl", url, "--max-pages", "1") for n in range(4)
        ]
        start = statistics.median(starts[1:])  # the first may compile
        costs = {"the crawl": cpu(store, "crawl", url)}
        for name, change in STEPS.items():
            change(root)
            costs[name] = cpu(store, "recrawl", "--all")
    with sqlite3.connect(store) as db:
        [(pages,)] = db.execute("SELECT count(*) FROM pages WHERE outcome = 'ok'")
        kinds = db.execute("SELECT kind, count(*) FROM changes GROUP BY 1 ORDER BY 1").fetchall()
    print(f"{pages} pages; {kinds}", file=sys.stderr)
    return {name: (seconds - start) / pages * 1000 for name, seconds in costs.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = [one.name for one in CORPORA]
    parser.add_argument("--corpus", choices=names, default="postgresql")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    corpus = next(one for one in CORPORA if one.name == options.corpus)
    rounds = []
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as directory:
            rounds.append(one_round(corpus, Path(directory)))
    print("| visit | CPU ms a page | times the crawl |\n|---|---|---|")
    for name in rounds[0]:
        mine = statistics.median(costs[name] for costs in rounds)
        times = statistics.median(costs[name] / costs["the crawl"] for costs in rounds)
        print(f"| {name} | {mine:.2f} | {times:.2f} |")


if __name__ == "__main__":
    main()
