"""The test kit for spiders: real pages from text, crawls over recorded answers, snapshots of items.

Everything is imported on first use, so that a test suite which only has the plug-in pays nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crawler.testing.changes import ItemsChanged, assert_items
    from crawler.testing.offline import Crawled, ParsedPage, crawl
    from crawler.testing.pages import page_from
    from crawler.testing.recording import RecordedAnswer, Recording

_HOMES = {
    "RecordedAnswer": "recording",
    "Crawled": "offline",
    "ItemsChanged": "changes",
    "ParsedPage": "offline",
    "Recording": "recording",
    "assert_items": "changes",
    "crawl": "offline",
    "page_from": "pages",
}

__all__ = [
    "Crawled",
    "ItemsChanged",
    "ParsedPage",
    "RecordedAnswer",
    "Recording",
    "assert_items",
    "crawl",
    "page_from",
]


def __getattr__(name: str) -> object:
    """Import a name of the kit when it is first asked for (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'crawler.testing' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"crawler.testing.{home}"), name)
    globals()[name] = value
    return value
