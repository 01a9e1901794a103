"""What an empty hook and an empty pipeline cost a page: a crawl over recorded answers, CPU a page.

    python bench/pieces.py [--pages 2000] [--rounds 5]

Each spider crawls the same pages, with one item a page; told is the best of several rounds.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from crawler import Request, Response, ScrapedPage, Spider
from crawler.testing import crawl

SITE = "https://a.example"


class Plain(Spider):
    """Yields one item a page."""

    name = "plain"

    def start(self) -> Any:
        return (Request(f"{SITE}/{number}") for number in range(self.pages))

    pages = 0

    async def unused(self) -> None:
        """Let the crawl have an event loop, as those have that it is compared with."""

    def parse(self, page: ScrapedPage) -> Any:
        yield {"url": page.url}


class Empty:
    """A hook and a pipeline that do nothing."""

    def before_fetch(self, request: Request) -> None: ...

    def after_fetch(self, response: Response) -> None: ...

    def item(self, item: Any) -> Any:
        return item


class EmptyAsync:
    """The same, asynchronous."""

    async def before_fetch(self, request: Request) -> None: ...

    async def after_fetch(self, response: Response) -> None: ...

    async def item(self, item: Any, page: ScrapedPage) -> Any:
        return item


KINDS: dict[str, type[Spider]] = {
    "plain": Plain,
    "one empty hook": type("Hooked", (Plain,), {"hooks": [Empty]}),
    "one empty async hook": type("HookedAsync", (Plain,), {"hooks": [EmptyAsync]}),
    "one empty pipeline": type("Piped", (Plain,), {"pipelines": [Empty]}),
    "one empty async pipeline": type("PipedAsync", (Plain,), {"pipelines": [EmptyAsync]}),
}


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--pages", type=int, default=2000)
    asked.add_argument("--rounds", type=int, default=5)
    given = asked.parse_args()
    html = "<html><head><title>x</title></head><body><p>text</p></body></html>"
    answers = {f"{SITE}/{number}": html for number in range(given.pages)}
    best = dict.fromkeys(KINDS, float("inf"))
    for _ in range(given.rounds):
        for name, kind in KINDS.items():
            kind.pages = given.pages
            before = time.process_time()
            assert len(crawl(kind, answers).items) == given.pages
            best[name] = min(best[name], time.process_time() - before)
    for name, seconds in best.items():
        more = (seconds - best["plain"]) / given.pages * 1e6
        print(f"{name:26} {seconds / given.pages * 1e6:7.1f} µs a page  {more:+6.1f}")


if __name__ == "__main__":
    main()
