"""Forms that a crawl sends, over real HTTP: a file goes out with its fields."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from client_story import on_site

from crawler import Crawler, Request, ScrapedPage, Spider
from crawler.practice import PracticeSite

FORM = b"""<form id=send method=post action=/upload enctype=multipart/form-data>
<input name=note><input type=file name=table><button name=go value=now>Send</button></form>"""


class Sender(Spider):
    name = "sender"
    settings: ClassVar[Any] = {"politeness": {"delay": 0.0}, "fetch": {"retry_delay": 0.0}}

    def __init__(self, url: str, file: Path) -> None:
        super().__init__()
        self.start_urls = [url]
        self.file = file
        self.answers: list[Any] = []

    def parse(self, page: ScrapedPage) -> Iterator[Request]:
        fields = {"note": "höhe", "table": self.file}
        yield page.form("#send").fill(fields, options={"callback": self.sent})

    def sent(self, page: ScrapedPage) -> None:
        self.answers.append(page.json())


@on_site()
async def test_a_file_field_is_sent_as_a_browser_sends_it(
    site: PracticeSite, tmp_path: Path
) -> None:
    site.add_page("/send", FORM)
    file = tmp_path / "tides.csv"
    file.write_bytes(b"hour,metres\n" * 100_000)
    spider = Sender(site.at("/send"), file)
    async with Crawler(spider, store=tmp_path / "s.db") as crawler:
        assert (await crawler.run()).state == "finished"
    [answer] = spider.answers
    assert [part["name"] for part in answer["parts"]] == ["note", "table", "go"]
    table = answer["parts"][1]
    assert (table["filename"], table["size"]) == ("tides.csv", 1_200_000)
    assert table["content_type"] == "text/csv"
    assert table["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()


@on_site()
async def test_a_file_that_is_gone_ends_in_an_outcome_and_the_crawl_goes_on(
    site: PracticeSite, tmp_path: Path
) -> None:
    site.add_page("/send", FORM)
    spider = Sender(site.at("/send"), tmp_path / "gone.csv")
    async with Crawler(spider, store=tmp_path / "s.db") as crawler:
        summary = await crawler.run()
    assert summary.state == "finished" and spider.answers == []
    assert summary.outcomes == {"ok": 1, "spider_error": 1}
