"""What two stores or two runs have that the other does not: items with a key and without one."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from data_story import SmallWeb, crawl, on_web, page, rows

from crawler import SiteSpider, Spider, item
from crawler.cli import run as command
from crawler.inspect import diff
from crawler.store import requeue

LATER = "2999-01-01T00:00:00.000Z"


@item(key="name")
class Plain:
    name: str
    price: int


@item(key="name", history=True)
class Kept:
    name: str
    price: int


@item
class Loose:
    name: str
    price: int


def spider_of(url: str, give: Callable[[str], list[Any]]) -> Spider:
    def parse(self: Spider, page: Any) -> Any:
        yield from give(page.title)

    made = type("S", (Spider,), {"name": "s", "rules": SiteSpider.rules, "parse": parse})()
    made.start_urls = [url + "/"]
    return made


def told(differences: Any) -> set[tuple[str, str, str, str | None, str | None]]:
    return {tuple(d) for d in differences if d.what != "page"}  # type: ignore[misc]


def test_items_of_two_stores_are_compared_by_key_or_as_a_whole(tmp_path: Path) -> None:
    before = [Plain("a", 1), Plain("b", 1), Loose("x", 1), Loose("x", 1), Loose("y", 1)]
    after = [Plain("a", 2), Plain("c", 1), Loose("x", 1), Loose("y", 2), Kept("k", 1)]
    a, b = tmp_path / "a.db", tmp_path / "b.db"
    home = ""

    async def tell(web: SmallWeb) -> None:
        nonlocal home
        home = web.url + "/"
        web.add("/", page("home"))
        await crawl(a, spider_of(web.url, lambda title: before))
        await crawl(b, spider_of(web.url, lambda title: after))

    on_web(tell)
    assert told(diff.stores(a, b)) == {
        ("added", "kept", "1 item, the whole type", None, None),
        ("changed", "plain", "a", "price=1", "price=2"),
        ("gone", "plain", "b", "name=b, price=1", None),
        ("added", "plain", "c", None, "name=c, price=1"),
        ("gone", "loose", home, "name=x, price=1", None),
        ("gone", "loose", home, "name=y, price=1", None),
        ("added", "loose", home, None, "name=y, price=2"),
    }
    assert told(diff.stores(a, a)) == set()


@pytest.fixture
def twice(tmp_path: Path) -> Path:
    """Three runs: the second changes one item of each type, drops one and adds one."""
    path = tmp_path / "a.db"

    def give(title: str) -> list[Any]:
        price = 2 if title.isupper() else 1
        names = ["a", "c"] if title.isupper() else ["a", "b"]
        return [kind(name, price) for kind in (Plain, Kept, Loose) for name in names]

    async def tell(web: SmallWeb) -> None:
        web.add("/", page("home"))
        await crawl(path, spider_of(web.url, give))
        web.add("/", page("HOME"))
        for _ in range(2):
            requeue.recrawl(path, LATER, all_=True)
            await crawl(path, spider_of(web.url, give))

    on_web(tell)
    assert rows(path, "SELECT count(*) FROM runs") == [(3,)]
    return path


def test_items_of_two_runs_are_told_as_far_as_their_type_keeps_it(twice: Path) -> None:
    stored = "not compared: without a key none is known to be another"
    assert told(diff.runs(twice, 1, 2)) == {
        ("changed", "kept", "a", "price=1", "price=2"),
        ("gone", "kept", "b", "name=b, price=1", None),
        ("added", "kept", "c", None, "name=c, price=2"),
        ("added", "plain", "c", None, "name=c, price=2"),
        ("gone", "plain", "b", "name=b, price=1", None),
    }
    assert told(diff.runs(twice, 2, 3)) == {("stored", "loose", "2 items", None, stored)}


def test_runs_of_a_file_that_an_older_version_made_are_compared_as_far_as_it_goes(
    twice: Path, tmp_path: Path
) -> None:
    old = tmp_path / "old.db"
    shutil.copy(twice, old)
    with closing(sqlite3.connect(old)) as db:
        db.execute("ALTER TABLE runs DROP COLUMN items")
    kinds = {kind for kind, *_ in told(diff.runs(old, 1, 2))}
    assert kinds == {"changed", "gone"}


def test_differences_come_as_a_table_json_and_html(
    twice: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["diff", "1", "2", "--store", str(twice)]
    assert command(arguments) == 0
    assert "price=1" in capsys.readouterr().out
    assert command([*arguments, "-f", "json"]) == 0
    assert {"kind": "gone", "what": "kept", "key": "b"}.items() <= next(
        d for d in json.loads(capsys.readouterr().out) if d["kind"] == "gone"
    ).items()
    assert command([*arguments, "-f", "html"]) == 0
    assert "<td>price=2</td>" in capsys.readouterr().out
