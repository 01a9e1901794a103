"""A feed of any size, one record a line: read as it comes, stored as typed rows.

crawler run examples/big_feed.py -a count=100000 -o readings.parquet
"""

from collections.abc import Iterator

from crawler import Request, ScrapedPage, Spider, item


@item(key="id")
class Reading:
    """One record of the feed."""

    id: int
    station: str
    level: float


class BigFeed(Spider):
    """Readings of the practice site; `count` says how many."""

    name = "big_feed"
    base = "http://127.0.0.1:8000/"
    count = 1000

    def start(self) -> Iterator[Request]:
        yield Request(f"{self.base}readings.jsonl", params={"count": self.count})

    def parse(self, page: ScrapedPage) -> Iterator[Reading]:
        yield from page.records(Reading)
