"""`crawler datasette`: what Datasette is told of a store, and what it shows of it."""

import json
import sqlite3
import sys
from contextlib import closing
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
from item_story import store as stored

from crawler.cli import run as command
from crawler.inspect import datasette as shown
from crawler.inspect.query import Reader

HERE = find_spec("datasette") is not None


@dataclass(frozen=True)
class Ware:
    name: str


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("datasette") / "shop.db"
    stored(path, [Ware("<b>a</b>")], [Ware("b")])
    with closing(sqlite3.connect(path)) as db:
        db.execute("INSERT INTO cookies VALUES ('', 'h.example', '/', 'sid', 'a secret')")
        db.commit()
    return path


@pytest.fixture
def queries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "queries"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    (folder / "by-host.sql").write_text(
        "-- Pages a host.\nSELECT host(url) AS host, count(*) AS n FROM pages GROUP BY 1;\n"
    )
    (folder / "pages.sql").write_text("SELECT 1")
    return folder


def got(
    capsys: pytest.CaptureFixture[str], store: Path, path: str, *options: str
) -> tuple[int, str]:
    code = command(["datasette", str(store), *options, "--", "--get", path])
    return code, capsys.readouterr().out


def test_the_words_are_those_of_the_schema(store: Path, queries: Path) -> None:
    with Reader(store) as reader:
        told = shown.metadata(reader)["databases"]["shop"]
        there = set(reader.names())
    tables = told["tables"]
    assert there - set(tables) == {one for one in there if one.startswith(("search_", "sqlite_"))}
    assert tables["pages"]["columns"]["content_hash"] == "XXH3-128 of the body"
    assert tables["orphans"]["description"] == "Stored pages that no other stored page links to."
    assert tables["pages"]["facets"] == ["outcome", "status"]
    assert {name for name, one in tables.items() if one.get("hidden")} == shown.INTERNAL
    # By the name of a table, a query would stand in its place.
    assert set(told["queries"]) == {"by-host", "query_pages"}
    assert told["queries"]["by-host"]["title"] == "Pages a host."


def test_a_column_is_described_that_the_table_has(store: Path) -> None:
    with Reader(store) as reader:
        there = {name: set(columns) for name, columns in reader.names().items()}
    wrong = {name: set(own) - there[name] for name, (_, own) in shown.words().items()}
    assert {name: columns for name, columns in wrong.items() if columns} == {}


def test_only_what_is_finished_and_whole_is_immutable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.db"
    stored(path, [Ware("a")])
    assert not shown.is_at_rest(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute("INSERT OR REPLACE INTO crawl VALUES ('seeded', 1)")
        db.execute("UPDATE runs SET state = 'finished'")
        db.execute("UPDATE hosts SET pending = 0")
        db.commit()
        assert not shown.is_at_rest(path)  # all of that is in the log beside it
    assert shown.is_at_rest(path)
    if HERE:
        code, answer = got(capsys, path, "/-/databases.json")
        assert code == 0 and json.loads(answer)[0]["is_mutable"] is False


def test_what_cannot_be_opened_is_refused_with_the_way_out(
    store: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def told(*arguments: str) -> str:
        assert command(["datasette", *arguments]) == 2
        [line] = capsys.readouterr().err.splitlines()
        return line

    assert "crawler dashboard" in told("postgresql://u@h.example/web?crawl=a")
    monkeypatch.setitem(sys.modules, "datasette", None)
    monkeypatch.setitem(sys.modules, "datasette.cli", None)
    assert told(str(store)).endswith("pip install 'crawlkeep[datasette]'")
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as db:
        db.execute("CREATE TABLE t (a)")
    assert "not a crawl's store" in told(str(other))


@pytest.mark.skipif(not HERE, reason="Datasette is not here")
def test_datasette_shows_it(store: Path, queries: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, page = got(capsys, store, "/shop/pages")
    assert code == 0
    assert "One row for every request that ended" in page
    assert 'data-facet-value="ok"' in page or "outcome=ok" in page
    code, answer = got(capsys, store, "/shop/by-host.json?_shape=array")
    assert (code, json.loads(answer)) == (0, [{"host": "h.example", "n": 2}])
    code, ware = got(capsys, store, "/shop/ware")
    assert code == 0 and "<b>a</b>" not in ware and "&lt;b&gt;a" in ware


@pytest.mark.skipif(not HERE, reason="Datasette is not here")
@pytest.mark.parametrize(
    "path",
    [
        "/shop.json?sql=SELECT+cookie+FROM+cookies",
        "/shop/cookies.json",
        "/shop.db",
        "/shop.json?sql=SELECT+'a'+REGEXP+'a'",
        "/shop.json?sql=DELETE+FROM+pages",
        "/shop.json?sql=WITH+x(n)+AS+(SELECT+1+UNION+ALL+SELECT+n%2B1+FROM+x)+SELECT+max(n)+FROM+x",
    ],
)
def test_what_is_closed_stays_closed(
    store: Path, path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, answer = got(capsys, store, path, "--limit", "0.05")
    assert code == 1 and "a secret" not in answer


@pytest.mark.parametrize(
    ("host", "taken"),
    [
        ("127.0.0.1:8001", True),
        ("localhost:8001", True),
        ("[::1]:8001", True),
        ("evil.example:8001", False),
        ("127.0.0.1.evil.example", False),
        ("", False),
    ],
)
def test_a_name_that_leads_here_by_dns_is_refused(host: str, taken: bool) -> None:
    assert shown._is_address(host) is taken
