"""Ends of a run, what a spider has of its crawl, and what it hears of errors."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from crawl_story import crawl, crawler_of, read, story
from data_story import SmallWeb, on_web, page

from crawler import Request, Rule, ScrapedPage, Spider, StopCrawl
from crawler.config.secrets import Secret
from crawler.errors import SpiderFailed, UsageError
from crawler.web.carried import carried, restored


class Counting(Spider):
    """Gives two items a page."""

    name = "counting"

    def parse(self, page: ScrapedPage) -> Any:
        yield {"url": page.url}
        yield {"again": page.url}


def seeds(site: Any, number: int, **options: Any) -> list[str]:
    text = "x" * 1000
    return [site.add_page(f"/{n}", f"<title>{n}</title>{text}", **options) for n in range(number)]


# ---------------------------------------------------------------- ends


@story()
async def test_the_page_that_reaches_max_items_is_the_last_one_stored(site, path):
    store, urls = path / "s.db", seeds(site, 30)
    first = await crawl(Counting, store, *urls, engine__max_items=10)
    assert (first.state, first.reason, first.items, first.pages) == ("stopped", "max_items", 10, 5)
    second = await crawl(Counting, store, *urls, engine__max_items=14)
    assert (second.items, second.total_pages) == (4, 7)
    rest = await crawl(Counting, store, *urls)
    assert (rest.state, rest.total_pages) == ("finished", 30)
    assert read(store, "SELECT count(*), count(DISTINCT coalesce(url, again)) FROM item") == [
        (60, 30)
    ]
    assert read(store, "SELECT reason FROM runs") == ["max_items", "max_items", "finished"]


@story()
async def test_errors_and_bytes_end_a_run_exactly(site, path):
    urls = seeds(site, 30, status=500)
    ended = await crawl(Counting, path / "e.db", *urls, engine__max_errors=4, fetch__retries=0)
    assert (ended.reason, ended.errors, ended.queued) == ("max_errors", 4, 26)
    urls = seeds(site, 30)
    ended = await crawl(Counting, path / "b.db", *urls, engine__max_bytes=2500)
    assert (ended.reason, ended.pages, ended.queued) == ("max_bytes", 3, 27)


@story()
async def test_max_time_ends_a_run_also_while_a_callback_waits(site, path):
    class Slow(Counting):
        async def parse(self, page: ScrapedPage) -> None:
            await asyncio.sleep(60)

    urls = seeds(site, 3)
    ended = await crawl(Slow, path / "s.db", *urls, engine__max_time=0.2, engine__grace=0)
    assert (ended.state, ended.reason, ended.pages, ended.queued) == ("stopped", "max_time", 0, 3)


def full(item: Any) -> Any:
    raise StopCrawl("full")


class Ends(Counting):
    """Ends its crawl on every page, after an item."""

    def parse(self, page: ScrapedPage) -> Any:
        yield {"url": page.url}
        raise StopCrawl("quota reached")


class EndsLater(Counting):
    """The same, where something is awaited."""

    async def parse(self, page: ScrapedPage) -> Any:
        yield {"url": page.url}
        await asyncio.sleep(0)
        raise StopCrawl("quota reached")


class EndsByPipeline(Counting):
    """The same in a pipeline."""

    pipelines = (full,)


class EndsByHandle(Counting):
    """The same without raising."""

    def parse(self, page: ScrapedPage) -> Any:
        self.crawl.stop("enough")
        yield {"url": page.url}


@pytest.mark.parametrize(
    ("kind", "reason", "items"),
    [
        (Ends, "quota reached", 1),
        (EndsLater, "quota reached", 1),
        (EndsByPipeline, "full", 0),
        (EndsByHandle, "enough", 1),
    ],
)
@story()
async def test_a_spider_ends_its_crawl_and_keeps_what_it_gave(site, path, kind, reason, items):
    urls = seeds(site, 5)
    ended = await crawl(kind, path / "s.db", *urls, engine__workers=1)
    assert (ended.state, ended.reason, ended.errors) == ("stopped", reason, 0)
    assert (ended.pages, ended.items, ended.queued) == (1, items, 4)
    assert (await crawl(Counting, path / "s.db", *urls)).total_pages == 5


@story()
async def test_a_start_that_ends_its_crawl_goes_on_with_the_next_run(site, path):
    urls = seeds(site, 3)

    class Starts(Counting):
        most = 2

        def start(self) -> Any:
            for number, url in enumerate(urls):
                if number == self.most:
                    raise StopCrawl("later")
                yield Request(url)

    assert (await crawl(Starts, path / "s.db")).reason == "later"
    Starts.most = 9
    assert (await crawl(Starts, path / "s.db")).total_pages == 3


# ---------------------------------------------------------------- opened, closed, state


class Opened(Counting):
    """Keeps count in its state, and opens what it needs."""

    def opened(self) -> None:
        self.seen: list[str] = []
        self.state["runs"] = self.state.get("runs", 0) + 1
        self.stats.count("opened")

    def parse(self, page: ScrapedPage) -> Any:
        self.seen.append(page.url)
        self.state["pages"] = self.state.get("pages", 0) + 1
        self.state.setdefault("last", ("", b""))
        yield {"url": page.url}

    async def closed(self, reason: str) -> None:
        self.state["closed"] = reason
        self.stats.count("closed", 2)


@story()
async def test_every_run_is_opened_and_closed_and_the_state_goes_on(site, path):
    store, urls = path / "s.db", seeds(site, 6)
    first = await crawl(Opened, store, *urls, engine__max_pages=2)
    assert first.counts == {"opened": 1, "closed": 2}
    spider = Opened()
    await crawl(spider, store, *urls)
    assert spider.state == {"runs": 2, "pages": 6, "last": ("", b""), "closed": "finished"}
    [state] = read(store, "SELECT value FROM crawl WHERE key = 'state'")
    assert json.loads(state)["pages"] == 6
    counted = "SELECT name, value FROM counters WHERE name LIKE 'spider.%' ORDER BY name"
    assert read(store, counted) == [("spider.closed", 4), ("spider.opened", 2)]


@story()
async def test_every_commit_counts_for_exactly_the_pages_that_are_in_it(site, path):
    store, urls = path / "s.db", seeds(site, 12)
    alone: list[asyncio.Task[None]] = []

    class Slow(Spider):
        """Counts, and ends commits later on most pages."""

        name = "slow"

        def opened(self) -> None:
            self.committed, self.stored = asyncio.Event(), asyncio.Event()

        async def before_fetch(self, request: Request) -> None:
            self.stats.count("fetched")

        async def parse(self, page: ScrapedPage) -> Any:
            self.stats.count("parsed")
            if page.url.endswith("/3"):
                alone.append(asyncio.create_task(self.later()))
            if not page.url.endswith("1"):  # these wait for the commit of others
                await self.committed.wait()
            self.stats.count("parsed")
            yield {"url": page.url}

        async def later(self) -> None:
            await self.stored.wait()
            self.stats.count("later")

    spider, found = Slow(), []
    sql = (
        "SELECT (SELECT count(*) FROM pages), sum(value) FILTER (WHERE name = 'spider.parsed'),"
        " sum(value) FILTER (WHERE name = 'spider.fetched') FROM counters"
    )

    def heard(visits: Any, committed: Any) -> None:
        found.extend(read(store, sql))
        if visits:
            spider.committed.set()
        if any(visit.todo.url.endswith("/3") for visit in visits):
            spider.stored.set()

    async with crawler_of(spider, store, *urls, politeness__per_host=12) as crawler:
        crawler.on_commit(heard)
        done = await crawler.run()
    assert found[0][0] < 12 and found[-1] == (12, 24, 12)
    assert all(((parsed or 0), (fetched or 0)) == (2 * n, n) for n, parsed, fetched in found)
    assert done.counts == {"parsed": 24, "fetched": 12, "later": 1}
    assert read(store, "SELECT value FROM counters WHERE name = 'spider.later'") == [1]


@story()
async def test_an_opened_that_raises_ends_the_run_before_any_fetch(site, path):
    closed = []

    class Broken(Counting):
        async def opened(self) -> None:
            raise ValueError("no database")

        def closed(self, reason: str) -> None:
            closed.append(reason)

    with pytest.raises(SpiderFailed, match=r"opened\(\) failed: .*test_run_control.*no database"):
        await crawl(Broken, path / "s.db", *seeds(site, 2))
    assert closed == ["failed"] and site.hits == []
    assert read(path / "s.db", "SELECT state FROM runs") == ["failed"]


@story()
async def test_a_state_that_cannot_be_kept_is_refused_by_name(site, path):
    class Odd(Counting):
        def opened(self) -> None:
            self.state["page"] = object()

    with pytest.raises(UsageError, match=r"self\.state\['page'\] holds a object"):
        await crawl(Odd, path / "s.db", *seeds(site, 1))


@story()
async def test_a_spider_adds_requests_and_is_told_of_those_not_taken(site, path):
    told = []

    class Adding(Counting):
        def opened(self) -> None:
            self.crawl.add(site.at("/1"), Request(site.at("/2")))
            try:
                self.crawl.add("http://elsewhere.example/")
            except UsageError as error:
                told.append(str(error))

        def parse(self, page: ScrapedPage) -> Any:
            self.logger.info("got %s", page.url)
            assert self.crawl.settings.engine.workers == 32
            yield {"url": page.url}

    urls = seeds(site, 3)
    assert (await crawl(Adding, path / "s.db", urls[0])).pages == 3
    assert "out_of_scope" in told[0] and "allowed_domains" in told[0]


def test_without_a_run_a_spider_counts_and_keeps_but_stops_nothing() -> None:
    spider = Opened()
    spider.opened()
    assert spider.state == {"runs": 1} and spider.stats.counts["opened"] == 1
    with pytest.raises(UsageError, match="no run"):
        spider.crawl.stop()


# ---------------------------------------------------------------- errors reach the author


class Heard(Spider):
    """Notes what it is told of."""

    name = "heard"

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[Any, ...]] = []

    def parse(self, page: ScrapedPage, **named: Any) -> Any:
        if "boom" in page.url:
            raise ValueError("in parse")
        yield {"url": page.url, "status": page.status, **named}

    def on_error(
        self,
        request: Request,
        outcome: Any,
        status: int | None,
        page: ScrapedPage | None,
        error: str | None = None,
    ) -> Any:
        body = page.html if page is not None else None
        self.told.append((request.url.rpartition("/")[2], str(outcome), status, body, error or ""))
        yield {"url": request.url, "told": str(outcome)}

    def other(self, request: Request, outcome: Any) -> None:
        self.told.append((request.url.rpartition("/")[2], str(outcome), "other"))


@story(robots="User-agent: *\nDisallow: /private")
async def test_on_error_gets_the_body_of_an_error_and_what_a_callback_raised(site, path):
    site.add_page("/none", '{"error": "gone"}', status=404)
    site.add_page("/busy", "slow down", status=429)
    site.add_page("/boom", "a page")
    spider, store = Heard(), path / "s.db"
    urls = [site.at(f"/{name}") for name in ("none", "busy", "boom", "private")]
    await crawl(
        spider, store, *urls, fetch__retries=0, store__error_bodies=True, politeness__robots=True
    )
    told = {name: rest for name, *rest in spider.told}
    assert told["none"] == ["not_found", 404, '{"error": "gone"}', ""]
    assert told["busy"] == ["rate_limited", 429, "slow down", ""]
    assert told["private"] == ["robots_denied", None, None, ""]
    assert told["boom"][:3] == ["spider_error", 200, "a page"]
    assert told["boom"][3].endswith("ValueError: in parse\n")
    kept = "SELECT outcome FROM pages JOIN bodies USING (page_id) ORDER BY 1"
    assert read(store, kept) == ["not_found", "rate_limited", "spider_error"]
    assert len(read(store, "SELECT told FROM item WHERE told IS NOT NULL")) == 4


@story()
async def test_an_errback_hears_in_place_of_on_error(site, path):
    class Asks(Heard):
        def start(self) -> Any:
            yield Request(site.at("/none"), errback=self.other)
            yield Request(site.at("/no"), errback="other")
            yield Request(site.at("/gone"))

    spider = Asks()
    await crawl(spider, path / "s.db")
    assert sorted(told[:3] for told in spider.told) == [
        ("gone", "not_found", 404),
        ("no", "not_found", "other"),
        ("none", "not_found", "other"),
    ]


@story()
async def test_accepted_statuses_go_to_the_callback(site, path):
    site.add_page("/none", "<title>none</title>", status=404)
    site.add_page("/busy", "<title>busy</title>", status=503)
    site.add_redirect("/moved", "/target")

    class Asks(Heard):
        def start(self) -> Any:
            yield Request(site.at("/none"), accept_status=[404, 302], args={"kind": "seed"})
            yield Request(site.at("/moved"), accept_status=(301, 302))
            yield Request(site.at("/busy"))

    spider = Asks()
    done = await crawl(spider, path / "s.db", fetch__accept_status=[503])
    assert spider.told == [] and done.outcomes == {"ok": 3} and done.retries == 0
    rows = read(path / "s.db", "SELECT status, kind FROM item ORDER BY 1")
    assert rows == [(302, None), (404, "seed"), (503, None)]
    assert read(path / "s.db", "SELECT failures FROM hosts") == [1], "503 still slows its host"


def test_retry_status_says_what_is_tried_again(tmp_path: Path) -> None:
    async def tell(small: SmallWeb) -> None:
        small.add("/teapot", "no", status=418)
        small.add("/later", "wait", status=202)
        small.add("/broken", "no", status=500)
        urls = [f"{small.url}/{name}" for name in ("teapot", "later", "broken")]
        await crawl(
            *(Heard, tmp_path / "s.db", *urls),
            fetch__retry_status=[418, 202],
            fetch__retries=2,
            politeness__robots=False,
        )
        paths = [path for path, _ in small.asked]
        assert [paths.count(f"/{name}") for name in ("teapot", "later", "broken")] == [3, 3, 1]
        ended = dict(read(tmp_path / "s.db", "SELECT status, outcome FROM pages"))
        assert ended == {418: "http_error", 202: "ok", 500: "server_error"}

    on_web(tell)


class Captcha(Heard):
    """Asks for another try where it meets a captcha, and of errors."""

    times: int | None = None

    def parse(self, page: ScrapedPage, **named: Any) -> Any:
        if page.title == "captcha":
            yield page.request.retry(reason="captcha", times=self.times)
        else:
            yield {"url": page.url, "tries": page.request.tries, **named}

    def on_error(self, request: Request, outcome: Any, *rest: Any) -> Any:
        yield request.retry(delay=0.01, reason=str(outcome))


class Wall(SmallWeb):
    """Shows a captcha twice and an error once, then what is behind them."""

    async def answer(self, request: web.Request) -> web.Response:
        path = request.path
        self.asked.append((path, {}))
        number = [asked for asked, _ in self.asked].count(path)
        if path == "/wall" and number <= 2:
            return web.Response(text=page("captcha", "/next"), content_type="text/html")
        status = 404 if path == "/error" and number == 1 else 200
        return web.Response(text=page("fine"), status=status, content_type="text/html")


def test_a_callback_asks_for_another_try_and_no_page_is_made_of_the_one_before(tmp_path):
    async def tell() -> None:
        async with Wall() as small:

            class Asks(Captcha):
                rules = (Rule(allow="/next"),)

                def start(self) -> Any:
                    yield Request(small.url + "/wall", args={"kind": "k"})
                    yield Request(small.url + "/error")

            done = await crawl(Asks, tmp_path / "s.db", politeness__robots=False)
            assert done.outcomes == {"ok": 3} and done.errors == 0 and done.retries == 3
            assert [path for path, _ in small.asked].count("/next") == 1
            rows = read(tmp_path / "s.db", "SELECT url, tries, kind FROM item ORDER BY 1")
            assert rows == [
                (f"{small.url}/error", 1, None),
                (f"{small.url}/next", 0, None),
                (f"{small.url}/wall", 2, "k"),
            ]
            tries = read(tmp_path / "s.db", "SELECT outcome, error FROM attempts ORDER BY 1, 2")
            asked = [("retry_asked", "captcha")] * 2
            assert tries == [("not_found", "not_found"), *asked]

    asyncio.run(tell())


@story()
async def test_tries_that_are_asked_for_end(site, path):
    site.add_page("/wall", "<title>captcha</title><a href=/next>n</a>")
    site.add_page("/next", "<title>next</title>")
    store = path / "s.db"
    spider = Captcha()
    spider.times = 3
    done = await crawl(spider, store, site.at("/wall"), fetch__retries=1)
    assert done.refused["retries_spent"] == 1 and done.retries == 3
    assert [hit.path for hit in site.hits].count("/wall") == 4
    tries = read(store, "SELECT outcome, error, status FROM attempts")
    assert tries == [("retry_asked", "captcha", 200)] * 3
    assert read(store, "SELECT outcome, title FROM pages") == [("ok", "captcha")]


@story()
async def test_a_try_after_items_is_a_request_of_its_own(site, path):
    site.add_page("/job", "<title>job</title>")

    class Polls(Spider):
        name = "polls"

        def parse(self, page: ScrapedPage) -> Any:
            yield {"tries": page.request.tries}
            if page.request.tries < 2:
                yield page.request.retry()

    done = await crawl(Polls, path / "s.db", site.at("/job"))
    assert (done.pages, done.items, done.retries) == (3, 3, 0)
    assert read(path / "s.db", "SELECT tries FROM item ORDER BY 1") == [0, 1, 2]


@story()
async def test_a_request_waits_for_its_time_and_no_other_does(site, path):
    loop = asyncio.get_running_loop()
    for name in ("a", "b"):
        site.add_page(f"/{name}", f"<title>{name}</title>")

    class Later(Spider):
        name = "later"

        def start(self) -> Any:
            import time

            yield Request(site.at("/a"), not_before=time.time() + 0.3, priority=5)
            yield Request(site.at("/b"))

    begun = loop.time()
    await crawl(Later, path / "s.db")
    assert loop.time() - begun >= 0.28
    assert read(path / "s.db", "SELECT title FROM pages ORDER BY page_id") == ["b", "a"]


# ---------------------------------------------------------------- what is carried


def test_what_a_request_carries_comes_out_as_it_went_in() -> None:
    from datetime import UTC, date, datetime, timedelta
    from decimal import Decimal

    for value in (
        *(
            {"a": [1, 2.5, None, True, "x"]},
            (1, (2,)),
            {1: "a"},
            {"$tuple": [1]},
            b"\0\xff",
            {1, 2},
        ),
        *(frozenset("a"), datetime(2024, 1, 1, tzinfo=UTC), date(2024, 1, 2), timedelta(days=1)),
        *(Decimal("1.10"), float("inf"), Secret("KEY"), [{"deep": ((),)}]),
    ):
        text = json.dumps(carried("meta", value), allow_nan=False)
        back = restored(json.loads(text))
        assert (type(back), back) == (type(value), value)
    with pytest.raises(UsageError, match=r"meta\['a'\]\[0\] holds a object"):
        Request("http://a.example/", meta={"a": [object()]})


def test_what_is_carried_is_no_deeper_and_no_longer_than_it_can_be_read() -> None:
    deep: Any = 10**4298
    for _ in range(198):
        deep = [deep]
    assert restored(json.loads(json.dumps(carried("meta", {"a": deep})))) == {"a": deep}
    with pytest.raises(UsageError, match="holds over 200 values within each other"):
        carried("meta", {"a": [[[deep]]]})
    for value in (10**5000, -(10**5000), {10**5000: 1}):
        with pytest.raises(UsageError, match=r"holds an int of over 4,300 digits"):
            Request("http://a.example/", meta={"a": value})


@story()
async def test_arguments_and_meta_survive_a_restart(site, path):
    class Carries(Spider):
        name = "carries"

        def parse(self, page: ScrapedPage) -> Any:
            yield Request(
                site.at("/1"), callback=self.shop, args={"kind": ("tea", 1)}, meta={"at": b"x"}
            )

        def shop(self, page: ScrapedPage, kind: tuple[str, int]) -> Any:
            assert kind == ("tea", 1) and page.meta == {"at": b"x"}
            yield {"kind": kind[0]}

    urls = seeds(site, 2)
    await crawl(Carries, path / "s.db", urls[0], engine__max_pages=1)
    assert (await crawl(Carries, path / "s.db", urls[0])).items == 1


# ---------------------------------------------------------------- in parse processes

PROCESSES = """
from crawler import Request, Spider, StopCrawl

class Far(Spider):
    name = "far"

    def parse(self, page, kind="none"):
        self.stats.count("parsed")
        if page.url.endswith("/stop"):
            raise StopCrawl("from afar")
        if page.title == "captcha" and not page.request.tries:
            yield page.request.retry(reason="captcha")
        elif page.url.endswith("/state"):
            self.state["x"] = 1
        else:
            yield {"kind": kind, "tries": page.request.tries}
"""


@story()
async def test_retries_stops_and_counts_come_back_from_parse_processes(site, path, monkeypatch):
    (path / "far_spider.py").write_text(PROCESSES, "utf-8")
    monkeypatch.syspath_prepend(str(path))
    module = __import__("far_spider")
    site.add_page("/wall", "<title>captcha</title>")
    site.add_page("/state", "<title>state</title>")
    site.add_page("/stop", "<title>stop</title>")
    urls = [site.at(name) for name in ("/wall", "/state", "/stop")]
    store = path / "s.db"
    done = await crawl(module.Far, store, *urls, engine__parse_processes=1, engine__workers=1)
    del sys.modules["far_spider"]
    assert done.reason == "from afar" and done.counts["parsed"] >= 3
    assert "only in the process that keeps the store" in done.reasons["spider_error"]
    assert read(store, "SELECT outcome, error FROM attempts") == [("retry_asked", "captcha")]


def test_a_crawler_is_stopped_from_outside(tmp_path: Path) -> None:
    async def tell(small: SmallWeb) -> None:
        urls = [f"{small.url}/{at}" for at in range(5)]
        for at in range(5):
            small.add(f"/{at}", page(str(at)))
        crawler = crawler_of(Counting, tmp_path / "s.db", *urls, politeness__robots=False)
        async with crawler:
            crawler.on_commit(lambda visits, committed: crawler.stop("by the dashboard"))
            done = await crawler.run()
        assert (done.state, done.reason) == ("stopped", "by the dashboard")

    on_web(tell)
