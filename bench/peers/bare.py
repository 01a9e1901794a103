"""The floor: fetch a known list of URLs with aiohttp and uvloop, and do nothing with them.

Usage: bare.py URLS_FILE RESULT_DIR. The list comes from another system's run.
"""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import uvloop

CONCURRENCY = 32


async def work(session: aiohttp.ClientSession, urls: Iterator[str], found: list[str]) -> None:
    for url in urls:
        async with session.get(url) as response:
            await response.read()
            if response.status == 200:
                found.append(url)


async def crawl(urls: list[str]) -> list[str]:
    rest, found = iter(urls), []
    connector = aiohttp.TCPConnector(limit=CONCURRENCY)
    async with (
        aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session,
        asyncio.TaskGroup() as group,
    ):
        for _ in range(CONCURRENCY):
            group.create_task(work(session, rest, found))
    return found


def main(urls_file: str, result: str) -> None:
    found = uvloop.run(crawl(Path(urls_file).read_text().split()))
    Path(result, "found.txt").write_text("\n".join(found))


main(*sys.argv[1:3])
