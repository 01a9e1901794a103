"""Health gates, drift and second visits on the command line, with a small web on loopback."""

import asyncio
from pathlib import Path

import pytest
from cli_story import Command, Desk
from data_story import SmallWeb, on_web, page

from crawler.errors import SpiderError
from crawler.inspect import health

SPIDER = """
from crawler import SiteSpider, Spider, item

@item(key="url")
class Head:
    url: str
    author: str | None

class Heads(Spider):
    name = "heads"
    rules = SiteSpider.rules
    start_urls = ["{url}/"]
    expect = {expect}
    settings = {{"politeness": {{"delay": 0.0, "robots": False}}, "fetch": {{"retries": 0}}}}

    def parse(self, page):
        yield Head(page.url, None)
"""
STALE = "2999-01-01"


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def run(desk: Desk, web: SmallWeb, *arguments: str, expect: str = "[]") -> Command:
    """Run a command with the spider `heads` beside it."""
    spider = desk.folder / "spiders" / "heads.py"
    spider.write_text(SPIDER.format(url=web.url, expect=expect))
    return await asyncio.to_thread(desk.run, *arguments)


def small(web: SmallWeb) -> None:
    web.add("/", page("home", "/two", "/none"), ETag='"1"')
    web.add("/two", page("two"), ETag='"2"')


def test_a_broken_gate_ends_with_four_and_says_which(desk: Desk) -> None:
    async def tell(web: SmallWeb) -> None:
        small(web)
        expect = (
            "['pages >= 2', 'items.head >= 100', 'error_rate < 2%', 'filled(head.auther) > 1%']"
        )
        done = await run(desk, web, "run", "heads", "-q", expect=expect)
        assert done.code == 4
        assert done.err.splitlines() == [
            "health gate broken: items.head >= 100: it is 2",
            "health gate broken: error_rate < 2%: it is 33.3%",
            "health gate broken: filled(head.auther) > 1%:"
            " head has no column 'auther'; did you mean author?",
        ]
        again = await run(desk, web, "run", "heads", "-q", expect="['items.head == 2']")
        assert (again.code, again.err) == (0, "")

    on_web(tell)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("items.head => 1", "write it like"),
        ("itms.head > 1", "did you mean 'items'"),
        ("pages > 1.5.2", "write it like"),
        ("items > 1", "name the item type"),
        ("filled(head) > 1", "name a column"),
        ("filled.head > 1", "name a column"),
        ("pages.x > 1", "stands alone"),
    ],
)
def test_a_gate_that_cannot_be_read_says_how_to_write_it(text: str, words: str) -> None:
    with pytest.raises(SpiderError, match=words):
        health.gate(text)


def test_a_gate_that_cannot_be_read_is_told_of_before_anything_is_fetched(desk: Desk) -> None:
    async def tell(web: SmallWeb) -> None:
        done = await run(desk, web, "run", "heads", expect="['itms.head > 1']")
        assert done.code != 0 and "did you mean 'items'" in done.err
        assert web.asked == []

    on_web(tell)


def test_a_run_that_differs_much_from_the_one_before_is_told_of(desk: Desk) -> None:
    async def tell(web: SmallWeb) -> None:
        small(web)
        expect = "['pages > 0']"
        assert "drift" not in (await run(desk, web, "run", "heads", expect=expect)).err
        web.drop("/two")
        web.add("/", page("home", "/two", "/three"))
        web.add("/three", page("three"))
        web.add("/none", page("none"))
        done = await run(desk, web, "recrawl", "heads", "--all", expect=expect)
        assert done.code == 0
        assert "drift: pages: 3, +50% against the run before" in done.err
        again = await run(desk, web, "recrawl", "heads", "--where", "outcome = 'ok'", expect=expect)
        assert "drift" not in again.err

    on_web(tell)


def test_a_sitemap_brings_forward_what_changed_and_queues_what_is_new(desk: Desk) -> None:
    def entry(path: str, when: str) -> str:
        return f"<url><loc>{web_url}{path}</loc><lastmod>{when}</lastmod></url>"

    web_url = ""

    async def tell(web: SmallWeb) -> None:
        nonlocal web_url
        web_url = web.url
        small(web)
        web.add("/new", page("new"))
        inner = entry("/two", STALE) + entry("/", "2001-01-01") + entry("/new", "2001-01-01")
        web.add("/inner.xml", f"<urlset>{inner}<url><loc>http://a.example/</loc></url></urlset>")
        index = f"<sitemap><loc>{web.url}/inner.xml</loc></sitemap>"
        web.add("/map.xml", f"<sitemapindex>{index}{index}</sitemapindex>")
        await run(desk, web, "run", "heads")
        web.asked.clear()
        done = await run(desk, web, "recrawl", "heads", "--sitemap", f"{web.url}/map.xml")
        assert done.code == 0, done.err
        assert sorted(path for path, _ in web.asked) == ["/inner.xml", "/map.xml", "/new", "/two"]
        assert [headers.get("If-None-Match") for path, headers in web.asked if path == "/two"] == [
            '"2"'
        ]

    on_web(tell)


def test_a_feed_in_a_file_counts_with_its_own_dates(desk: Desk) -> None:
    async def tell(web: SmallWeb) -> None:
        small(web)
        await run(desk, web, "run", "heads")
        feed = desk.folder / "feed.xml"
        feed.write_text(
            f"<rss><channel><item><link>{web.url}/two</link>"
            "<pubDate>Sat, 03 Aug 2999 01:02:03 GMT</pubDate></item>"
            f"<item><link>{web.url}/</link><pubDate>Sat, 03 Aug 2002 01:02:03 GMT</pubDate></item>"
            "</channel></rss>"
        )
        web.asked.clear()
        done = await run(desk, web, "recrawl", "heads", "--sitemap", str(feed))
        assert done.code == 0, done.err
        assert [path for path, _ in web.asked] == ["/two"]

    on_web(tell)


@pytest.mark.parametrize("source", ["{url}/nothing.xml", "nothing.xml"])
def test_a_sitemap_that_is_not_there_is_named(desk: Desk, source: str) -> None:
    async def tell(web: SmallWeb) -> None:
        small(web)
        await run(desk, web, "run", "heads")
        done = await run(desk, web, "recrawl", "heads", "--sitemap", source.format(url=web.url))
        assert done.code == 2
        assert "nothing.xml" in done.err and done.err.count("\n") == 1

    on_web(tell)
