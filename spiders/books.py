"""The goods of a shop: rules find the products, typed columns keep them."""

from crawler import Rule, ScrapedPage, Spider, item


@item(key="url")
class Book:
    """What a product page says; the same URL again replaces the row."""

    url: str
    title: str
    price: float
    in_stock: bool
    category: str | None


class Books(Spider):
    """Products of books.toscrape.com, or of the practice shop with `-a base=URL`."""

    name = "books"
    base = "https://books.toscrape.com/"
    rules = (
        Rule(allow=(r"/catalogue/[^/]+_\d+/", r"/shop/product/"), callback="parse_book"),
        Rule(allow=(r"/page-\d+\.html$", r"/shop/(page/\d+/)?$")),  # the list, page after page
    )

    @property
    def start_urls(self):
        return [self.base]

    def parse_book(self, page: ScrapedPage):
        yield Book(
            url=page.url,
            title=page.css("h1::text").get(""),
            price=float(page.css(".price, .price_color").re_first(r"\d+\.\d+")),
            in_stock="In stock" in page.css(".stock, .availability").get(""),
            category=page.css(".breadcrumb a::text").getall()[-1],
        )
