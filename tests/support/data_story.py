"""A small web on loopback, built page by page, and crawls of it into a real store."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from crawler import Spider
from crawler.engine.crawler import Crawler, Summary

FAST: dict[str, dict[str, Any]] = {
    "politeness": {"delay": 0.0, "per_host": 16, "robots": False},
    "fetch": {"retries": 0},
}


class SmallWeb:
    """Pages by path; `add` one, `drop` one, ask what was `asked`."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[int, str, dict[str, str]]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.url = ""

    def add(self, path: str, html: str, *, status: int = 200, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.pages[path] = (status, html, {"Content-Type": "text/html; charset=utf-8", **named})

    def drop(self, path: str) -> None:
        del self.pages[path]

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.append((request.path_qs, dict(request.headers)))
        status, html, headers = self.pages.get(request.path_qs, (404, "not here", {}))
        tag = headers.get("ETag")
        if tag is not None and request.headers.get("If-None-Match") == tag:
            return web.Response(status=304, headers={"ETag": tag})
        return web.Response(status=status, body=html.encode(), headers=headers)

    async def __aenter__(self) -> "SmallWeb":
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._runner.cleanup()


async def crawl(
    store: Path, spider: type[Spider] | Spider, /, **sections: dict[str, Any]
) -> Summary:
    """Crawl to the end with no delays, and give the summary."""
    settings = {name: {**FAST.get(name, {}), **sections.get(name, {})} for name in FAST | sections}
    async with Crawler(spider, store=store, settings=settings) as crawler:
        return await crawler.run()


def on_web(tell: Callable[[SmallWeb], Any]) -> None:
    """Run `tell(web)` with a small web that is being served."""

    async def story() -> None:
        async with SmallWeb() as small:
            await tell(small)

    asyncio.run(story())


def rows(store: Path, sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """Give what plain SQLite, without anything of ours, answers."""
    db = sqlite3.connect(store)
    try:
        return db.execute(sql, values).fetchall()
    finally:
        db.close()


def page(title: str, *links: str, text: str = "") -> str:
    """Give a small HTML page."""
    anchors = "".join(f'<a href="{link}">{link}</a>' for link in links)
    return f"<html><head><title>{title}</title></head><body><p>{text}</p>{anchors}</body></html>"
