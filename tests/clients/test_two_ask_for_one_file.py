"""Two items that ask for one file are told of it each; a password in a URL is not lost silently."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from client_story import on_site
from fault_server import FaultServer, page, says

from crawler.clients import download
from crawler.engine.crawler import Crawler
from crawler.errors import BadUrl
from crawler.practice import PracticeSite
from crawler.spider import Spider
from crawler.web.download_stream import Download
from crawler.web.page import ScrapedPage
from crawler.web.request import Request


def test_each_item_gets_its_callback_and_the_file_is_there_once(tmp_path: Path) -> None:
    told: list[tuple[str, Path]] = []

    async def story() -> None:
        async with FaultServer() as server:
            file = server.at("/file", says(page(b"one"), keep=True))

            class Two(Spider):
                name = "two"
                start_urls = (server.at("/a", says(page(b""), keep=True)),)
                settings = {"politeness": {"delay": 0}}  # noqa: RUF012

                def parse(self, page: ScrapedPage) -> Iterator[Request]:
                    for item in ("first", "second", "first"):
                        yield Download(file, callback=self.stored, meta={"item": item})
                    yield Download(file, callback=self.other)

                def stored(self, file: Any) -> None:
                    told.append((file.request.meta["item"], file.path))

                def other(self, file: Any) -> None:
                    told.append(("other", file.path))

            async with Crawler(Two, store=tmp_path / "a.db") as crawler:
                await crawler.run()

    asyncio.run(story())
    assert sorted(name for name, _ in told) == ["first", "other", "second"]
    assert len({path for _, path in told}) == 1


@pytest.mark.parametrize("url", ["http://me:pw@a.example/", "https://me@a.example/x", "//me:pw@a"])
def test_a_request_with_a_password_in_its_url_says_where_it_belongs(url: str) -> None:
    with pytest.raises(BadUrl) as refused:
        Request(url if "://" in url else f"http:{url}")
    assert "[auth." in str(refused.value) and "pw" not in str(refused.value)


@on_site()
async def test_a_transformed_answer_is_a_file(site: PracticeSite, tmp_path: Path) -> None:
    async with FaultServer() as server:
        url = server.at("/f", says(page(b"changed", b'ETag: "1"\r\n', b"203 Transformed")))
        assert (await download(url, tmp_path / "f")).path.read_bytes() == b"changed"
