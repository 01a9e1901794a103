"""A feed of any size, one record a line: stored as typed rows, a thousand at a time.

crawler run examples/big_feed.py -a count=100000 -o readings.parquet
"""

from collections.abc import Iterator

from crawler import FeedSpider, Request, item


@item(key="id")
class Reading:
    """One record of the feed."""

    id: int
    station: str
    level: float


class BigFeed(FeedSpider):
    """Readings of the practice site; `count` says how many."""

    name = "big_feed"
    record_type = Reading
    base = "http://127.0.0.1:8000/"
    count = 1000

    def start(self) -> Iterator[Request]:
        yield self.feed(f"{self.base}readings.jsonl", params={"count": self.count})
