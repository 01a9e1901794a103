"""What a spider gives is stored as it was given, or refused and counted, by itself alone."""

import contextlib
import io
import json
import os
import sqlite3
from dataclasses import make_dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from item_story import TODO, arrow, lines, select, store, visit_of

from crawler.cli import run as command

PHASES = (Phase.explicit, Phase.generate)  # to shrink 40 values takes longer than to read them
VALUES = int(os.environ.get("VALUES", "600"))
"""Values that are tried; `make values` tries 200,000."""


def test_a_text_or_a_list_is_refused_alone() -> None:
    visit = visit_of([{"n": 1}, "text", ["a"], 5, b"raw", {"n": 2}], TODO)
    assert [record.values for record in visit.items] == [(1,), (2,)]
    assert [kind for kind, _, _ in visit.problems] == ["str", "list", "int", "bytes"]
    assert all("is no item" in reason for _, reason, _ in visit.problems)
    assert visit.refusals == {"item_refused": 4}


def test_a_replaced_character_is_counted_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, thing = tmp_path / "a.db", make_dataclass("Thing", [("t", str), ("j", list)])
    store(
        path, [{"t": "a\0b"}, {"t": "\ud800"}, {"t": "was \ufffd"}], [thing("x", ["\0", "\\u0000"])]
    )
    assert select(path, "SELECT value FROM counters WHERE name = 'items.replaced'") == [(3,)]
    assert select(path, "SELECT j ->> 0, j ->> 1 FROM thing") == [("\ufffd", "\\u0000")]
    assert select(path, "SELECT t FROM item") == [("a\ufffdb",), ("\ufffd",), ("was \ufffd",)]
    assert command(["status", str(path)]) == 0
    assert "replaced 3 texts" in capsys.readouterr().out


# ---------------------------------------------------------------- any value of any type

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
INTEGERS = st.integers(-(1 << 70), 1 << 70)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, places=6) | st.decimals(
    "-1e30", "1e30", allow_nan=False
)
TIMES = st.datetimes(timezones=st.just(UTC))
PLAIN = st.none() | st.booleans() | INTEGERS | FLOATS | TEXTS
FLAT = PLAIN | st.lists(PLAIN, max_size=3) | st.dictionaries(TEXTS, PLAIN, max_size=3)
NESTED = FLAT | st.lists(FLAT, max_size=3) | st.dictionaries(TEXTS, FLAT, max_size=3)
TYPED: dict[Any, Any] = {
    **{str: TEXTS, int: INTEGERS, float: FLOATS, bool: st.booleans(), Decimal: DECIMALS},
    **{
        datetime: TIMES,
        date: st.dates(),
        list: st.lists(NESTED),
        dict: st.dictionaries(TEXTS, NESTED),
    },
    int | str: INTEGERS | TEXTS,
    float | str: FLOATS | TEXTS,
    int | bool: INTEGERS | st.booleans(),
}


def _read(kind: Any, value: Any) -> Any:
    """Give a value of JSON as its type has it."""
    if value is None or not isinstance(value, (str, int, float)):
        return value
    if kind is Decimal:
        return Decimal(repr(value) if isinstance(value, float) else value)
    if kind in (datetime, date) and isinstance(value, str):
        return kind.fromisoformat(value)
    return float(value) if kind is float else value


@pytest.mark.parametrize("kind", TYPED, ids=lambda kind: getattr(kind, "__name__", str(kind)))
def test_what_goes_in_comes_out_equal_or_is_refused(kind: Any, tmp_path: Path) -> None:
    numbers = iter(range(1 << 30))
    size = 5 if kind in (list, dict) else 40
    wanted = max(2, VALUES // len(TYPED) // size)
    thing = make_dataclass("Thing", [("n", int), ("x", kind | None)])

    @settings(
        max_examples=wanted, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES
    )
    @given(st.lists(TYPED[kind], min_size=size, max_size=size))
    def holds(values: list[Any]) -> None:
        path = tmp_path / f"{next(numbers)}.db"
        store(path, [thing(number, value) for number, value in enumerate(values)])
        stored = {row["n"]: _read(kind, row["x"]) for row in lines(path, "thing")}
        [(refused,)] = select(path, "SELECT count(*) FROM problems")
        assert len(stored) + refused == len(values)
        assert stored == {n: values[n] for n in stored}
        if kind not in (int, dict):  # 5 is 5.0 in a column with an integer beyond 64 bits
            assert all(type(stored[n]) is type(values[n]) for n in stored)
        table = arrow(path, "thing").to_pylist()
        assert {row["n"]: _of_arrow(kind, row["x"], values) for row in table} == stored
        if find_spec("pandas"):
            frame = _frame(path)
            assert list(frame["n"]) == list(stored)
            if kind in (str, float, int | str):
                assert list(frame["x"]) == list(stored.values())
        for file in tmp_path.glob(f"{path.stem}.*"):
            file.unlink()

    holds()


def _frame(path: Path) -> Any:
    import pandas

    with contextlib.closing(sqlite3.connect(path)) as db:
        return pandas.read_sql("SELECT * FROM thing", db)


def _of_arrow(kind: Any, value: Any, values: list[Any]) -> Any:
    if isinstance(value, str) and kind not in (str, Decimal, datetime, date):
        return json.load(io.StringIO(value)) if kind is not int else int(value)
    if kind is int and isinstance(value, Decimal):
        return int(value)
    return _read(kind, value)


def test_a_class_that_can_have_no_table_costs_its_own_items_alone() -> None:
    wrong = make_dataclass("Wrong", [("page_id", int)])
    visit = visit_of([{"n": 1}, wrong(5), {"n": 2}], TODO, fails="'page_id' is reserved")
    assert [record.values for record in visit.items] == [(1,), (2,)]
    assert [(kind, value) for kind, _, value in visit.problems] == [("Wrong", '{"page_id": 5}')]
    assert visit.refusals == {"item_refused": 1}
