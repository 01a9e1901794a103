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
    base = "http://127.0.0.1:8000/"
    query = ""

    def ask(self, number: int) -> Request:
        body = {"query": self.query, "page": number}
        return Request(f"{self.base}api/search", method="POST", json=body)

    def start(self) -> Iterator[Request]:
        yield self.ask(1)

    def parse(self, page: ScrapedPage) -> Iterator[Found | Request]:
        answer = page.json()
        for hit in answer["items"]:
            yield Found(hit["id"], hit["name"], hit["category"], hit["price"])
        if answer["page"] < answer["pages"]:
            yield self.ask(answer["page"] + 1)
