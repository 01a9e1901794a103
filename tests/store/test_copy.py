"""`crawler copy`: half of a crawl in one store, the rest of it in another, and all rows alike."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from data_story import SmallWeb, page
from postgres_server import pooler, server
from site_thread import on_a_thread
from store_truth import check

from crawler.cli import run as command
from crawler.errors import StoreClaimed, StoreDamaged, StoreRefused
from crawler.inspect.query import Reader
from crawler.store import copying
from crawler.store.address import address_of
from crawler.store.claimed import claimed
from tests.store.test_both_stores import SPIDER, TABLES

KINDS = ("file", "database")
MORE = {
    "robots": "SELECT host_id, status, body, reason FROM robots",
    "links": "SELECT source, target, position FROM links",
    "bodies": "SELECT page_id, body FROM bodies",
    "texts": "SELECT page_id, url, title, text FROM texts",
    "cookies": "SELECT session, domain, name FROM cookies",
    "control": "SELECT control_id, action, target FROM control",
    "values": "SELECT key FROM crawl WHERE key NOT IN ('views', 'next_seq', 'next_page_id')",
    "seqs": "SELECT host_id, seq FROM todo",
}


def address(folder: Path, kind: str, name: str) -> str:
    return str(folder / f"{name}.db") if kind == "file" else server().dsn()


def rows(store: str) -> dict[str, list[tuple[object, ...]]]:
    with Reader(store) as reader:
        every = {**TABLES, **MORE}
        return {
            table: sorted(map(tuple, reader.query(sql).rows), key=repr)
            for table, sql in every.items()
        }


class Web:
    """A small site, and a spider with items that keep a history."""

    def __init__(self, folder: Path, web: SmallWeb) -> None:
        self.folder, self.web = folder, web
        self.spider = str(folder / "heads.py")
        text = SPIDER.format(url=web.url, words="int", title="page.title or ''", depth="9")
        Path(self.spider).write_text(text, encoding="utf-8")

    def run(self, store: str, *more: str, verb: str = "run") -> None:
        asked = [verb, self.spider, "--store", store, "-q", "--set", "store.text=true", *more]
        assert command(asked) == 0


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    folder = tmp_path_factory.mktemp("copy")
    with on_a_thread(SmallWeb()) as web, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for number in range(12):
            links = [f"/{number * 2 + 1}", f"/{number * 2 + 2}"]
            web.add(f"/{number or ''}", page(f"page {number}", *links, text=f"w{number} sold é"))
        yield Web(folder, web)


@pytest.mark.parametrize("kind", KINDS)
def test_half_a_crawl_is_copied_and_ends_as_if_it_had_stayed(
    site: Web, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    stayed = address(site.folder, kind, "stayed")
    site.run(stayed, "--max-pages", "4")
    assert command(["add", f"{site.web.url}/", "--store", stayed]) == 0
    copies = [address(site.folder, to, f"from-{kind}") for to in KINDS]
    for copy in copies:
        capsys.readouterr()
        assert command(["copy", stayed, copy, "--json"]) == 0
        out, err = capsys.readouterr()
        told = {row["table"]: row["rows"] for row in map(json.loads, out.splitlines())}
        assert told["pages"] == len(rows(stayed)["pages"]) and told["head"] == 4, err
        assert rows(copy) == rows(stayed)
    assert rows(stayed)["todo"]
    home = site.web.pages["/"]
    for store in (stayed, *copies):
        site.web.pages["/"] = home
        site.run(store)
        site.web.add("/", page("home again", "/1", "/2", "/new", text="other"))
        site.run(store, "--all", verb="recrawl")
    site.web.pages["/"] = home
    expected = rows(stayed)
    assert expected["history"] and expected["item_changes"] and not expected["todo"]
    for copy in copies:
        assert rows(copy) == expected
        with Reader(copy) as reader:
            assert list(reader.query("SELECT count(*) FROM head").rows) == [(12,)]
    check(Path(copies[0]))
    assert command(["search", "w3", "--store", copies[0]]) == 0


def copied(source: str, target: str) -> copying.Copied:
    return copying.copy(address_of(source), address_of(target), lambda *_: None)


@pytest.fixture(scope="module")
def half(site: Web) -> tuple[str, str]:
    """Half a crawl in a file and in a database."""
    stores = address(site.folder, "file", "half"), server().dsn()
    for store in stores:
        site.run(store, "--max-pages", "3")
    return stores


@pytest.mark.parametrize("place", range(2), ids=KINDS)
def test_nothing_is_copied_while_a_crawl_runs_or_over_another(
    half: tuple[str, str], site: Web, place: int
) -> None:
    new, kind = address(site.folder, "file", f"claimed{place}"), KINDS[place]
    with claimed(address_of(half[place])), pytest.raises(StoreClaimed):
        copied(half[place], new)
    assert not Path(new).exists()
    with pytest.raises(StoreRefused, match="there is a crawl in it"):
        copied(half[1 - place], half[place])
    with pytest.raises(StoreRefused, match="into itself"):
        copied(half[place], half[place])
    there = address(site.folder, kind, f"there{place}")
    copied(half[place], there)
    assert rows(there) == rows(half[place])


@pytest.mark.parametrize("kind", KINDS)
def test_a_copy_that_is_stopped_leaves_nothing_and_is_begun_anew(
    half: tuple[str, str], site: Web, kind: str
) -> None:
    target = address(site.folder, kind, f"stopped-{kind}")

    def stop(table: str, done: int, total: int) -> None:
        if table == "pages":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copying.copy(address_of(half[0]), address_of(target), stop)
    with pytest.raises(StoreRefused, match="no such"):
        Reader(target)
    if kind == "file":  # as a kill leaves it
        Path(f"{target}.copying").write_bytes(b"half")
    copied(half[0], target)
    assert rows(target) == rows(half[0])
    assert not list(site.folder.glob("*.copying*"))


def test_an_address_that_was_only_looked_at_is_empty_and_taken(
    half: tuple[str, str], site: Web
) -> None:
    target = server().dsn("looked")
    site.run(target, "--max-pages", "3")
    server().psql(
        "TRUNCATE looked.crawl_hosts, looked.seen, looked.todo, looked.pages, looked.runs"
    )
    copied(half[0], target)
    assert rows(target) == rows(half[0])


def test_values_of_any_type_keep_it(half: tuple[str, str], site: Web) -> None:
    """A column of any type holds a text, a number or nothing."""
    first = str(site.folder / "any.db")
    copied(half[0], first)
    values = [5, "5", 5.0, 1e22, -(2**63), "a\0b", None, "\\u0000", float("inf"), "é" * 4000]
    with closing(sqlite3.connect(first)) as db:
        db.execute(
            "CREATE TABLE odd (item_id INTEGER PRIMARY KEY AUTOINCREMENT, v ANY BLOB, b BOOLEAN,"
            " page_id INTEGER NOT NULL, page_url TEXT NOT NULL, run_id INTEGER NOT NULL,"
            " fetched_at TIMESTAMP NOT NULL, gone_at TIMESTAMP)"
        )
        columns = json.dumps({"v": "ANY", "b": "BOOLEAN"})
        db.execute("INSERT INTO item_types VALUES ('odd', ?, '[]', 0, '{}')", (columns,))
        insert = "INSERT INTO odd (v, b, page_id, page_url, run_id, fetched_at)"
        db.executemany(f"{insert} VALUES (?, 1, 1, '', 1, '')", [(value,) for value in values])
        db.execute("DELETE FROM odd WHERE item_id = 10")
        db.execute("CREATE TABLE mine (x)")
        db.execute("CREATE VIEW ours AS SELECT v FROM odd")
        db.execute("CREATE INDEX odd_v ON odd (v)")
        db.commit()
    database, last = server().dsn(), str(site.folder / "any2.db")
    there = copied(first, database)
    assert (there.left_out, there.changed) == (["mine", "odd_v (index)", "ours (view)"], 1)
    server().psql(f"CREATE VIEW {address_of(database).name}.theirs AS SELECT 1 AS one")
    assert copied(database, last).left_out == ["theirs (view)"]
    with closing(sqlite3.connect(last)) as db:
        found = [row[0] for row in db.execute("SELECT v FROM odd ORDER BY item_id")]
        assert db.execute("SELECT DISTINCT b FROM odd").fetchall() == [(1,)]
        assert db.execute("SELECT seq FROM sqlite_sequence WHERE name = 'odd'").fetchone() == (10,)
    assert found == [5, "5", 5.0, 1e22, -(2**63), "a\ufffdb", None, "\\u0000", "Infinity"]
    assert [type(value) for value in found[:4]] == [int, str, float, float]


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("pages", "title", "x'00ff'"),
        ("pages", "depth", "2.5"),  # of which the driver makes 2
        ("pages", "depth", "'deep'"),
        ("todo", "url", "CAST(x'ff41' AS TEXT)"),
    ],
)
def test_a_value_that_would_become_another_is_refused_and_the_source_named(
    half: tuple[str, str], site: Web, table: str, column: str, value: str
) -> None:
    odd = str(site.folder / "refused.db")
    shutil.copy(half[0], odd)
    with closing(sqlite3.connect(odd)) as db:
        db.execute(f"UPDATE {table} SET {column} = {value}")
        db.commit()
    target = server().dsn()
    with pytest.raises(StoreDamaged, match=r"PostgreSQL does not take|refused\.db: a text"):
        copied(odd, target)
    with pytest.raises(StoreRefused, match="no such"):
        Reader(target)
    if value.startswith("CAST"):
        with pytest.raises(StoreDamaged, match=r"refused\.db"):
            copied(odd, str(site.folder / "refused2.db"))


def test_a_log_that_was_left_where_the_copy_goes_is_not_played_into_it(
    half: tuple[str, str], site: Web
) -> None:
    """As when somebody removed the store of a killed crawl, and not what lies beside it."""
    killed, target = site.folder / "gone.db", site.folder / "log.db"
    with closing(sqlite3.connect(killed)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE stray (x)")
        db.commit()
        shutil.copy(f"{killed}-wal", f"{target}-wal")
    copied(half[0], str(target))
    assert rows(str(target)) == rows(half[0])


def test_a_host_that_a_killed_run_may_just_have_asked_rests_over_the_copy(
    half: tuple[str, str], site: Web
) -> None:
    killed = str(site.folder / "killed.db")
    copied(half[0], killed)
    with closing(sqlite3.connect(killed)) as db:
        db.execute("UPDATE runs SET state = 'running', ended_at = NULL, settings = ?",
                   ('{"politeness": {"delay": 1000}}',))  # fmt: skip
        db.commit()
    database = server().dsn()
    copied(killed, database)
    with Reader(database) as reader:
        sql = "SELECT count(*) FROM hosts WHERE next_at > extract(epoch FROM now()) + 900"
        assert list(reader.query(sql).rows) == [(1,)]


def test_a_crawl_without_items_is_copied_there_and_back(site: Web) -> None:
    first, database, last = str(site.folder / "no.db"), server().dsn(), str(site.folder / "no2.db")
    assert command(["crawl", f"{site.web.url}/", "--store", first, "-q", "--max-pages", "2"]) == 0
    copied(first, database)
    copied(database, last)
    with Reader(first) as one, Reader(last) as other:
        for table in ("pages", "todo", "seen", "runs", "counters", "hosts"):
            sql = f"SELECT * FROM {table}"
            assert list(one.query(sql).rows) == list(other.query(sql).rows)


@pytest.mark.skipif(
    shutil.which("pgbouncer", path="/usr/sbin:/usr/bin") is None, reason="no pgbouncer"
)
def test_a_pooler_in_transaction_mode_makes_no_difference(
    half: tuple[str, str], site: Web, capsys: pytest.CaptureFixture[str]
) -> None:
    server()
    database, last = pooler().dsn(), str(site.folder / "pooled.db")
    for one, other in ((half[0], database), (database, last)):
        copied(one, other)
        assert rows(other) == rows(half[0])
    assert command(["doctor", database]) == 0
    assert "ok    pooler       a pooler in transaction mode" in capsys.readouterr().out
