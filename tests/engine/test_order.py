"""The order in which the requests of a host are fetched: by priority, and depth first."""

from __future__ import annotations

import time
from typing import Any

import pytest
from crawl_story import Follow, crawl, story

from crawler import Request, ScrapedPage, Spider

CALM: dict[str, Any] = {
    "politeness__delay": 0.0,
    "politeness__per_host": 1,
    "store__flush_interval": 60.0,  # none comes by itself
    "store__flush_visits": 10_000,
}


def asked(site: Any) -> list[str]:
    """The paths that were fetched, in the order of their starts."""
    return [hit.path for hit in site.hits if hit.path != "/robots.txt"]


@pytest.mark.parametrize("given", ["parse", "elsewhere", "added"])
@story()
async def test_a_request_of_priority_100_is_the_next_that_starts(site, path, given):
    names = [f"/{number}" for number in range(40)]
    for name in names:
        site.add_page(name, f"<title>{name}</title>")
    site.add_page("/urgent", "<title>urgent</title>")

    class Urgent(Spider):
        name = "urgent"

        def start(self) -> Any:
            for name in names:
                yield Request(site.at(name))

        def parse(self, page: ScrapedPage) -> Any:
            if page.url == site.at("/5"):
                urgent = Request(site.at("/urgent"), priority=100)
                if given == "added":
                    self.crawl.add(urgent)
                else:
                    yield urgent
                    yield Request(site.at("/39"), priority=-5, dont_filter=True)

    began = time.monotonic()
    await crawl(Urgent, path / "s.db", **CALM)
    order = asked(site)
    assert order.index("/urgent") == order.index("/5") + 1
    assert time.monotonic() - began < 20, "no flush of a minute was waited for"


@story()
async def test_depth_first_is_depth_first_without_a_delay(site, path):
    def grow(name: str, depth: int) -> None:
        below = [f"{name}{letter}" for letter in "abc"] if depth else []
        links = "".join(f"<a href='{one}'>{one}</a>" for one in below)
        site.add_page(name, f"<title>{name}</title>{links}")
        for one in below:
            grow(one, depth - 1)

    grow("/r", 3)
    done = await crawl(Follow, path / "s.db", site.at("/r"), engine__order="depth", **CALM)
    assert done.pages == 40
    assert asked(site) == sorted(asked(site)), "each page before its neighbour, and its links first"


@story()
async def test_what_comes_at_the_same_place_is_committed_with_others(site, path):
    names = [site.add_page(f"/{number}", f"<a href=/n{number}>n</a>") for number in range(30)]
    commits = []
    from crawl_story import crawler_of

    crawler = crawler_of(Follow, path / "s.db", *names, politeness__per_host=16)
    async with crawler:
        crawler.on_commit(lambda visits, committed: commits.append(len(visits)))
        await crawler.run()
    assert sum(commits) == 60 and len(commits) < 30
