"""A column whose values change their kind holds them all: no row is lost, and no value changes."""

import itertools
import json
import sqlite3
from dataclasses import make_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from item_story import arrow, lines, select, store

from crawler import item
from crawler.store.schema import MIGRATIONS

OWN = ("item_id", "page_id", "page_url", "run_id", "fetched_at")


def values(path: Path) -> list[Any]:
    return [line["x"] for line in lines(path, "item")]


LONG = (1 << 53) + 1  # the first integer that a double does not hold
WHEN = datetime(2026, 1, 2, tzinfo=UTC)

NATURAL = {
    **{int: "INTEGER", float: "REAL", str: "TEXT", bool: "BOOLEAN", list: "JSON", dict: "JSON"},
}

CHANGES: list[tuple[list[Any], str]] = [
    ([5, 5.5], "REAL"),
    ([5.5, 5], "REAL"),
    ([LONG, 5.5], "DECIMAL"),
    ([5.5, LONG], "DECIMAL"),
    ([5, -LONG, 0.1], "DECIMAL"),
    ([(1 << 63) - 1, 5.5], "DECIMAL"),
    ([5, 1 << 70], "DECIMAL"),
    ([1 << 70, 5], "DECIMAL"),
    ([5, "n/a"], "ANY"),
    (["12a", 12], "ANY"),
    ([0.1 + 0.2, "dear", 1e300, 5e-324], "ANY"),
    (["5", 5, 5.5, "5.0", WHEN], "ANY"),
    ([5, "x", ["y"]], "JSON"),
    ([0.1, "x", True, 1e22, "1"], "JSON"),
    ([True, 1], "JSON"),
    ([1, True, 0.5], "JSON"),
    (["x", ["x", "y"]], "JSON"),
    ([["x"], "x", None, 1], "JSON"),
    ([{"a": 1}, 5.5], "JSON"),
    (['a "quoted" \n text', 1], "ANY"),
    ([1 << 70, LONG, 0.5, "text"], "JSON"),
    ([None, "x"], "TEXT"),
    ([None, 1, None], "INTEGER"),
]


@pytest.mark.parametrize("together", [True, False], ids=["one commit", "a commit each"])
@pytest.mark.parametrize(("given", "type_"), CHANGES)
def test_values_of_several_kinds_come_back_as_they_were(
    tmp_path: Path, given: list[Any], type_: str, together: bool
) -> None:
    path = tmp_path / "a.db"
    things = [{"n": number, "x": value} for number, value in enumerate(given)]
    told = store(path, *([things] if together else [[thing] for thing in things]))
    found = values(path)
    assert found == [x if x is not WHEN else "2026-01-02T00:00:00Z" for x in given]
    # A float is told from an int, and True from 1, where the column holds both.
    assert type_ != "JSON" or [type(x) for x in found] == [type(x) for x in given]
    [(columns,)] = select(path, "SELECT columns FROM item_types")
    assert json.loads(columns)["x"] == type_
    assert select(path, "SELECT count(*) FROM problems") == [(0,)]
    widened = [change for commit in told for change in commit.widened]
    began = NATURAL[type(next(value for value in given if value is not None))]
    late = type_ in ("JSON", "ANY") and type_ != began
    assert bool(widened) == ((began != type_ and given[0] != 1 << 70) or late)
    counted = dict(select(path, "SELECT name, value FROM counters"))
    assert counted.get("items.widened", 0) == len(widened)


def test_dates_and_texts_share_a_column_of_text(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store(path, [{"x": WHEN}, {"x": date(2026, 1, 2)}], [{"x": "tomorrow"}])
    assert values(path) == ["2026-01-02T00:00:00Z", "2026-01-02", "tomorrow"]
    [(columns,)] = select(path, "SELECT columns FROM item_types")
    assert json.loads(columns) == {"x": "TEXT"}


def test_a_widened_column_has_the_type_that_other_programs_go_by(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store(path, [{"price": 5}], [{"price": 5.5}])
    types = dict(select(path, "SELECT name, type FROM pragma_table_info('item')"))
    assert types["price"] == "REAL"
    assert select(path, "SELECT sum(price), typeof(price), price / 2 FROM item") == [
        (10.5, "real", 2.5)
    ]


def test_what_hangs_on_a_table_stays_when_a_column_is_widened(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store(path, [{"x": 1}, {"x": 2}])
    db = sqlite3.connect(path)
    db.executescript(
        "CREATE VIEW mine AS SELECT x FROM item; CREATE INDEX by_x ON item (x);"
        "ALTER TABLE item ADD COLUMN note TEXT; UPDATE item SET note = 'seen';"
        "DELETE FROM item WHERE x = 2;"
    )
    db.close()
    store(path, [{"x": "three"}])
    assert select(path, "SELECT x FROM mine ORDER BY x") == [(1,), ("three",)]
    assert select(path, "SELECT note FROM item") == [("seen",), (None,)]
    names = {name for (name,) in select(path, "SELECT name FROM sqlite_master")}
    assert {"by_x", "item_page", "mine"} <= names
    # An id is never given twice, not even that of an item that is gone.
    assert select(path, "SELECT item_id FROM item") == [(1,), (3,)]


def test_a_history_is_widened_with_its_table(tmp_path: Path) -> None:
    ware = item(key="name", history=True)(make_dataclass("Ware", [("name", str), ("size", int)]))
    path = tmp_path / "a.db"
    store(path, [ware("pen", 1)], [ware("pen", LONG)], [ware("pen", 1 << 70)], [ware("pen", 2)])
    sql = "SELECT coalesce(size_exact, CAST(size AS INTEGER)) FROM ware_history ORDER BY rowid"
    assert [int(x) for (x,) in select(path, sql)] == [1, LONG, 1 << 70]
    assert [line["size"] for line in lines(path, "ware")] == [2]


def test_a_key_beyond_64_bits_is_told_from_its_neighbour(tmp_path: Path) -> None:
    post = item(key="id")(make_dataclass("Post", [("id", int), ("text", str)]))
    path, big = tmp_path / "a.db", 1 << 80
    store(
        path, [post(7, "a")], [post(big, "b"), post(big + 1, "c")], [post(big, "d"), post(7, "e")]
    )
    found = {int(line["id"]): line["text"] for line in lines(path, "post")}
    assert found == {7: "e", big: "d", big + 1: "c"}


def test_a_store_of_an_earlier_version_goes_on_with_its_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    db = sqlite3.connect(path)
    for file in MIGRATIONS[:3]:
        db.executescript(file.read_text(encoding="utf-8"))
    db.executescript(
        'CREATE TABLE ware (item_id INTEGER PRIMARY KEY AUTOINCREMENT, "price" TEXT, page_id, '
        "page_url TEXT, run_id, fetched_at TIMESTAMP);"
        "INSERT INTO ware (price) VALUES ('1.50');"
        """INSERT INTO item_types VALUES ('ware', '{"price": "TEXT"}', '[]', 0);"""
        f"PRAGMA application_id = {0x43724B70}; PRAGMA user_version = 3;"
    )
    db.close()
    ware = make_dataclass("Ware", [("price", Decimal)])
    store(path, [ware(Decimal("2.25"))])
    assert select(path, "SELECT price FROM ware") == [("1.50",), ("2.25",)]


# ---------------------------------------------------------------- keys of dicts

ODD = {
    "addr:full": "a", "@spider": "b", "Prix (€)": 3, "名前": "y", "order": 1, "select": 2,
    "Name": 1, "name": 2, "page_id": 5, "item_id": 6, "fetched_at": "x", "": 7, "a b": 1, "a-b": 2,
    "_type": "t", "type": "u", "1st": 1, 'say "no"': 1, "x'); DROP TABLE pages; --": 1,
    "rowid": 9, "crawl": 1,
}  # fmt: skip


@pytest.mark.parametrize("kind", ["jsonl", "json", "csv", "parquet", "sqlite"])
def test_keys_come_back_as_they_were_given(tmp_path: Path, kind: str) -> None:
    import csv

    import pyarrow.parquet

    from crawler import export
    from crawler.inspect.query import Reader
    from crawler.inspect.status import renamed

    path, out = tmp_path / "a.db", tmp_path / f"out.{kind}"
    store(path, [ODD, {"name": 3, "Name": 4}])
    with Reader(path) as reader:
        told = renamed(reader)
        assert "item.addr_full for 'addr:full'" in told and len(told) == 13
        rows, options = export.select(reader, "item")
        assert export.write(rows, kind, out, options) == 2
    if kind == "sqlite":  # which does not tell Name from name
        names = [name for (name,) in select(out, "SELECT name FROM pragma_table_info('item')")]
        assert {name for name in ODD if name != "name"} <= set(names)
        assert select(out, 'SELECT "Name", "name_2" FROM item') == [(1, 2), (4, 3)]
        return
    if kind == "csv":
        with out.open(encoding="utf-8", newline="") as file:
            found: list[dict[str, Any]] = list(csv.DictReader(file))
        assert {key: str(value) for key, value in ODD.items()}.items() <= found[0].items()
        return
    if kind == "parquet":
        found = pyarrow.parquet.read_table(out).to_pylist()
    else:
        text = out.read_text(encoding="utf-8")
        found = json.loads(text) if kind == "json" else list(map(json.loads, text.split("\n")[:-1]))
    assert ODD.items() <= found[0].items()
    assert (found[1]["name"], found[1]["Name"]) == (3, 4)
    assert found[0]["crawl_page_id"] == 1


def test_two_keys_that_are_spelled_alike_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store(path, [{1: "a", "1": "b"}, {"fine": 1}])
    assert select(path, "SELECT reason FROM problems") == [
        ("item: two of its keys are spelled alike",)
    ]
    assert [line["fine"] for line in lines(path, "item")] == [1]


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["k", "l"]), inner, max_size=2)
    ),
    max_leaves=4,
)
KEYS = st.sampled_from(["a", "A", "b:c", "b c", "page_id", "", "é"]) | st.text(
    st.characters(codec="utf-8", exclude_characters="\0"), max_size=4
)
FLUSHES = st.lists(st.lists(st.dictionaries(KEYS, VALUES, max_size=4), max_size=4), max_size=3)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(FLUSHES)
def test_whatever_dicts_are_yielded_come_back_equal(
    tmp_path: Path, flushes: list[list[dict[str, Any]]]
) -> None:
    path = tmp_path / "a.db"
    for old in tmp_path.iterdir():
        old.unlink()
    store(path, *flushes)
    things = list(itertools.chain(*flushes))
    assert select(path, "SELECT * FROM problems") == []
    found = lines(path, "item") if things else []
    own = [{key: value for key, value in line.items() if value is not None} for line in found]
    given = [{key: value for key, value in thing.items() if value is not None} for thing in things]
    for thing in own:
        for name in OWN:
            taken = f"crawl_{name}"
            thing.pop(taken if taken in thing else name)
    assert sorted(map(_sortable, own)) == sorted(map(_sortable, given))


def _sortable(thing: dict[str, Any]) -> str:
    """Write a dict so that equal ones are alike: a whole float and its int are equal."""
    return repr(sorted((key, _plain(value)) for key, value in thing.items()))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in sorted(value.items())}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


@pytest.mark.parametrize("together", [True, False], ids=["one commit", "a commit each"])
def test_an_integer_whose_double_is_written_otherwise_keeps_its_digits(
    tmp_path: Path, together: bool
) -> None:
    path, number = tmp_path / "a.db", 823_701_042_320_266_240  # its double: 8.237010423202662e+17
    things = [{"x": number}, {"x": 1 << 70}, {"x": -number}]
    store(path, *([things] if together else [[thing] for thing in things]))
    exact = select(path, "SELECT x_exact FROM item")
    assert [int(digits) for (digits,) in exact] == [thing["x"] for thing in things]
    assert [int(value) for value in arrow(path, "item")["x"].to_pylist()] == [
        thing["x"] for thing in things
    ]
