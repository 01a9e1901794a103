"""Crawl a site with Scrapling's spiders: its own HTTP session, the pages as JSON lines.

Usage: scrapling_site.py SEED RESULT_DIR
Its queue is in memory. Certificates and browser fingerprints are left as it has them.
"""

import json
import logging
import sys
from pathlib import Path

from scrapling.spiders import Request, Spider


class SiteSpider(Spider):
    name = "site"
    concurrent_requests = 32
    logging_level = logging.ERROR
    prefix = ""

    async def parse(self, response):
        links = dict.fromkeys(
            response.urljoin(href).partition("#")[0]
            for href in response.css("a[href]::attr(href)").getall()
        )
        yield {
            "url": response.url,
            "title": response.css("title::text").get(),
            "body": response.body.decode("utf-8", "replace"),
            "links": list(links),
        }
        for link in links:
            if link.startswith(self.prefix):
                yield Request(link, sid=response.request.sid)

    async def on_scraped_item(self, item):
        self.lines.write(json.dumps(item) + "\n")  # None lets it go: it is not kept in memory


def main(seed: str, result: str) -> None:
    with Path(result, "pages.jsonl").open("w") as lines:
        spider = SiteSpider()
        spider.start_urls = [seed]
        spider.prefix = seed.rpartition("/")[0] + "/"
        spider.lines = lines
        spider.start(use_uvloop=True)


main(sys.argv[1], sys.argv[2])
