"""A feed of any size, one record a line: stored as typed rows, a thousand at a time.

crawler run examples/big_feed.py -a 'start_urls=http://127.0.0.1:8000/readings.jsonl?count=100000'
"""

from crawler import FeedSpider, item


@item(key="id")
class Reading:
    """One record of the feed."""

    id: int
    station: str
    level: float


class BigFeed(FeedSpider):
    """Readings of the practice site; `count` in the URL says how many."""

    name = "big_feed"
    record_type = Reading
    start_urls = ["http://127.0.0.1:8000/readings.jsonl?count=1000"]
