"""What a sitemap says of one page, as it is stored."""

from __future__ import annotations

from typing import NamedTuple


class SitemapEntry(NamedTuple):
    """A page that a sitemap lists: its URL as the crawl visits it, the rest as it is written."""

    sitemap: str
    url: str
    lastmod: str | None = None
    changefreq: str | None = None
    priority: float | None = None
