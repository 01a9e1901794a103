"""Answers as tables: whole where a program reads them, cut visibly where a person does."""

import csv
import io
import json
import sqlite3
from pathlib import Path

import pytest
from data_story import SmallWeb, crawl, on_web, page

from crawler import SiteSpider
from crawler.cli import run as command
from crawler.cli.table import write_table
from crawler.inspect.query import Rows

LONG = "https://a.example/" + "x" * 300


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def written(rows: list[tuple[object, ...]], *columns: str, out: io.StringIO | None = None) -> str:
    out = out or io.StringIO()
    write_table(Rows(columns, iter(rows)), out, "with --format jsonl")
    return out.getvalue()


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("NO_COLOR", "1")


# ---------------------------------------------------------------- into a pipe


def test_a_cell_is_whole_in_a_pipe() -> None:
    lines = written([(LONG, 1), ("b", 2)], "url", "n").splitlines()
    assert lines == [f"url{' ' * 77}  n", f"{'-' * 80}  -", f"{LONG}  1", f"b{' ' * 79}  2"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("two  spaces, a\ttab ", "two  spaces, a\ttab "),
        ("a\nb\r\nc\x85d\u2028", r"a\nb\r\nc\x85d\u2028"),
        (None, ""),
        (b"abc", "3 bytes"),
        (0.1 + 0.2, "0.30000000000000004"),
        ("é" * 200, "é" * 200),
    ],
)
def test_a_value_is_exact_on_one_line(value: object, shown: str) -> None:
    assert written([("x", value)], "x", "value").split("\n")[2] == f"x  {shown}".rstrip(
        " " if not shown else ""
    )


def test_one_column_of_a_query_can_be_read_line_by_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    db = sqlite3.connect(tmp_path / "a.db")
    db.execute("CREATE TABLE t AS SELECT ? AS url", (LONG,))
    db.commit()
    db.close()
    assert command(["query", "SELECT url FROM t", "--store", str(tmp_path / "a.db")]) == 0
    assert capsys.readouterr().out.splitlines()[2:] == [LONG]


# ---------------------------------------------------------------- on a terminal


def test_a_cut_on_a_terminal_is_seen_and_told(
    narrow: None, capsys: pytest.CaptureFixture[str]
) -> None:
    text = written([(LONG, "an … of its own"), ("short", "x")], "url", "note", out=Terminal())
    assert text.count("…") == 2
    assert capsys.readouterr().err == (
        "cut to fit the terminal: 1 × …; whole with --format jsonl\n"
    )


def test_what_fits_is_told_of_no_cut(narrow: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert "a … b :smile:" in written([("a … b :smile:",)], "url", out=Terminal())
    assert capsys.readouterr().err == ""


def test_columns_that_do_not_fit_are_lines(
    narrow: None, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"c{number}" for number in range(12)]
    text = written([(LONG, *range(11)), (None, *range(11))], *names, out=Terminal())
    blocks = text.split("\n\n")
    assert blocks[0].splitlines()[0] == f"c0   {LONG}"
    assert [len(block.splitlines()) for block in blocks] == [12, 12, 0]
    assert capsys.readouterr().err == ""


# ---------------------------------------------------------------- diff into a file


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two stores that differ by a title."""
    folder = tmp_path_factory.mktemp("two")
    made = [folder / "a.db", folder / "b.db"]

    async def tell(web: SmallWeb) -> None:
        for store in made:
            web.add("/", page(f"title in {store.stem}"))
            await crawl(store, SiteSpider(web.url))

    on_web(tell)
    return [str(store) for store in made]


def test_a_diff_goes_by_the_ending_of_its_file(two: list[str], tmp_path: Path) -> None:
    texts = {}
    for name in ("d.html", "d.HTM", "d.csv", "d.CSV", "d.json", "d.jsonl", "d", "d.sqlite"):
        assert command(["diff", *two, "-o", str(tmp_path / name)]) == 0
        texts[name] = (tmp_path / name).read_bytes()
    assert texts["d.html"].startswith(b"<!doctype html>") and texts["d.HTM"] == texts["d.html"]
    [row] = csv.DictReader(io.StringIO(texts["d.csv"].decode()))
    assert row["kind"] == "changed" and texts["d.CSV"] == texts["d.csv"]
    assert [row] == json.loads(texts["d.json"]) == [json.loads(texts["d.jsonl"])]
    assert texts["d"] == texts["d.jsonl"]
    assert texts["d.sqlite"].startswith(b"SQLite format 3")


def test_the_format_of_a_diff_wins_over_the_ending(
    two: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "d.csv"
    for kind, begin in (("html", "<!doctype"), ("json", "["), ("table", "kind")):
        assert command(["diff", *two, "-o", str(out), "--format", kind]) == 0
        assert out.read_text().startswith(begin)
    for arguments in (["-o", "-", "-f", "csv"], ["-f", "csv"]):
        assert command(["diff", *two, *arguments]) == 0
        assert capsys.readouterr().out.startswith("kind,what")


@pytest.mark.parametrize("name", ["d.warc", "d.md", "d.xyz"])
def test_what_a_file_of_rows_cannot_be_is_refused(
    two: list[str], tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / name)
    for arguments in (["diff", *two], ["query", "SELECT 1", "--store", two[0]]):
        assert command([*arguments, "-o", out]) == 2
        told = capsys.readouterr().err
        assert "use --format" in told and told.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
