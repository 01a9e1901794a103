"""Spiders over APIs: typed items from JSON, and pages through a rendering service."""

import importlib.util
import sqlite3
from pathlib import Path
from typing import Any, ClassVar

import pytest
from client_story import Served, on_site

from crawler import Crawler, Request, Spider
from crawler.errors import ConfigError
from crawler.practice import PracticeSite
from tests.clients.test_scraper_api import KEY, Service

SPIDERS = Path(__file__).parents[2] / "spiders"


def rows(store: Path, sql: str) -> list[Any]:
    db = sqlite3.connect(store)
    try:
        return db.execute(sql).fetchall()
    finally:
        db.close()


@on_site()
async def test_the_example_collects_from_three_apis(site: PracticeSite, tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("api_items", SPIDERS / "api_items.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    store = tmp_path / "c.db"
    spider = module.ApiItems(site=site.url.rstrip("/"))
    async with Crawler(spider, store=store, settings={"politeness": {"delay": 0.0}}) as crawler:
        summary = await crawler.run()
    counts = [
        rows(store, f"SELECT count(*) FROM api_{kind}")[0][0]
        for kind in ("quote", "product", "author")
    ]
    assert counts == [100, 160, 20]
    assert rows(store, "SELECT typeof(price), typeof(stock) FROM api_product LIMIT 1") == [
        ("real", "integer")
    ]
    assert summary.outcomes == {"ok": 2 + 4 + 4}


class Pages(Spider):
    name = "pages"
    settings: ClassVar[Any] = {"politeness": {"delay": 0.0}, "fetch": {"retry_delay": 0.0}}

    def __init__(self, *requests: Request) -> None:
        super().__init__()
        self.requests = requests

    def start(self) -> Any:
        return self.requests

    def parse(self, page: Any) -> Any:
        return {"title": page.title}


async def crawled(store: Path, settings: dict[str, Any], *requests: Request) -> Any:
    async with Crawler(Pages(*requests), store=store, settings=settings) as crawler:
        return await crawler.run()


@on_site()
async def test_a_request_goes_through_the_service_where_it_says_so(
    site: PracticeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCRAPER_API_KEY", KEY)
    service, store = Service(), tmp_path / "c.db"
    render = {"render": True, "country_code": "de"}
    async with Served({"/": service.answer}) as url:
        await crawled(
            store,
            {"scraper_api": {"base_url": url}},
            Request(site.at("/shop/"), via="scraper_api", options=render),
            Request(site.at("/robots.txt")),
        )
    known = {"api_key": KEY, "url": site.at("/shop/"), "render": "true", "country_code": "de"}
    assert service.asked == [known]
    assert rows(store, "SELECT url, status FROM pages WHERE title IS NOT NULL") == [
        (site.at("/shop/"), 200)
    ]
    assert KEY.encode() not in store.read_bytes()


@on_site()
async def test_a_spider_switches_the_service_on_for_all_but_some(
    site: PracticeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCRAPER_API_KEY", KEY)
    service = Service(fail=[500, 429])
    pages = [Request(site.at(f"/status/200?{n}")) for n in range(6)]
    async with Served({"/": service.answer}) as url:
        settings = {"scraper_api": {"enabled": True, "base_url": url, "concurrency": 2}}
        settings |= {"politeness": {"delay": 0.0, "per_host": 6, "max_delay": 0.0}}
        summary = await crawled(
            tmp_path / "c.db", settings, *pages, Request(site.at("/shop/"), via="direct")
        )
    assert summary.outcomes == {"ok": 7} and summary.retries == 2
    assert {query["url"] for query in service.asked} == {page.url for page in pages}
    assert service.peak <= 2


@on_site()
async def test_without_a_key_the_requests_fail_and_say_why(
    site: PracticeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SCRAPER_API_KEY", raising=False)
    store = tmp_path / "c.db"
    await crawled(store, {}, Request(site.url, via="scraper_api"), Request(site.url + "?", via="x"))
    errors = [error for (error,) in rows(store, "SELECT error FROM pages ORDER BY page_id")]
    assert any("set SCRAPER_API_KEY" in error for error in errors)
    assert any("there is no way 'x'" in error for error in errors)
    assert rows(store, "SELECT DISTINCT outcome, attempts FROM pages") == [("spider_error", 1)]

    with pytest.raises(ConfigError, match="set SCRAPER_API_KEY"):
        await crawled(tmp_path / "d.db", {"scraper_api": {"enabled": True}}, Request(site.url))
