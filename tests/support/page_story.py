"""The live page in tests: stores to show, the page served in the test's loop, and a browser."""

import asyncio
import html
import re
import shutil
from collections.abc import AsyncIterator, Coroutine
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

import aiohttp
import pytest
from crawl_story import crawler_of

from crawler import Rule, Spider, item
from crawler.dashboard.serve import Listening, served
from crawler.practice import PracticeSite

T = TypeVar("T")
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


def text_of(page: str) -> str:
    """Return what a reader of a page sees."""
    return html.unescape(" ".join(re.sub("<[^>]+>", " ", page).split()))


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


_HEARD = """
window.heard = [];
addEventListener("securitypolicyviolation", (event) => heard.push(
    `${event.violatedDirective}: ${event.blockedURI}`));
"""


class Tab:
    """A page of the browser that notes whatever should not be: nothing of it may be."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self._noted: list[str] = []
        self.asked: set[str] = set()
        """The origins of all that was asked for."""
        page.on("console", lambda said: said.type in ("error", "warning") and self._note(said.text))
        page.on("pageerror", lambda error: self._note(f"script: {error}"))
        page.on("dialog", self._dialog)
        page.on("request", lambda request: self.asked.add("/".join(request.url.split("/")[:3])))

    def _note(self, said: str) -> None:
        self._noted.append(said)

    async def _dialog(self, dialog: Any) -> None:
        self._note(f"dialog: {dialog.message}")
        await dialog.dismiss()

    async def trouble(self) -> list[str]:
        """Return what the console, scripts and the Content-Security-Policy said, and forget it."""
        said, self._noted = self._noted, []
        return said + await self.page.evaluate("heard.splice(0)")

    async def text(self, selector: str = "body") -> str:
        """Return the text that is seen in an element."""
        return " ".join((await self.page.inner_text(selector)).split())


class Stage:
    """One loop and one browser for all tests of a module: neither is started twice."""

    def __init__(self) -> None:
        if CHROMIUM is None:
            pytest.skip("no chromium; apt install chromium")
        self._playwright = pytest.importorskip("playwright.async_api")
        self._runner = asyncio.Runner()
        self._open = AsyncExitStack()
        self.browser: Any = None

    def __enter__(self) -> Self:
        self._runner.__enter__()
        self.browser = self.run(self._launch())
        return self

    def __exit__(self, *_: object) -> None:
        self.run(self._open.aclose())
        self._runner.__exit__(None, None, None)

    async def _launch(self) -> Any:
        started = await self._open.enter_async_context(self._playwright.async_playwright())
        rules = "MAP *.example 127.0.0.1"  # names that an attacker lets point to this machine
        launched = await started.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", f"--host-resolver-rules={rules}"],
        )
        self._open.push_async_callback(launched.close)
        return launched

    def run(self, coroutine: Coroutine[Any, Any, T], *, limit: float = 60) -> T:
        """Run a story to its end, within `limit` seconds."""

        async def within() -> T:
            async with asyncio.timeout(limit):
                return await coroutine

        return self._runner.run(within())

    def enter(self, manager: AbstractAsyncContextManager[T]) -> T:
        """Open something that stays until the module ends."""
        return self.run(self._open.enter_async_context(manager))

    @asynccontextmanager
    async def tab(self, *, width: int = 1280, dark: bool = False) -> AsyncIterator[Tab]:
        """Open a page in a profile of its own."""
        context = await self.browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light"
        )
        try:
            await context.add_init_script(_HEARD)
            context.set_default_timeout(10_000)
            yield Tab(await context.new_page())
        finally:
            await context.close()


def told(coroutine) -> None:
    """Run a story to its end, within a minute."""

    async def within() -> None:
        async with asyncio.timeout(90):
            await coroutine

    asyncio.run(within())
