"""Optional steps of canonicalization: for every request, whoever asks for it, and its limits."""

import asyncio
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from following_story import counters, crawled, rows

from crawler import Request, ScrapedPage, Spider
from crawler.inspect.query import Reader
from crawler.inspect.why import why
from crawler.practice import PracticeSite

STEPS = ["drop_session_ids", "drop_tracking", "sort_query"]


def asked(
    wanted: Iterable[str | tuple[str, dict[str, Any]]],
    pages: dict[str, Any],
    store: Path,
    *,
    steps: Iterable[str] = STEPS,
    seeds: Iterable[str] = ("/start",),
) -> list[str]:
    """Crawl with a spider that yields Requests for `wanted`; give what the site was asked for."""

    class Yielding(Spider):
        name = "yielding"

        def parse(self, page: ScrapedPage) -> Iterator[Request]:
            for one in wanted if page.url.endswith("/start") else ():
                path, more = (one, {}) if isinstance(one, str) else one
                yield page.follow(path, callback="end", **more)

        def end(self, page: ScrapedPage) -> None:
            return None

    async def story() -> list[str]:
        async with PracticeSite(robots=False) as site:
            site.add_page("/start", "start")
            for path, (text, status, headers) in pages.items():
                site.add_page(path, text, status=status, headers=headers)
            spider = Yielding()
            spider.start_urls = [site.at(path) for path in seeds]
            await crawled(spider, store, links={"canonicalize": list(steps)})
            return [hit.target for hit in site.hits if hit.path != "/robots.txt"]

    return asyncio.run(story())


def page(text: str = "") -> tuple[str, int, dict[str, str]]:
    return text, 200, {}


def redirect(target: str) -> tuple[str, int, dict[str, str]]:
    return "", 302, {"Location": target}


def test_what_a_spider_yields_is_asked_for_once_however_it_is_written(tmp_path: Path) -> None:
    wanted = ["/a?b=2&utm_source=x&a=1", "/a?a=1&b=2", "/a?PHPSESSID=0123456789abcdef&b=2&a=1"]
    found = asked(wanted, {"/a": page()}, tmp_path / "c.db")
    assert found == ["/start", "/a?a=1&b=2"]
    [site] = rows(tmp_path / "c.db", "SELECT name FROM hosts")
    with Reader(tmp_path / "c.db") as reader:
        told = why(reader, f"{site}/a?b=2&utm_medium=x&a=1", ())
    assert ("visited as", f"{site}/a?a=1&b=2") in told
    assert [text[:6] for about, text in told if about == "outcome"] == ["ok 200"]


def test_a_request_that_is_to_be_made_anyhow_goes_out_as_it_is_written(tmp_path: Path) -> None:
    wanted: list[Any] = [
        ("/a?b=2&a=1", {"dont_filter": True}),
        ("/a?z=1&utm_source=x", {"method": "POST", "data": {"q": "1"}}),
    ]
    found = asked(wanted, {"/a": page()}, tmp_path / "c.db")
    assert sorted(found[1:]) == ["/a?b=2&a=1", "/a?z=1&utm_source=x"]


def test_redirects_that_differ_in_tracking_lead_to_one_page(tmp_path: Path) -> None:
    pages = {
        "/1": redirect("/a?utm_source=one"),
        "/2": redirect("/a?utm_source=two"),
        "/a": page(),
    }
    found = asked(["/1", "/2"], pages, tmp_path / "c.db")
    assert sorted(found[1:]) == ["/1", "/2", "/a"]
    told = rows(
        tmp_path / "c.db", "SELECT DISTINCT redirect_to FROM pages WHERE redirect_to IS NOT NULL"
    )
    assert [url.partition("/a")[1:] for url in told] == [("/a", "")]


def test_a_server_that_insists_on_its_session_id_is_let_have_it(tmp_path: Path) -> None:
    store = tmp_path / "c.db"
    pages = {"/a": redirect("/a;jsessionid=1"), "/a;jsessionid=1": page("<title>In</title>")}
    assert asked(["/a"], pages, store)[1:] == ["/a", "/a;jsessionid=1"]
    assert rows(store, "SELECT outcome FROM pages ORDER BY page_id") == ["ok", "redirect", "ok"]


def test_start_urls_are_asked_for_as_they_stand(tmp_path: Path) -> None:
    seeds = ["/a?utm_source=x", "/a"]
    found = asked([], {"/a": page()}, tmp_path / "c.db", seeds=seeds)
    assert sorted(found) == ["/a", "/a?utm_source=x"]


def private(url: str) -> str | None:
    return None if "/private" in url else url


def test_what_a_step_drops_is_counted(tmp_path: Path) -> None:
    store = tmp_path / "c.db"
    steps = ["tests.urls.test_optional_steps:private"]
    pages = {"/a": redirect("/private/3"), "/private/1": page()}
    found = asked(["/private/2", "/a"], pages, store, steps=steps, seeds=["/start", "/private/1"])
    assert sorted(found) == ["/a", "/private/1", "/start"]
    assert counters(store) == {"dropped": 2}
