"""What huge sitemaps take: one of 50 MB with 50,000 URLs, and an index of 500.

    .venv/bin/python bench/sitemaps.py

The first is read from memory, and what Python allocates beyond it is told; the second is crawled
from a site on loopback whose pages are all left out by a rule, so that only sitemaps are fetched.
"""

from __future__ import annotations

import asyncio
import resource
import tempfile
import time
import tracemalloc
from pathlib import Path

from crawler import Crawler, Rule, SitemapSpider, sitemap
from crawler.practice import PracticeSite

URLS, SIZE, MAPS = 50_000, 50 * 1024 * 1024, 500
HEAD = b'<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'


def huge() -> bytes:
    """Return a sitemap as large as the protocol allows, in bytes and in URLs."""
    entry = "<url><loc>http://site.test/{:06}/{}</loc><lastmod>2026-01-31</lastmod></url>"
    filler = (SIZE - len(HEAD) - 9) // URLS - len(entry.format(0, ""))
    rows = (entry.format(number, "x" * filler).encode() for number in range(URLS))
    return b"".join((HEAD, *rows, b"</urlset>"))


def one_file() -> None:
    """Read the huge one twice: for its time, and for its memory."""
    body = huge()
    start = time.process_time()
    found = sum(1 for _ in sitemap.stream(body, "http://site.test/map.xml"))
    took = time.process_time() - start
    tracemalloc.start()
    for _ in sitemap.stream(body, "http://site.test/map.xml"):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    print(
        f"{len(body) / 2**20:.0f} MB: {found:,} URLs, {took:.1f} s CPU,"
        f" {peak / 2**20:.1f} MB beyond it"
    )


class Listed(SitemapSpider):
    """Reads sitemaps, and none of the pages in them."""

    sitemap_rules = (Rule(r"^$"),)


async def index() -> None:
    """Crawl an index of many sitemaps, of which each lists a hundredth of the URLs."""
    async with PracticeSite(robots=False) as site:
        each = URLS // MAPS
        for number in range(MAPS):
            rows = "".join(
                f"<url><loc>{site.at(f'/{number}/{n}')}</loc></url>" for n in range(each)
            )
            site.add_page(f"/{number}.xml", HEAD.decode() + rows + "</urlset>")
        maps = "".join(f"<sitemap><loc>{site.at(f'/{n}.xml')}</loc></sitemap>" for n in range(MAPS))
        site.add_page("/index.xml", f"<sitemapindex>{maps}</sitemapindex>")
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            settings = {"politeness": {"delay": 0, "robots": False, "per_host": 8}}
            spider = Listed(site.at("/index.xml"))
            async with Crawler(spider, store=Path(folder) / "s.db", settings=settings) as crawler:
                summary = await crawler.run()
        more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        took = time.process_time() - start
    print(
        f"index: {summary.outcomes['sitemap']:,} sitemaps, {URLS:,} URLs, {took:.1f} s CPU,"
        f" {more:.0f} MB more"
    )


if __name__ == "__main__":
    asyncio.run(index())
    one_file()
