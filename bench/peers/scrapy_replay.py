"""Crawl sites with Scrapy through its HTTP cache, on the network or from the cache alone.

Usage: scrapy_replay.py CACHE_DIR FEED online|offline SEED...

The settings are those of someone who wants speed: no delay, no robots.txt, few log lines. The
cache is Scrapy's default: files, each page a directory, every answer fresh for ever.
"""

import sys

import scrapy
from scrapy.crawler import CrawlerProcess
from scrapy.linkextractors import LinkExtractor


class Heads(scrapy.Spider):
    name = "heads"
    link_extractor = LinkExtractor()

    def parse(self, response):
        if not isinstance(response, scrapy.http.HtmlResponse):
            return
        yield {
            "url": response.url,
            "title": response.xpath("normalize-space(//title)").get() or "",
            "headings": [
                part.xpath("normalize-space()").get() or "" for part in response.css("h1, h2")
            ],
            "links": int(float(response.xpath("count(//a[@href])").get())),
        }
        for link in self.link_extractor.extract_links(response):
            if link.url.startswith(self.prefixes):
                yield scrapy.Request(link.url)


def main(cache: str, feed: str, network: str, *seeds: str) -> None:
    process = CrawlerProcess(
        {
            "HTTPCACHE_ENABLED": True,
            "HTTPCACHE_DIR": cache,
            "HTTPCACHE_IGNORE_MISSING": network == "offline",
            "FEEDS": {feed: {"format": "jsonlines"}},
            "CONCURRENT_REQUESTS": 32,
            "CONCURRENT_REQUESTS_PER_DOMAIN": 32,
            "DOWNLOAD_DELAY": 0,
            "ROBOTSTXT_OBEY": False,
            "LOG_LEVEL": "WARNING",
            "TELNETCONSOLE_ENABLED": False,
        }
    )
    prefixes = tuple(seed.rpartition("/")[0] + "/" for seed in seeds)
    process.crawl(Heads, start_urls=list(seeds), prefixes=prefixes)
    process.start()


main(*sys.argv[1:])
