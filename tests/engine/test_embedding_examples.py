"""The examples of embedding run: FastAPI, Django, Celery, a thread; a second run as on the line."""

import asyncio
import importlib
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from crawl_story import crawler_of, read, story
from site_thread import site_on_a_thread

from crawler import Crawler, ScrapedPage, SiteSpider, Spider, crawl
from crawler.practice import PracticeSite

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site() -> Iterator[PracticeSite]:
    with site_on_a_thread() as served:
        served.add_links("/some", [f"/some/{number}" for number in range(3)])
        for number in range(3):
            served.add_page(f"/some/{number}", f"<title>{number}</title>")
        served.delay("/some/2", 0.05)
        yield served


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRAWLER_POLITENESS__DELAY", "0")


def example(name: str, needs: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of other people's packages
        pytest.importorskip(needs)
        monkeypatch.syspath_prepend(str(ROOT))
        module: ModuleType = importlib.import_module(f"examples.embedding.{name}")
    return module


def test_fastapi(site: PracticeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app = example("fastapi_app", "fastapi", monkeypatch).app
    httpx = pytest.importorskip("httpx")
    asked = {"url": site.at("/some/1"), "store": str(tmp_path / "s.db")}

    async def ask() -> str:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            texts = [(await client.get("/titles", params=asked)).text for _ in range(2)]
        assert texts[0] == texts[1], "the second starts over, as it says"
        return texts[0]

    assert json.loads(asyncio.run(ask())) == {"url": asked["url"], "title": "1"}


def test_django(site: PracticeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    view = example("django_view", "django", monkeypatch).crawl
    from django.conf import settings
    from django.test import AsyncRequestFactory

    if not settings.configured:
        settings.configure(SECRET_KEY="x", ALLOWED_HOSTS=["*"])
    request = AsyncRequestFactory().get(
        "/crawl/", {"url": site.at("/some"), "store": str(tmp_path / "s.db")}
    )
    answers = [json.loads(asyncio.run(view(request)).content) for _ in range(2)]
    assert answers == [
        {"pages": 4, "reason": "finished"},
        {"pages": 0, "reason": "nothing_to_do"},
    ]


def test_celery(site: PracticeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = example("celery_task", "celery", monkeypatch).crawl
    ended = task.apply(args=[site.at("/some"), str(tmp_path / "s.db")]).get()
    assert ended == {"pages": 4, "items": 0, "reason": "finished"}


def test_a_thread_that_is_stopped(
    site: PracticeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = example("thread", "crawler", monkeypatch).CrawlThread
    held = site.hold("/some")
    first = kind(site.at("/some"), str(tmp_path / "s.db"))
    first.start()
    first.stop()
    held._loop.call_soon_threadsafe(held.set) if held._loop else held.set()
    first.join(30)
    assert first.summary.reason == "interrupted"
    second = kind(site.at("/some"), str(tmp_path / "s.db"))
    second.start()
    second.join(30)
    assert (second.summary.reason, second.summary.total_pages) == ("finished", 4)


def test_the_page_shows_the_examples_as_they_are() -> None:
    page = (ROOT / "docs" / "how-to" / "embed.md").read_text("utf-8")
    for file in (ROOT / "examples" / "embedding").glob("*.py"):
        assert file.read_text("utf-8") in page, file.name


class Opened(Spider):
    """Counts in its state how often it was opened."""

    name = "opened"

    def opened(self) -> None:
        self.state["opened"] = self.state.get("opened", 0) + 1

    def parse(self, page: ScrapedPage) -> dict[str, str]:
        return {"url": page.url}


@story()
async def test_a_second_run_goes_on_and_ends_at_once_where_nothing_is_left(site, path):
    urls = [site.add_page(f"/{number}", f"<title>{number}</title>") for number in range(6)]
    async with crawler_of(Opened, path / "s.db", *urls, engine__max_items=2) as crawler:
        runs = [await crawler.run() for _ in range(2)]
    assert [(run.reason, run.items, run.pages) for run in runs] == [
        ("max_items", 2, 2),
        ("max_items", 0, 0),
    ]
    async with crawler_of(Opened, path / "s.db", *urls) as crawler:
        runs = [await crawler.run() for _ in range(3)]
    assert [(run.reason, run.items, run.total_pages) for run in runs] == [
        ("finished", 4, 6),
        ("nothing_to_do", 0, 6),
        ("nothing_to_do", 0, 6),
    ]
    assert crawler.spider.state == {"opened": 3}
    assert read(path / "s.db", "SELECT count(*) FROM runs") == [3]


@story()
async def test_fresh_moves_aside_what_was_there(site, path):
    url = site.add_page("/x", "<title>x</title>")
    store = path / "s.db"
    for fresh in (False, True):
        async with Crawler(SiteSpider(url), store=store, fresh=fresh) as crawler:
            assert (await crawler.run()).total_pages == 1
    assert len(list(path.glob("s.*.db"))) == 1


def test_crawl_starts_over_where_it_is_asked_to(site: PracticeSite, tmp_path: Path) -> None:
    url, store = site.at("/some/1"), tmp_path / "s.db"
    pages = [crawl(url, store=store, fresh=fresh).pages for fresh in (False, False, True)]
    assert pages == [1, 0, 1]
