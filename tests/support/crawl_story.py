"""Tell a test as a story: a small web on loopback, a crawl of it, and what its store then holds."""

import asyncio
import inspect
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from crawler import Crawler, Rule, SiteSpider, Spider, Summary
from crawler.practice import PracticeSite

LIMIT = 30  # seconds that a story may take


class Follow(Spider):
    """Follows every link in scope."""

    name = "follow"
    rules = (Rule(),)


def story(**options: Any) -> Callable[[Callable[..., Awaitable[None]]], Callable[..., None]]:
    """Make `async def test(site, path, **case)` a plain test on a site with these options."""
    options = {"robots": False, **options}

    def decorate(tale: Callable[..., Awaitable[None]]) -> Callable[..., None]:
        async def tell(path: Path, case: dict[str, Any]) -> None:
            async with PracticeSite(**options) as site, asyncio.timeout(LIMIT):
                await tale(site, path, **case)

        def test(tmp_path: Path, **case: Any) -> None:
            asyncio.run(tell(tmp_path, case))

        own = list(inspect.signature(tale).parameters.values())[2:]
        first = inspect.Parameter("tmp_path", inspect.Parameter.KEYWORD_ONLY)
        keywords = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own]
        test.__signature__ = inspect.Signature([first, *keywords])  # type: ignore[attr-defined]
        test.__name__, test.__doc__ = tale.__name__, tale.__doc__
        return test

    return decorate


def crawler_of(
    spider: type[Spider] | Spider | str, store: Path, *urls: str, **settings: Any
) -> Crawler:
    """Give a crawler without delay; `settings` are `section__key=value`."""
    made = SiteSpider(spider) if isinstance(spider, str) else spider
    made = made if isinstance(made, Spider) else made()
    if urls:
        made.start_urls = urls
    sections: dict[str, dict[str, Any]] = {
        "politeness": {"delay": 0.0},
        "fetch": {"retry_delay": 0.0},
    }
    for name, value in settings.items():
        section, key = name.split("__")
        sections.setdefault(section, {})[key] = value
    return Crawler(made, store=store, settings=sections)


async def crawl(
    spider: type[Spider] | Spider | str, store: Path, *urls: str, **settings: Any
) -> Summary:
    """Run a crawl to its end."""
    async with crawler_of(spider, store, *urls, **settings) as crawler:
        return await crawler.run()


def read(store: Path, sql: str) -> list[Any]:
    """Query a store from outside; rows of one column come as that column."""
    connection = sqlite3.connect(f"file:{store}?mode=ro", uri=True)
    try:
        rows = connection.execute(sql).fetchall()
    finally:
        connection.close()
    return [row[0] for row in rows] if rows and len(rows[0]) == 1 else rows


def stored(store: Path, site: PracticeSite) -> list[str]:
    """The paths of the pages that were stored, in the order of their commits."""
    urls = read(store, "SELECT url FROM pages WHERE outcome IN ('ok', 'spider_error')")
    return ["/" + url.removeprefix(site.url) for url in urls]


def outcomes(store: Path, site: PracticeSite) -> dict[str, str]:
    """The outcome of every path that ended."""
    rows = read(store, "SELECT url, outcome FROM pages ORDER BY page_id")
    return {"/" + url.removeprefix(site.url): outcome for url, outcome in rows}
