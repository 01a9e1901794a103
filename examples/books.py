"""Books to scrape: every product of a shop, with its price, stock, rating and category.

crawler run examples/books.py -a start_urls=https://books.toscrape.com/ -o books.csv
"""

from crawler import Rule, ScrapedPage, Spider, item

STARS = ["Zero", "One", "Two", "Three", "Four", "Five"]


@item(key="url")
class Book:
    """What a product page says; the same URL again replaces the row."""

    url: str
    title: str
    price: float
    in_stock: bool
    rating: int
    category: str


class Books(Spider):
    """Products of books.toscrape.com, or of the practice shop."""

    name = "books"
    start_urls = ["http://127.0.0.1:8000/shop/"]
    rules = [
        Rule(allow=[r"/catalogue/[^/]+_\d+/", r"/shop/product/"], callback="book"),
        Rule(allow=[r"/page-\d+\.html$", r"/shop/page/\d+/$"]),
    ]

    def book(self, page: ScrapedPage) -> Book:
        stars = page.css(".rating::attr(data-rating)").get()
        word = page.css(".star-rating::attr(class)").re_first(r"[A-Z]\w+") or "Zero"
        return Book(
            url=page.url,
            title=page.css("h1::text").get(""),
            price=float(page.css(".price, .price_color").re_first(r"\d+\.\d+") or 0),
            in_stock="In stock" in page.css(".stock, .availability").get(""),
            rating=int(stars) if stars else STARS.index(word),
            category=page.css(".breadcrumb a::text").getall()[-1],
        )
