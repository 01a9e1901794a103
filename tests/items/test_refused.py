"""Refused items are told of everywhere alike: whole, by kind, and with a reason to group by."""

import json
import logging
import re
from collections.abc import Iterable
from dataclasses import make_dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pydantic
import pytest
from data_story import SmallWeb, crawl, on_web, page, rows

from crawler import ScrapedPage, Spider, item
from crawler.cli import ending, runner, status
from crawler.inspect import health, run_report
from crawler.inspect.query import Reader
from crawler.inspect.status import overview
from crawler.items import InvalidItem, record_of
from crawler.items.refused import as_given
from crawler.web.stats import OTHER, Stats

LONG = "x" * 5000


@item(key="name")
class Ware:
    name: str
    price: float
    note: str = ""


class Model(pydantic.BaseModel):
    number: int


class Refusing(Spider):
    """Yields two items that do not fit for one reason, one that a pipeline refuses, one good."""

    name = "refusing"

    def parse(self, page: ScrapedPage) -> Any:
        yield Ware("pen", "dear", LONG)  # type: ignore[arg-type]
        yield Ware("ink", "very dear")  # type: ignore[arg-type]
        yield Ware("text", -3.5)
        yield Ware("good", 1.0)
        yield Model(number="none")  # type: ignore[arg-type]


def positive(thing: Any) -> Any:
    if thing.price == -3.5:
        raise ValueError(f"{thing.price} is negative")
    return thing


Refusing.pipelines = (positive,)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The summary of a crawl whose items are refused, its store, and what was logged."""
    store = tmp_path_factory.mktemp("refused") / "a.db"
    found: list[Any] = []
    lines: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("crawler")
    logger.addHandler(handler)
    level = logger.level
    logger.setLevel(logging.INFO)  # whatever a command before has set

    async def tell(web: SmallWeb) -> None:
        from crawler import Crawler

        web.add("/", page("home", "/b"))
        web.add("/b", page("b"))
        spider = Refusing()
        spider.start_urls = [web.url + "/", web.url + "/b"]
        settings = {"politeness": {"delay": 0.0, "robots": False}}
        async with Crawler(spider, store=store, settings=settings) as crawler:
            crawler.on_commit(runner._failure_log())
            found.append(await crawler.run())

    on_web(tell)
    logger.removeHandler(handler)
    logger.setLevel(level)
    return found[0], store, lines


FITS_NOT = "Ware: ware.price takes real, got str"
KINDS = {
    FITS_NOT: 4,
    "Ware: pipeline positive: ValueError: … is negative": 2,
    "Model: number: Input should be a valid integer, unable to parse string as an integer": 2,
}


def placeless(kinds: Iterable[tuple[str, int]]) -> dict[str, int]:
    """The kinds without the line of the pipeline that refused them."""
    return {re.sub(r" \(\S+:\d+\)$", "", kind): number for kind, number in kinds}


def test_problems_have_the_whole_value_by_column_and_a_reason_without_it(told: Any) -> None:
    _, store, _ = told
    found = rows(store, "SELECT item, reason, value, page_url FROM problems")
    assert len(found) == 8
    by_value = {json.loads(value).get("name"): json.loads(value) for _, _, value, _ in found}
    assert by_value["pen"] == {"name": "pen", "price": "dear", "note": LONG}
    assert by_value[None] == {"number": "none"}
    counted = rows(store, "SELECT item || ': ' || reason, count(*) FROM problems GROUP BY 1")
    assert placeless(counted) == KINDS


def test_summary_status_report_and_gate_tell_the_same(told: Any) -> None:
    summary, store, _ = told
    assert placeless(summary.rejected.items()) == KINDS
    assert summary.refused["item_refused"] == 8
    assert f"  4 {FITS_NOT}" in ending.story(summary).splitlines()
    seen = overview(store)
    assert placeless(seen.rejected.items()) == KINDS and seen.problems == 8
    assert f"  4 {FITS_NOT}" in status.story(seen).splitlines()
    with Reader(store) as reader:
        assert health.broken(reader, ["rejected == 0"]) == ["rejected == 0: it is 8"]
        html = run_report.page(reader)
    assert "ware.price takes real, got str" in html and "Refused items" in html


def test_the_log_warns_once_a_kind(told: Any) -> None:
    _, _, lines = told
    warned = [line for line in lines if line.startswith("item not stored, ")]
    assert len(warned) == len(KINDS)


class Bare:
    def __repr__(self) -> str:
        return "<bare>"


class Broken:
    def __repr__(self) -> str:
        raise KeyError("name")


@pytest.mark.parametrize(
    ("thing", "text"),
    [
        ({"a b": 1, "n": float("nan")}, '{"a b": 1, "n": "nan"}'),
        (make_dataclass("Thing", ["one"])("ü"), '{"one": "ü"}'),
        (Model(number=1), '{"number": 1}'),
        (Bare(), "<bare>"),
        (Broken(), "<Broken that cannot be written>"),
        ({"n": 10**5000}, '{"n": "<int that cannot be written>"}'),  # of over 4,300 digits
        (
            {10**5000: [Broken()]},
            '{"<int that cannot be written>": "<list that cannot be written>"}',
        ),
    ],
)
def test_any_item_is_shown_by_its_fields(thing: Any, text: str) -> None:
    assert as_given(thing) == text


@pytest.mark.parametrize(
    ("hint", "value"),
    [
        (str, 987654),
        (int, "987654"),
        (float, "987654"),
        (Decimal, "987654x"),
        (bool, "987654"),
        (float, float("inf")),
    ],
)
def test_no_reason_holds_the_value(hint: Any, value: Any) -> None:
    made = make_dataclass("Thing", [("field", hint)])
    with pytest.raises(InvalidItem) as caught:
        record_of(made(value))
    assert str(value) not in str(caught.value)


def test_an_item_of_any_number_is_refused_and_its_page_is_stored(tmp_path: Path) -> None:
    async def tell(web: SmallWeb) -> None:
        web.add("/", page("home"))

        class Numbers(Spider):
            name = "numbers"
            start_urls = (web.url + "/",)

            def parse(self, page: ScrapedPage) -> Any:
                for value in (
                    10**5000,
                    -(10**5000),
                    (1 << 1024) - 1,
                    float("inf"),
                    Decimal("sNaN"),
                ):
                    yield {"n": value}
                    yield {"n": [value], "m": {"k": value}}

        summary = await crawl(tmp_path / "a.db", Numbers)
        assert summary.errors == 0 and sum(summary.rejected.values()) == 8
        assert len(rows(tmp_path / "a.db", "SELECT value FROM problems")) == 8

    on_web(tell)


def test_kinds_without_end_take_no_memory_without_end() -> None:
    stats = Stats()
    stats.add([], 0, rejected=[("Ware", f"reason {number}", "") for number in range(1000)])
    assert len(stats.rejected) == 101
    assert sum(stats.rejected.values()) == 1000 and stats.rejected[OTHER] == 900


def test_a_reason_that_the_store_itself_gives_is_counted_by_kind(tmp_path: Path) -> None:
    async def tell(web: SmallWeb) -> None:
        web.add("/", page("home"))

        class Wide(Spider):
            name = "wide"
            start_urls = (web.url + "/",)

            def parse(self, page: ScrapedPage) -> Any:
                yield {f"a{n}": n for n in range(600)}
                yield {f"b{n}": n for n in range(600)}

        summary = await crawl(tmp_path / "a.db", Wide)
        [kind] = summary.rejected
        assert kind.startswith("dict: with its new fields")
        [(value,)] = rows(tmp_path / "a.db", "SELECT value FROM problems")
        assert json.loads(value) == {f"b{n}": n for n in range(600)}

    on_web(tell)
