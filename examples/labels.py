"""Labels and enqueueing, as Crawlee has them: a method for each label.

crawler run examples/labels.py --max-pages 40
"""

from collections.abc import Iterator

from crawler import Request, ScrapedPage, Spider, item


@item(key="url")
class Product:
    """A product and the shelf on which it was found."""

    url: str
    name: str
    price: str
    shelf: str


class Labels(Spider):
    """The shop of the practice site, shelf by shelf."""

    name = "labels"
    start_urls = ["http://127.0.0.1:8000/shop/"]

    def parse(self, page: ScrapedPage) -> Iterator[Request]:
        for link in page.css("p.tags a.category"):
            yield page.follow(link, self.shelf, args={"name": link.css("::text").get("")})

    def shelf(self, page: ScrapedPage, name: str) -> Iterator[Request]:
        yield from page.follow_all("article.product h3 a", self.product, args={"shelf": name})
        yield from page.follow_all("li.next a", self.shelf, args={"name": name})

    def product(self, page: ScrapedPage, shelf: str) -> Iterator[Product]:
        price = page.css(".price::text").get("")
        yield Product(page.url, page.css("h1::text").get(""), price, shelf)
