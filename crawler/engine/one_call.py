"""crawl: a site in one call, for scripts without an event loop."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from crawler import urls
from crawler.engine.crawler import Crawler
from crawler.engine.spider_calls import refuse_running_loop
from crawler.engine.summary import Summary
from crawler.spider import SiteSpider
from crawler.store.address import StoreAddress


def crawl(
    url: str,
    *,
    store: str | StoreAddress | None = None,
    max_pages: int | None = None,
    settings: dict[str, dict[str, Any]] | None = None,
    fresh: bool = False,
) -> Summary:
    """Crawl a site to the end and return the summary; for scripts without an event loop.

    It goes on with what is in `store`; `fresh` moves that aside and starts over.

    UsageError inside a running event loop (a notebook, a web service): there `Crawler` is awaited.
    """
    refuse_running_loop()
    merged: dict[str, dict[str, Any]] = {name: dict(v) for name, v in (settings or {}).items()}
    if max_pages is not None:
        merged.setdefault("engine", {})["max_pages"] = max_pages
    seed = urls.from_cli(url)
    default: str | StoreAddress = Path("data") / f"{store_name(seed)}.db"
    address = default if store is None else store

    async def run() -> Summary:
        async with Crawler(
            SiteSpider(seed), store=address, settings=merged, fresh=fresh
        ) as crawler:
            return await crawler.run()

    return asyncio.run(run())


def store_name(url: str) -> str:
    """Return the name of the default store of a site: its host name, safe as a file name."""
    name = urls.authority_of(url)
    return "".join(char if char.isalnum() or char in ".-" else "_" for char in name)
