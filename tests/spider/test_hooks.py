"""Hooks around fetching: what is sent and what is taken for the answer.

The same in one process, in two, and over recorded answers.
"""

import json
from pathlib import Path
from typing import Any

import hook_spiders
import pytest
from data_story import SmallWeb, crawl, on_web, page, rows

from crawler import (
    Download,
    DropRequest,
    Request,
    Response,
    ScrapedPage,
    Spider,
    StopCrawl,
    testing,
)
from crawler.cli import ending
from crawler.cli import run as command
from crawler.errors import SpiderError, SpiderFailed

PAGES = "SELECT url, outcome, status, redirect_to FROM pages ORDER BY page_id"


@pytest.mark.parametrize("processes", [1, 2])
def test_hooks_send_answer_lead_drop_and_ask_again(tmp_path: Path, processes: int) -> None:
    store = tmp_path / "a.db"

    async def tell(web: SmallWeb) -> None:
        ways = ("/sign", "/cached", "/old", "/never", "/ban", "/soft", "/raise", "/moved")
        web.add("/", page("home", *ways))
        for path in ways:
            web.add(path, page(path[1:]))
        web.add("/moved", "", status=302, Location="/sign2")
        web.add("/sign2", page("sign2"))
        web.add("/new", page("new"))
        web.add("/ban", page("banned"), status=403)
        spider = hook_spiders.Hooked()
        spider.start_urls = [web.url + "/"]
        summary = await crawl(store, spider, engine={"processes": processes}, fetch={"retries": 2})
        base = web.url
        found = {url.removeprefix(base): rest for url, *rest in rows(store, PAGES)}
        assert found == {
            "/": ["ok", 200, None],
            "/sign": ["ok", 200, None],
            "/cached": ["ok", 200, None],
            "/old": ["redirect", None, f"{base}/new"],
            "/new": ["ok", 200, None],
            "/never": ["hook_dropped", None, None],
            "/ban": ["http_error", 403, None],
            "/soft": ["ok", 200, None],
            "/raise": ["spider_error", 200, None],
            "/moved": ["redirect", 302, f"{base}/sign2"],
            "/sign2": ["ok", 200, None],
        }
        sent = {path: headers.get("X-Signed") for path, headers in web.asked}
        assert sent["/sign"] == "1 /sign" and sent["/sign2"] == "1 /sign2"
        assert "/never" not in sent and "/cached" not in sent
        assert [path for path, _ in web.asked].count("/ban") == 3
        assert [path for path, _ in web.asked].count("/soft") == 3
        tried = rows(store, "SELECT outcome, error FROM attempts WHERE url LIKE '%/ban'")
        assert tried == [("http_error", "banned")] * 2
        assert summary.refused["retries_spent"] == 1
        seen = dict(rows(store, "SELECT path, title FROM seen_page"))
        assert seen == {
            "/": "home",
            "/sign": "sign",
            "/cached": "from the cache",
            "/new": "new",
            "/soft": "soft, mended",
            "/sign2": "sign2",
            "/never": "hook_dropped",
            "/ban": "http_error",
            "/raise": "spider_error",
        }
        [(headers,)] = rows(store, "SELECT headers FROM pages WHERE url LIKE '%/cached'")
        assert "text/html" in headers
        [(error,)] = rows(store, "SELECT error FROM pages WHERE url LIKE '%/raise'")
        assert "ZeroDivisionError" in error and "hook_spiders.py" in error
        [(why,)] = rows(store, "SELECT error FROM pages WHERE url LIKE '%/never'")
        assert why == "Hooked.before_fetch: not for us"
        assert "1 hook_dropped" in ending.story(summary)

    on_web(tell)


def test_hooks_work_over_recorded_answers_as_in_a_crawl() -> None:
    site = "https://shop.example"
    pages = {
        f"{site}/": page("home", "/cached", "/old", "/never", "/soft", "/none"),
        f"{site}/new": page("new"),
        f"{site}/soft": page("soft"),
    }
    spider = hook_spiders.Hooked()
    spider.start_urls = [f"{site}/"]
    crawled = testing.crawl(spider, pages, settings={"fetch": {"retries": 0}})
    assert {one["path"]: one["title"] for one in crawled.items} == {
        "/": "home",
        "/cached": "from the cache",
        "/new": "new",
        "/never": "hook_dropped",
        "/soft": "soft",  # no more tries: it is taken for what it is
    }
    assert crawled.missing == [f"{site}/none"]


class Order:
    """Notes where it is passed."""

    def __init__(self, name: str, seen: list[str]) -> None:
        self.name, self.seen = name, seen

    def open(self, crawl: Any) -> None:
        self.seen.append(f"open {self.name} of {crawl.spider.name}")

    async def before_fetch(self, request: Request, spider: Spider) -> None:
        self.seen.append(f"> {self.name}")

    async def after_fetch(self, response: Response, request: Request) -> Response:
        self.seen.append(f"< {self.name}")
        return response.replace(body=response.body.replace(b"home", f"home {self.name}".encode()))

    def close(self) -> None:
        self.seen.append(f"close {self.name}")


def test_asynchronous_hooks_run_over_recorded_answers() -> None:
    async def slow(request: Request) -> None:
        seen.append("listed")

    seen: list[str] = []
    url = "https://shop.example/"
    for kind in (hooked(Order("a", seen)), hooked(before_fetch=[slow])):
        kind.start_urls = [url]
        assert len(testing.crawl(kind, {url: page("home")}).pages) == 1
    assert seen == ["open a of own", "> a", "< a", "close a", "listed"]


def hooked(*hooks: Any, **parts: Any) -> type[Spider]:
    return type("Own", (Spider,), {"name": "own", "hooks": hooks, **parts})


def test_the_first_hook_is_the_outermost_and_what_it_makes_of_a_body_is_stored(
    tmp_path: Path,
) -> None:
    seen: list[str] = []

    async def tell(web: SmallWeb) -> None:
        web.add("/", page("home"))
        kind = hooked(Order("a", seen), Order("b", seen), start_urls=[web.url + "/"])
        await crawl(tmp_path / "a.db", kind)
        assert seen == [
            *("open a of own", "open b of own", "> a", "> b", "< b", "< a", "close b", "close a")
        ]
        assert rows(tmp_path / "a.db", "SELECT title FROM pages") == [("home a b",)]

    on_web(tell)


def test_functions_in_lists_are_hooks_of_the_spider(tmp_path: Path) -> None:
    def agent(request: Request) -> Request:
        return request.replace(headers={"User-Agent": "second"})

    async def tell(web: SmallWeb) -> None:
        web.add("/", page("home"))
        await crawl(tmp_path / "a.db", hooked(before_fetch=[agent], start_urls=[web.url + "/"]))
        assert web.asked[0][1]["User-Agent"] == "second"

    on_web(tell)


def test_a_hook_that_ends_the_crawl_leaves_its_request_to_the_next_run(tmp_path: Path) -> None:
    def full(self: Spider, request: Request) -> None:
        raise StopCrawl("quota")

    async def tell(web: SmallWeb) -> None:
        web.add("/", page("home"))
        start = {"start_urls": [web.url + "/"]}
        summary = await crawl(tmp_path / "a.db", hooked(before_fetch=full, **start))
        assert (summary.reason, summary.pages, summary.queued) == ("quota", 0, 1)
        summary = await crawl(tmp_path / "a.db", hooked(**start))
        assert (summary.reason, summary.pages, summary.queued) == ("finished", 1, 0)

    on_web(tell)


class Files(Spider):
    name = "files"
    hooks = (hook_spiders.Signs,)

    def parse(self, page: ScrapedPage) -> Any:
        yield Download(page.urljoin("/file") or "")
        yield Download(page.urljoin("/never") or "")

    def before_fetch(self, request: Request) -> Response | None:
        never = request.url.endswith("never")
        return Response(request.url, 200, {}, b"") if never else None


def test_downloads_pass_before_fetch_and_cannot_be_answered_by_it(tmp_path: Path) -> None:
    async def tell(web: SmallWeb) -> None:
        web.add("/", page("home"))
        web.add("/file", "a file")
        spider = Files()
        spider.start_urls = [web.url + "/"]
        summary = await crawl(tmp_path / "a.db", spider)
        assert dict(web.asked)["/file"]["X-Signed"] == "0 /file" and len(web.asked) == 2
        assert summary.outcomes == {"ok": 2, "spider_error": 1}
        assert rows(tmp_path / "a.db", "SELECT size FROM files") == [(6,)]

    on_web(tell)


class Circle(Spider):
    name = "circle"

    def before_fetch(self, request: Request) -> Request:
        return Request(request.url + "x")


def test_hooks_that_lead_on_and_on_come_to_an_end(tmp_path: Path) -> None:
    async def tell(web: SmallWeb) -> None:
        spider = Circle()
        spider.start_urls = [web.url + "/"]
        summary = await crawl(tmp_path / "a.db", spider, fetch={"max_redirects": 3})
        assert summary.outcomes == {"redirect": 3, "too_many_redirects": 1} and web.asked == []

    on_web(tell)


def test_what_a_hook_leads_to_out_of_scope_is_refused(tmp_path: Path) -> None:
    class Out(Spider):
        name = "out"

        def after_fetch(self, response: Response) -> Request | None:
            return Request("http://127.0.0.2:9/x") if response.url.endswith("b") else None

        def parse(self, page: ScrapedPage) -> Any:
            yield from page.follow_all("a")

    async def tell(web: SmallWeb) -> None:
        web.add("/", page("home", "/b"))
        web.add("/b", page("b"))
        spider = Out()
        spider.start_urls = [web.url + "/"]
        summary = await crawl(tmp_path / "a.db", spider)
        assert summary.outcomes == {"ok": 1, "redirect": 1}
        assert summary.refused == {"out_of_scope": 1}

    on_web(tell)


@pytest.mark.parametrize(
    ("parts", "told"),
    [
        ({"hooks": [object()]}, "has neither before_fetch"),
        ({"hooks": [type("M", (), {"process_request": print})]}, "process_request is before_fetch"),
        ({"before_fetch": lambda self, request, spider, way: None}, "takes 'way'"),
        ({"before_fetch": ["sign"]}, "names 'sign', which is no function"),
        ({"hooks": "Sign"}, "is a list"),
    ],
)
def test_what_is_no_hook_is_refused_before_the_first_fetch(
    parts: Any, told: str, tmp_path: Path
) -> None:
    async def tell(web: SmallWeb) -> None:
        with pytest.raises(SpiderError, match=told):
            await crawl(tmp_path / "a.db", hooked(**{"hooks": [], **parts}))

    on_web(tell)


def hooks_giving(value: Any) -> type[Spider]:
    return hooked(before_fetch=lambda self, request: value)


def test_what_no_hook_may_give_is_told_with_its_name(tmp_path: Path) -> None:
    async def tell(web: SmallWeb) -> None:
        for number, value in enumerate(({"url": 1}, Response(web.url + "/other", 200, {}, b""))):
            kind = hooks_giving(value)
            kind.start_urls = [web.url + "/"]
            summary = await crawl(tmp_path / f"{number}.db", kind)
            assert summary.outcomes == {"spider_error": 1}
            assert "Own.before_fetch gave" in json.dumps(summary.reasons)
        assert web.asked == []

        class Shut:
            def open(self, crawl: Any) -> None:
                raise DropRequest("no")

            def before_fetch(self, request: Request) -> None: ...

        with pytest.raises(SpiderFailed, match=r"Shut.open\(\) failed"):
            await crawl(tmp_path / "c.db", hooked(Shut, start_urls=[web.url + "/"]))

    on_web(tell)


MENDING = """
from crawler import Spider, item


@item(key="url")
class Said:
    url: str
    title: str


class Mending(Spider):
    name = "mending"
    version = "one"

    def after_fetch(self, response):
        return response.replace(body=response.body.replace(b"raw", b"mended"))

    def parse(self, page):
        yield Said(page.url, f"{page.title} {self.version}")
"""


def test_reparse_reads_the_body_that_the_callbacks_got_and_calls_no_hook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    script, said = tmp_path / "mending.py", "SELECT title FROM said"

    async def tell(web: SmallWeb) -> None:
        web.add("/", "<title>raw</title>")
        names: dict[str, Any] = {"__name__": "mending"}
        exec(MENDING, names)
        kind = names["Mending"]
        kind.start_urls = [web.url + "/"]
        await crawl(tmp_path / "s.db", kind)

    on_web(tell)
    assert rows(tmp_path / "s.db", said) == [("mended one",)]
    # A hook that mends otherwise since is not asked: the body is stored as it was mended then.
    script.write_text(MENDING.replace('"one"', '"two"').replace('b"mended"', 'b"other"'))
    words = ["reparse", str(script), "--store", "s.db", "--apply", "--processes", "1"]
    assert command(words) == 0
    assert rows(tmp_path / "s.db", said) == [("mended two",)]
