"""Real documentation sites, one crawl, and an independent walk over their files.

`make real-pages` takes all of them, 6,000 pages; the quick suite the smallest.
"""

import asyncio
import os
import sqlite3
import sys
from collections import deque
from pathlib import Path
from urllib.parse import unquote, urldefrag, urljoin

import lxml.html
import pytest

from crawler import Crawler, SiteSpider

sys.path.append(str(Path(__file__).parents[2] / "bench"))
import sites

ALL = "STEP" in os.environ
WANTED = [site for site in sites.CORPORA if site.package and (ALL or site.name == "sqlite")]
CORPORA = [corpus for corpus in sites.available() if corpus in WANTED]
pytestmark = pytest.mark.skipif(
    len(CORPORA) < len(WANTED),
    reason=f"not installed: {', '.join(sites.missing())}",
)


def walk(seed: str, root: Path) -> set[str]:
    """Give every URL of the site that a reader of its files reaches from the seed."""
    prefix = seed[: seed.rindex("/") + 1]
    queue, seen, there = deque([seed]), {seed}, set()
    while queue:
        url = queue.popleft()
        file = root / unquote(url.removeprefix(prefix).partition("?")[0])
        if file.is_dir():
            file /= "index.html"
        if not file.is_file():
            continue
        there.add(url)
        if file.suffix not in (".html", ".htm"):
            continue
        tree = lxml.html.fromstring(file.read_bytes())
        for reference in tree.xpath("//a/@href | //area/@href"):
            try:
                target = urldefrag(urljoin(url, reference.strip()))[0]
            except ValueError:
                continue
            if target.startswith(prefix) and target not in seen:
                seen.add(target)
                queue.append(target)
    return there


def test_one_crawl_stores_just_the_pages_that_an_independent_walk_reaches(
    tmp_path: Path,
) -> None:
    store = tmp_path / "sites.db"
    settings = {
        "politeness": {"delay": 0, "per_host": 16},
        "engine": {"scope": "prefix"},
    }

    async def crawl(seeds: list[str]) -> None:
        async with Crawler(SiteSpider(*seeds), store=store, settings=settings) as crawler:
            await crawler.run()

    with sites.served(CORPORA) as port:
        seeds = [corpus.seed(port) for corpus in CORPORA]
        asyncio.run(crawl(seeds))

    with sqlite3.connect(store) as db:
        stored = [url for (url,) in db.execute("SELECT url FROM pages WHERE outcome = 'ok'")]
    assert len(stored) == len(set(stored))
    reached: set[str] = set()
    for corpus, seed in zip(CORPORA, seeds, strict=True):
        root = corpus.root()
        assert root is not None
        reached |= walk(seed, root)
    assert len(reached) > (2000 if ALL else 500)
    assert set(stored) - reached == set()
    assert reached - set(stored) == set()
