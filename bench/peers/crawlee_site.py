"""Crawl a site with Crawlee: its file storage (or memory), Parsel or BeautifulSoup.

Usage: crawlee_site.py SEED RESULT_DIR parsel|soup file|memory
Links are extracted once per page: the same list is stored and followed.
"""

import asyncio
import json
import logging
import sys
from pathlib import Path

from crawlee import ConcurrencySettings, Glob, service_locator
from crawlee.configuration import Configuration
from crawlee.crawlers import BeautifulSoupCrawler, ParselCrawler
from crawlee.storage_clients import FileSystemStorageClient, MemoryStorageClient

CRAWLERS = {"parsel": ParselCrawler, "soup": BeautifulSoupCrawler}
CLIENTS = {"file": FileSystemStorageClient, "memory": MemoryStorageClient}


def title_of(context) -> str | None:
    if hasattr(context, "selector"):
        return context.selector.css("title::text").get()
    return context.soup.title.string if context.soup.title else None


async def crawl(seed: str, kind: str, storage: str) -> list[str]:
    prefix = seed.rpartition("/")[0] + "/"
    crawler = CRAWLERS[kind](
        concurrency_settings=ConcurrencySettings(
            min_concurrency=32, max_concurrency=32, desired_concurrency=32
        ),
        respect_robots_txt_file=False,
    )
    found: list[str] = []

    @crawler.router.default_handler
    async def page(context) -> None:
        links = await context.extract_links(include=[Glob(prefix + "**")])
        body = (await context.http_response.read()).decode("utf-8", "replace")
        await context.push_data(
            {
                "url": context.request.url,
                "title": title_of(context),
                "body": body,
                "links": [link.url for link in links],
            }
        )
        await context.add_requests(links)
        found.append(context.request.loaded_url or context.request.url)

    await crawler.run([seed])
    return found


def main(seed: str, result: str, kind: str, storage: str) -> None:
    logging.disable(logging.CRITICAL)
    service_locator.set_configuration(Configuration(storage_dir=str(Path(result, "storage"))))
    service_locator.set_storage_client(CLIENTS[storage]())
    found = asyncio.run(crawl(seed, kind, storage))
    Path(result, "found.json").write_text(json.dumps(found))


main(*sys.argv[1:5])
