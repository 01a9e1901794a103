"""Several stores asked as one: each spider's rows, by type, with whose they are."""

from pathlib import Path

import pytest
from crawl_story import crawl, story

from crawler import ScrapedPage, Spider, item
from crawler.cli import run
from crawler.errors import QueryError, UsageError
from crawler.inspect.joint import JointReader
from crawler.practice import PracticeSite


@item(table="book", key="title")
class Book:
    title: str


@item(table="book", key="title")
class Priced:
    title: str
    price: float


class Titles(Spider):
    name = "titles"

    def parse(self, page: ScrapedPage) -> object:
        return Book(page.title or "")


class Prices(Titles):
    name = "prices"

    def parse(self, page: ScrapedPage) -> object:
        return Priced(page.title or "", 9.5)


@story()
async def test_one_table_has_the_rows_of_all_spiders_though_its_columns_differ(
    site: PracticeSite, path: Path
) -> None:
    url = site.add_page("/lamp", "<title>Lamp</title>")
    stores = []
    for kind in (Titles, Prices):
        spider, store = kind(), path.with_name(f"{kind.name}.db")
        spider.start_urls = [url]
        await crawl(spider, store)
        stores.append(store)
    with JointReader(stores) as reader:
        asked = "SELECT spider, title, price FROM book ORDER BY spider"
        assert list(reader.query(asked).rows) == [("prices", "Lamp", 9.5), ("titles", "Lamp", None)]
        # Of one URL each spider has a visit of its own.
        both = "SELECT spider, url, outcome FROM pages ORDER BY 1"
        assert list(reader.query(both).rows) == [("prices", url, "ok"), ("titles", url, "ok")]
        runs = "SELECT spider, state FROM runs ORDER BY 1"
        assert list(reader.query(runs).rows) == [("prices", "finished"), ("titles", "finished")]
        for harm in ("DELETE FROM s0.pages", "ATTACH 'x.db' AS x"):
            with pytest.raises(QueryError):
                reader.query(harm)
        assert reader.names()["book"][0] == "item_id" and "price" in reader.names()["book"]
    with pytest.raises(UsageError, match="11 stores"):
        JointReader(stores[:1] * 11)


def test_query_all_asks_what_is_in_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["query", "--all", "SELECT 1"]) == 2
    assert "stores in data/" in capsys.readouterr().err
