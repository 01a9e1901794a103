"""Exports: continued without missing a change, and never half a file under the final name."""

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from data_story import SmallWeb, crawl, on_web, page, rows

from crawler import SiteSpider, Spider, export, item
from crawler.cli import run as command
from crawler.cli.export import progress
from crawler.cli.visible import visible
from crawler.errors import StoreFull, UsageError
from crawler.export import markdown, warc
from crawler.export.formats import STREAMS, WriteOptions
from crawler.inspect import search
from crawler.inspect.query import Reader, Rows
from crawler.store import requeue

LATER = "2999-01-01T00:00:00.000Z"


@item(key="url")
class Head:
    url: str
    title: str


class Heads(Spider):
    name = "heads"
    rules = SiteSpider.rules

    def parse(self, page: Any) -> Any:
        yield Head(page.url, page.title)


def heads(url: str) -> Spider:
    spider = Heads()
    spider.start_urls = [url + "/"]
    return spider


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "a.db"

    async def tell(web: SmallWeb) -> None:
        web.add("/", page("one", "/two", "/three", text="apples"))
        web.add("/two", page("two"))
        web.add("/three", page("three"))
        await crawl(path, heads(web.url))

    on_web(tell)
    return path


# ---------------------------------------------------------------- continued


def go_on(path: Path, what: str, out: Path) -> int:
    with Reader(path) as reader:
        return export.go_on(reader, what, out.suffix[1:], out, WriteOptions())


def test_a_continued_export_also_gives_what_was_written_again(tmp_path: Path) -> None:
    path, out = tmp_path / "a.db", tmp_path / "out"
    out.mkdir()

    async def tell(web: SmallWeb) -> None:
        web.add("/", page("home", "/two"), ETag='"1"')
        web.add("/two", page("two"))
        await crawl(path, heads(web.url))
        assert [go_on(path, what, out / f"{what}.jsonl") for what in ("head", "pages")] == [2, 2]
        assert [go_on(path, what, out / f"{what}.jsonl") for what in ("head", "pages")] == [0, 0]
        web.add("/two", page("TWO", "/new"))
        web.add("/new", page("new"))
        requeue.recrawl(path, LATER)
        await crawl(path, heads(web.url))
        assert go_on(path, "head", out / "head.jsonl") == 2
        # Home was asked for and had not changed: its row is what it was.
        assert go_on(path, "pages", out / "pages.jsonl") == 2
        for what, key in (("head", "item_id"), ("pages", "page_id")):
            lines = (out / f"{what}.jsonl").read_text().splitlines()
            last = {line[key]: line["title"] for line in map(json.loads, lines)}
            assert sorted(last.items()) == rows(path, f"SELECT {key}, title FROM {what}")

    on_web(tell)


def test_while_a_run_goes_on_what_it_changes_again_is_not_missed(
    store: Path, tmp_path: Path
) -> None:
    out = tmp_path / "head.jsonl"
    with requeue.claimed(store) as db:
        db.execute("UPDATE runs SET state = 'running'")
    assert go_on(store, "head", out) == 3
    with requeue.claimed(store) as db:
        db.execute("UPDATE head SET title = 'changed', fetched_at = ? WHERE item_id = 2", (LATER,))
        db.execute("UPDATE head SET fetched_at = '2020-01-01T00:00:00.000Z' WHERE item_id <> 2")
    assert go_on(store, "head", out) == 1
    assert json.loads(out.read_text().splitlines()[-1])["title"] == "changed"


def test_a_csv_whose_columns_changed_is_not_continued(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "head.csv"
    assert go_on(store, "head", out) == 3
    before = out.read_bytes()
    with requeue.claimed(store) as db:
        db.execute("ALTER TABLE head ADD COLUMN colour TEXT")
        db.execute("UPDATE head SET run_id = 2")
    with pytest.raises(UsageError, match="other columns"):
        go_on(store, "head", out)
    assert out.read_bytes() == before
    with pytest.raises(UsageError, match="holds head"):
        go_on(store, "pages", out)
    (tmp_path / "head.csv.export").write_text("odd")
    with pytest.raises(UsageError, match="no mark"):
        go_on(store, "head", out)


# ---------------------------------------------------------------- a full disk


@contextlib.contextmanager
def full_disk(folder: Path) -> Iterator[Path]:
    """A file system of 64 KB; skips where it cannot be mounted."""
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", "size=64k", "none", str(folder)]
    try:
        done = subprocess.run(["mount", *options], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount here")
    if done.returncode:
        pytest.skip("a file system cannot be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="mounts a file system")
def test_an_export_on_a_full_disk_leaves_nothing_and_says_so(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pyarrow")
    many = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"
        " SELECT i, hex(randomblob(20)) AS noise FROM n"
    )
    with full_disk(tmp_path / "full") as folder:
        for ending in ("jsonl", "json", "csv", "parquet", "sqlite"):
            out = folder / f"a.{ending}"
            assert command(["export", many, "-o", str(out), "--store", str(store)]) == 2
            assert "the disk is full" in capsys.readouterr().err
            assert list(folder.iterdir()) == []
        (folder / "filler").write_bytes(bytes(16 * 4096 - 8192))
        with contextlib.suppress(OSError), (folder / "filler2").open("wb") as file:
            file.write(bytes(8192))
        before = sorted(folder.iterdir())
        with Reader(store) as reader, pytest.raises(StoreFull):
            markdown.write_pages(reader, folder)
        assert sorted(file for file in folder.rglob("*") if file.is_file()) == before


# ---------------------------------------------------------------- damaged bodies


def test_a_damaged_body_is_left_out_and_told_of(store: Path, tmp_path: Path) -> None:
    [(url,)] = rows(store, "SELECT url FROM pages WHERE page_id = 2")
    with requeue.claimed(store) as db:
        db.execute("UPDATE bodies SET body = x'00' WHERE page_id = 2")
    told: list[str] = []
    with Reader(store) as reader:
        assert warc.write_warc(reader, tmp_path / "a.warc.gz", damaged=told.append) == 2
        assert markdown.write_pages(reader, tmp_path / "md", damaged=told.append) == 2
    assert search.index(store, damaged=told.append) == 2
    assert told == [url] * 3


def test_a_page_whose_body_was_not_stored_never_passes_for_an_empty_one(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from warcio.archiveiterator import ArchiveIterator

    [(url,)] = rows(store, "SELECT url FROM pages WHERE page_id = 2")
    with requeue.claimed(store) as db:
        db.execute("DELETE FROM bodies WHERE page_id = 2")
    out = tmp_path / "a.warc.gz"
    with Reader(store) as reader:
        assert warc.write_warc(reader, out) == 3
    with out.open("rb") as file:
        marked = [
            record.rec_headers.get_header("WARC-Truncated")
            for record in ArchiveIterator(file)
            if record.rec_type == "response"
        ]
    assert marked == [None, "unspecified", None]
    for more, number in ([], 2), (["--seeds"], 0):
        made = tmp_path / f"b{number}.db"
        assert command(["import", str(out), "--store", str(made), *more]) == 0
        told = capsys.readouterr().err
        assert rows(made, "SELECT count(*) FROM pages") == [(number,)]
        assert (f"no body of it: '{url}'" in told) is (not more)
        if more:
            assert (url,) in rows(made, "SELECT url FROM todo")


def test_the_command_names_a_page_that_was_left_out(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with requeue.claimed(store) as db:
        db.execute("UPDATE bodies SET body = x'00' WHERE page_id > 1")
    arguments = ["export", "pages", "-f", "markdown", "-o", str(tmp_path / "md")]
    assert command([*arguments, "--store", str(store)]) == 0
    told = capsys.readouterr().err
    assert "damaged: http" in told and "and 1 more" in told


# ---------------------------------------------------------------- on the command line


@pytest.mark.parametrize(
    ("number", "total", "line"),
    [
        (5, 0, "5 rows → a.csv"),
        (1000, 4000, "██████░░░░░░░░░░░░░░░░░░  25%  1,000 of 4,000 rows → a.csv"),
        (5000, 4000, "████████████████████████ 100%  5,000 of 4,000 rows → a.csv"),
    ],
)
def test_the_bar_shows_how_far_an_export_is(number: int, total: int, line: str) -> None:
    assert progress(number, total, "a.csv") == line


def test_only_what_is_counted_quickly_has_a_bar(store: Path) -> None:
    with Reader(store) as reader:
        assert [export.total(reader, what) for what in ("pages", "head")] == [3, 3]
        assert [export.total(reader, what) for what in ("links", "SELECT 1", "no")] == [0, 0, 0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["pages", "-f", "warc"], "standard output"),
        (["pages", "-f", "sqlite"], "standard output"),
        (["head", "-f", "warc", "-o", "a.warc.gz"], "export pages -f warc"),
        (["SELECT 1", "--run", "1"], "--run goes with"),
        (["pages", "--run", "1", "--continue", "-o", "a.csv"], "--run goes neither"),
        (["SELECT 1", "--continue", "-o", "a.csv"], "--continue goes with"),
    ],
)
def test_what_does_not_go_together_is_refused(
    store: Path, arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(["export", *arguments, "--store", str(store)]) == 2
    assert words in capsys.readouterr().err
    assert not Path("-").exists() and not Path("a.csv").exists()


def test_columns_of_one_name_are_told_apart(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sql = "SELECT 1 AS a, 2 AS A, 3 AS a, 4 AS a_2"
    assert command(["export", sql, "--store", str(store)]) == 0
    assert json.loads(capsys.readouterr().out) == {"a": 1, "A": 2, "a_2": 3, "a_2_2": 4}
    out = tmp_path / "a.sqlite"
    assert command(["export", sql, "--store", str(store), "-o", str(out)]) == 0
    assert rows(out, "SELECT * FROM rows") == [(1, 2, 3, 4)]


def test_a_folder_that_is_not_there_is_made(store: Path, tmp_path: Path) -> None:
    out = tmp_path / "none" / "deeper" / "a.csv"
    assert command(["export", "head", "--store", str(store), "-o", str(out)]) == 0
    assert len(out.read_text().splitlines()) == 4


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_of_a_warc_that_is_cut_short_what_is_whole_comes_in(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], share: float
) -> None:
    file, made = tmp_path / "a.warc.gz", tmp_path / "b.db"
    with Reader(store) as reader:
        warc.write_warc(reader, file)
    data = file.read_bytes()
    file.write_bytes(data[: int(len(data) * share)])
    code = command(["import", str(file), "--store", str(made)])
    told = capsys.readouterr().err
    whole = re.search("[0-9] pages? →", told)
    assert whole or (code == 2 and "a.warc.gz" in told and "damaged" in told)
    assert told.count("\n") == 1
    number = rows(made, "SELECT count(*) FROM pages")[0][0]
    assert 1 <= number <= 3


def test_a_condition_that_cannot_run_says_where_and_what_is_near(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(["retry", "--store", str(store), "--where", "outcom = 'ok'"]) == 2
    assert "did you mean outcome (of pages)?" in capsys.readouterr().err


@pytest.mark.parametrize("format_", ["jsonl", "json"])
def test_json_commands_no_terminal_and_has_the_same_value(format_: str) -> None:
    told = "".join(map(chr, (*range(1, 0x20), *range(0x7F, 0x100), *range(0x600, 0x620))))
    told += "".join(map(chr, range(0x2000, 0x2070))) + "日本語 👩‍👩‍👧"
    values = (told, json.dumps({"deep": told}, ensure_ascii=False))
    written = Rows(["text", "parts"], iter([values]))
    out = io.BytesIO()
    STREAMS[format_](written, out, WriteOptions(kinds={"parts": "JSON"}))
    text = out.getvalue().decode()
    assert visible(text) == text
    found = json.loads(text)
    row = found if format_ == "jsonl" else found[0]
    assert row == {"text": told, "parts": {"deep": told}}
