"""A recrawl stores every page, file and item once, goes on where it was stopped, and counts right.

`store_truth.check` holds every counter against the tables after each of the commands.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest
import store_truth
from aiohttp import web
from data_story import SmallWeb, crawl, page, rows
from site_thread import site_on_a_thread

from crawler import Download, Request, SiteSpider, Spider
from crawler.engine.crawler import Crawler
from crawler.store import requeue, revisit_queue
from crawler.store.rows import iso
from crawler.store.schema import MIGRATIONS

NOW = "2999-01-01T00:00:00.000Z"
NARROW = {"flush_visits": 1, "flush_interval": 0.001}
WIDE = {"flush_visits": 200, "flush_interval": 0.2}


def on_web(tell: Callable[[SmallWeb], Any]) -> None:
    """Run `tell(web)` with a small web; a request that nobody starts is a failure, no wait."""

    async def story() -> None:
        async with SmallWeb() as small, asyncio.timeout(20):
            await tell(small)

    asyncio.run(story())


def wide_site(web: SmallWeb, pages: int, text: str = "one") -> None:
    web.add("/", page("home", *(f"/p{number}" for number in range(pages)), text=text))
    for number in range(pages):
        web.add(f"/p{number}", page(str(number), text=text))


async def stopped_after(
    number: int, store: Path, spider: Spider, **settings: dict[str, Any]
) -> None:
    """Crawl until so many visits are committed, and stop as by Ctrl-C."""
    calm = {"politeness": {"delay": 0.0, "robots": False, "per_host": 2}, "store": NARROW}
    async with Crawler(spider, store=store, settings={**calm, **settings}) as crawler:
        left = number

        def note(visits: list[Any], committed: Any) -> None:
            nonlocal left
            left -= len(visits)
            if left <= 0:
                crawler.stop()

        crawler.on_commit(note)
        summary = await crawler.run()
        assert summary.state == "interrupted" and summary.queued


def all_again(path: Path) -> int:
    """Queue every page as `recrawl --all` does, and give how many."""
    return requeue.recrawl(path, iso(time.time()), all_=True)


# ---------------------------------------------------------------- once


class Files(Spider):
    name = "files"

    def parse(self, page: Any) -> Any:
        yield Download(page.urljoin("/f.bin"), callback=self.got)

    def got(self, file: Any) -> Any:
        yield {"name": file.name, "size": file.size}


@pytest.mark.parametrize("body", ["data" * 20, "other" * 30])
def test_a_file_that_is_visited_again_has_one_row_and_one_item(tmp_path: Path, body: str) -> None:
    path = tmp_path / "s.db"

    async def tell(web: SmallWeb) -> None:
        web.add("/", page("home"))
        web.add("/f.bin", "data" * 20)
        spider = Files()
        spider.start_urls = [web.url + "/"]
        await crawl(path, spider)
        [(before,)] = rows(path, "SELECT sha256 FROM files")
        web.add("/f.bin", body)
        for _ in range(2):
            assert all_again(path) == 2
            summary = await crawl(path, spider)
            assert (summary.state, summary.queued, summary.total_pages) == ("finished", 0, 2)
            store_truth.check(path)
        assert rows(path, "SELECT size FROM files") == [(len(body),)]
        assert rows(path, "SELECT name, size FROM item") == [("f.bin", len(body))]
        changed = body != "data" * 20
        kinds = rows(path, "SELECT kind, hash_before FROM changes")
        assert kinds == [("changed", before)] * changed
        assert rows(path, "SELECT content_hash FROM page_versions") == [(before,)] * changed
        assert (path.parent / "s.db.files" / before[:2] / before).exists(), "the version before"

    on_web(tell)


class Insistent(Spider):
    """Asks for one page again and again, and makes an item of it, and one that does not fit."""

    name = "insistent"

    def parse(self, page: Any) -> Any:
        for number in range(4):
            yield Request(page.urljoin("/same"), callback=self.same, dont_filter=True, depth=number)

    def same(self, page: Any) -> Any:
        yield {"title": page.title}


@pytest.mark.parametrize("store", [NARROW, WIDE])
def test_visits_to_one_page_take_each_others_place_however_they_are_flushed(
    tmp_path: Path, store: dict[str, Any]
) -> None:
    path = tmp_path / "s.db"

    async def tell(web: SmallWeb) -> None:
        web.add("/", page("home"))
        web.add("/same", page("same"))
        spider = Insistent()
        spider.start_urls = [web.url + "/"]
        await crawl(path, spider, store=store)
        assert rows(path, "SELECT count(*) FROM item") == [(4,)]
        for _ in range(2):
            assert all_again(path) == 2, "of each request the last row"
            await crawl(path, spider, store=store)
            assert rows(path, "SELECT count(*) FROM pages WHERE title = 'same'") == [(4,)]
            assert rows(path, "SELECT count(*) FROM item") == [(4,)]
        assert rows(path, "SELECT max(visits) FROM revisits") == [(11,)]

    on_web(tell)


def test_a_login_that_is_crawled_again_stores_no_letter_twice(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    file = Path(__file__).parents[2] / "spiders" / "login.py"
    spec = spec_from_file_location("login", file)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    spider = module.Login()

    def told() -> list[Any]:
        names = [name for (name,) in rows(path, "SELECT name FROM item_types")]
        return [
            rows(path, "SELECT url, count(*) FROM pages WHERE method = 'GET' GROUP BY 1"),
            *(rows(path, f'SELECT page_url, count(*) FROM "{name}" GROUP BY 1') for name in names),
        ]

    with site_on_a_thread(robots=False) as site:
        spider.start_urls = [site.at("/login")]
        asyncio.run(crawl(path, spider))
        first = told()
        for _ in range(2):
            all_again(path)
            asyncio.run(crawl(path, spider, store=WIDE))
            assert told() == first and first[1:]
            store_truth.check(path)


class Sorry(Spider):
    name = "sorry"

    def on_error(self, request: Request, outcome: Any, status: int | None) -> Any:
        yield {"missed": request.url}


def test_a_failure_that_is_tried_again_and_again_gives_its_item_once(tmp_path: Path) -> None:
    path = tmp_path / "s.db"

    async def tell(web: SmallWeb) -> None:
        web.add("/", "down", status=500)
        spider = Sorry()
        spider.start_urls = [web.url + "/"]
        await crawl(path, spider)
        for _ in range(2):
            assert requeue.retry(path) == 1
            await crawl(path, spider)
            assert rows(path, "SELECT missed FROM item") == [(web.url + "/",)]
            store_truth.check(path)
        web.add("/", page("there"))
        requeue.retry(path)
        await crawl(path, spider)
        assert rows(path, "SELECT missed FROM item") == []
        web.add("/", "down", status=500)
        for _ in range(2):  # of a page that stays as it was
            assert all_again(path) == 1
            await crawl(path, spider)
            assert rows(path, "SELECT missed FROM item") == [(web.url + "/",)]
            store_truth.check(path)

    on_web(tell)


# ---------------------------------------------------------------- what is counted


def test_a_summary_counts_a_page_that_changed_once(tmp_path: Path) -> None:
    path = tmp_path / "s.db"

    async def tell(web: SmallWeb) -> None:
        wide_site(web, 3)
        await crawl(path, SiteSpider(web.url + "/"))
        wide_site(web, 4, "two")
        web.drop("/p0")
        all_again(path)
        summary = await crawl(path, SiteSpider(web.url + "/"))
        assert (summary.pages, summary.total_pages) == (4, 4)
        assert rows(path, "SELECT pages, errors FROM runs") == [(4, 0), (4, 1)]
        store_truth.check(path)

    on_web(tell)


def test_a_page_that_broke_its_parser_is_counted_once_when_it_is_tried_again(
    tmp_path: Path,
) -> None:
    path = tmp_path / "s.db"

    async def tell(web: SmallWeb) -> None:
        web.add("/", page("home"))
        await crawl(path, SiteSpider(web.url + "/"))
        with requeue.claimed(path) as db:  # as a page that took too long leaves it
            db.execute("UPDATE pages SET outcome = 'parse_timeout'")
            db.execute("UPDATE counters SET name = 'outcome.parse_timeout'")
        assert requeue.retry(path) == 1
        summary = await crawl(path, SiteSpider(web.url + "/"), engine={"max_pages": 1})
        assert (summary.total_pages, summary.outcomes) == (1, {"ok": 1})
        store_truth.check(path)

    on_web(tell)


def test_a_store_of_an_earlier_version_is_counted_anew(tmp_path: Path) -> None:
    path = tmp_path / "s.db"

    async def tell(web: SmallWeb) -> None:
        wide_site(web, 2)
        await crawl(path, SiteSpider(web.url + "/"))
        with closing(sqlite3.connect(path)) as db, db:  # as recrawls had left it
            db.execute("UPDATE hosts SET pages = 17")
            db.execute("UPDATE crawl SET value = 17 WHERE key = 'pages'")
            db.execute("UPDATE counters SET value = 17 WHERE name = 'outcome.ok'")
            db.execute("DROP INDEX todo_again")
            db.execute("ALTER TABLE todo DROP COLUMN again")
            db.executescript(MIGRATIONS[4].read_text(encoding="utf-8"))
        assert all_again(path) == 3
        store_truth.check(path)

    on_web(tell)


def test_a_recrawl_does_not_fill_a_host_with_the_pages_that_it_had(tmp_path: Path) -> None:
    path = tmp_path / "s.db"

    async def tell(web: SmallWeb) -> None:
        wide_site(web, 4)
        full = {"max_pages_per_host": 3}
        await crawl(path, SiteSpider(web.url + "/"), traps=full)
        for _ in range(3):
            assert all_again(path) == 3
            web.asked.clear()
            summary = await crawl(path, SiteSpider(web.url + "/"), traps=full)
            assert (len(web.asked), summary.outcomes) == (3, {"ok": 3})
            store_truth.check(path)

    on_web(tell)


# ---------------------------------------------------------------- max_pages


@pytest.mark.parametrize("text", ["one", "two"])
def test_a_crawl_that_reached_max_pages_is_visited_again_and_does_not_grow(
    tmp_path: Path, text: str
) -> None:
    path = tmp_path / "s.db"

    async def tell(web: SmallWeb) -> None:
        wide_site(web, 30)
        most = {"max_pages": 12, "workers": 4}
        await crawl(path, SiteSpider(web.url + "/"), engine=most)
        had = set(rows(path, "SELECT url FROM pages"))
        wide_site(web, 40, text)
        for _ in range(2):
            web.asked.clear()
            assert all_again(path) == 12
            summary = await crawl(path, SiteSpider(web.url + "/"), engine=most)
            assert (summary.reason, summary.total_pages) == ("max_pages", 12)
            assert {(web.url + asked,) for asked, _ in web.asked} == had
            assert len(web.asked) == 12
            assert requeue.under_way(path)[0] is None
            store_truth.check(path)

    on_web(tell)


def test_max_pages_of_a_recrawl_counts_what_it_stores_and_the_next_goes_on(
    tmp_path: Path,
) -> None:
    path = tmp_path / "s.db"

    async def tell(web: SmallWeb) -> None:
        wide_site(web, 8)
        await crawl(path, SiteSpider(web.url + "/"))
        asked: list[str] = []
        for number, left in ((9, 5), (0, 1), (0, 0)):
            web.asked.clear()
            assert all_again(path) == number
            summary = await crawl(path, SiteSpider(web.url + "/"), engine={"max_pages": 4})
            asked += [each for each, _ in web.asked]
            assert (summary.pages, summary.queued) == (min(4, 9 - len(asked) + summary.pages), left)
            store_truth.check(path)
        assert sorted(asked) == sorted(["/", *(f"/p{number}" for number in range(8))])

    on_web(tell)


class FlakyWeb(SmallWeb):
    """Answers 503 to the first request for each page, where it is told to."""

    flaky = False

    def __init__(self) -> None:
        super().__init__()
        self.failed: set[str] = set()

    async def answer(self, request: web.Request) -> web.Response:
        if self.flaky and request.path not in self.failed:
            self.failed.add(request.path)
            return web.Response(status=503)
        return await super().answer(request)


def test_a_retry_of_a_recrawl_is_not_lost_behind_what_the_limit_does_not_let_begin(
    tmp_path: Path,
) -> None:
    path = tmp_path / "s.db"

    async def story() -> None:
        async with FlakyWeb() as web, asyncio.timeout(20):
            wide_site(web, 6)
            most = {"max_pages": 3}
            await crawl(path, SiteSpider(web.url + "/"), engine=most)
            assert all_again(path) == 3
            web.flaky = True
            again = {"retries": 2, "retry_delay": 0.01}
            calm = {"max_delay": 0.02}
            summary = await crawl(
                path, SiteSpider(web.url + "/"), engine=most, fetch=again, politeness=calm
            )
            assert (summary.retries, summary.outcomes) == (3, {"ok": 3})
            assert (summary.reason, summary.queued) == ("max_pages", 4)
            store_truth.check(path)

    asyncio.run(story())


# ---------------------------------------------------------------- stopped and gone on with


def test_a_recrawl_of_all_that_was_stopped_goes_on_and_the_next_one_begins_anew(
    tmp_path: Path,
) -> None:
    path = tmp_path / "s.db"

    async def tell(web: SmallWeb) -> None:
        wide_site(web, 20)
        await crawl(path, SiteSpider(web.url + "/"))
        web.asked.clear()
        [(began,)] = rows(path, "SELECT strftime('%Y-%m-%dT%H:%M:%fZ', 'now')")
        assert requeue.recrawl(path, began, all_=True) == 21
        await stopped_after(5, path, SiteSpider(web.url + "/"))
        store_truth.check(path)
        assert requeue.under_way(path)[0] == began
        assert all_again(path) == 0, "what is queued is all that is left"
        await crawl(path, SiteSpider(web.url + "/"))
        assert len(web.asked) == 21
        assert requeue.under_way(path) == (None, 0)
        assert all_again(path) == 21
        store_truth.check(path)

    on_web(tell)


@pytest.fixture
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a recrawl queue three pages at a time, once fewer than five are queued."""
    monkeypatch.setattr(revisit_queue, "AT_ONCE", 3)
    monkeypatch.setattr(revisit_queue, "LOW", 5)


@pytest.mark.usefixtures("few_at_once")
@pytest.mark.parametrize("flushes", [NARROW, WIDE])
def test_a_recrawl_that_queues_as_it_goes_visits_each_page_once(
    tmp_path: Path, flushes: dict[str, Any]
) -> None:
    path = tmp_path / "s.db"

    async def tell(web: SmallWeb) -> None:
        wide_site(web, 30)
        await crawl(path, SiteSpider(web.url + "/"))
        web.asked.clear()
        assert all_again(path) == 3
        wide_site(web, 32, text="two")  # with two links that were not there before
        summary = await crawl(path, SiteSpider(web.url + "/"), store=flushes)
        assert (summary.state, summary.queued, summary.total_pages) == ("finished", 0, 33)
        assert sorted(url for url, _ in web.asked) == sorted(web.pages)
        assert rows(path, "SELECT count(*) FROM changes WHERE kind = 'changed'") == [(31,)]
        store_truth.check(path)
        assert requeue.under_way(path) == (None, 0)

    on_web(tell)


@pytest.mark.usefixtures("few_at_once")
def test_a_recrawl_that_queues_as_it_goes_goes_on_where_it_was_stopped(tmp_path: Path) -> None:
    path = tmp_path / "s.db"

    async def tell(web: SmallWeb) -> None:
        wide_site(web, 30)
        await crawl(path, SiteSpider(web.url + "/"))
        web.asked.clear()
        assert all_again(path) == 3
        for _ in range(2):
            await stopped_after(6, path, SiteSpider(web.url + "/"))
            store_truth.check(path)
        assert requeue.under_way(path)[0] is not None
        all_again(path)
        await crawl(path, SiteSpider(web.url + "/"))
        assert sorted(url for url, _ in web.asked) == sorted(web.pages)
        store_truth.check(path)

    on_web(tell)


@pytest.mark.usefixtures("few_at_once")
def test_a_limit_of_a_recrawl_holds_for_pages_that_are_not_queued_yet(tmp_path: Path) -> None:
    path = tmp_path / "s.db"

    async def tell(web: SmallWeb) -> None:
        wide_site(web, 20)
        await crawl(path, SiteSpider(web.url + "/"))
        web.asked.clear()
        all_again(path)
        for asked in (9, 18, 21):
            await crawl(path, SiteSpider(web.url + "/"), engine={"max_pages": 9})
            assert len(web.asked) == asked
            store_truth.check(path)

    on_web(tell)


def test_every_counter_is_what_the_tables_say_after_each_run(tmp_path: Path) -> None:
    path = tmp_path / "s.db"

    async def tell(web: SmallWeb) -> None:
        wide_site(web, 12)
        web.add("/p1", "down", status=500)
        web.add("/p2", "", status=301, Location="/p3")
        await stopped_after(4, path, SiteSpider(web.url + "/"))
        store_truth.check(path)
        await crawl(path, SiteSpider(web.url + "/"), store={"text": True})
        store_truth.check(path)
        web.add("/p1", page("back"))
        assert requeue.retry(path) == 1
        await crawl(path, SiteSpider(web.url + "/"))
        store_truth.check(path)
        web.drop("/p4")
        web.add("/p5", "down", status=500)
        web.add("/p6", "", status=301, Location="/new")
        web.add("/new", page("new"))
        web.add("/p7", page("other", text="other"))
        requeue.recrawl(path, NOW)
        await stopped_after(3, path, SiteSpider(web.url + "/"))
        store_truth.check(path)
        await crawl(path, SiteSpider(web.url + "/"))
        store_truth.check(path)
        assert rows(path, "SELECT count(*) FROM pages") == [(14,)]

    on_web(tell)
