"""An item that a later visit does not find any more is marked, and what became of items is told."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import store_truth
from data_story import SmallWeb, crawl, on_web, page, rows

from crawler import ScrapedPage, Spider, item
from crawler.inspect import diff, item_changes
from crawler.inspect.query import Reader
from crawler.store import open_store, requeue
from crawler.store.schema import MIGRATIONS

NOW = "2999-01-01T00:00:00.000Z"


@item(key="name")
class Ware:
    name: str
    price: int


@item(key="name", history=True)
class Kept:
    name: str
    price: int
    colour: str | None = None


@item
class Loose:
    name: str


def spider_of(web: SmallWeb, give: Callable[[str], list[Any]]) -> Spider:
    """A spider of three pages; `give` tells what each yields, by its title."""

    class Giving(Spider):
        name = "giving"

        def parse(self, page: ScrapedPage) -> Any:
            yield from give(page.title or "")

    made = Giving()
    made.start_urls = [f"{web.url}/{name}" for name in "abc"]
    return made


def serve(web: SmallWeb, *names: str, text: str = "") -> None:
    web.pages.clear()
    for name in names:
        web.add(f"/{name}", page(name, text=text))


async def again(web: SmallWeb, store: Path, give: Callable[[str], list[Any]]) -> None:
    requeue.recrawl(store, NOW, all_=True)
    await crawl(store, spider_of(web, give))
    store_truth.check(store)


def marks(store: Path, table: str) -> dict[str, bool]:
    return dict(rows(store, f"SELECT name, gone_at IS NOT NULL FROM {table}"))


def told(store: Path, kind: str | None = None) -> list[tuple[Any, ...]]:
    """What `crawler changes` tells of items: kind, item, field, before, after."""
    with Reader(store) as reader:
        found = list(item_changes.with_pages(reader, "", kind).rows)
    return [(row[1], row[8], *row[10:]) for row in found if row[8] is not None]


def all_kinds(title: str) -> list[Any]:
    return [Ware(title, 1), Kept(title, 1), Loose(title)]


def test_items_of_a_page_that_is_gone_are_marked_until_it_comes_back(tmp_path: Path) -> None:
    store = tmp_path / "a.db"

    async def tell(web: SmallWeb) -> None:
        serve(web, "a", "b", "c")
        await crawl(store, spider_of(web, all_kinds))
        assert not any(marks(store, "ware").values()) and told(store) == []
        serve(web, "a", "c")
        await again(web, store, all_kinds)
        for table in ("ware", "kept", "loose"):
            assert marks(store, table) == {"a": False, "b": True, "c": False}
        [(at,)] = rows(store, "SELECT gone_at FROM ware WHERE name = 'b'")
        assert sorted(told(store)) == [
            ("item_gone", table, "gone_at", None, at) for table in ("kept", "loose", "ware")
        ]
        await again(web, store, all_kinds)  # still gone: nothing to tell
        assert rows(store, "SELECT gone_at FROM ware WHERE name = 'b'") == [(at,)]
        assert len(told(store)) == 3
        serve(web, "a", "b", "c")
        await again(web, store, all_kinds)
        for table in ("ware", "kept", "loose"):
            assert marks(store, table) == dict.fromkeys("abc", False)
        assert sorted(told(store, "item_back")) == [
            ("item_back", table, "gone_at", at, None) for table in ("kept", "ware")
        ]

    on_web(tell)


def test_an_item_with_a_key_that_its_page_gives_no_longer_is_marked(tmp_path: Path) -> None:
    store = tmp_path / "a.db"

    async def tell(web: SmallWeb) -> None:
        serve(web, "a", "b", "c")
        await crawl(store, spider_of(web, lambda t: [*all_kinds(t), Ware(t + "2", 1), Loose("x")]))
        serve(web, "a", "b", "c", text="other")
        await again(web, store, all_kinds)
        wanted = {"a": 0, "b": 0, "c": 0, "a2": 1, "b2": 1, "c2": 1}
        assert marks(store, "ware") == wanted
        assert marks(store, "loose") == dict.fromkeys("abc", False), "others took their place"
        with Reader(store) as reader:
            runs = list(diff.runs(store, 1, 2))
        assert reader is not None
        assert {(d.kind, d.key, d.before) for d in runs if d.what == "ware"} == {
            ("gone", name, f"name={name}, price=1") for name in ("a2", "b2", "c2")
        }

    on_web(tell)


def test_an_item_that_moves_to_another_page_is_not_gone(tmp_path: Path) -> None:
    store = tmp_path / "a.db"

    async def tell(web: SmallWeb) -> None:
        serve(web, "a", "b", "c")
        await crawl(store, spider_of(web, lambda title: [Ware("one", 1)] * (title == "a")))
        serve(web, "a", "b", "c", text="other")
        await again(web, store, lambda title: [Ware("one", 1)] * (title == "b"))
        assert marks(store, "ware") == {"one": False}

    on_web(tell)


def test_a_failure_or_an_unchanged_page_marks_nothing(tmp_path: Path) -> None:
    store = tmp_path / "a.db"

    async def tell(web: SmallWeb) -> None:
        serve(web, "c")
        web.add("/a", page("a"), ETag='"1"')
        web.add("/b", page("b"))
        await crawl(store, spider_of(web, all_kinds))
        web.add("/b", "down", status=500)
        await again(web, store, all_kinds)
        assert marks(store, "ware") == dict.fromkeys("abc", False)
        assert told(store) == []

    on_web(tell)


def test_a_history_tells_field_by_field(tmp_path: Path) -> None:
    store = tmp_path / "a.db"

    async def tell(web: SmallWeb) -> None:
        serve(web, "a")
        await crawl(store, spider_of(web, lambda t: [Kept(t, 1), Ware(t, 1)]))
        serve(web, "a", text="other")
        await again(web, store, lambda t: [Kept(t, 2, "red"), Ware(t, 2)])
        wanted = [("item_changed", "kept", "price", 1, 2)]
        wanted += [("item_changed", "kept", "colour", None, "red")]
        assert told(store) == wanted
        sql = (
            "SELECT field, before, after, page_url, run_id FROM item_changes JOIN kept"
            " USING (item_id, page_url, run_id) WHERE item = 'kept' AND at = fetched_at"
        )
        url = web.url + "/a"
        assert rows(store, sql) == [("price", 1, 2, url, 2), ("colour", None, "red", url, 2)]

    on_web(tell)


def old_store(path: Path) -> None:
    """A store of the version before, with items that have a history, and a field of that name."""
    with closing(sqlite3.connect(path)) as db:
        for file in MIGRATIONS[:7]:
            db.executescript(file.read_text(encoding="utf-8"))
        columns = "page_id INTEGER NOT NULL, page_url TEXT NOT NULL, run_id INTEGER NOT NULL,"
        columns += " fetched_at TIMESTAMP NOT NULL"
        item_id = "item_id INTEGER PRIMARY KEY AUTOINCREMENT"
        db.executescript(
            f"CREATE TABLE kept ({item_id}, name TEXT NOT NULL, price INTEGER, {columns});"
            "CREATE UNIQUE INDEX kept_key ON kept (name);"
            f"CREATE TABLE kept_history (item_id INTEGER, name TEXT, price INTEGER, {columns},"
            " replaced_at TIMESTAMP);"
            f"CREATE TABLE item ({item_id}, gone_at TEXT, {columns});"
            """INSERT INTO item_types (name, columns, key, history) VALUES
            ('kept', '{"name": "TEXT", "price": "INTEGER"}', '["name"]', 1),
            ('item', '{"gone_at": "TEXT"}', '[]', 0);
            INSERT INTO kept VALUES (1, 'a', 1, 1, 'http://h/', 1, '2026-01-01T00:00:00Z');
            PRAGMA application_id = 0x43724B70; PRAGMA user_version = 7;"""
        )


@pytest.mark.parametrize("how", ["crawl", "command"])
def test_item_tables_of_an_earlier_version_get_the_mark(tmp_path: Path, how: str) -> None:
    store = tmp_path / "a.db"
    old_store(store)
    if how == "command":
        requeue.under_way(store)
    else:
        import asyncio

        async def tell() -> None:
            made = open_store(str(store))
            await made.open()
            await made.close()

        asyncio.run(tell())
    names = [name for (name,) in rows(store, "SELECT name FROM pragma_table_info('kept')")]
    assert names[-1] == "gone_at"
    assert len(rows(store, "SELECT 1 FROM pragma_table_info('item')")) == 6, "a field keeps it"
    with closing(sqlite3.connect(store)) as db, db:
        db.execute("UPDATE kept SET price = 2")
    assert rows(store, "SELECT field, before, after FROM item_changes") == [("price", 1, 2)]
    requeue.under_way(store)  # once is enough
