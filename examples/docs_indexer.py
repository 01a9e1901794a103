"""An index of documentation: a record for each heading, with the text below it.

crawler run examples/docs_indexer.py -a start_urls=https://docs.example/ -o index.json
"""

from collections.abc import Iterator

from crawler import Rule, ScrapedPage, Spider, item

PARTS = "//main//*[self::h1 or self::h2 or self::h3 or self::p or self::li][not(ancestor::nav)]"


@item(key="url")
class Section:
    """One heading: itself and those above it, and what stands below it."""

    url: str
    titles: list[str]
    text: str


class DocsIndexer(Spider):
    """Every page below the start URL."""

    name = "docs_indexer"
    start_urls = ["http://127.0.0.1:8000/manual/"]
    rules = [Rule()]
    settings = {"engine": {"scope": "prefix"}}

    def parse(self, page: ScrapedPage) -> Iterator[Section]:
        url, titles, texts = page.url, list[str](), list[str]()
        for node in page.xpath(PARTS):
            text = node.xpath("normalize-space()").get("")
            if node.root.tag not in ("h1", "h2", "h3"):
                texts.append(text)
                continue
            if titles:
                yield Section(url, titles, " ".join(texts))
            titles, texts = [*titles[: int(node.root.tag[1]) - 1], text], []
            url = f"{page.url}#{node.attrib['id']}" if "id" in node.attrib else page.url
        yield Section(url, titles, " ".join(texts))
