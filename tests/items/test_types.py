"""What a field's type says holds: a value comes back equal from every format, or is refused."""

import enum
import itertools
import math
import os
from collections import namedtuple
from dataclasses import dataclass, make_dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Network, ip_interface
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, NamedTuple, Optional, TypeVar, Union
from uuid import UUID

import msgspec
import pyarrow
import pydantic
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from item_story import TODO, arrow, lines, select, store, visit_of

from crawler import item
from crawler.errors import SpiderError
from crawler.items import TAKEN, InvalidItem, is_taken, record_of, table_of
from crawler.store.schema import MIGRATIONS

T = TypeVar("T")


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Size(enum.IntEnum):
    SMALL = 1


class Mixed(enum.Enum):
    ONE = 1
    TWO = "two"


class Right(enum.Flag):
    READ = 1
    WRITE = 2


class Sku(str):
    pass


@dataclass(frozen=True)
class Place:
    street: str
    number: int
    at: PurePosixPath | None = None


def made(hint: Any, value: Any) -> Any:
    return make_dataclass("Thing", [("x", hint)])(value)


# ---------------------------------------------------------------- checked or refused

FITTING = [
    (Decimal, "1.50", "1.50"),
    (Decimal, 5, "5"),
    (Decimal, 0.1, "0.1"),
    (Decimal, Decimal("1E+3"), "1000"),
    (UUID, "{00000000-0000-0000-0000-00000000000A}", "00000000-0000-0000-0000-00000000000a"),
    (time, "01:02", "01:02:00"),
    (datetime, "2026-01-02T03:04:05+02:00", "2026-01-02T01:04:05Z"),
    (date, "2026-01-02", "2026-01-02"),
    (timedelta, timedelta(seconds=90), 90.0),
    (Path, "a//b/./c", "a/b/c"),
    (IPv4Address, "192.0.2.1", "192.0.2.1"),
    (IPv6Network, "2001:db8::/32", "2001:db8::/32"),
    (Colour, "red", "red"),
    (Colour, Colour.BLUE, "blue"),
    (Size, 1, 1),
    (Mixed, "two", "two"),
    (Mixed, Mixed.ONE, 1),
    (Right, 3, 3),
    (Sku, Sku("a"), "a"),
    (Annotated[Decimal, "money"], Decimal("2.5"), "2.5"),
    (Optional[Decimal], None, None),  # noqa: UP045
    (int | str, 5, 5),
    (int | str, "5", "5"),
    (int | str | None, None, None),
    (float | str, 5.5, 5.5),
    (int | date, date(2026, 1, 2), "2026-01-02"),
    (Union[int, str, None], None, None),  # noqa: UP007
    (int | float, 5, 5.0),
    (Decimal | int, 5, "5"),
    (bool | int, True, "true"),
    (bool | int, 1, "1"),
    (date | str, date(2026, 1, 2), "2026-01-02"),
    (str | list[str], ["a"], '["a"]'),
    (Literal["a", 1], 1, 1),
    (Literal["a", None], None, None),
    (list[Decimal], [Decimal("1.50")], '["1.50"]'),
    (Place, Place("s", 1, PurePosixPath("/a")), '{"street":"s","number":1,"at":"/a"}'),
    (dict[str, list[int]], {"b": [1], "a": []}, '{"a":[],"b":[1]}'),
    (tuple[int, str], (1, "a"), '[1,"a"]'),
    (float, (1 << 53) + 1, "9007199254740993"),
]


@pytest.mark.parametrize(("hint", "value", "stored"), FITTING)
def test_a_value_of_its_type_or_one_that_spells_it_is_stored(
    hint: Any, value: Any, stored: Any
) -> None:
    assert record_of(made(hint, value)).values == (stored,)


UNFIT = [
    *((hint, "x y") for hint in (Decimal, UUID, time, date, datetime, IPv4Address, IPv6Network)),
    *((hint, "x y") for hint in (timedelta, Colour, Size, Mixed, Right, int, float, bool)),
    *((hint, 7.5) for hint in (UUID, time, date, datetime, Path, str, Colour, Size, Right, int)),
    *((Decimal, value) for value in (math.nan, "Infinity", Decimal("sNaN"), True, [], "1E+999")),
    (date, datetime(2026, 1, 2)),
    (datetime, date(2026, 1, 2)),
    (timedelta, timedelta(days=999_999_999, microseconds=1)),
    (Right, 4),
    (Mixed, "three"),
    (int, True),
    (bool, 1),
    (int | str, 5.5),
    (int | str, True),
    (int | str, 1 << 70),
    (str | None, 5),
    (Decimal | None, "x"),
    (list[str], None),
    (list[int], ["a"]),
    (list[float | None], [math.nan]),
    (Place, Place("s", "one")),  # type: ignore[arg-type]
    (Literal["a", 1], 2),
    (Any, [{"deep": math.inf}]),
    (int, 1 << 1024),
    (float, 10**400),
]


@pytest.mark.parametrize(("hint", "value"), UNFIT)
def test_a_value_of_another_type_is_refused_with_the_field(hint: Any, value: Any) -> None:
    with pytest.raises(InvalidItem, match=r"^thing\.x "):
        record_of(made(hint, value))


def test_a_refused_item_is_counted_and_its_page_keeps_the_others(tmp_path: Path) -> None:
    path, ware = tmp_path / "a.db", make_dataclass("Ware", [("price", Decimal)])
    store(path, [ware("1.5"), ware("free"), ware("2.5"), {"x": b"raw"}, {"x": 1}])
    assert [line["price"] for line in lines(path, "ware")] == [1.5, 2.5]
    assert [line["x"] for line in lines(path, "item")] == [1]
    assert dict(select(path, "SELECT * FROM counters"))["refused.item_refused"] == 2
    assert len(select(path, "SELECT * FROM problems")) == 2


# ---------------------------------------------------------------- every format

PRICES = ["1.50", "2.25", "10", "-0.10", "12345678901234567.89", "0.1", "99999999999999999999"]


def test_decimals_add_up_and_sort_in_plain_sql(tmp_path: Path) -> None:
    path, ware = tmp_path / "a.db", make_dataclass("Ware", [("price", Decimal)])
    store(path, [ware(Decimal(price)) for price in PRICES])
    total, mean = select(path, "SELECT sum(price), avg(price) FROM ware")[0]
    exact = sum(map(Decimal, PRICES))
    assert total == pytest.approx(float(exact), rel=1e-15)
    assert mean == pytest.approx(float(exact) / len(PRICES), rel=1e-15)
    sql = "SELECT coalesce(price_exact, price) FROM ware ORDER BY price"
    found = [Decimal(str(price)) for (price,) in select(path, sql)]
    assert found == sorted(map(Decimal, PRICES))
    types = dict(select(path, "SELECT name, type FROM pragma_table_info('ware')"))
    assert types["price"] == "DECIMAL REAL"
    # Halves of whole numbers are no integers.
    assert select(path, "SELECT price / 4 FROM ware WHERE price = 10") == [(2.5,)]


def test_decimals_have_one_scale_in_parquet_and_add_up_exactly(tmp_path: Path) -> None:
    path, ware = tmp_path / "a.db", make_dataclass("Ware", [("price", Decimal | None)])
    store(path, [ware(Decimal(price)) for price in PRICES], [ware(None)])
    column = arrow(path, "ware")["price"]
    assert column.type == pyarrow.decimal128(38, 2)
    assert column.to_pylist() == [*map(Decimal, PRICES), None]
    assert pyarrow.compute.sum(column).as_py() == sum(map(Decimal, PRICES))


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        ([datetime(2026, 1, 2, 3, 4, 5, 6, UTC)], pyarrow.timestamp("us", tz="UTC")),
        ([datetime(1, 1, 1), datetime(9999, 12, 31)], pyarrow.timestamp("us")),
        ([date(2026, 1, 2), date(1, 1, 1)], pyarrow.date32()),
        ([datetime(2026, 1, 2), date(2026, 1, 2)], pyarrow.string()),
    ],
)
def test_times_are_typed_in_parquet(tmp_path: Path, values: list[Any], type_: Any) -> None:
    path = tmp_path / "a.db"
    store(path, [{"x": value} for value in values])
    table = arrow(path, "item")
    assert table["x"].type == type_
    assert table["fetched_at"].type == pyarrow.timestamp("us", tz="UTC")
    if type_ != pyarrow.string():
        assert table["x"].to_pylist() == values


EXAMPLES = 12 if "VALUES" in os.environ else 6  # `make values` takes 12
NUMBERS = st.decimals(Decimal("-1e30"), Decimal("1e30"), allow_nan=False, allow_infinity=False)
TYPED: list[tuple[Any, st.SearchStrategy[Any], Any]] = [
    (Decimal, NUMBERS, lambda x: Decimal(str(x))),
    (int, st.integers(), int),
    (float, st.floats(allow_nan=False, allow_infinity=False), float),
    (bool, st.booleans(), bool),
    (str, st.text(st.characters(codec="utf-8", exclude_characters="\0")), str),
    (datetime, st.datetimes(timezones=st.just(UTC)), datetime.fromisoformat),
    (date, st.dates(), date.fromisoformat),
    (time, st.times(), time.fromisoformat),
    (timedelta, st.timedeltas(timedelta(days=-36500), timedelta(days=36500)),
     lambda x: timedelta(seconds=x)),
    (UUID, st.uuids(), UUID),
    (IPv4Address, st.ip_addresses(v=4), IPv4Address),
    (Colour, st.sampled_from(Colour), Colour),
    (list[int], st.lists(st.integers(-(1 << 70), 1 << 70), max_size=3), lambda x: x),
    (int | str, st.integers(-(1 << 63), (1 << 63) - 1) | st.text("ab1", max_size=3), lambda x: x),
]  # fmt: skip


@pytest.mark.parametrize(("hint", "values", "read"), TYPED, ids=[str(row[0]) for row in TYPED])
def test_typed_values_come_back_equal_from_json_lines_and_parquet(
    tmp_path: Path, hint: Any, values: Any, read: Any
) -> None:
    numbers = itertools.count()

    @settings(max_examples=EXAMPLES, deadline=None, derandomize=True)
    @given(st.lists(values | st.none(), min_size=1, max_size=6))
    def holds(given: list[Any]) -> None:
        path = tmp_path / f"{next(numbers)}.db"
        thing = make_dataclass("Thing", [("x", hint | None)])
        store(path, [thing(value) for value in given])
        assert select(path, "SELECT reason FROM problems") == []
        told = [None if x is None else read(x) for x in (row["x"] for row in lines(path, "thing"))]
        assert told == given
        again = arrow(path, "thing")["x"].to_pylist()
        if not str(hint).startswith(("list", "int |")):  # which are JSON there
            turned = [x if type(x) is hint or x is None else _turned(hint, read, x) for x in again]
            assert turned == given

    holds()


def _turned(hint: Any, read: Any, value: Any) -> Any:
    """Give a value of Parquet as its type has it: a timestamp and a decimal are so already."""
    return value if isinstance(value, hint) else read(value)


def test_pandas_reads_the_table_with_numbers_as_numbers(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    import sqlite3

    path, ware = tmp_path / "a.db", make_dataclass("Ware", [("price", Decimal), ("n", int)])
    store(path, [ware(Decimal(price), 1) for price in PRICES])
    db = sqlite3.connect(path)
    frame = pandas.read_sql("SELECT * FROM ware", db)
    db.close()
    assert str(frame["price"].dtype) == "float64"
    assert frame["price"].sum() == pytest.approx(float(sum(map(Decimal, PRICES))))


# ---------------------------------------------------------------- classes


class Struct(msgspec.Struct):
    name: str
    price: Decimal


class Tuple(NamedTuple):
    name: str
    price: Decimal


Plain = namedtuple("Plain", "name price")


def test_other_classes_than_dataclasses_are_items(tmp_path: Path) -> None:
    attrs = pytest.importorskip("attrs")
    kind = attrs.define(type("Attrs", (), {"__annotations__": {"name": str, "price": Decimal}}))
    price = Decimal("1.5")
    path = tmp_path / "a.db"
    store(path, [Struct("a", price), Tuple("b", price), kind("c", price), Plain("d", 1.5)])
    found = {name: lines(path, name)[0] for name in ("struct", "tuple", "attrs", "plain")}
    assert [(row["name"], row["price"]) for row in found.values()] == [
        *(("a", 1.5), ("b", 1.5), ("c", 1.5), ("d", 1.5))
    ]


def test_an_msgspec_class_and_a_named_tuple_may_have_a_key() -> None:
    for kind in (Struct, Tuple):
        keyed = item(key="name", table="keyed")(type("Keyed", (kind,), {}))
        assert table_of(keyed).key == ("name",)


@item(key="url")
class Product:
    url: str
    price: float


@item
class Book(Product):
    isbn: str


@dataclass(frozen=True)
class Pen(Product):
    colour: str


def test_a_subclass_has_a_table_of_its_own_and_the_key_of_its_parent(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    things = [Product("u", 1.0), Book("u", 2.0, "i"), Pen("u", 3.0, "red"), Pen("u", 4.0, "blue")]
    store(path, things)
    found = {
        name: [row["price"] for row in lines(path, name)] for name in ("product", "book", "pen")
    }
    assert found == {"product": [1.0], "book": [2.0], "pen": [4.0]}
    assert [table_of(kind).key for kind in (Product, Book, Pen)] == [("url",)] * 3


def test_the_names_of_all_tables_and_views_are_known_as_taken() -> None:
    import sqlite3

    db = sqlite3.connect(":memory:")
    for file in MIGRATIONS:
        db.executescript(file.read_text(encoding="utf-8"))
    sql = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
    names = {name for (name,) in db.execute(sql)}
    db.close()
    assert {name for name in names if not is_taken(name)} == set()
    assert not is_taken("search_result")


@pytest.mark.parametrize("name", ["Files", "Links", "Search", "Errors", "Runs", "Seen", "Pages"])
def test_a_class_named_like_a_table_of_the_crawl_has_one_beside_it(
    tmp_path: Path, name: str
) -> None:
    path, kind = tmp_path / "a.db", make_dataclass(name, [("a", str)])
    store(path, [kind("x")])
    assert [row["a"] for row in lines(path, f"{name.lower()}_item")] == ["x"]
    with pytest.raises(SpiderError, match="is taken"):
        item(table=name)(kind)
    assert name.lower() in TAKEN


def test_an_interface_and_a_path_in_a_dict_are_text(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store(path, [{"a": ip_interface("192.0.2.1/24"), "b": PurePosixPath("x/y"), "c": UUID(int=1)}])
    [row] = lines(path, "item")
    assert (row["a"], row["b"], row["c"]) == ("192.0.2.1/24", "x/y", str(UUID(int=1)))


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.decimals())
def test_a_decimal_is_its_digits_or_refused(number: Decimal) -> None:
    thing = made(Decimal, number)
    if number.is_finite() and not math.isinf(float(number)):
        assert Decimal(record_of(thing).values[0]) == number
    else:
        with pytest.raises(InvalidItem):
            record_of(thing)


class BytesStruct(msgspec.Struct):
    x: bytes


class BytesTuple(NamedTuple):
    x: bytes


class BytesModel(pydantic.BaseModel):
    x: bytes


@dataclass(frozen=True)
class Within:
    x: Any


def _bytes_of_attrs() -> Any:
    attrs = pytest.importorskip("attrs")
    return attrs.define(type("BytesAttrs", (), {"__annotations__": {"x": bytes}}))(b"a")


@pytest.mark.parametrize(
    "give",
    [
        lambda: {"x": b"a"},
        lambda: {"x": bytearray(b"a")},
        lambda: {"x": memoryview(b"a")},
        lambda: {b"x": "a"},
        lambda: {"x": ["a", {"b": (b"a",)}]},
        lambda: {"x": {b"a": 1}},
        lambda: {"x": {1, b"a"}},
        lambda: {"x": Within({"a": [BytesStruct(b"a")]})},
        lambda: {"x": BytesModel(x=b"a")},
        lambda: made(bytes, b"a"),
        lambda: made(bytes | None, b"a"),
        lambda: made(bytes | str, b"a"),
        lambda: made(str, b"a"),
        lambda: made(list[bytes], [b"a"]),
        lambda: made(Any, b"a"),
        lambda: BytesStruct(b"a"),
        lambda: BytesTuple(b"a"),
        lambda: BytesModel(x=b"a"),
        _bytes_of_attrs,
    ],
)
def test_bytes_refuse_their_item_alone_whatever_its_kind(give: Any) -> None:
    visit = visit_of([{"n": 1}, give(), {"n": 2}], TODO)
    assert [record.values for record in visit.items] == [(1,), (2,)]
    [(_, reason, _)] = visit.problems
    assert "bytes" in reason and visit.refusals == {"item_refused": 1}


def test_a_field_of_bytes_takes_what_else_its_type_has() -> None:
    assert record_of(made(bytes | None, None)).values == (None,)
    assert record_of(made(bytes | str, "a")).values == ("a",)
    assert table_of(type(made(bytes | str, "a"))).columns[0].kind == "text"
