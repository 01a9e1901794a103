"""Crawls in a real browser, where this machine has one, and the settings that they need here."""

import os
from pathlib import Path
from typing import Any

import pytest
from crawl_story import crawl, crawler_of

from crawler import Crawler, Spider, Summary
from crawler.browser import finding
from crawler.errors import ConfigError


def _missing() -> str | None:
    if finding.driver() is None:
        return "Playwright is not installed"
    try:
        finding.find()
    except ConfigError as error:
        return str(error)
    return None


MISSING = _missing()
needs_browser = pytest.mark.skipif(
    MISSING is not None and not os.environ.get("CI"), reason=MISSING or ""
)
"""Skip where there is no browser, but not in CI, which installs one."""

SANDBOX = "required" if finding.sandbox_flaw() is None else "preferred"


def _settings(own: dict[str, Any]) -> dict[str, Any]:
    return {"browser__sandbox": SANDBOX, "browser__settle": 0.2, **own}


async def render_all(
    spider: type[Spider] | Spider | str, store: Path, *urls: str, **settings: Any
) -> Summary:
    """Run a crawl to its end; pages are at rest after 0.2 s."""
    return await crawl(spider, store, *urls, **_settings(settings))


def browsing(
    spider: type[Spider] | Spider | str, store: Path, *urls: str, **settings: Any
) -> Crawler:
    """Give a crawler of the same kind."""
    return crawler_of(spider, store, *urls, **_settings(settings))
