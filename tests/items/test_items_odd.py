"""Odd items: each becomes a row or a problem, and none stops the crawl or changes on its way."""

import collections
import enum
import json
from dataclasses import field, make_dataclass
from datetime import UTC, datetime, time, timedelta, timezone
from pathlib import Path
from typing import Any, Final, Literal, NewType

import pytest
from data_story import SmallWeb, crawl, on_web, page, rows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crawler import Spider, item
from crawler.errors import SpiderError, StoreRefused
from crawler.items import MOST_COLUMNS, InvalidItem, record_of, table_of

Metres = NewType("Metres", float)


class Colour(enum.Enum):
    RED = "red"


class Right(enum.Flag):
    READ = 1
    WRITE = 2


Inner = make_dataclass("Inner", [("a", int), ("b", str | None, field(default=None))])


@pytest.mark.parametrize(
    ("hint", "value", "kind", "stored"),
    [
        (time, time(1, 2), "text", "01:02:00"),
        (timedelta, timedelta(minutes=1), "real", 60.0),
        (Metres, 3, "real", 3.0),
        (Final[int], 3, "integer", 3),
        (Right, Right.READ | Right.WRITE, "integer", 3),
        (collections.deque, collections.deque([1]), "json", "[1]"),
        (collections.OrderedDict, collections.OrderedDict(a=1), "json", '{"a":1}'),
        (list[Inner], [Inner(1, "\ud800")], "json", '[{"a": 1, "b": "\ufffd"}]'),
        (Any, 1 << 70, "json", str(1 << 70)),
    ],
)
def test_an_odd_value_has_its_kind(hint: Any, value: Any, kind: str, stored: Any) -> None:
    record = record_of(make_dataclass("Thing", [("field", hint)])(value))
    assert record.table.columns[0].kind == kind
    assert record.values == (stored,)


@pytest.mark.parametrize(
    ("hint", "value", "reason"),
    [
        (float, 10**400, "beyond"),
        (datetime, datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5))), "years 1 to 9999"),
        (Colour, "green", r"one of \['red'\], got str"),
        (Literal["a", "b"], "c", "one of"),
        (object, object(), "no JSON for object"),
        (Any, {(1, 2): 3}, "JSON"),
    ],
)
def test_an_odd_value_that_does_not_fit_says_why(hint: Any, value: Any, reason: str) -> None:
    with pytest.raises(InvalidItem, match=reason):
        record_of(make_dataclass("Thing", [("field", hint)])(value))


def test_a_type_that_cannot_be_found_is_named() -> None:
    with pytest.raises(SpiderError, match="'Nowhere' is not defined"):
        table_of(make_dataclass("Thing", [("field", "Nowhere")]))


def test_a_type_with_too_many_fields_is_refused() -> None:
    names = [(f"field{number}", int) for number in range(MOST_COLUMNS + 1)]
    with pytest.raises(SpiderError, match="1,001 fields"):
        table_of(make_dataclass("Thing", names))


# ---------------------------------------------------------------- in a crawl


def spider_of(web: SmallWeb, things: list[Any]) -> type[Spider]:
    def parse(self: Spider, page: Any) -> Any:
        yield from things

    return type("S", (Spider,), {"name": "s", "start_urls": [web.url + "/"], "parse": parse})


def stored(path: Path, things: list[Any]) -> None:
    async def tell(web: SmallWeb) -> None:
        web.add("/", page("home"))
        await crawl(path, spider_of(web, things))

    path.unlink(missing_ok=True)
    on_web(tell)


_RESERVED_WORDS = ("select", "order", "table", "index", "rowid", "oid", "values", "primary", "null")


def test_names_may_be_words_of_sql(tmp_path: Path) -> None:
    fields = [(name, int) for name in _RESERVED_WORDS]
    made = item(key="select", history=True, table="group")(make_dataclass("Group", fields))
    stored(tmp_path / "a.db", [made(*range(9)), made(*([0] * 9))])
    assert rows(tmp_path / "a.db", 'SELECT "order", "null" FROM "group"') == [(0, 0)]
    assert rows(tmp_path / "a.db", 'SELECT "order", "null" FROM "group_history"') == [(1, 8)]


def test_dicts_that_vary_too_much_are_problems_and_the_crawl_goes_on(tmp_path: Path) -> None:
    things = [{f"field{number}-{part}": 1 for part in range(400)} for number in range(4)]
    stored(tmp_path / "a.db", [*things, {"field0-0": 2}])
    assert rows(tmp_path / "a.db", "SELECT count(*) FROM item") == [(3,)]
    assert "over 1,000 columns" in rows(tmp_path / "a.db", "SELECT reason FROM problems")[0][0]


@pytest.mark.parametrize("other", ["head_history", "HEAD", "head_page", "head_key"])
def test_two_types_cannot_share_what_is_in_the_file(tmp_path: Path, other: str) -> None:
    head = item(key="n", history=True, table="head")(make_dataclass("Head", [("n", int)]))
    clash = item(table=other)(make_dataclass("Other", [("n", int)]))
    with pytest.raises(StoreRefused, match="the name is taken"):
        stored(tmp_path / "a.db", [head(1), clash(1)])


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.decimals(),
    st.datetimes(timezones=st.none() | st.just(UTC)),
    st.uuids(),
    st.binary(max_size=5),
    st.sampled_from(Colour),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)
THINGS = st.lists(st.dictionaries(st.text(max_size=12), VALUES, max_size=5), max_size=8)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(THINGS)
def test_whatever_dict_is_yielded_is_a_row_or_a_problem(
    tmp_path: Path, things: list[dict[str, Any]]
) -> None:
    path = tmp_path / "a.db"
    stored(path, things)
    tables = [name for (name,) in rows(path, "SELECT name FROM item_types")]
    kept = sum(rows(path, f'SELECT count(*) FROM "{name}"')[0][0] for name in tables)
    assert kept + rows(path, "SELECT count(*) FROM problems")[0][0] == len(things)
    for (columns,) in rows(path, "SELECT columns FROM item_types"):
        for name in (name for name, kind in json.loads(columns).items() if kind == "JSON"):
            for (text,) in rows(path, f'SELECT "{name}" FROM item WHERE "{name}" IS NOT NULL'):
                json.loads(text)
    assert rows(path, "SELECT outcome FROM pages") == [("ok",)]


@pytest.mark.parametrize("history", [False, True])
def test_a_type_may_have_as_many_fields_as_is_said(tmp_path: Path, history: bool) -> None:
    fields = [(f"field{number}", int) for number in range(MOST_COLUMNS)]
    wide = item(key="field0", history=history, table="wide")(make_dataclass("Wide", fields))
    stored(tmp_path / "a.db", [wide(*[7] * MOST_COLUMNS), wide(7, *[8] * (MOST_COLUMNS - 1))])
    assert rows(tmp_path / "a.db", "SELECT field0, field999 FROM wide") == [(7, 8)]
    if history:
        assert rows(tmp_path / "a.db", "SELECT field999 FROM wide_history") == [(7,)]
