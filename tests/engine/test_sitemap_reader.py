"""Sitemaps in a crawl: from a spider, from robots.txt, large, nested, filtered."""

import asyncio
import gc
import gzip
from pathlib import Path
from typing import Any

import pytest
from calm import busy
from following_story import counters, crawled, rows

from crawler import Crawler, Rule, SitemapSpider, Spider, Summary
from crawler.engine import sitemap_reader
from crawler.inspect.query import Reader
from crawler.inspect.why import why
from crawler.practice import PracticeSite

HEAD = '<?xml version="1.0"?>'


def urlset(*entries: tuple[str, str]) -> str:
    rows = "".join(f"<url><loc>{url}</loc>{more}</url>" for url, more in entries)
    return f"{HEAD}<urlset>{rows}</urlset>"


def index(*urls: str) -> str:
    rows = "".join(f"<sitemap><loc>{url}</loc></sitemap>" for url in urls)
    return f"{HEAD}<sitemapindex>{rows}</sitemapindex>"


def crawl_of(
    pages: dict[str, str | bytes],
    store: Path,
    spider: type[Spider] = SitemapSpider,
    robots: str | bool = False,
    **settings: dict[str, Any],
) -> tuple[Summary, set[str]]:
    """Crawl a small web from /map.xml; give the summary and the paths that were asked for."""

    async def story() -> tuple[Summary, set[str]]:
        async with PracticeSite(robots=robots) as site:
            for path, body in pages.items():
                site.add_page(path, body, content_type="application/xml")
            one = spider()
            if not one.start_urls:
                one.sitemap_urls = [site.at("/map.xml")]
            else:
                one.start_urls = [site.at("/start")]
            summary = await crawled(one, store, **settings)
            return summary, {hit.target for hit in site.hits} - {"/robots.txt", "/map.xml"}

    return asyncio.run(story())


def test_every_sitemap_of_the_practice_site_is_read_to_its_pages(tmp_path: Path) -> None:
    async def story() -> Summary:
        async with PracticeSite() as site:
            spider = SitemapSpider(site.at("/sitemap.xml"))
            return await crawled(spider, tmp_path / "p.db")

    summary = asyncio.run(story())
    assert summary.outcomes["sitemap"] == 4 and summary.pages > 200
    [depth] = rows(tmp_path / "p.db", "SELECT DISTINCT depth FROM pages WHERE outcome = 'ok'")
    assert depth == 1


def test_a_robots_txt_stands_for_the_sitemaps_that_it_names(tmp_path: Path) -> None:
    async def story() -> Summary:
        async with PracticeSite() as site:
            return await crawled(SitemapSpider(site.at("/robots.txt")), tmp_path / "r.db")

    summary = asyncio.run(story())
    assert summary.outcomes["sitemap"] == 5 and summary.pages > 200


@pytest.mark.parametrize(
    ("target", "body"),
    [("/other.txt", "Sitemap: /map.xml"), ("/map.xml", "")],
)
def test_a_robots_txt_that_leads_elsewhere_stands_for_its_sitemaps(
    tmp_path: Path, target: str, body: str
) -> None:
    async def story() -> tuple[Summary, list[str]]:
        async with PracticeSite(robots=False) as site:
            site.add_redirect("/robots.txt", target)
            site.add_page("/map.xml", urlset(("/one", "")), content_type="application/xml")
            if body:
                site.add_page(target, body, content_type="text/plain")
            settings = {"politeness": {"robots": False, "delay": 0}}
            spider = SitemapSpider(site.at("/robots.txt"))
            summary = await crawled(spider, tmp_path / "e.db", **settings)
            return summary, [hit.target for hit in site.hits]

    summary, hits = asyncio.run(story())
    assert "/one" in hits and summary.outcomes["sitemap"] == (2 if body else 1)


@pytest.mark.parametrize("asked", [False, True])
def test_the_sitemaps_of_robots_txt_are_read_where_that_is_set(tmp_path: Path, asked: bool) -> None:
    class Start(Spider):
        name = "start"
        start_urls = ("x",)

    pages = {"/start": "x", "/map.xml": urlset(("/one", ""), ("/two", ""))}
    robots = "Sitemap: /map.xml\nSitemap: http://[\n"
    _, found = crawl_of(pages, tmp_path / "s.db", Start, robots, links={"sitemaps": asked})
    assert found == ({"/start", "/one", "/two"} if asked else {"/start"})


def test_rules_choose_callbacks_and_pages(tmp_path: Path) -> None:
    class Chosen(Spider):
        name = "chosen"
        sitemap_rules = (Rule(allow="/product/", callback="product", priority=3),
                         Rule(allow="/old/", follow=False), Rule(allow="/o"))  # fmt: skip

        def product(self, page: Any) -> None: ...

    pages = {"/map.xml": urlset(*((path, "") for path in ("/product/1", "/old/1", "/one", "/x")))}
    _, found = crawl_of(pages, tmp_path / "c.db", Chosen)
    assert found == {"/product/1", "/one"}
    assert counters(tmp_path / "c.db") == {"no_rule": 2}
    sql = "SELECT callback FROM pages WHERE url LIKE '%product%'"
    assert rows(tmp_path / "c.db", sql) == ["product"]


def test_entries_before_a_date_are_left_out_and_those_without_one_are_not(tmp_path: Path) -> None:
    class Fresh(Spider):
        name = "fresh"
        sitemap_since = "2026-01-01"

    pages = {
        "/map.xml": urlset(
            ("/old", "<lastmod>2025-12-31T23:59:59Z</lastmod>"),
            ("/new", "<lastmod>2026-01-01</lastmod>"),
            ("/unknown", ""),
        )
    }
    _, found = crawl_of(pages, tmp_path / "f.db", Fresh)
    assert found == {"/new", "/unknown"}
    assert counters(tmp_path / "f.db") == {"not_modified_since": 1}


def test_an_index_is_followed_by_rule_and_only_so_deep(tmp_path: Path) -> None:
    class Picky(Spider):
        name = "picky"
        sitemap_follow = "map"

    pages: dict[str, str | bytes] = {
        "/map.xml": index("/map1.xml", "/other.xml", "/map.xml"),
        **{f"/map{n}.xml": index(f"/map{n + 1}.xml") for n in range(1, 9)},
    }
    _, found = crawl_of(pages, tmp_path / "n.db", Picky)
    assert found == {f"/map{n}.xml" for n in range(1, 6)}
    assert counters(tmp_path / "n.db") == {"no_rule": 1, "sitemap_too_deep": 1}


def test_entries_of_other_hosts_are_out_of_scope(tmp_path: Path) -> None:
    pages = {"/map.xml": urlset(("http://elsewhere.example/", ""), ("/here", ""))}
    assert crawl_of(pages, tmp_path / "o.db")[1] == {"/here"}
    assert counters(tmp_path / "o.db") == {"out_of_scope": 1}


def test_a_page_where_a_sitemap_should_be_gives_nothing_and_says_so(tmp_path: Path) -> None:
    summary, found = crawl_of({"/map.xml": "<html><a href=/x>Sorry</a></html>"}, tmp_path / "h.db")
    assert found == set() and summary.outcomes == {"sitemap": 1}
    assert rows(tmp_path / "h.db", "SELECT error FROM pages") == ["no entries could be read"]


def test_a_large_sitemap_is_read_whole_while_the_loop_stays_awake(tmp_path: Path) -> None:
    body = gzip.compress(urlset(*((f"/page/{n}", "") for n in range(60_000))).encode())

    async def story(store: Path) -> tuple[int, float]:
        async with PracticeSite(robots=False) as site:
            site.add_page("/map.xml.gz", body, content_type="application/gzip")
            spider = SitemapSpider(site.at("/map.xml.gz"))
            settings = {"politeness": {"delay": 0, "robots": False}}
            async with Crawler(spider, store=store, settings=settings) as crawler:
                crawler.on_commit(
                    lambda visits, committed: (
                        crawler.stop() if crawler.stats.outcomes["sitemap"] else None
                    )
                )
                loop = asyncio.get_running_loop()
                worst = 0.0

                async def watch() -> None:
                    nonlocal worst
                    while True:
                        at = loop.time()
                        await asyncio.sleep(0.001)
                        worst = max(worst, loop.time() - at)

                watcher = asyncio.create_task(watch())
                await crawler.run()
                watcher.cancel()
            return crawler.frontier.pending, worst

    stalls = []
    gc.freeze()  # and rarely collected, as in a crawl from the command line
    gc.disable()
    try:
        for number in range(3):  # other programs stall it, too: the calmest counts
            store = tmp_path / f"{number}.db"
            pending, worst = asyncio.run(story(store))
            done = len(rows(store, "SELECT 1 FROM pages WHERE depth = 1"))
            assert pending + done == 60_000
            stalls.append(worst)
            if worst < 0.05:
                break
    finally:
        gc.enable()
        gc.unfreeze()
    assert min(stalls) < 0.2 or busy(), stalls


def test_why_tells_where_an_entry_was_found_as_far_as_the_store_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages = {"/map.xml": urlset(("/one", ""), ("/two", "")), "/one": "x", "/two": "x"}
    for limit, store in ((50_000, tmp_path / "a.db"), (1, tmp_path / "b.db")):
        monkeypatch.setattr(sitemap_reader, "_AT_ONCE", limit)
        crawl_of(pages, store)
        [site] = rows(store, "SELECT name FROM hosts")
        with Reader(store) as reader:
            entry = dict(why(reader, f"{site}/two", ()))
            named = dict(why(reader, f"{site}/map.xml", ()))
        assert named["depth"] == "0, a sitemap that the spider or robots.txt names"
        if limit > 1:
            assert entry["found on"] == f"{site}/map.xml (depth 0)" and entry["depth"] == "1"
        else:
            assert entry["depth"] == "1, from a sitemap of over 50,000 entries"
