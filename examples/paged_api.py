"""A JSON API that is asked by POST, page after page.

crawler run examples/paged_api.py -a query=lamp -o products.jsonl
"""

from collections.abc import Iterator

from crawler import Request, ScrapedPage, Spider, item


@item(key="id")
class Found:
    """One hit of the search."""

    id: int
    name: str
    category: str
    price: float


class PagedApi(Spider):
    """All that the search of the practice site finds."""

    name = "paged_api"
    url = "http://127.0.0.1:8000/api/search"
    query = ""

    def ask(self, number: int) -> Request:
        return Request(self.url, method="POST", json={"query": self.query, "page": number})

    def start(self) -> Iterator[Request]:
        yield self.ask(1)

    def parse(self, page: ScrapedPage) -> Iterator[Found | Request]:
        yield from page.records(Found, at="items")
        answer = page.json()
        if answer["page"] < answer["pages"]:
            yield self.ask(answer["page"] + 1)
