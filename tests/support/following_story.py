"""Tell a crawl as a story: a practice site, a spider, and the store it leaves behind."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

from crawler import Crawler, Spider, Summary

FAST: dict[str, Any] = {"delay": 0, "per_host": 16}


async def crawled(spider: Spider, store: Path, /, **settings: dict[str, Any]) -> Summary:
    """Run a spider to its end, at most a minute, without a delay between requests."""
    settings["politeness"] = FAST | settings.get("politeness", {})
    async with asyncio.timeout(60), Crawler(spider, store=store, settings=settings) as crawler:
        return await crawler.run()


def rows(store: Path, sql: str, *values: Any) -> list[Any]:
    """Ask the store; a single column comes as plain values."""
    db = sqlite3.connect(store)
    try:
        found = db.execute(sql, values).fetchall()
    finally:
        db.close()
    return [row[0] for row in found] if found and len(found[0]) == 1 else found


def counters(store: Path) -> dict[str, int]:
    """Why URLs were refused, and how often."""
    found = dict(rows(store, "SELECT name, value FROM counters WHERE name LIKE 'refused.%'"))
    return {name.removeprefix("refused."): number for name, number in found.items()}
