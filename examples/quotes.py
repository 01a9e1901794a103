"""Quotes to scrape: quotes page after page, and the page of each author, once.

crawler run examples/quotes.py -a start_urls=https://quotes.toscrape.com/ -o '{type}.jsonl'
"""

from collections.abc import Iterator

from crawler import Request, ScrapedPage, Spider, item


@item(key="text")
class Quote:
    """One saying; the same text again replaces the row."""

    text: str
    author: str
    tags: list[str]


@item(key="url")
class Author:
    """Who said it."""

    url: str
    name: str


class Quotes(Spider):
    """Quotes and authors of quotes.toscrape.com, or of the practice site."""

    name = "quotes"
    start_urls = ["http://127.0.0.1:8000/"]

    def parse(self, page: ScrapedPage) -> Iterator[Quote | Request]:
        for box in page.css("div.quote"):
            yield Quote(
                text=box.css(".text::text").get("").strip("“”"),
                author=box.css(".author::text").get(""),
                tags=box.css(".tag::text").getall(),
            )
        yield from page.follow_all("a[href*='/author/']", self.author)
        yield from page.follow_all("li.next a")

    def author(self, page: ScrapedPage) -> Author:
        return Author(page.url, page.css("h1::text, h3.author-title::text").get("").strip())
