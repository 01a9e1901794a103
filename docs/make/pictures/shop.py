"""Take a picture of the practice site's single-page shop, by the steps of a crawl in a browser.

`python docs/make/pictures/shop.py` crawls a category of it on loopback, with a step `Screenshot`,
and puts what the crawl has stored into docs/pictures/shop-list.png.
"""

import asyncio
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from crawler import Crawler, Request, Spider
from crawler.browser import finding
from crawler.inspect.query import Reader
from crawler.practice import PracticeSite
from crawler.web.steps import Screenshot, Scroll, Wait

SHOWN = Path(__file__).parents[3] / "docs" / "pictures"
SANDBOX = "required" if finding.sandbox_flaw() is None else "preferred"


class Shop(Spider):
    """Looks at a category."""

    name = "shop"

    def start(self) -> Iterator[Request]:
        """Ask for it, scrolled to its end, so that its pictures are there."""
        steps = [Wait("article.product"), Scroll(most=2), Wait(idle=True), Screenshot("list")]
        yield Request(self.start_urls[0], steps=steps)

    def parse(self, page) -> None:
        """Take nothing of it but the picture."""


async def take(folder: Path) -> dict[str, Path]:
    """Crawl; return the pictures by name."""
    store = folder / "shop.db"
    spider = Shop()
    async with PracticeSite() as site:
        spider.start_urls = [site.at("/app/category/clocks")]
        settings = {"browser": {"sandbox": SANDBOX}, "politeness": {"delay": 0.0}}
        async with Crawler(spider, store=store, settings=settings) as crawler:
            await crawler.run()
    files = store.with_name(store.name + ".files")
    with Reader(store) as reader:
        rows = reader.query("SELECT name, path FROM rendered_files").rows
        return {Path(name).stem: files / path for name, path in rows}


def main() -> int:
    SHOWN.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(take(Path(folder)))
        for name, file in found.items():
            shutil.copyfile(file, SHOWN / f"shop-{name}.png")
    if "list" not in found:
        print("the crawl has stored no picture", file=sys.stderr)
    return "list" not in found


if __name__ == "__main__":
    sys.exit(main())
