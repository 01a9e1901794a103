"""Books to scrape: every product of a shop, with its price, stock, rating and category.

crawler run examples/books.py -a start_urls=https://books.toscrape.com/ -o books.csv
"""

from collections.abc import Iterator

from crawler import Rule, ScrapedPage, Spider, item
from crawler.web.loading import css

STARS = ["Zero", "One", "Two", "Three", "Four", "Five"]


def stars(found: str) -> int:
    """`4` as the practice shop has it, `star-rating Four` as books.toscrape.com has it."""
    return int(found) if found.isdigit() else STARS.index(found.split()[-1])


@item(key="url")
class Book:
    """What a product page says; the same URL again replaces the row."""

    url: str
    title: str = css("h1")
    price: float = css(".price, .price_color")
    in_stock: bool = css(".stock, .availability", lambda found: "In stock" in found)
    rating: int = css(".rating::attr(data-rating), .star-rating::attr(class)", stars)
    category: str = css(".breadcrumb li:nth-last-child(2)")


class Books(Spider):
    """Products of books.toscrape.com, or of the practice shop."""

    name = "books"
    start_urls = ["http://127.0.0.1:8000/shop/"]
    rules = [
        Rule(allow=[r"/catalogue/[^/]+_\d+/", r"/shop/product/"], callback="book"),
        Rule(allow=[r"/page-\d+\.html$", r"/shop/page/\d+/$"]),
    ]

    def book(self, page: ScrapedPage) -> Iterator[Book]:
        yield from page.items(Book, url=page.url)
