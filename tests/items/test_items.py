"""What a spider yields becomes rows of typed tables."""

import asyncio
import enum
from dataclasses import make_dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pydantic
import pytest
from data_story import SmallWeb, crawl, on_web, page, rows

from crawler import ScrapedPage, Spider, item
from crawler.errors import SpiderError, StoreRefused
from crawler.items import InvalidItem, record_of, table_of


class Size(enum.StrEnum):
    SMALL = "small"


@item(key="name")
class Product:
    name: str
    price: float
    stock: int | None
    sizes: list[Size]
    seen: datetime
    new: bool = True


@pytest.mark.parametrize(
    ("hint", "value", "kind", "stored"),
    [
        (str, "naïve\ud800\0", "text", "naïve\ufffd\ufffd"),
        (int, 7, "integer", 7),
        (float, 7, "real", 7.0),
        (bool, True, "boolean", 1),
        (Decimal, Decimal("1.10"), "decimal", "1.10"),
        (int, 1 << 63, "integer", "9223372036854775808"),
        (Size, Size.SMALL, "text", "small"),
        (Literal["a", "b"], "a", "text", "a"),
        (date, date(2026, 1, 2), "timestamp", "2026-01-02"),
        (
            datetime,
            datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=2))),
            "timestamp",
            "2026-01-02T01:00:00Z",
        ),
        (list[str], ["a", "ü"], "json", '["a","ü"]'),
        (set[str], {"b", "a"}, "json", '["a","b"]'),
        (dict[str, Any], {"b": 1, "a": datetime(2026, 1, 1, tzinfo=UTC)}, "json", None),
        (int | None, None, "integer", None),
        (list[str] | None, None, "json", None),
    ],
)
def test_a_value_is_stored_by_the_kind_of_its_field(
    hint: Any, value: Any, kind: str, stored: Any
) -> None:
    made = make_dataclass("Thing", [("field", hint)])
    record = record_of(made(value))
    assert record.table.columns[0].kind == kind
    if stored is not None or value is None:
        assert record.values == (stored,)


@pytest.mark.parametrize(
    ("hint", "value", "reason"),
    [
        (str, 7, "takes text, got int"),
        (int, True, "takes integer, got bool"),
        (int, 1 << 1024, "beyond what a number of SQL holds"),
        (int, (1 << 1024) - 1, "beyond what a number of SQL holds"),
        (float, float("nan"), "finite"),
        (str, None, "has no value"),
        (list[str], ["a", 1], "does not fit"),
        (datetime, "2026", "takes timestamp"),
    ],
)
def test_a_value_that_does_not_fit_names_the_field_and_the_reason(
    hint: Any, value: Any, reason: str
) -> None:
    made = make_dataclass("Thing", [("field", hint)])
    with pytest.raises(InvalidItem, match=rf"thing\.field .*{reason}"):
        record_of(made(value))


def test_a_pydantic_model_is_a_table_and_its_urls_are_text() -> None:
    class Book(pydantic.BaseModel):
        title: str
        home: pydantic.HttpUrl
        authors: list[str] = []
        year: int | None = None

    record = record_of(Book(title="Emma", home="https://example.com/a"))
    kinds = {column.name: column.kind for column in record.table.columns}
    assert kinds == {"title": "text", "home": "text", "authors": "json", "year": "integer"}
    assert record.values == ("Emma", "https://example.com/a", "[]", None)


@pytest.mark.parametrize("fields", [[("page_url", str)], [("name", str), ("Name", str)]])
def test_a_type_that_cannot_be_a_table_is_refused(fields: list[tuple[str, Any]]) -> None:
    with pytest.raises(SpiderError):
        table_of(make_dataclass("Thing", fields))


# ---------------------------------------------------------------- in a crawl


def spider_of(web: SmallWeb, give: Any, **attributes: Any) -> type[Spider]:
    """Give a spider that yields what `give(page)` gives for the pages under `/`."""

    def parse(self: Spider, page: ScrapedPage) -> Any:
        yield from give(page)

    body = {"name": "s", "start_urls": [web.url + "/"], "parse": parse, **attributes}
    return type("S", (Spider,), body)


def product(price: float = 1.5) -> Product:
    seen = datetime(2026, 1, 1, tzinfo=UTC)
    return Product("pen", price, None, [Size.SMALL], seen)


def test_an_item_is_a_row_with_its_page_and_run(tmp_path: Path) -> None:
    async def tell(web: SmallWeb) -> None:
        web.add("/", page("home"))
        await crawl(tmp_path / "a.db", spider_of(web, lambda page: [product()]))
        found = rows(
            tmp_path / "a.db", "SELECT name, price, sizes, new, page_url, run_id FROM product"
        )
        assert found == [("pen", 1.5, '["small"]', 1, web.url + "/", 1)]

    on_web(tell)


def test_items_that_do_not_fit_are_problems_and_the_others_are_stored(tmp_path: Path) -> None:
    class Model(pydantic.BaseModel):
        number: int

    def give(page: ScrapedPage) -> Any:
        yield Product("pen", "dear", None, [], datetime.now(UTC))  # type: ignore[arg-type]
        yield {"name": "x", "price": 1}
        yield {"name": "y", "price": b"dear"}
        yield {"name": "z", "colour": None}
        yield Model(number="none")  # type: ignore[arg-type]

    async def tell(web: SmallWeb) -> None:
        web.add("/", page("home"))
        await crawl(tmp_path / "a.db", spider_of(web, give))
        assert rows(tmp_path / "a.db", "SELECT name, price FROM item") == [("x", 1), ("z", None)]
        found = rows(tmp_path / "a.db", "SELECT item, reason, page_url FROM problems ORDER BY item")
        assert [(name, url) for name, _, url in found] == [
            (name, web.url + "/") for name in ("Model", "Product", "dict")
        ]
        assert "item.price is bytes" in found[2][1]

    on_web(tell)


def test_pipelines_change_and_drop_items_in_order(tmp_path: Path) -> None:
    async def dearer(thing: Any) -> Any:
        await asyncio.sleep(0)
        return {**thing, "price": thing["price"] + 1}

    def cheap(thing: Any) -> Any:
        return thing if thing["price"] < 10 else None

    async def tell(web: SmallWeb) -> None:
        web.add("/", page("home"))
        give = [{"name": "a", "price": 1}, {"name": "b", "price": 9}]
        kind = spider_of(web, lambda page: give, pipelines=[dearer, cheap])
        summary = await crawl(tmp_path / "a.db", kind)
        assert rows(tmp_path / "a.db", "SELECT name, price FROM item") == [("a", 2)]
        assert summary.refused == {"item_dropped": 1}

    on_web(tell)


def test_history_keeps_what_a_changed_item_was_before(tmp_path: Path) -> None:
    @item(key="name", history=True, table="ware")
    class Ware:
        name: str
        price: float

    async def tell(web: SmallWeb) -> None:
        web.add("/", page("home"))
        give = [Ware("pen", 1.0), Ware("pen", 1.0), Ware("pen", 2.0), Ware("pen", 3.0)]
        await crawl(tmp_path / "a.db", spider_of(web, lambda page: give))
        assert rows(tmp_path / "a.db", "SELECT price FROM ware") == [(3.0,)]
        found = rows(tmp_path / "a.db", "SELECT name, price FROM ware_history ORDER BY price")
        assert found == [("pen", 1.0), ("pen", 2.0)]

    on_web(tell)


def test_a_type_that_gains_a_field_adds_a_column_also_to_its_history(tmp_path: Path) -> None:
    def ware(*fields: tuple[str, Any]) -> Any:
        return item(key="name", history=True, table="ware")(
            type("Ware", (), {"__annotations__": dict(fields), "__module__": __name__})
        )

    old, new = ware(("name", str)), ware(("name", str), ("colour", str))

    async def tell(web: SmallWeb) -> None:
        web.add("/", page("home"))
        web.add("/2", page("two"))
        store = tmp_path / "a.db"
        await crawl(store, spider_of(web, lambda page: [old("pen")]))
        follow = spider_of(web, lambda page: [new("pen", "red"), new("pen", "blue")])
        rows_before = rows(store, "SELECT * FROM ware")
        import sqlite3

        db = sqlite3.connect(store)  # as if a link had been found: one more page to do
        db.execute("DELETE FROM crawl WHERE key = 'seeded'")
        db.commit()
        db.close()
        follow.start_urls = [web.url + "/2"]
        await crawl(store, follow)
        assert len(rows_before) == 1
        assert rows(store, "SELECT name, colour FROM ware") == [("pen", "blue")]
        found = rows(store, "SELECT colour FROM ware_history ORDER BY colour")
        assert found == [(None,), ("red",)]

    on_web(tell)


@pytest.mark.parametrize(
    ("second", "words"),
    [
        ([("name", str), ("price", str)], "was INTEGER and is now TEXT"),
        ([("name", str), ("price", int), ("key", str)], "its key was name and is now key"),
    ],
)
def test_a_type_whose_column_or_key_changed_is_refused_with_the_way_out(
    tmp_path: Path, second: list[tuple[str, Any]], words: str
) -> None:
    def ware(key: str, fields: list[tuple[str, Any]]) -> Any:
        return item(key=key, table="ware")(make_dataclass("Ware", fields))

    first = ware("name", [("name", str), ("price", int)])
    changed = ware("key" if len(second) == 3 else "name", second)
    values = ["pen", "dear"] if len(second) == 2 else ["pen", 1, "k"]

    async def tell(web: SmallWeb) -> None:
        web.add("/", page("home"))
        give = [first("pen", 1), changed(*values)]
        with pytest.raises(StoreRefused, match=f"{words}.*--fresh"):
            await crawl(tmp_path / "a.db", spider_of(web, lambda page: give))
        assert rows(tmp_path / "a.db", "SELECT count(*) FROM pages") == [(0,)]

    on_web(tell)


def test_an_item_cannot_ask_for_the_name_of_a_table_of_the_crawl() -> None:
    with pytest.raises(SpiderError, match="Pages is taken"):
        item(table="Pages")(make_dataclass("Page", [("name", str)]))
