"""Several stores asked as one: each spider's rows, by type, with whose they are."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from crawl_story import crawl, story

from crawler import ScrapedPage, Spider, item
from crawler.cli import run
from crawler.errors import QueryError, StoreRefused, UsageError
from crawler.inspect.joint import JointReader
from crawler.practice import PracticeSite
from crawler.store.schema import migrate_now


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
        columns = reader.names()["book"]
        assert columns[:2] == ["spider", "item_id"] and "price" in columns
    with pytest.raises(UsageError, match="11 stores"):
        JointReader(stores[:1] * 11)


def store(path: Path, spider: str, *sql: str) -> Path:
    """A store with nothing in it but what `sql` puts there."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        migrate_now(db, path)
        db.execute("INSERT INTO crawl VALUES ('spider', ?)", (spider,))
        for each in sql:
            db.execute(each)
    return path


def test_stores_of_one_spider_are_told_apart_by_their_files(tmp_path: Path) -> None:
    odd = (
        'CREATE TABLE "Odd ""x" (Spider, v)',
        'INSERT INTO "Odd ""x" VALUES (1, 2)',
        "CREATE VIEW broken AS SELECT none_such FROM pages",
    )
    like = ('CREATE TABLE "odd ""x" (v, w)', 'INSERT INTO "odd ""x" VALUES (3, 4)')
    lamps = store(tmp_path / "lamps.db", "shop", *odd)
    chairs = store(tmp_path / "chairs.db", "shop", *like)
    other = store(tmp_path / "other.db", "o'clock")
    with JointReader([lamps, chairs, other]) as reader:
        asked = "SELECT DISTINCT spider FROM crawl ORDER BY 1"
        assert list(reader.query(asked).rows) == [("chairs",), ("lamps",), ("o'clock",)]
        found = reader.query('SELECT * FROM "odd ""x" ORDER BY v')
        assert found.columns == ("Spider", "v", "w")
        assert list(found.rows) == [(1, 2, None), ("chairs", 3, 4)]
        with pytest.raises(QueryError, match="did you mean pages"):
            reader.query("SELECT * FROM page")


@pytest.mark.parametrize("content", [b"", b"no database, " * 99, None])
def test_what_is_no_store_is_named_with_the_way_out(tmp_path: Path, content: bytes | None) -> None:
    stray = tmp_path / "stray.db"
    if content is None:
        with closing(sqlite3.connect(stray)) as db:
            db.execute("CREATE TABLE x (y)")
    else:
        stray.write_bytes(content)
    with pytest.raises(StoreRefused, match=r"stray\.db.*move it elsewhere"):
        JointReader([store(tmp_path / "a.db", "a"), stray])


def test_query_all_asks_what_is_in_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["query", "--all", "SELECT 1"]) == 2
    assert "stores in data/" in capsys.readouterr().err
    Path("data").mkdir()
    for name in ("a", "a.20261127-021500", "a.20261127-021500-2"):
        store(Path("data", f"{name}.db"), "a")
    assert run(["query", "--all", "SELECT count(*) FROM crawl", "-f", "csv"]) == 0
    out, err = capsys.readouterr()
    assert out.split() == ["count(*)", "1"]
    assert "2 stores put aside by --fresh left out" in err
