"""The spider of the second table: build BeautifulSoup on every page and follow every link."""

from crawler import ScrapedPage, SiteSpider


class Soup(SiteSpider):
    name = "soup"

    def __init__(self, seed: str) -> None:
        super().__init__(seed)

    def parse(self, page: ScrapedPage) -> None:
        assert page.soup is not None
