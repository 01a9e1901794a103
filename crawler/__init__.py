"""Crawlkeep: an async crawl framework that loses nothing and leaves you a database.

The public interface; everything is imported on first use, so that `import crawler` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crawler.moved import install
from crawler.version import __version__

if TYPE_CHECKING:
    from crawler.config.layers import Config
    from crawler.config.secrets import Secret
    from crawler.engine.crawler import Crawler, Summary
    from crawler.engine.one_call import crawl
    from crawler.errors import CrawlerError, DropItem, DropRequest, StopCrawl
    from crawler.items import item
    from crawler.links.rule import Rule
    from crawler.spider import FeedSpider, SitemapSpider, SiteSpider, Spider
    from crawler.web.download_stream import Download, StoredFile, Stream
    from crawler.web.outcome import Outcome
    from crawler.web.page import ScrapedPage
    from crawler.web.request import Request
    from crawler.web.response import Response

_HOMES = {
    "Config": "config.layers",
    "Crawler": "engine.crawler",
    "CrawlerError": "errors",
    "Download": "web.download_stream",
    "DropItem": "errors",
    "DropRequest": "errors",
    "FeedSpider": "spider",
    "Outcome": "web.outcome",
    "Request": "web.request",
    "Response": "web.response",
    "Rule": "links.rule",
    "Secret": "config.secrets",
    "ScrapedPage": "web.page",
    "SiteSpider": "spider",
    "SitemapSpider": "spider",
    "Spider": "spider",
    "StopCrawl": "errors",
    "StoredFile": "web.download_stream",
    "Stream": "web.download_stream",
    "Summary": "engine.summary",
    "crawl": "engine.one_call",
    "item": "items",
}

__all__ = [
    "Config",
    "Crawler",
    "CrawlerError",
    "Download",
    "DropItem",
    "DropRequest",
    "FeedSpider",
    "Outcome",
    "Request",
    "Response",
    "Rule",
    "ScrapedPage",
    "Secret",
    "SiteSpider",
    "SitemapSpider",
    "Spider",
    "StopCrawl",
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
    value = getattr(module, name)
    globals()[name] = value
    return value


install()
