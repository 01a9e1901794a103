"""The spider of `bench/reparse.py`: title, headings and number of links of every page.

Run with `-a old=1` it is the spider before the change: it keeps the title only.
"""

from collections.abc import Iterator

from crawler import ScrapedPage, SiteSpider, item


@item(key="url")
class Head:
    url: str
    title: str
    headings: list[str]
    links: int


class Heads(SiteSpider):
    name = "heads"
    old = ""

    def __init__(self, *, seeds: str, **arguments: str) -> None:
        super().__init__(*seeds.split(), **arguments)

    def parse(self, page: ScrapedPage) -> Iterator[Head]:
        if not page.response.is_html:
            return
        title = page.xpath("normalize-space(//title)").get() or ""
        if self.old:
            yield Head(page.url, title, [], 0)
            return
        headings = [part.xpath("normalize-space()").get() or "" for part in page.css("h1, h2")]
        links = page.xpath("count(//a[@href])").get() or "0"
        yield Head(page.url, title, headings, int(float(links)))
