"""A crawl in a process of its own, to be killed: `crawl_victim.py MODE URL STORE`.

The mode `crawl` says "go" and crawls; `processes` does so in two more,
`near` marks near duplicates, too. `points` kills a forked
crawl before its first call to the database, another one before a later one (its second, where
`KILLS` is 20 or more), and so on until one
lives to its end; each is then resumed. `browser` renders every page.
"""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import aiosqlite

from crawler import Crawler, Rule, ScrapedPage, Spider, Summary, item
from crawler.browser import finding

SETTINGS = {
    "engine": {"workers": 4},
    "politeness": {"delay": 0.0, "per_host": 4},
    "store": {"flush_interval": 0.01, "flush_visits": 4, "text": True},
}

NEAR = {**SETTINGS, "traps": {"duplicates": "mark", "near": 6}}
FEW_FLUSHES = {**SETTINGS, "store": {"flush_interval": 0.02, "text": True}}


@item(table="seen_item")
class Seen:
    url: str
    title: str | None


@item(table="draft", key="url", history=True)
class Draft:
    url: str
    version: int


class Victim(Spider):
    name = "victim"
    rules = (Rule(),)

    def parse(self, page: ScrapedPage):
        self.stats.count("parsed")
        yield Seen(page.url, page.title)
        yield Draft(page.url, 1)
        yield Draft(page.url, 2)


def rendering() -> dict:
    """Return the settings of a crawl in which a browser renders each page."""
    sandbox = "required" if finding.sandbox_flaw() is None else "preferred"
    return {
        **SETTINGS,
        "browser": {"mode": "always", "sandbox": sandbox, "settle": 0.05},
        "fetch": {"retries": 50, "retry_delay": 0.01},
    }


class Counting(Victim):
    """Keeps in its state which pages it was called for; callbacks in processes have none."""

    def parse(self, page: ScrapedPage):
        self.state.setdefault("urls", []).append(page.url)
        yield from super().parse(page)


async def crawl(url: str, store: Path, settings: dict | None = None) -> Summary:
    spider = Victim() if "processes" in (settings or SETTINGS)["engine"] else Counting()
    spider.start_urls = [url]
    async with Crawler(spider, store=store, settings=settings or SETTINGS) as crawler:
        return await crawler.run()


def before_call(number: int, act: Callable[[], None]) -> None:
    """Let `act` happen before the `number`th call to the database of this process."""
    execute, count = aiosqlite.Connection._execute, 0

    async def counting(self, *args, **kwargs):
        nonlocal count
        count += 1
        if count == number:
            act()
        return await execute(self, *args, **kwargs)

    aiosqlite.Connection._execute = counting


def forked(url: str, store: Path, die_at: int = 0) -> int:
    """Crawl in a child, which dies as if killed before one of its calls, and give its status."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            if die_at:
                before_call(die_at, lambda: os._exit(9))
            summary = asyncio.run(crawl(url, store, FEW_FLUSHES))
            status = 0 if summary.queued == 0 and summary.state == "finished" else 2
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def points(url: str, directory: Path) -> None:
    step = 1 if int(os.environ.get("KILLS", "0")) >= 20 else 3
    number = 1 - step
    while True:
        number += step
        store = directory / f"{number}.db"
        status = forked(url, store, die_at=number)
        if status == 0:
            break
        assert status == 9, f"call {number}: exit {status}"
        status = forked(url, store)
        assert status == 0, f"resumed after call {number}: exit {status}"
    print(number - step)


def children_of(pid: int) -> list[int]:
    """Return the processes that a process has started and that are still there."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found


def family_of(pid: int) -> list[int]:
    """Return the processes that a process has started, and those that these have."""
    children = children_of(pid)
    return children + [each for child in children for each in family_of(child)]


def is_alive(pid: int) -> bool:
    """Return whether a process is there, and no zombie that nobody has asked after."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def main() -> None:
    mode, url, store = sys.argv[1:]
    if mode == "points":
        points(url, Path(store))
    else:
        print("go", flush=True)
        several = {**SETTINGS, "engine": {"workers": 4, "processes": 2}}
        modes = {"processes": several, "near": NEAR, "browser": rendering()}
        summary = asyncio.run(crawl(url, Path(store), modes.get(mode)))
        sys.exit(summary.state != "finished")


if __name__ == "__main__":
    main()
