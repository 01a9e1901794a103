"""Other programs open the store, and what they reckon is right; each is skipped where it is not."""

import json
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from item_story import store as stored

from crawler.cli import run as command

PRICES = ("0.1", "0.2", "19.99", "1e3", "5", "12345678901234567.89")
AVERAGE = float(sum(map(Decimal, PRICES)) / len(PRICES))
SQL = "SELECT avg(price) FROM ware"


@dataclass(frozen=True)
class Ware:
    price: Decimal
    ref: int | str
    tags: list[str]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tools") / "a.db"
    refs = (5, "5", "x", 7, "", 1 << 40)
    stored(path, [Ware(Decimal(p), ref, ["a"]) for p, ref in zip(PRICES, refs, strict=True)])
    return path


def frame_of(store: Path, module: Any) -> Any:
    db = sqlite3.connect(store)
    try:
        return module(db)
    finally:
        db.close()


def test_pandas_reads_the_table(store: Path) -> None:
    pandas = pytest.importorskip("pandas")
    frame = frame_of(store, lambda db: pandas.read_sql("SELECT * FROM ware", db))
    assert frame["price"].mean() == pytest.approx(AVERAGE)
    assert list(frame["ref"]) == [5, "5", "x", 7, "", 1 << 40]


def test_polars_reads_the_table(store: Path) -> None:
    polars = pytest.importorskip("polars")
    sql = "SELECT price, tags FROM ware"
    frame = frame_of(store, lambda db: polars.read_database(sql, db))
    assert frame["price"].mean() == pytest.approx(AVERAGE)


def test_sqlite_utils_reads_the_table(store: Path) -> None:
    if not find_spec("sqlite_utils"):
        pytest.skip("sqlite-utils is not here")
    # By its command: it sets what holds for all of a process
    done = subprocess.run(
        [sys.executable, "-m", "sqlite_utils", str(store), SQL],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)[0]["avg(price)"] == pytest.approx(AVERAGE)
    rows = subprocess.run(
        [sys.executable, "-m", "sqlite_utils", "rows", str(store), "ware"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert [row["ref"] for row in json.loads(rows.stdout)] == [5, "5", "x", 7, "", 1 << 40]


def test_datasette_reads_the_table(store: Path) -> None:
    if not find_spec("datasette"):
        pytest.skip("Datasette is not here")
    done = subprocess.run(
        [sys.executable, "-m", "datasette", str(store), "--get", f"/a.json?sql={SQL}&_shape=array"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)[0]["avg(price)"] == pytest.approx(AVERAGE)


def test_duckdb_reads_the_store_and_its_parquet(store: Path, tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    out = tmp_path / "ware.parquet"
    assert command(["export", "ware", "-o", str(out), "--store", str(store)]) == 0
    exact = duckdb.execute(f"SELECT sum(price) FROM '{out}'").fetchone()[0]
    assert exact == sum(map(Decimal, PRICES))
    assert duckdb.execute(f"SELECT avg(price) FROM '{out}'").fetchone()[0] == pytest.approx(AVERAGE)


def test_duckdb_opens_the_store(store: Path) -> None:
    """By the extension for SQLite from PyPI (duckdb-ext-sqlite), which asks no server for it."""
    duckdb = pytest.importorskip("duckdb")
    extensions = pytest.importorskip("duckdb_ext").get_extension_dir()
    with duckdb.connect(config={"extension_directory": str(extensions)}) as db:
        db.execute("LOAD sqlite")
        db.execute(f"ATTACH '{store}' AS store (TYPE sqlite, READ_ONLY)")
        [(average, kind)] = db.execute(
            "SELECT avg(price), any_value(typeof(price)) FROM store.ware"
        ).fetchall()
        assert float(average) == pytest.approx(AVERAGE), kind
