"""Links out of scope are checked where asked: once, politely, and with nothing kept of them."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web
from data_story import SmallWeb, crawl, page, rows

from crawler import SiteSpider
from crawler.config.layers import load
from crawler.inspect.bounds import widened_since
from crawler.inspect.query import Reader
from crawler.reparse.find_again import find_again
from crawler.store.requeue import recrawl, retry

ON = {
    "links": {"check_external": True},
    "fetch": {"retries": 0, "retry_delay": 0.01, "allow_private": True},
    "politeness": {"robots": True, "delay": 0.0},
}


class Elsewhere(SmallWeb):
    """Another site, which notes the methods it is asked with, and may refuse HEAD."""

    def __init__(self, *, no_head: int = 0) -> None:
        super().__init__()
        self.methods: list[tuple[str, str]] = []
        self._no_head = no_head

    async def answer(self, request: web.Request) -> web.Response:
        self.methods.append((request.method, request.path))
        if self._no_head and request.method == "HEAD":
            return web.Response(status=self._no_head)
        return await super().answer(request)

    def asked_for(self, path: str) -> list[str]:
        return [method for method, asked in self.methods if asked == path]


def on_two(tell: Callable[[SmallWeb, Elsewhere], Any], *, no_head: int = 0) -> None:
    async def story() -> None:
        async with SmallWeb() as own, Elsewhere(no_head=no_head) as other:
            await tell(own, other)

    asyncio.run(story())


def broken(store: Path) -> list[tuple[str, str, str]]:
    return sorted(rows(store, "SELECT source, target, outcome FROM broken_links"))


def test_broken_links_out_of_scope_are_told_with_their_pages(tmp_path: Path) -> None:
    async def tell(own: SmallWeb, other: Elsewhere) -> None:
        there, gone = f"{other.url}/there", f"{other.url}/gone"
        with socket.create_server(("127.0.0.1", 0)) as taken:
            down = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        own.add("/", page("a", there, gone, "/b"))
        own.add("/b", page("b", gone, down, there))
        other.add("/there", page("there", f"{other.url}/further"))
        summary = await crawl(tmp_path / "s.db", SiteSpider(f"{own.url}/"), **ON)
        assert (summary.pages, summary.outcomes["checked"]) == (2, 1)
        assert broken(tmp_path / "s.db") == sorted(
            [
                (f"{own.url}/", gone, "not_found"),
                (f"{own.url}/b", down, "connect_error"),
                (f"{own.url}/b", gone, "not_found"),
            ]
        )
        assert other.asked_for("/there") == ["HEAD"]
        assert other.asked_for("/gone") == ["HEAD", "GET"]
        assert other.asked_for("/further") == []
        bodies = rows(tmp_path / "s.db", "SELECT url FROM bodies JOIN pages USING (page_id)")
        assert sorted(bodies) == [(f"{own.url}/",), (f"{own.url}/b",)]

    on_two(tell)


def test_a_server_that_refuses_head_is_asked_by_get(tmp_path: Path) -> None:
    async def tell(own: SmallWeb, other: Elsewhere) -> None:
        own.add("/", page("a", f"{other.url}/there", f"{other.url}/gone"))
        other.add("/there", "x" * 100_000)
        summary = await crawl(tmp_path / "s.db", SiteSpider(f"{own.url}/"), **ON)
        assert summary.outcomes == {"ok": 1, "checked": 1, "not_found": 1}
        assert other.asked_for("/there") == ["HEAD", "GET"]
        assert [target for _, target, _ in broken(tmp_path / "s.db")] == [f"{other.url}/gone"]

    on_two(tell, no_head=405)


def test_a_redirect_is_noted_and_not_followed(tmp_path: Path) -> None:
    async def tell(own: SmallWeb, other: Elsewhere) -> None:
        own.add("/", page("a", f"{other.url}/moved"))
        other.add("/moved", "", status=302, Location="/new")
        await crawl(tmp_path / "s.db", SiteSpider(f"{own.url}/"), **ON)
        found = rows(tmp_path / "s.db", "SELECT source, target FROM redirects")
        assert found == [(f"{other.url}/moved", f"{other.url}/new")]
        assert other.asked_for("/new") == [] and broken(tmp_path / "s.db") == []

    on_two(tell)


def test_checks_heed_robots_txt_exclude_and_depth(tmp_path: Path) -> None:
    async def tell(own: SmallWeb, other: Elsewhere) -> None:
        own.add("/", page("a", *(f"{other.url}/{name}" for name in ("no", "skip", "yes"))))
        other.add("/robots.txt", "User-agent: *\nDisallow: /no")
        sections = {**ON, "engine": {"max_depth": 0}}
        sections["links"] = {"check_external": True, "exclude": ["/skip$"]}
        summary = await crawl(tmp_path / "s.db", SiteSpider(f"{own.url}/"), **sections)
        assert summary.outcomes == {"ok": 1, "robots_denied": 1, "not_found": 1}
        assert {path for _, path in other.methods} == {"/robots.txt", "/yes"}

    on_two(tell)


def test_checks_are_no_pages_and_a_resumed_run_goes_on_with_them(tmp_path: Path) -> None:
    async def tell(own: SmallWeb, other: Elsewhere) -> None:
        own.add("/", page("a", f"{other.url}/1", f"{other.url}/2", "/b"))
        own.add("/b", page("b", f"{other.url}/3"))
        store, spider = tmp_path / "s.db", SiteSpider(f"{own.url}/")
        for name in "123":
            other.add(f"/{name}", "x")
        first = await crawl(store, spider, engine={"max_pages": 1}, **ON)
        assert first.queued
        summary = await crawl(store, SiteSpider(f"{own.url}/"), **ON)
        assert (summary.total_pages, summary.queued) == (2, 0)
        heads = sorted(path for method, path in other.methods if method == "HEAD")
        assert heads == ["/1", "/2", "/3"]

    on_two(tell)


def test_what_was_broken_is_checked_again_by_retry(tmp_path: Path) -> None:
    async def tell(own: SmallWeb, other: Elsewhere) -> None:
        own.add("/", page("a", f"{other.url}/late"))
        store = tmp_path / "s.db"
        await crawl(store, SiteSpider(f"{own.url}/"), **ON)
        assert len(broken(store)) == 1
        other.add("/late", "here")
        assert retry(store) == 1
        again = await crawl(store, SiteSpider(f"{own.url}/"), **ON)
        assert again.outcomes == {"checked": 1} and broken(store) == []

    on_two(tell)


def test_anchors_are_looked_for_on_request(tmp_path: Path) -> None:
    async def tell(own: SmallWeb, other: Elsewhere) -> None:
        links = ["#here", "#nowhere", "#top", "#", "/b#named", "/b#caf%C3%A9", "/b#no", "/c#gone"]
        further = [f"{other.url}/x#part", f"{other.url}/x#none", f"{other.url}/text#any"]
        own.add("/", page("a", *links, *further, text='<i id="here">x</i>'))
        own.add("/b", page("b", text='<a name="named">x</a><i id="caf\u00e9">y</i>'))
        other.add("/x", page("x", text='<i id="part">z</i>'))
        other.add("/text", "plain", Content_Type="text/plain")
        sections = {**ON, "links": {"check_external": True, "check_fragments": True}}
        summary = await crawl(tmp_path / "s.db", SiteSpider(f"{own.url}/"), **sections)
        assert summary.outcomes == {"ok": 2, "checked": 2, "not_found": 1}
        found = rows(tmp_path / "s.db", "SELECT target, outcome, error FROM broken_links")
        no = "no such anchor"
        assert sorted(found, key=str) == sorted(
            [
                (f"{own.url}/#nowhere", "ok", no),
                (f"{own.url}/b#no", "ok", no),
                (f"{own.url}/c", "not_found", None),
                (f"{other.url}/x#none", "checked", no),
            ],
            key=str,
        )
        assert other.asked_for("/x") == ["GET"]
        kept = rows(tmp_path / "s.db", "SELECT count(*) FROM bodies")
        assert kept == [(2,)]

    on_two(tell)


def test_a_recrawl_checks_once_more(tmp_path: Path) -> None:
    async def tell(own: SmallWeb, other: Elsewhere) -> None:
        own.add("/", page("a", f"{other.url}/there"))
        other.add("/there", "x")
        store = tmp_path / "s.db"
        await crawl(store, SiteSpider(f"{own.url}/"), **ON)
        other.drop("/there")
        assert recrawl(store, now="2030-01-01T00:00:00Z") == 2
        summary = await crawl(store, SiteSpider(f"{own.url}/"), **ON)
        assert summary.outcomes["not_found"] == 1
        assert [target for _, target, _ in broken(store)] == [f"{other.url}/there"]

    on_two(tell)


def test_checking_that_is_asked_for_later_finds_the_links_of_stored_pages(tmp_path: Path) -> None:
    async def tell(own: SmallWeb, other: Elsewhere) -> None:
        own.add("/", page("a", f"{other.url}/gone"))
        store, spider = tmp_path / "s.db", SiteSpider(f"{own.url}/")
        without = {**ON, "links": {}}
        await crawl(store, spider, **without)
        config = load(overrides=("links.check_external=true",))
        with Reader(store) as reader:
            widened = widened_since(reader, spider, config)
        assert widened is not None and "links.check_external" in widened.keys
        assert await asyncio.to_thread(find_again, store, spider, config, widened.where) == 1

    on_two(tell)


def test_nothing_out_of_scope_is_asked_unless_asked_for(tmp_path: Path) -> None:
    async def tell(own: SmallWeb, other: Elsewhere) -> None:
        own.add("/", page("a", f"{other.url}/there"))
        await crawl(tmp_path / "s.db", SiteSpider(f"{own.url}/"), fetch={"allow_private": True})
        assert other.methods == []

    on_two(tell)
