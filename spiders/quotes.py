"""Quotes with their authors and tags, page after page."""

from crawler import ScrapedPage, Spider, item


@item(key="text")
class Quote:
    """One saying; the same text again replaces the row."""

    text: str
    author: str
    tags: list[str]


class Quotes(Spider):
    """Quotes of quotes.toscrape.com; `-a base=URL` points it to another site of that markup."""

    name = "quotes"
    base = "https://quotes.toscrape.com/"

    @property
    def start_urls(self):
        return [self.base]

    def parse(self, page: ScrapedPage):
        for box in page.css("div.quote"):
            yield Quote(
                text=box.css(".text::text").get("").strip("“”"),
                author=box.css(".author::text").get(""),
                tags=box.css(".tag::text").getall(),
            )
        yield from page.follow_all("li.next a")
