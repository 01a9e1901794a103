"""`-o FILE` of run and crawl: whole files at the end, also where the end came early."""

import csv
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_story import Command, Desk, ServedSite

SPIDER = """
from decimal import Decimal
from crawler import Request, Spider, item

@item(key="name")
class Shop:
    name: str
    price: Decimal

@item
class Note:
    text: str
    price: int
    tags: list[str]

class Two(Spider):
    name = "two"
    base = ""

    def start(self):
        yield from (Request(f"{self.base}p/{n}") for n in range(4))

    def parse(self, page):
        number = page.url[-1]
        yield Shop("same", Decimal("1.10"))
        yield Note(f"n{number}", int(number), ["a", "b"])
        yield Note(f"m{number}", 0, [])

class Dicts(Two):
    name = "dicts"

    def parse(self, page):
        yield {"addr:full": page.url[-1], "n": int(page.url[-1])}

class Nothing(Two):
    name = "nothing"

    def parse(self, page):
        pass
"""
FAST = ("--set", "politeness.delay=0", "--set", "fetch.retries=0")


@pytest.fixture(scope="module")
def site() -> Iterator[ServedSite]:
    with ServedSite() as served:
        for number in range(4):
            served.site.add_page(f"/p/{number}", f"<title>{number}</title>")
        yield served


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    desk = Desk(tmp_path_factory.mktemp("desk"))
    (desk.folder / "spiders" / "two.py").write_text(SPIDER, "utf-8")
    return desk


FILES = ("o/all.jsonl", "o/all.json", "o/all.csv", "o/all.db", "o/all.parquet", "note=n.jsonl")


@pytest.fixture(scope="module")
def ended(desk: Desk, site: ServedSite) -> dict[str, Command]:
    """What one process of many commands gave, by a name for each."""
    base = ("-a", f"base={site.url}", *FAST)
    outputs = [part for file in (*FILES, "t/{name}-{type}.csv") for part in ("-o", file)]
    commands = {
        "first": ["run", "two", *base, "--max-pages", "2", *outputs],
        "again": ["run", "two", *base, *outputs],
        "dicts": ["run", "dicts", *base, "-o", "dicts.jsonl"],
        "crawl": ["crawl", f"{site.url}p/1", *FAST, "-o", "pages.csv", "-o", "site.warc.gz"],
        "nothing": ["run", "nothing", *base, "-o", "empty.jsonl", "-o", "empty.sqlite"],
        "missing": ["run", "nothing", *base, "-o", "quote=q.jsonl"],
        "refused": ["run", "two", "dicts", "-o", "o.jsonl"],
        "failed": ["run", "two", "-a", "base=nowhere", "--store", "f.db", "-o", "failed.jsonl"],
    }
    return dict(zip(commands, desk.run_all(list(commands.values())), strict=True))


def lines(file: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def test_every_format_has_each_item_once_as_it_was_given(
    desk: Desk, ended: dict[str, Command]
) -> None:
    first, again, dicts = ended["first"], ended["again"], ended["dicts"]
    assert first.code == 0 and "not all: the crawl ended early (max_pages, 2 queued)" in first.err
    assert again.code == 0 and "not all" not in again.err
    assert "is not written" not in first.err + again.err, "that is for a crawl that failed"
    assert "9 items → o/all.jsonl" in again.err, "what was there is replaced, by that of all runs"
    found = lines(desk.folder / "o/all.jsonl")
    shops = [row for row in found if row["type"] == "shop"]
    assert shops == [{"type": "shop", "name": "same", "price": 1.1}]
    notes = [row for row in found if row["type"] == "note"]
    assert {row["text"] for row in notes} == {f"{a}{n}" for a in "nm" for n in range(4)}
    assert set(notes[0]) == {"type", "text", "price", "tags"}
    assert json.loads((desk.folder / "o/all.json").read_text()) == found
    with (desk.folder / "o/all.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 9 and rows[0].keys() == {"type", "name", "price", "text", "tags"}
    with sqlite3.connect(desk.folder / "o/all.db") as db:
        tables = [
            db.execute(f"SELECT count(*) FROM {name}").fetchone() for name in ("shop", "note")
        ]
    db.close()
    assert tables == [(1,), (8,)]
    parquet = pytest.importorskip("pyarrow.parquet")
    assert parquet.read_table(desk.folder / "o/all.parquet").num_rows == 9
    assert lines(desk.folder / "n.jsonl")[0].keys() == {"text", "price", "tags"}
    assert sorted(file.name for file in (desk.folder / "t").iterdir()) == [
        *("two-note.csv", "two-shop.csv")
    ]
    assert dicts.code == 0
    assert {row["addr:full"] for row in lines(desk.folder / "dicts.jsonl")} == set("0123")


def test_pages_of_a_crawl_and_a_spider_without_items(
    desk: Desk, site: ServedSite, ended: dict[str, Command]
) -> None:
    crawl, nothing, missing = ended["crawl"], ended["nothing"], ended["missing"]
    assert crawl.code == 0 and "1 page → pages.csv" in crawl.err, crawl.err
    assert f"{site.url}p/1" in (desk.folder / "pages.csv").read_text("utf-8")
    assert (desk.folder / "site.warc.gz").stat().st_size > 100
    assert nothing.code == 0 and "0 items → empty.jsonl (pages are in" in nothing.err
    assert (desk.folder / "empty.jsonl").read_bytes() == b""
    assert missing.code == 2 and "there are: items, pages, links" in missing.err


def test_an_interrupted_crawl_writes_what_it_has(desk: Desk, site: ServedSite) -> None:
    site.hold("/p/3")
    arguments = ("run", "two", "-a", f"base={site.url}", *FAST, "--store", "i.db")
    try:
        grace = ("--set", "engine.grace=0")
        with desk.start(*arguments, *grace, "--log-level", "debug", "-o", "o.jsonl") as running:
            for _ in range(3):
                running.hear("ok 200")
            running.signal()
            ended = running.end()
    finally:
        site.let_go()
    assert ended.code == 130 and "not all: the crawl ended early (interrupted" in ended.err
    assert len(lines(desk.folder / "o.jsonl")) == 7


@pytest.mark.parametrize(
    ("outputs", "word"),
    [
        (["o.txt"], "no format for .txt"),
        (["plain"], "its ending says the format"),
        (["a.csv", "./a.csv"], "named twice"),
        (["data/two.db"], "the store itself"),
        (["spiders/two.py/a.csv"], "cannot be written to"),
        (["-"], "crawler export"),
        (["{nothing}.csv"], "{nothing} has no value"),
        (["links=a.warc"], "warc holds pages"),
        (["pages={type}.csv"], "stands for each item type"),
    ],
)
def test_what_could_not_be_written_is_refused_before_the_crawl(
    outputs: list[str], word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from crawler.cli.outputs import outputs_of
    from crawler.errors import UsageError

    monkeypatch.chdir(tmp_path)
    (tmp_path / "spiders").mkdir()
    (tmp_path / "spiders" / "two.py").touch()
    with pytest.raises(UsageError) as raised:
        outputs_of(outputs, Path("data/two.db"), values={"name": "two"})
    assert word in str(raised.value)


def test_several_spiders_do_not_write_over_one_file(ended: dict[str, Command]) -> None:
    refused, failed = ended["refused"], ended["failed"]
    assert refused.code == 2 and "-o 'out/{name}.jsonl'" in refused.err
    assert failed.code and "failed.jsonl is not written" in failed.err, failed.err
