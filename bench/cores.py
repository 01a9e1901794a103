"""Crawl with a BeautifulSoup spider in one process and with worker processes, in pairs.

    .venv/bin/python bench/cores.py                     # the Python documentation, served by nginx
    .venv/bin/python bench/cores.py --url http://127.0.0.3:8000/docs/index.html --rounds 5

Each run is a process of its own; wall seconds, CPU seconds of it and its children, and whether
both stored the same pages, links and items.
"""

import argparse
import asyncio
import hashlib
import json
import os
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

from crawler import Crawler, ScrapedPage, SiteSpider, item

SETTINGS = {
    "engine": {"scope": "prefix"},
    "politeness": {"delay": 0, "per_host": 32, "robots": False},
}


@item(key="url")
class Heading:
    """What a soup is good for: the text of the first heading, and how much else there is."""

    url: str
    text: str | None
    paragraphs: int
    code: list[str]


class SoupSpider(SiteSpider):
    """Build the soup of every page, and look around in it."""

    name = "soup"

    def parse(self, page: ScrapedPage):
        soup = page.soup
        heading = soup.find("h1")
        yield Heading(
            page.url,
            heading.get_text(" ", strip=True) if heading else None,
            len(soup.find_all("p")),
            [code.get_text() for code in soup.select("code.literal")[:20]],
        )


def crawl(url: str, store: Path, processes: int) -> dict[str, float]:
    """Crawl in this process; give wall and CPU seconds, start-up included."""
    settings = SETTINGS | {"engine": SETTINGS["engine"] | {"processes": processes}}

    async def run() -> int:
        async with Crawler(SoupSpider(url), store=store, settings=settings) as crawler:
            return (await crawler.run()).pages

    try:
        import uvloop as loops
    except ImportError:
        loops = asyncio
    pages = loops.run(run())
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {"pages": pages, "cpu": sum(usage.ru_utime + usage.ru_stime for usage in usages)}


def one_run(url: str, processes: int) -> tuple[dict[str, float], str]:
    """Crawl in a fresh process; give its figures and a fingerprint of what it stored."""
    with tempfile.TemporaryDirectory() as directory:
        store = Path(directory, "soup.db")
        command = [sys.executable, __file__, "--url", url, "--one", f"{processes}:{store}"]
        start = time.monotonic()
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        figures = {"wall": time.monotonic() - start, **json.loads(done.stdout)}
        return figures, fingerprint(store)


def fingerprint(store: Path) -> str:
    """Return a hash of all pages, links and items, without what differs by the clock."""
    database = sqlite3.connect(store)
    digest = hashlib.sha256()
    for sql in (
        "SELECT url, title, status, outcome, encoding, error FROM pages ORDER BY url",
        "SELECT source, target FROM links ORDER BY source, position",
        "SELECT url, text, paragraphs, code, page_url FROM heading ORDER BY url",
    ):
        for row in database.execute(sql):
            digest.update(repr(row).encode())
    database.close()
    return digest.hexdigest()


def main() -> int:
    options = arguments()
    if options.one:
        processes, _, store = options.one.partition(":")
        print(json.dumps(crawl(options.url, Path(store), int(processes))))
        return 0
    with served(options.url) as url:
        pairs = [
            [one_run(url, number) for number in (1, options.processes)]
            for _ in range(options.rounds)
        ]
    print("| pages | wall s, 1 process | wall s, processes | gain | CPU s, 1 | CPU s, processes |")
    print("|---|---|---|---|---|---|")
    for (one, _), (many, _) in pairs:
        print(
            f"| {one['pages']} | {one['wall']:.2f} | {many['wall']:.2f} "
            f"| {one['wall'] / many['wall']:.2f} | {one['cpu']:.1f} | {many['cpu']:.1f} |"
        )
    gain = statistics.median(one["wall"] / many["wall"] for (one, _), (many, _) in pairs)
    same = len({mark for pair in pairs for _, mark in pair}) == 1
    print(f"\nmedian gain {gain:.2f} with {options.processes} processes on {os.cpu_count()} cores;")
    print("all runs stored the same" if same else "THE RUNS STORED DIFFERENT THINGS")
    return 0 if same else 1


def served(url: str | None):
    if url:
        return nullcontext(url)
    return _served_corpus()


def _served_corpus():
    from contextlib import contextmanager

    from sites import available, served

    @contextmanager
    def serve():
        [corpus] = [corpus for corpus in available() if corpus.name == "python"]
        with served([corpus]) as port:
            yield corpus.seed(port)

    return serve()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", help="the first page; by default nginx serves the Python docs")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
