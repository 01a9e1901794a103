"""What every item passes before it is stored: functions, classes, and the pipelines that are ready.

The same in one process and in several, in a test and in `reparse`.
"""

import asyncio
import textwrap
from pathlib import Path
from typing import Any

import parse_spiders
import pytest
from aiohttp import web
from client_story import Served, run_killed, until
from data_story import SmallWeb, crawl, on_web, page, rows

from crawler import Crawler, DropItem, ScrapedPage, Spider, item, testing
from crawler.cli import ending, status
from crawler.errors import SpiderError, SpiderFailed
from crawler.inspect.status import overview
from crawler.pipelines import DropDuplicates, RequireFields, Webhook


@item
class Tea:
    name: str
    price: float | None = None


def teas(page: ScrapedPage) -> Any:
    for text in page.css("li::text").getall():
        name, _, price = text.partition("=")
        yield Tea(name, float(price) if price else None)


class Shop(Spider):
    """Yields the teas of each of its pages."""

    name = "shop"

    def parse(self, page: ScrapedPage) -> Any:
        yield from teas(page)
        yield from page.follow_all("a")


def shop(web: SmallWeb, *pipelines: Any, kind: type[Spider] = Shop, **parts: Any) -> Spider:
    own = type("Own", (kind,), {"pipelines": pipelines, **parts})
    spider: Spider = own()
    spider.start_urls = [web.url + "/"]
    return spider


def shelf(*lines: str, leads_to: str = "") -> str:
    listed = "".join(f"<li>{line}</li>" for line in lines)
    return page("shelf", *([leads_to] if leads_to else []), text=f"<ul>{listed}</ul>")


class Collecting:
    """Keeps what it sees; the same object in the whole test."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def open(self, crawl: Any) -> None:
        self.seen.append(("open", crawl.spider.name, crawl.settings.engine.workers > 0))

    async def item(self, item: Tea, page: Any, request: Any, spider: Any) -> Tea:
        await asyncio.sleep(0)
        self.seen.append((item.name, page.title, request.depth, spider.name))
        return item

    async def close(self) -> None:
        self.seen.append("close")


def test_a_class_is_opened_gets_page_request_and_spider_and_is_closed(tmp_path: Path) -> None:
    async def tell(web: SmallWeb) -> None:
        web.add("/", shelf("green=3", leads_to="/b"))
        web.add("/b", shelf("black=4"))
        collecting = Collecting()
        await crawl(tmp_path / "a.db", shop(web, collecting))
        assert collecting.seen == [
            ("open", "shop", True),
            ("green", "shelf", 0, "shop"),
            ("black", "shelf", 1, "shop"),
            "close",
        ]
        assert rows(tmp_path / "a.db", "SELECT name FROM tea") == [("green",), ("black",)]

    on_web(tell)


def test_items_of_errors_pass_pipelines_with_the_answer_as_their_page(tmp_path: Path) -> None:
    def told(item: Tea, page: Any, request: Any) -> Tea:
        return Tea(f"{request.url.rpartition('/')[2]} {page.status}")

    class Gone(Shop):
        def on_error(self, request: Any, outcome: Any, status: Any, page: Any) -> Any:
            yield Tea("gone")

    async def tell(web: SmallWeb) -> None:
        web.add("/", page("home", "/none"))
        await crawl(tmp_path / "a.db", shop(web, told, kind=Gone))
        assert rows(tmp_path / "a.db", "SELECT name FROM tea") == [("none 404",)]

    on_web(tell)


def test_what_is_dropped_is_told_by_reason_in_summary_status_and_counters(tmp_path: Path) -> None:
    def cheap(item: Tea) -> Tea | None:
        if item.price == 0:
            raise DropItem(f"{item.name} costs nothing")
        return item if (item.price or 0) < 10 else None

    async def tell(web: SmallWeb) -> None:
        web.add("/", shelf("green=3", "free=0", "gift=0", "gold=99", "none"))
        store = tmp_path / "a.db"
        summary = await crawl(store, shop(web, RequireFields("price"), cheap))
        kinds = {
            "Tea: pipeline RequireFields: no price": 1,
            "Tea: pipeline cheap: … costs nothing": 2,
            "Tea: pipeline cheap: gave None": 1,
        }
        assert summary.items == 1 and summary.refused == {"item_dropped": 4}
        assert summary.dropped == kinds
        assert "  2 Tea: pipeline cheap: … costs nothing" in ending.story(summary).splitlines()
        assert overview(store).dropped == kinds
        assert "dropped  4 items, by pipelines" in status.story(overview(store)).splitlines()

    on_web(tell)


def test_pipelines_of_a_spider_under_test_are_opened_count_and_close_as_in_a_crawl() -> None:
    def cheap(item: Tea) -> Tea:
        raise DropItem(f"{item.name} costs nothing")

    collecting = Collecting()
    kind = type("Own", (Shop,), {"pipelines": [collecting, DropDuplicates("name"), cheap]})
    kind.start_urls = ["https://shop.example/"]
    crawled = testing.crawl(kind, {"https://shop.example/": shelf("free=0")})
    assert crawled.dropped == {"Tea: pipeline cheap: … costs nothing": 1} and crawled.items == []
    told = [one if isinstance(one, str) else one[0] for one in collecting.seen]
    assert told == ["open", "free", "close"]
    kept = type("Kept", (Shop,), {"pipelines": [DropDuplicates("name")]})
    kept.start_urls = kind.start_urls
    crawled = testing.crawl(kept, {"https://shop.example/": shelf("a=1", "a=2", "b=1")})
    assert [one["name"] for one in crawled.items] == ["a", "b"]


@pytest.mark.parametrize(
    ("pipeline", "told"),
    [
        (7, "names 7; a pipeline is a function"),
        ("clean", "names 'clean'"),
        (lambda item, response: item, "takes 'response'; it gets the item"),
        (type("Bare", (), {"open": lambda self, crawl: None}), "Bare has no method item"),
        (type("Needs", (Collecting,), {"__init__": lambda self, key: None}), "Needs(…)]"),
    ],
)
def test_what_is_no_pipeline_is_refused_before_the_first_fetch(
    pipeline: Any, told: str, tmp_path: Path
) -> None:
    async def tell(web: SmallWeb) -> None:
        with pytest.raises(SpiderError, match=".*" + told.replace("(", r"\(").replace(")", r"\)")):
            await crawl(tmp_path / "a.db", shop(web, pipeline))
        assert web.asked == []

    on_web(tell)


def test_a_pipeline_that_does_not_open_ends_the_run_and_one_that_does_not_close_is_told(
    tmp_path: Path,
) -> None:
    class Failing(Collecting):
        def close(self) -> None:  # type: ignore[override]
            raise OSError("no room")

    class Shut(Failing):
        def open(self, crawl: Any) -> None:
            raise OSError("no such host")

    async def tell(web: SmallWeb) -> None:
        web.add("/", shelf("green=3"))
        summary = await crawl(tmp_path / "a.db", shop(web, Failing))
        assert summary.failed_callbacks == ["Failing.close()"] and summary.items == 1
        assert "OSError: no room" in ending.story(summary)
        with pytest.raises(SpiderFailed, match=r"Shut.open\(\) failed: .*no such host"):
            await crawl(tmp_path / "b.db", shop(web, Shut))

    on_web(tell)


# ---------------------------------------------------------------- duplicates


@pytest.mark.parametrize("processes", [1, 2])
def test_duplicates_are_dropped_over_pages_runs_and_processes(
    tmp_path: Path, processes: int
) -> None:
    async def tell(web: SmallWeb) -> None:
        web.add("/", shelf("green=3", "green=4", leads_to="/b"))
        web.add("/b", shelf("green=3", "black=4", leads_to="/c"))
        web.add("/c", shelf("black=4", "white=7"))
        store, engine = tmp_path / "a.db", {"processes": processes}
        spider = parse_spiders.Shelf()
        spider.start_urls = [web.url + "/"]
        first = await crawl(store, spider, engine={"max_pages": 1, **engine})
        assert first.items == 1
        again = parse_spiders.Shelf()
        again.start_urls = [web.url + "/"]
        summary = await crawl(store, again, engine=engine)
        found = rows(store, "SELECT name, price FROM shelf_tea ORDER BY item_id")
        assert found == [("green", 3.0), ("black", 4.0), ("white", 7.0)]
        assert summary.dropped == {
            "shelf_tea: pipeline DropDuplicates: the same name as an earlier one": 2
        }
        counted = "SELECT value FROM counters WHERE name LIKE 'dropped.%'"
        assert rows(store, counted) == [(3,)]

    on_web(tell)


def test_duplicates_of_dicts_go_by_their_values_whatever_types_their_columns_have(
    tmp_path: Path,
) -> None:
    async def tell(web: SmallWeb) -> None:
        web.add("/", page("home", "/b"))
        web.add("/b", page("b"))

        class Loose(Spider):
            name = "loose"
            pipelines = (DropDuplicates("id", "Größe"),)

            def parse(self, page: ScrapedPage) -> Any:
                yield {"id": 1, "Größe": 2.5, "page": page.url}
                yield {"id": 2, "Größe": "2.5"}  # another type in the same column
                yield {"other": page.url}
                yield from page.follow_all("a")

        for most in (1, None):
            spider = Loose()
            spider.start_urls = [web.url + "/"]
            await crawl(tmp_path / "a.db", spider, engine={"max_pages": most})
        found = rows(tmp_path / "a.db", "SELECT id, other IS NULL FROM item ORDER BY item_id")
        assert found == [(1, 1), (2, 1), (None, 0), (None, 0)]

    on_web(tell)


# ---------------------------------------------------------------- webhook


@pytest.mark.parametrize("processes", [1, 2])
def test_a_webhook_gets_what_is_stored_in_batches(tmp_path: Path, processes: int) -> None:
    got: list[Any] = []

    async def hear(request: web.Request) -> web.Response:
        got.extend(await request.json())
        return web.Response(status=204)

    async def tell(small: SmallWeb) -> None:
        small.add("/", shelf("green=3", "green=4", leads_to="/b"))
        small.add("/b", shelf("black=4"))
        app = web.Application()
        app.router.add_post("/hook", hear)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        hook = "http://{}:{}/hook".format(*runner.addresses[0][:2])
        spider = parse_spiders.Shelf(hook=hook)
        spider.start_urls = [small.url + "/"]
        try:
            summary = await crawl(tmp_path / "a.db", spider, engine={"processes": processes})
        finally:
            await runner.cleanup()
        assert [(one["table"], one["item"]["name"]) for one in got] == [
            ("shelf_tea", "green"),
            ("shelf_tea", "black"),
        ]
        assert got[0]["page_url"] == small.url + "/"
        assert summary.counts == {"webhook sent": 2}

    on_web(tell)


HOOKED = """
    import asyncio, sys
    from crawler import Crawler, Rule, Spider
    from crawler.pipelines import Webhook

    class Hooked(Spider):
        name = "hooked"
        start_urls = [sys.argv[1] + "/0"]
        rules = [Rule()]
        pipelines = [Webhook(sys.argv[1] + "/hook", batch=3)]
        settings = {"politeness": {"delay": 0, "robots": False}, "store": {"flush_interval": 0.01}}

        def parse(self, page):
            yield {"url": page.url}

    async def main():
        async with Crawler(Hooked, store=sys.argv[2]) as crawler:
            await crawler.run()

    asyncio.run(main())
"""


def test_what_a_webhook_gets_under_kills_is_stored_and_comes_once(tmp_path: Path) -> None:
    """Nothing before its commit, nothing twice; what a killed process had not sent is not sent."""
    got: list[str] = []
    script, store = tmp_path / "hooked.py", tmp_path / "s.db"
    script.write_text(textwrap.dedent(HOOKED))

    async def hear(request: web.Request) -> web.Response:
        got.extend(one["item"]["url"] for one in await request.json())
        return web.Response(status=204)

    async def show(request: web.Request) -> web.Response:
        number = int(request.match_info["number"])
        links = "".join(f"<a href=/{n}>x</a>" for n in (2 * number + 1, 2 * number + 2) if n < 60)
        return web.Response(text=f"<title>{number}</title>{links}", content_type="text/html")

    async def tell() -> None:
        async with Served({"/hook": hear, "/{number}": show}) as url:
            wanted = iter((4, 20))

            async def heard() -> None:
                enough = next(wanted)
                await until(lambda: len(got) >= enough)

            assert await run_killed(script, url, str(store), kills=2, when=heard) >= 1

    asyncio.run(tell())
    stored = [url for (url,) in rows(store, "SELECT url FROM item")]
    assert len(stored) == len(set(stored)) == 60
    assert len(got) == len(set(got)) and set(got) <= set(stored) and len(got) > 20


def test_a_webhook_that_refuses_is_told_and_the_items_are_stored(tmp_path: Path) -> None:
    async def tell(small: SmallWeb) -> None:
        small.add("/", shelf("green=3"))
        summary = await crawl(tmp_path / "a.db", shop(small, Webhook(small.url + "/none")))
        assert summary.items == 1 and summary.counts == {"webhook failed": 1}
        assert summary.failed_callbacks == ["Webhook.close()"]
        assert "1 item not sent" in ending.story(summary)

    on_web(tell)


def test_pages_and_items_as_given_are_those_that_are_stored(tmp_path: Path) -> None:
    async def tell(web: SmallWeb) -> None:
        web.add("/", shelf("green=3", "green=4", "black=1"))
        spider = shop(web, DropDuplicates("name"))
        settings = {"politeness": {"delay": 0.0, "robots": False}}
        async with Crawler(spider, store=tmp_path / "a.db", settings=settings) as crawler:
            found = [one async for one in crawler.items()]
        assert found == [Tea("green", 3.0), Tea("black", 1.0)]

    on_web(tell)
