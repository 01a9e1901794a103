"""Where the name of a store leads: the same file for what writes and for what reads."""

from pathlib import Path

import pytest
from cli_story import Desk, ServedSite

from crawler.cli import run, stores
from crawler.errors import StoreRefused, UsageError

FAST = "--set politeness.delay=0 --max-pages 1 -q".split()


@pytest.mark.parametrize(
    ("named", "there", "leads_to"),
    [
        ("shop", (), "data/shop.db"),
        ("shop", ("data/shop.db",), "data/shop.db"),
        ("shop", ("shop/page.html", "data/shop.db"), "data/shop.db"),
        ("shop", ("shop", "data/shop.db"), "shop"),
        ("shop", ("data/shop",), "data/shop"),
        ("example.com", (), "data/example.com.db"),
        ("shop.db", (), "shop.db"),
        ("shop.db", ("data/shop.db",), "data/shop.db"),
        ("shop.sqlite3", (), "shop.sqlite3"),
        ("out/shop", (), "out/shop"),
        ("data/shop.db", (), "data/shop.db"),
    ],
)
def test_a_name_leads_to_one_place(
    named: str,
    there: tuple[str, ...],
    leads_to: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in there:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    assert stores.place(named, Path("data/default.db")) == stores.find(named) == Path(leads_to)


@pytest.mark.parametrize(
    ("named", "way"),
    [
        (":memory:", "a file"),
        ("", "data/example.db"),
        ("shop", "data/shop.db"),
        ("shop/", "shop.db"),
    ],
)
def test_what_is_no_store_is_refused_by_both(
    named: str, way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("shop").mkdir()
    with pytest.raises((StoreRefused, UsageError), match=way):
        stores.find(named)
    with pytest.raises((StoreRefused, UsageError), match=way):
        stores.place(named, Path("data/default.db"))


def test_a_crawl_is_found_by_the_name_that_it_was_given(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    with ServedSite() as site:
        done = desk.run("crawl", site.url, "--store", "shop", *FAST)
    assert done.code == 0
    assert (desk.folder / "data" / "shop.db").exists() and not (desk.folder / "shop").exists()
    assert "pages    1" in desk.run("status", "shop").out
    assert desk.run("query", "SELECT 1 AS one", "--store", "shop", "-f", "csv").out == "one\n1\n"


@pytest.mark.parametrize("command", ["status", "traps", "workers", "doctor", "datasette"])
def test_a_store_that_is_an_argument_may_be_said_as_an_option(
    command: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    told = []
    for words in (["there"], ["--store", "there"], ["--store=there"]):
        code = run([command, *words])
        told.append((code, *capsys.readouterr()))
    assert told[0] == told[1] == told[2]
    assert "there.db" in str(told[0])
    assert run([command, "--store"]) == 2
    assert "needs a store" in capsys.readouterr().err
