"""Items lead to the files that were downloaded for their page, or from which they were read."""

from pathlib import Path
from typing import Any

from data_story import SmallWeb, crawl, on_web, page, rows

from crawler import Download, ScrapedPage, Spider, item


@item
class Tide:
    source: str


class Tides(Spider):
    """Yields an item from a page with two downloads, and one from each file."""

    name = "tides"

    def parse(self, page: ScrapedPage) -> Any:
        yield Tide("page")
        yield Download(page.urljoin("/a.csv"), callback=self.stored)
        yield Download(page.urljoin("/b.csv"), callback=self.stored)

    def stored(self, file: Any) -> Any:
        yield Tide(file.name)


def test_an_item_leads_to_the_files_of_its_page(tmp_path: Path) -> None:
    store = tmp_path / "a.db"

    async def tell(web: SmallWeb) -> None:
        web.add("/", page("home"))
        web.add("/a.csv", "1,2", Content_Type="text/csv")
        web.add("/b.csv", "3,4", Content_Type="text/csv")
        spider = Tides()
        spider.start_urls = [web.url + "/"]
        await crawl(store, spider)

    on_web(tell)
    found = rows(
        store, "SELECT source, name, path FROM tide JOIN page_files USING (page_id) ORDER BY 1, 2"
    )
    assert [row[:2] for row in found] == [
        ("a.csv", "a.csv"),
        ("b.csv", "b.csv"),
        ("page", "a.csv"),
        ("page", "b.csv"),
    ]
    assert all((tmp_path / "a.db.files" / path).is_file() for _, _, path in found)
