"""Grow a crawl to millions of URLs without a network, and say what a page and a URL cost.

    .venv/bin/python bench/scale.py                         # 10,000 to 1,000,000 URLs
    .venv/bin/python bench/scale.py --most 10000000 --save  # half an hour
    .venv/bin/python bench/scale.py --most 10000000 --directory KEPT
    .venv/bin/python bench/scale.py --pairs KEPT            # 100,000 and 10,000,000 URLs by turns

The frontier, the committer, the store and the link rules are the crawler's own, fed with the
pages of `synthetic.Web` (5,000 hosts, 50 links a page of which nine in ten are known). At each
power of ten the store is closed, and another process opens it and asks for its first request.

The first and the last mark of a long run are half an hour apart, and the machine may have changed
its mind in between. `--directory` keeps the store of each mark, and `--pairs` lets those of 100,000
and the most URLs crawl a few thousand pages more by turns, each time from a fresh copy.
"""

import argparse
import asyncio
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from synthetic import SPREADS, Web, number_of

from crawler.engine.committer import Committer
from crawler.frontier import Frontier
from crawler.links.linker import Linker
from crawler.parse.fast_pass import Scan
from crawler.politeness.throttle import Pace
from crawler.spider import SiteSpider
from crawler.spider.collector import Collector
from crawler.store import open_store
from crawler.urls.scope import Scope
from crawler.web.outcome import Outcome
from crawler.web.page import ScrapedPage
from crawler.web.request import Request, Todo
from crawler.web.response import Response
from crawler.web.visit import Visit

DOCS = Path(__file__).resolve().parent.parent / "docs"
HEADER = (
    "| URLs | queued | links µs/page | frontier and store µs/page | µs/new URL | RSS MB "
    "| disk B/URL | resume s | resume MB |\n|---|---|---|---|---|---|---|---|---|"
)
WINDOW = 0.2  # the share of the way to each mark, at its end, over which the costs are taken
WARM, PAGES, ROUNDS = 6_000, 6_000, 5  # of `--pairs`: pages before, pages measured, turns


@dataclass(frozen=True, slots=True)
class Mark:
    """What the crawl cost when it knew `urls` URLs: CPU over the last fifth of the way there.

    Apart from each other: resolving and sifting the links of a page, which does not depend on
    how many URLs are known; and frontier, commit and store, which must not either.
    """

    urls: int
    queued: int
    pages: int
    us_links_per_page: float
    us_store_per_page: float
    us_store_per_new_url: float
    rss_mb: float
    disk_bytes_per_url: float
    resume_seconds: float = 0.0
    resume_rss_mb: float = 0.0


class Meter:
    """CPU seconds of three kinds: the synthetic web's own, the links', and all the rest."""

    def __init__(self) -> None:
        self.web = self.links = 0.0

    def rest(self) -> float:
        return time.process_time() - self.web - self.links

    def links_of(self, web: Web, url: str) -> list[str]:
        start = time.thread_time()
        links = [web.url(number) for number in web.links_of(number_of(url))]
        self.web += time.thread_time() - start
        return links

    async def follow(self, collector: Collector, visit: Visit, page: ScrapedPage) -> None:
        start = time.thread_time()
        await collector.follow(visit, page)
        self.links += time.thread_time() - start


class Crawl:
    """One stretch of the crawl, from opening the store to closing it at a mark."""

    def __init__(self, path: Path, web: Web, meter: Meter, collector: Collector) -> None:
        self.path, self.web, self.meter, self.collector = path, web, meter, collector
        self.store = open_store(str(path), bodies=False, links=False)
        self.pages = 0

    async def run_to(self, urls: int, warm: int | None = None) -> Mark:
        """Crawl until `urls` URLs are known; give what it cost since `warm` of them were."""
        state = await self.store.open()
        self.frontier = Frontier(Pace(0.0, 1 << 30))
        self.frontier.pending = state.pending
        self.committer = Committer(self.store, self.frontier, interval=0.25, size=200)
        await self.store.begin_run("scale", "{}")
        writing = asyncio.create_task(self.committer.run())
        await self._seed(state.seeded)
        await self._grow_to(int(urls * (1 - WINDOW)) if warm is None else warm)
        rest, links, pages = self.meter.rest(), self.meter.links, self.pages
        await self._grow_to(urls)
        await self.committer.flush()
        pages = self.pages - pages
        rest = 1e6 * (self.meter.rest() - rest) / pages
        links = 1e6 * (self.meter.links - links) / pages
        queued, rss = self.frontier.pending, memory("VmRSS")
        self.frontier.stop("interrupted")
        self.committer.finish()
        await writing
        await self.store.close()
        disk = self.path.stat().st_size / self.web.known
        known, new = self.web.known, self.web.new
        return Mark(known, queued, self.pages, links, rest, rest / new, rss, disk)

    async def _seed(self, seeded: bool) -> None:
        if not seeded:
            seeds = [Request(self.web.url(number)) for number in self.web.seeds()]
            for seed in seeds:
                self.committer.put_seed(self.collector.candidate(seed, 0))
            await self.committer.put_seeded()
        await self.committer.flush()

    async def _grow_to(self, urls: int) -> None:
        while self.web.known < urls and (todo := await self.frontier.next()) is not None:
            await self.committer.put(await self._visit(todo))
            self.frontier.release(todo, stored=True)
            self.pages += 1

    async def _visit(self, todo: Todo) -> Visit:
        """Make the page of a request, as the engine does once the page has been scanned."""
        links = self.meter.links_of(self.web, todo.url)
        response = Response(todo.url, 200, {"Content-Type": "text/html"}, b"", time.time(), 0.0)
        page = ScrapedPage(response, Request(todo.url, depth=todo.depth))
        page.found = Scan("title", None, links, [])
        visit = Visit(todo, Outcome.OK, response.started, 200, response, title="title")
        await self.meter.follow(self.collector, visit, page)
        return visit


def memory(field: str) -> float:
    """Return a field of this process's status, in megabytes (Linux)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise LookupError(field)


async def resume(path: Path) -> None:
    """Open the store, wait for the first request, and print the memory that it took."""
    store = open_store(str(path), bodies=False, links=False)
    frontier = Frontier(Pace(0.0, 1 << 30))
    frontier.pending = (await store.open()).pending
    committer = Committer(store, frontier, interval=0.25, size=200)
    writing = asyncio.create_task(committer.run())
    loading = asyncio.create_task(committer.flush())
    todo = await frontier.next()
    assert todo is not None
    print(time.monotonic(), memory("VmRSS"), flush=True)
    frontier.stop("interrupted")
    await loading
    committer.finish()
    await writing
    await store.close()


def resumed(path: Path) -> tuple[float, float]:
    """Return seconds and megabytes from the start of a new process to its first request."""
    start = time.monotonic()
    command = [sys.executable, __file__, "--resume", str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    at, rss = map(float, done.stdout.split())
    return at - start, rss


# ---------------------------------------------------------------- two stores by turns


def further(kept: Path, spread: str, hosts: int) -> Mark:
    """Crawl on from a copy of a kept store, and give what a page costs there."""
    web = Web(hosts=hosts, spread=SPREADS[spread], **json.loads(web_of(kept).read_text()))
    collector = Collector(SiteSpider(), Linker(Scope("any"), SiteSpider.rules))
    with tempfile.TemporaryDirectory(dir=kept.parent) as directory:
        path = Path(directory, "scale.db")
        shutil.copyfile(kept, path)
        first = web.known
        crawl = Crawl(path, web, Meter(), collector)
        warm = first + WARM * web.new
        return asyncio.run(crawl.run_to(warm + PAGES * web.new, warm))


def pairs(directory: Path, spread: str, hosts: int) -> int:
    """Print what a page costs with few URLs known and with many, by turns; 1 if over 1.5 times."""
    kept = sorted(directory.glob("*.db"), key=lambda path: path.stat().st_size)
    few, many = Path(directory, "100000.db"), kept[-1]
    print(
        f"| known | µs a page, links and store | the two by turns, {ROUNDS} rounds |\n|---|---|---|"
    )
    costs: dict[Path, list[float]] = {few: [], many: []}
    for _ in range(ROUNDS):
        for path, found in costs.items():
            command = [sys.executable, __file__, "--further", str(path), "--spread", spread]
            command += ["--hosts", str(hosts)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found.append(float(done.stdout))
    for path, found in costs.items():
        shown = ", ".join(f"{cost:.0f}" for cost in found)
        print(f"| {int(path.stem):,} | {statistics.median(found):.0f} | {shown} |")
    ratio = statistics.median(
        one / other for one, other in zip(costs[many], costs[few], strict=True)
    )
    print(f"\n{ratio:.2f} times")
    return 0 if ratio <= 1.5 else 1


def web_of(kept: Path) -> Path:
    return kept.with_suffix(".json")


def keep(path: Path, directory: Path, web: Web) -> None:
    """Keep a closed store, and where its web stands, under the number of its URLs."""
    kept = Path(directory, f"{web.known}.db")
    shutil.copyfile(path, kept)
    web_of(kept).write_text(json.dumps({"known": web.known, "drawn": web.drawn}))


def main() -> int:
    options = arguments()
    if options.resume:
        asyncio.run(resume(options.resume))
        return 0
    if options.further:
        mark = further(options.further, options.spread, options.hosts)
        print(mark.us_links_per_page + mark.us_store_per_page)
        return 0
    if options.pairs:
        return pairs(options.pairs, options.spread, options.hosts)
    web = Web(hosts=options.hosts, spread=SPREADS[options.spread])
    collector = Collector(SiteSpider(), Linker(Scope("any"), SiteSpider.rules))
    print(HEADER)
    marks = []
    with tempfile.TemporaryDirectory(dir=options.directory) as directory:
        path, meter = Path(directory, "scale.db"), Meter()
        for urls in powers_of_ten(10_000, options.most):
            mark = asyncio.run(Crawl(path, web, meter, collector).run_to(urls))
            seconds, rss = resumed(path)
            marks.append(asdict(mark) | {"resume_seconds": seconds, "resume_rss_mb": rss})
            print(row(Mark(**marks[-1])), flush=True)
            if options.directory:
                keep(path, options.directory, web)
    if options.save:
        record = {"hosts": web.hosts, "spread": options.spread, "marks": marks}
        (DOCS / "benchmarks-scale.json").write_text(json.dumps(record, indent=1) + "\n")
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--most", type=int, default=1_000_000, help="URLs at the last mark")
    parser.add_argument("--hosts", type=int, default=5_000)
    parser.add_argument("--spread", choices=list(SPREADS), default="zipf")
    parser.add_argument("--directory", type=Path, help="keep the store of each mark here")
    parser.add_argument("--pairs", type=Path, help="compare the stores kept there")
    parser.add_argument("--save", action="store_true")
    parser.add_argument("--resume", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--further", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def powers_of_ten(least: int, most: int) -> list[int]:
    marks = [least]
    while marks[-1] * 10 <= most:
        marks.append(marks[-1] * 10)
    return marks


def row(mark: Mark) -> str:
    return (
        f"| {mark.urls:,} | {mark.queued:,} | {mark.us_links_per_page:.0f} "
        f"| {mark.us_store_per_page:.0f} | {mark.us_store_per_new_url:.1f} "
        f"| {mark.rss_mb:.0f} | {mark.disk_bytes_per_url:.0f} | {mark.resume_seconds:.2f} "
        f"| {mark.resume_rss_mb:.0f} |"
    )


if __name__ == "__main__":
    sys.exit(main())
