"""Crawl a site with Scrapy: JOBDIR for the queue, a JSON-lines feed for the pages.

Usage: scrapy_site.py SEED RESULT_DIR
"""

import sys
from pathlib import Path

import scrapy
from scrapy.crawler import CrawlerProcess
from scrapy.linkextractors import LinkExtractor


class SiteSpider(scrapy.Spider):
    name = "site"
    link_extractor = LinkExtractor()

    def parse(self, response):
        if not isinstance(response, scrapy.http.HtmlResponse):
            return
        links = [link.url for link in self.link_extractor.extract_links(response)]
        yield {
            "url": response.url,
            "title": response.css("title::text").get(),
            "body": response.text,
            "links": links,
        }
        for link in links:
            if link.startswith(self.prefix):
                yield scrapy.Request(link)


def main(seed: str, result: str) -> None:
    process = CrawlerProcess(
        {
            "JOBDIR": str(Path(result, "job")),
            "FEEDS": {Path(result, "pages.jsonl"): {"format": "jsonlines"}},
            "CONCURRENT_REQUESTS": 32,
            "CONCURRENT_REQUESTS_PER_DOMAIN": 32,
            "DOWNLOAD_DELAY": 0,
            "ROBOTSTXT_OBEY": False,
            "LOG_LEVEL": "WARNING",
            "TELNETCONSOLE_ENABLED": False,
        }
    )
    process.crawl(SiteSpider, start_urls=[seed], prefix=seed.rpartition("/")[0] + "/")
    process.start()


main(sys.argv[1], sys.argv[2])
