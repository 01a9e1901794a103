"""A user and password in a URL: used for its origin where the caller names it, never silently."""

import asyncio
from pathlib import Path

import pytest
from aiohttp import web
from client_story import Served
from crawl_story import crawl, read

from crawler import Rule, SitemapSpider, Spider
from crawler.clients.transport import Transport

GIVEN = "Basic dXNlcjpwOnM="  # user, "p:s"


class Told:
    """Two origins that note what they are shown; "/to?…" redirects."""

    def __init__(self, page: str = "") -> None:
        self.page, self.shown = page, list[tuple[str, str, str | None]]()

    async def answer(self, request: web.Request) -> web.Response:
        self.shown.append((request.host, request.path, request.headers.get("Authorization")))
        if request.path == "/to":
            return web.Response(status=302, headers={"Location": request.query_string})
        if request.path == "/sitemap.xml":
            return web.Response(text=self.page, content_type="application/xml")
        return web.Response(text=self.page, content_type="text/html")

    def paths(self) -> set[str]:
        return {path for _, path, _ in self.shown}


class Everywhere(Spider):
    name = "everywhere"
    rules = (Rule(),)


async def counted(url: str, store: Path, spider: type[Spider] = Everywhere) -> int:
    """Crawl from a URL; give how often a user or password was counted."""
    await crawl(spider, store, url, politeness__robots=False)
    found = read(store, "SELECT value FROM counters WHERE name = 'refused.url_credentials'")
    return found[0] if found else 0


LINKS = """<a href="{at}/one">1</a> <a href="//user:p@127.0.0.1:{port}/two">2</a>
<a href="http://user@127.0.0.1:{port}/three">3</a> <a href="mailto:a@b.example">4</a>
<a href="/@five">5</a> <a href="/six?mail=a@b.example">6</a>"""


@pytest.mark.parametrize("full", [False, True], ids=["fast pass", "full pass"])
def test_links_are_followed_without_it_and_it_is_counted(tmp_path: Path, full: bool) -> None:
    class InBody(Everywhere):
        rules = (Rule(restrict_css="body"),) if full else (Rule(),)

    async def story() -> None:
        told = Told()
        async with Served({"/{any:.*}": told.answer}) as at:
            told.page = LINKS.format(at=at, port=at.rpartition(":")[2])
            assert await counted(at + "/", tmp_path / "a.db", InBody) == 2 * 6  # on each page
            assert told.paths() == {"/", "/one", "/two", "/three", "/@five", "/six"}
            assert {shown for *_, shown in told.shown} == {None}

    asyncio.run(story())


def test_a_redirect_of_a_crawl_is_followed_without_it_and_it_is_counted(tmp_path: Path) -> None:
    async def story() -> None:
        told = Told("<p>there")
        async with Served({"/{any:.*}": told.answer}) as at:
            there = at.replace("//", "//user:p:s@") + "/there"
            assert await counted(f"{at}/to?{there}", tmp_path / "a.db") == 1
            assert [(path, shown) for _, path, shown in told.shown] == [
                ("/to", None),
                ("/there", None),
            ]

    asyncio.run(story())


LISTED = """<?xml version="1.0"?><{root} xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
<{one}><loc>http://user:p@127.0.0.1:{port}/one</loc></{one}>
<{one}><loc>{at}/two</loc></{one}></{root}>"""


@pytest.mark.parametrize(
    ("root", "one", "times"), [("urlset", "url", 1), ("sitemapindex", "sitemap", 3)]
)
def test_what_a_sitemap_lists_is_visited_without_it_and_it_is_counted(
    tmp_path: Path, root: str, one: str, times: int
) -> None:
    class Listed(SitemapSpider):
        name = "listed"

    async def story() -> None:
        told = Told()
        async with Served({"/{any:.*}": told.answer}) as at:
            port = at.rpartition(":")[2]
            told.page = LISTED.format(root=root, one=one, at=at, port=port)
            Listed.sitemap_urls = [at + "/sitemap.xml"]
            store = tmp_path / "a.db"
            await crawl(Listed, store, politeness__robots=False)
            counted = read(store, "SELECT value FROM counters WHERE name='refused.url_credentials'")
            assert counted == [times]  # those that an index lists say the same
            assert told.paths() == {"/sitemap.xml", "/one", "/two"}
            assert {shown for *_, shown in told.shown} == {None}
            assert not read(store, "SELECT url FROM pages WHERE url LIKE '%@%'")
            assert not read(store, "SELECT url FROM sitemap_entries WHERE url LIKE '%@%'")

    asyncio.run(story())


def test_a_client_shows_what_a_location_says_to_its_origin_alone() -> None:
    async def story() -> None:
        told = Told("ok")
        async with (
            Served({"/{any:.*}": told.answer}) as at,
            Served({"/{any:.*}": told.answer}) as other,
            Transport() as caller,
        ):
            onward = f"/to?{other}/last"
            there = at.replace("//", "//user:p%3As@") + onward
            await caller.fetch("GET", f"{at}/to?{there}")
            assert [shown for _, _, shown in told.shown] == [None, GIVEN, None]
            told.shown.clear()
            await caller.fetch("GET", f"{at}/to?/there".replace("//", "//user:p%3As@", 1))
            assert [shown for _, _, shown in told.shown] == [GIVEN, GIVEN]

    asyncio.run(story())
