"""Which rows and columns an export has: by condition, pattern and name, in every format alike."""

import csv
import io
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from data_story import SmallWeb, crawl, on_web, page
from item_story import store as stored

from crawler import SiteSpider
from crawler.cli import run as command

PRICES = ("0.10", "19.99", "1e3")


@dataclass(frozen=True)
class Ware:
    name: str
    price: Decimal
    sold: bool
    tags: list[str]
    at: datetime
    ref: int | str


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("choice") / "a.db"
    when = datetime(2026, 1, 1, tzinfo=UTC)
    wares = [
        Ware(f"w{n}", Decimal(price), n > 0, ["a", f'"{n}'], when + timedelta(n), ref)
        for n, (price, ref) in enumerate(zip(PRICES, (5, "5", "x"), strict=True))
    ]
    stored(path, wares[:1], wares[1:])
    return path


def told(capsys: pytest.CaptureFixture[str], store: Path, *arguments: str) -> list[Any]:
    """Give the rows of a command that writes JSON lines."""
    assert command([*arguments, "-f", "jsonl", "--store", str(store)]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["ware", "--where", "price > 1"], ["w1", "w2"]),
        (["ware", "--where", "sold -- a comment"], ["w1", "w2"]),
        (["ware", "--where", "name = 'w0' OR name = 'w2'", "--exclude", "/1$"], ["w0"]),
        (["ware", "--include", "/1$"], ["w1", "w2"]),
        (["ware", "--include", "/0$", "--include", "/1$", "--after", "2"], ["w2"]),
        (["SELECT name, page_url AS url FROM ware;", "--include", "/0$"], ["w0"]),
        (["WITH x AS (SELECT * FROM ware) SELECT * FROM x", "--where", "ref = '5'"], ["w1"]),
    ],
)
def test_rows_are_chosen_by_condition_and_pattern(
    store: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], names: list[str]
) -> None:
    found = told(capsys, store, "export", *arguments, "--fields", "NAME")
    assert found == [{"name": name} for name in names]


def test_pages_and_links_are_chosen_too(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, store, "export", "pages", "--include", "1$", "--fields", "method,url")
    assert [list(row) for row in found] == [["method", "url"]]
    assert found[0]["url"].endswith("/1")
    assert told(capsys, store, "export", "links", "--exclude", "x", "--fields", "target") == []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["ware", "--include", "("], "is no regular expression"),
        (["ware", "--fields", "nam"], "did you mean name?"),
        (["ware", "--where", "nam = 1"], "did you mean name"),
        (["SELECT 1 AS a", "--include", "x"], "need a column url or page_url"),
        (["pages", "--fields", "url", "-f", "warc", "-o", "a.warc.gz"], "--fields goes with rows"),
        (["pages", "--article", "-f", "csv"], "--article goes with markdown"),
    ],
)
def test_a_choice_that_cannot_be_made_is_refused(
    store: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert command(["export", *arguments, "--store", str(store)]) in (1, 2)
    assert words in capsys.readouterr().err


def test_one_select_means_the_same_in_query_and_export(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sql = "SELECT tags AS t, sold AS s, price, ref, sold + 1 AS n, 'x' AS x FROM ware"
    asked = told(capsys, store, "query", sql)
    assert asked == told(capsys, store, "export", sql)
    first = {"t": ["a", '"0'], "s": False, "price": 0.1, "ref": 5, "n": 1, "x": "x"}
    assert asked[0] == first
    own = told(capsys, store, "export", "ware", "--fields", "tags,sold,price,ref")
    assert [list(row.values()) for row in own] == [list(row.values())[:4] for row in asked]


def test_what_only_looks_like_json_stays_text(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sql = "SELECT tags FROM ware WHERE name = 'w0' UNION ALL SELECT 'no {json'"
    assert [row["tags"] for row in told(capsys, store, "query", sql)] == [["a", '"0'], "no {json"]


def test_parquet_of_a_select_has_decimals_and_times(store: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    for verb in ("query", "export"):
        out = tmp_path / f"{verb}.parquet"
        sql = "SELECT price, at, sold, ref FROM ware"
        assert command([verb, sql, "-o", str(out), "--store", str(store)]) == 0
        table = parquet.read_table(out)
        assert [str(kind) for kind in table.schema.types] == [
            *("decimal128(38, 2)", "timestamp[us, tz=UTC]", "bool", "string")
        ]
        assert table["price"].to_pylist() == [Decimal(price) for price in PRICES]
        assert table["ref"].to_pylist() == ["5", '"5"', '"x"'], "what has several types is JSON"


def test_csv_begins_with_a_mark_where_it_is_asked_for(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "a.csv"
    assert command(["export", "ware", "--bom", "-o", str(out), "--store", str(store)]) == 0
    assert out.read_bytes().startswith(b"\xef\xbb\xbfitem_id,")
    rows = list(csv.DictReader(io.StringIO(out.read_text("utf-8-sig"))))
    assert [row["price"] for row in rows] == ["0.1", "19.99", "1000.0"]


# ---------------------------------------------------------------- Excel


def test_a_workbook_has_numbers_times_and_texts_as_such(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("xlsxwriter")
    openpyxl = pytest.importorskip("openpyxl")
    out = tmp_path / "a.xlsx"
    sql = (
        "SELECT name, price, sold, at, ref, '=1+1' AS f, 'https://a.example' AS u,"
        " 12345678901234567 AS long, hex(zeroblob(20000)) AS big FROM ware"
    )
    assert command(["export", sql, "-o", str(out), "--store", str(store)]) == 0
    assert "3 texts of over 32,767 characters cut" in capsys.readouterr().err
    sheet = openpyxl.load_workbook(out).active
    head, first, second, _ = ([cell.value for cell in row] for row in sheet.rows)
    assert head[:5] == ["name", "price", "sold", "at", "ref"]
    assert first[:8] == [
        *("w0", 0.1, False, datetime(2026, 1, 1), 5, "=1+1", "https://a.example"),
        "12345678901234567",
    ]
    assert second[4] == "5" and len(first[8]) == 32_767
    assert sheet["F2"].data_type == "s", "no formula"


def test_what_is_no_text_has_no_encoding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.db"
    kinds = {
        "/p.png": "image/png",
        "/d.json": "application/ld+json",
        "/f.bin": "",
        "/x": "text/html",
    }

    async def tell(web: SmallWeb) -> None:
        web.add("/", page("one", *kinds))
        for target, kind in kinds.items():
            web.add(target, "\0\1\2" if target == "/f.bin" else "{}", **{"Content-Type": kind})
        spider = SiteSpider()
        spider.start_urls = [web.url + "/"]
        await crawl(path, spider)

    on_web(tell)
    found = told(capsys, path, "query", "SELECT path(url) AS p, encoding FROM pages ORDER BY url")
    assert {row["p"] for row in found if row["encoding"] is None} == {"/p.png", "/f.bin"}
    assert len(found) == 5
