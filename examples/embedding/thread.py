"""A thread: a crawl beside a program that goes on, and can stop it."""

import asyncio
import threading

from crawler import Crawler, SiteSpider, Summary


class CrawlThread(threading.Thread):
    """Crawls a site; `summary` is there when it has ended."""

    summary: Summary | None = None

    def __init__(self, url: str, store: str) -> None:
        super().__init__(daemon=True)
        self.url, self.store = url, store
        self.ready = threading.Event()

    def run(self) -> None:
        self.summary = asyncio.run(self.crawl())

    async def crawl(self) -> Summary:
        async with Crawler(SiteSpider(self.url), store=self.store) as crawler:
            self.loop, self.crawler = asyncio.get_running_loop(), crawler
            self.ready.set()
            return await crawler.run()

    def stop(self) -> None:
        """Let what is in flight end; the next crawl into the store goes on."""
        self.ready.wait()
        self.loop.call_soon_threadsafe(self.crawler.stop)
