"""A checker that nothing stops: what every URL of a list ended as, errors above all.

crawler run examples/checker.py -a file=urls.txt -o result.csv
"""

from collections.abc import Iterator
from pathlib import Path

from crawler import Outcome, Request, ScrapedPage, Spider, item


@item(key="url")
class Checked:
    """One URL, and how it ended."""

    url: str
    outcome: str
    status: int | None
    title: str | None = None


class Checker(Spider):
    """Ask for each URL of a file, one a line."""

    name = "checker"
    file = "urls.txt"
    settings = {"fetch": {"retries": 1, "total_timeout": 10}, "engine": {"scope": "any"}}

    def start(self) -> Iterator[Request]:
        for line in Path(self.file).read_text("utf-8").split():
            yield Request(line, errback=self.failed)

    def parse(self, page: ScrapedPage) -> Checked:
        return Checked(page.requested_url, "ok", page.status, page.title)

    def failed(self, request: Request, outcome: Outcome, status: int | None) -> Checked:
        return Checked(request.first_url or request.url, outcome, status)
