"""Tell which files of the package one plain page passes, from its turn to its commit.

Two crawls of one small site on loopback, of FEW pages and of MORE: what is called for every page
is called that much more often in the second one. Start-up, end and what happens once a flush cancel
out. `python docs/make/passes.py` prints the list, `--write` puts it into docs/architecture.md.
"""

from __future__ import annotations

import asyncio
import re
import sys
import tempfile
import threading
from collections import Counter, defaultdict
from pathlib import Path
from types import FrameType

from aiohttp import web

import crawler
from crawler import Crawler, SiteSpider

FEW, MORE = 4, 44
PACKAGE = Path(crawler.__file__).parent
PAGE = Path(__file__).parents[1] / "architecture.md"
BEGIN, END = "<!-- passes: begin -->", "<!-- passes: end -->"
POLITENESS = {"delay": 0.0, "per_host": 100}
ONCE = {"flush_interval": 60.0}  # on a busy machine a flush would come every few pages


def site(pages: int) -> web.Application:
    """Return a site with robots.txt, a first page that links to all others, and those."""

    async def page(request: web.Request) -> web.Response:
        number = int(request.match_info["number"])
        links = range(1, pages) if number == 0 else [0]
        anchors = "".join(f'<li><a href="/{n}">Page {n}</a>' for n in links)
        html = f"<!doctype html><title>Page {number}</title><h1>{number}</h1><ul>{anchors}</ul>"
        return web.Response(text=html, content_type="text/html")

    async def robots(request: web.Request) -> web.Response:
        return web.Response(text="User-agent: *\nDisallow: /private/\n")

    application = web.Application()
    application.router.add_get("/robots.txt", robots)
    application.router.add_get(r"/{number:\d+}", page)
    return application


async def calls(pages: int) -> Counter[tuple[str, str]]:
    """Return how often each function of the package is called in a crawl: (file, name) → times."""
    runner = web.AppRunner(site(pages))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/0"
    counted: Counter[tuple[str, str]] = Counter()

    def count(frame: FrameType, event: str, argument: object) -> None:
        file = Path(frame.f_code.co_filename)
        if event == "call" and file.is_relative_to(PACKAGE):
            counted[str(file.relative_to(PACKAGE)), frame.f_code.co_qualname] += 1

    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "plain.db"
        settings = {"politeness": POLITENESS, "store": ONCE}
        async with Crawler(SiteSpider(url), store=store, settings=settings) as crawl:
            threading.setprofile(count)
            sys.setprofile(count)
            try:
                summary = await crawl.run()
            finally:
                sys.setprofile(None)
                threading.setprofile(None)  # type: ignore[arg-type]
    await runner.cleanup()
    assert summary.pages == pages, summary
    return counted


def passed() -> dict[str, list[str]]:
    """Return the functions that one plain page passes, by file."""
    few, more = (asyncio.run(calls(pages)) for pages in (FEW, MORE))
    found = defaultdict(list)
    for (file, name), times in sorted(more.items()):
        if times - few[file, name] >= (MORE - FEW) / 2 and "<" not in name:
            found[file].append(name)
    return dict(found)


def told(found: dict[str, list[str]]) -> str:
    """Return the list as Markdown."""
    functions = sum(map(len, found.values()))
    rows = [f"| `{file}` | {', '.join(f'`{n}`' for n in names)} |" for file, names in found.items()]
    head = f"One plain page passes {len(found)} files and {functions} functions:"
    return "\n".join([head, "", "| file | functions |", "|---|---|", *rows])


if __name__ == "__main__":
    text = told(passed())
    if "--write" in sys.argv:
        page = PAGE.read_text(encoding="utf-8")
        block = f"{BEGIN}\n{text}\n{END}"
        PAGE.write_text(re.sub(f"{BEGIN}.*?{END}", lambda _: block, page, flags=re.S), "utf-8")
    else:
        print(text)
