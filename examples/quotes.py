"""Quotes to scrape: quotes page after page, and the page of each author, once.

crawler run examples/quotes.py -a start_urls=https://quotes.toscrape.com/ -o '{type}.jsonl'
"""

from collections.abc import Iterator

from crawler import Request, ScrapedPage, Spider, item
from crawler.web.loading import css


@item(key="text")
class Quote:
    """One saying; the same text again replaces the row."""

    text: str = css(".text", lambda found: found.strip("“”"))
    author: str = css(".author")
    tags: list[str] = css(".tag", all=True, default=[])


@item(key="url")
class Author:
    """Who said it."""

    url: str
    name: str = css("h1, h3.author-title")


class Quotes(Spider):
    """Quotes and authors of quotes.toscrape.com, or of the practice site."""

    name = "quotes"
    start_urls = ["http://127.0.0.1:8000/"]

    def parse(self, page: ScrapedPage) -> Iterator[Quote | Request]:
        yield from page.items(Quote, "div.quote")
        yield from page.follow_all("a[href*='/author/']", self.author)
        yield from page.follow_all("li.next a")

    def author(self, page: ScrapedPage) -> Iterator[Author]:
        yield from page.items(Author, url=page.url)
