"""Collect typed items from several JSON APIs, each paged in its own way.

crawler demo --serve-only
crawler run api_items -a site=http://127.0.0.1:8000
"""

from crawler import Request, ScrapedPage, Spider, item
from crawler.web.link_header import link_to


@item(key="id")
class ApiQuote:
    id: int
    text: str
    author: str
    tags: list[str]


@item(key="id")
class ApiProduct:
    id: int
    name: str
    category: str
    price: float
    stock: int


@item(key="slug")
class ApiAuthor:
    slug: str
    role: str
    place: str


class ApiItems(Spider):
    name = "api_items"
    site = "http://127.0.0.1:8000"

    @property
    def start_urls(self):
        return [f"{self.site}/api/quotes?per_page=50"]

    def start(self):
        yield Request(f"{self.site}/api/quotes?per_page=50", callback=self.quotes)
        yield Request(f"{self.site}/api/products?limit=50", callback=self.products)
        yield Request(f"{self.site}/api/authors", callback=self.authors)

    def quotes(self, page: ScrapedPage):  # the answer names its next page
        found = page.json()
        for entry in found["items"]:
            yield ApiQuote(**entry)
        if found["next"]:
            yield page.follow(found["next"], callback=self.quotes)

    def products(self, page: ScrapedPage):  # a cursor
        found = page.json()
        for entry in found["items"]:
            yield ApiProduct(**{name: entry[name] for name in ApiProduct.__annotations__})
        if found["next_cursor"]:
            more = f"?limit=50&cursor={found['next_cursor']}"
            yield page.follow(more, callback=self.products)

    def authors(self, page: ScrapedPage):  # a Link header (RFC 8288)
        for entry in page.json():
            yield ApiAuthor(entry["slug"], entry["role"], entry["place"])
        following = link_to("next", page.headers.get("Link", ""), page.url)
        if following:
            yield Request(following, callback=self.authors)
