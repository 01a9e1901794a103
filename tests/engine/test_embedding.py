"""A crawl within another program: a running loop, a thread, items as they are stored."""

import asyncio
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from crawl_story import crawler_of, read, story

from crawler import Crawler, Request, ScrapedPage, SiteSpider, Spider, Summary, crawl
from crawler.errors import UsageError
from crawler.practice import PracticeSite


@dataclass(frozen=True)
class Title:
    """What a page is called."""

    text: str


class Titles(Spider):
    """Gives a title a page, a dict for what is not there, and one item that is refused."""

    name = "titles"

    def parse(self, page: ScrapedPage) -> Any:
        yield Title(page.title or "")
        if page.title == "1":
            yield Title(5)  # type: ignore[arg-type]

    def on_error(self, request: Request, *told: Any) -> Any:
        yield {"missing": request.url}


@story()
async def test_items_come_as_the_spider_gave_them_once_they_are_stored(site, path):
    for number in range(3):
        site.add_page(f"/{number}", f"<title>{number}</title>")
    urls = [*(site.at(f"/{number}") for number in range(3)), site.at("/none")]
    store, found = path / "s.db", []
    async with crawler_of(Titles, store, *urls) as crawler:
        async for item in crawler.items():
            found.append(item)
            stored = read(store, "SELECT count(*) FROM title")
            assert not isinstance(item, Title) or stored[0] >= 1, "not before its commit"
    titles = [item.text for item in found if isinstance(item, Title)]
    assert sorted(titles) == ["0", "1", "2"]
    assert [item for item in found if isinstance(item, dict)] == [{"missing": site.at("/none")}]


@story()
async def test_who_leaves_the_items_leaves_the_rest_to_the_next_run(site, path):
    urls = [site.add_page(f"/{number}", f"<title>{number}</title>") for number in range(9)]
    async with crawler_of(Titles, path / "s.db", *urls, store__flush_visits=1) as crawler:
        async for _ in crawler.items():
            break
    async with crawler_of(Titles, path / "s.db", *urls) as crawler:
        summary = await crawler.run()
    assert (summary.total_pages, summary.resumed) == (9, True)


@story()
async def test_crawl_in_a_running_loop_says_what_to_write(site, path):
    with pytest.raises(UsageError, match=r"async with Crawler\(SiteSpider\(url\), store=…\)"):
        crawl(site.url, store=path / "s.db")
    assert not (path / "s.db").exists()


def test_crawls_run_in_threads_beside_each_other(tmp_path: Path) -> None:
    ended: dict[int, Summary] = {}

    def work(number: int) -> None:
        async def run() -> Summary:
            async with PracticeSite(robots=False) as site:
                url = site.add_page("/alone", f"<title>{number}</title>")
                spider, store = SiteSpider(url), tmp_path / f"{number}.db"
                async with Crawler(spider, store=store) as crawler:
                    return await crawler.run()

        ended[number] = asyncio.run(run())

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert {summary.pages for summary in ended.values()} == {1} and len(ended) == 3
