"""Crawlkeep: an async crawl framework that loses nothing and leaves you a database.

The public interface; everything is imported on first use, so that `import crawler` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crawler.version import __version__

if TYPE_CHECKING:
    from crawler.config import Config
    from crawler.crawl import Crawler, Summary, crawl
    from crawler.errors import CrawlerError
    from crawler.items import item
    from crawler.kinds import Download, StoredFile, Stream
    from crawler.page import Outcome, Response, ScrapedPage
    from crawler.request import Request
    from crawler.rules import Rule
    from crawler.secret import Secret
    from crawler.spider import SitemapSpider, SiteSpider, Spider

_HOMES = {
    "Config": "config",
    "Crawler": "crawl",
    "CrawlerError": "errors",
    "Download": "kinds",
    "Outcome": "page",
    "Request": "request",
    "Response": "page",
    "Rule": "rules",
    "Secret": "secret",
    "ScrapedPage": "page",
    "SiteSpider": "spider",
    "SitemapSpider": "spider",
    "Spider": "spider",
    "StoredFile": "kinds",
    "Stream": "kinds",
    "Summary": "crawl",
    "crawl": "crawl",
    "item": "items",
}

__all__ = [
    "Config",
    "Crawler",
    "CrawlerError",
    "Download",
    "Outcome",
    "Request",
    "Response",
    "Rule",
    "ScrapedPage",
    "Secret",
    "SiteSpider",
    "SitemapSpider",
    "Spider",
    "StoredFile",
    "Stream",
    "Summary",
    "__version__",
    "crawl",
    "item",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'crawler' has no attribute {name!r}")
    from importlib import import_module

    module = import_module(f"crawler.{home}")
    if home in _HOMES:  # the import has put the module where the function of its name belongs
        globals()[home] = getattr(module, home)
    value = getattr(module, name)
    globals()[name] = value
    return value
