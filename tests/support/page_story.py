"""The live page in tests: stores to show, the page served in the test's loop, and a browser."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from crawl_story import crawler_of

from crawler import Rule, Spider, item
from crawler.dashboard.serve import Listening, served
from crawler.practice import PracticeSite

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
EVIL = "<img src=x onerror=alert(1)><script>alert(2)</script>\x1b]0;owned\x07\u202egnp.exe"


@item(key="name")
class Thing:
    name: str
    price: float


class Things(Spider):
    """Takes an item from each page; some do not fit, and one page makes it raise."""

    name = "things"
    rules = (Rule(callback="parse"),)
    settings = {"store": {"text": True}}  # noqa: RUF012

    def parse(self, page):
        for box in page.css("h1::text").getall():
            if box.endswith("7"):
                raise ValueError(f"no good: {box}")
            yield Thing(box, 1.5 if not box.endswith("5") else "dear")


def web_of(site: PracticeSite, pages: int = 40, title: str = "thing") -> str:
    """Add a small web with every kind of outcome, and return its start."""
    paths = [f"/{n // 10}/{n}" for n in range(pages)]
    odd = ["/missing", "/moved", "/broken", "/9/9?sort=1&page=2"]
    site.add_links("/", [*paths, *odd], title="start")
    for n, path in enumerate(paths):
        site.add_links(path, ["/", paths[(n + 1) % pages]], title=f"{title} {n}")
    site.add_page("/missing", "gone", status=410)
    site.add_redirect("/moved", "/0/1")
    site.add_page("/broken", "no", status=500)
    return site.at("/")


async def crawled(site: PracticeSite, store: Path, **settings) -> Path:
    """Crawl the small web into a store."""
    settings = {"fetch__retries": 0, "store__text": True, **settings}
    async with crawler_of(Things, store, web_of(site), **settings) as crawler:
        await crawler.run()
    return store


@asynccontextmanager
async def shown(*stores: Path, **options) -> AsyncIterator[str]:
    """Serve the page over stores; gives its address without the last slash."""
    async with served(stores, Listening("127.0.0.1", 0), **options) as address:
        yield address.partition("?")[0].rstrip("/")


async def got(url: str, **options) -> tuple[int, str]:
    """Return the status and the text of an address."""
    async with aiohttp.ClientSession() as session, session.get(url, **options) as response:
        return response.status, await response.text()


async def posted(url: str, data: dict[str, str], **headers: str) -> aiohttp.ClientResponse:
    """Post a form as a page of the same origin does; a redirect is not followed."""
    origin = "/".join(url.split("/")[:3])
    headers = {"Origin": origin, **{k.replace("_", "-"): v for k, v in headers.items()}}
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=data, headers=headers, allow_redirects=False) as response,
    ):
        await response.read()
        return response


@asynccontextmanager
async def browser() -> AsyncIterator[object]:
    """Start a headless Chromium; skips where there is none."""
    if CHROMIUM is None:
        pytest.skip("no chromium; apt install chromium")
    playwright = pytest.importorskip("playwright.async_api")
    async with playwright.async_playwright() as started:
        launched = await started.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
        )
        try:
            yield launched
        finally:
            await launched.close()


def told(coroutine) -> None:
    """Run a story to its end, within a minute."""

    async def within() -> None:
        async with asyncio.timeout(90):
            await coroutine

    asyncio.run(within())
