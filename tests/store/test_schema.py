"""Every table and view that users query is documented, and every example runs."""

import re
import sqlite3
from dataclasses import make_dataclass
from pathlib import Path

import pytest

from crawler.items import table_of
from crawler.store import texts, views
from crawler.store.items import create
from crawler.store.schema import MIGRATIONS

DOC = Path(__file__).parents[2] / "docs" / "schema.md"
EXAMPLES = re.findall(r"```sql\n(.*?)```", DOC.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture
def db() -> sqlite3.Connection:
    """A store as plain SQLite sees it, with two pages, a broken link and a redirect."""
    made = sqlite3.connect(":memory:")
    for file in MIGRATIONS:
        made.executescript(file.read_text(encoding="utf-8"))
    made.executescript(views.script((), []))
    for number, (outcome, status, redirect, digest, elapsed) in enumerate(
        [
            ("ok", 200, None, "aa", 0.1),
            ("ok", 200, None, "aa", 2.5),
            ("not_found", 404, None, None, 0.1),
            ("redirect", 301, "http://h/2", None, 0.1),
            ("ok", 200, None, "bb", 0.1),
        ],
        start=1,
    ):
        made.execute(
            "INSERT INTO pages (page_id, url, status, outcome, redirect_to, content_hash, elapsed,"
            " depth, fetched_at, attempts, run_id, host_id, url_hash)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, 0, '2026-01-01T00:00:00Z', 1, 1, 1, ?)",
            (number, f"http://h/{number}", status, outcome, redirect, digest, elapsed, number),
        )
    made.execute(
        """INSERT INTO link_lists (page_id, targets) VALUES (1, '["http://h/2","http://h/3","http://h/4"]')"""
    )
    made.execute("""INSERT INTO link_lists (page_id, targets) VALUES (2, '["http://h/1"]')""")
    made.execute("""INSERT INTO link_lists (page_id, targets) VALUES (5, '["http://h/5"]')""")
    return made


@pytest.mark.parametrize("sql", EXAMPLES)
def test_an_example_of_the_documentation_runs(sql: str, db: sqlite3.Connection) -> None:
    db.execute(sql).fetchall()


def test_every_table_and_view_is_documented(db: sqlite3.Connection) -> None:
    text = DOC.read_text(encoding="utf-8")
    names = db.execute(
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
        " AND name NOT LIKE 'search_%' AND name NOT LIKE 'sqlite_%'"
    )
    assert [name for (name,) in names if f"`{name}`" not in text] == []


def test_every_table_and_view_for_users_has_an_example(db: sqlite3.Connection) -> None:
    asked = set(re.findall(r"\w+", " ".join(EXAMPLES)))
    names = db.execute(
        "SELECT name FROM sqlite_master WHERE type IN ('table', 'view')"
        " AND name NOT LIKE 'search!_%' ESCAPE '!' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
    )
    internal = {
        "crawl",
        "seen",
        "todo",
        "robots",
        "cookies",
        "simhashes",
        "endless",
        "revisit_queue",
    }
    internal |= {"patterns", "pattern_texts"}
    assert {name for (name,) in names} - internal - asked == set()


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT source, target FROM broken_links", [("http://h/1", "http://h/3")]),
        ("SELECT source, target_status FROM redirects", [("http://h/4", 200)]),
        ("SELECT url, copies FROM duplicates", [("http://h/1", 2), ("http://h/2", 2)]),
        ("SELECT url FROM slow_pages", [("http://h/2",)]),
        ("SELECT url FROM orphans", [("http://h/5",)]),
        ("SELECT url FROM errors", [("http://h/3",)]),
        (
            "SELECT page_id, links_out, links_in FROM link_counts",
            [(1, 3, 1), (2, 1, 1), (5, 1, 1)],
        ),
    ],
)
def test_a_view_answers_its_question(
    sql: str, rows: list[tuple[object, ...]], db: sqlite3.Connection
) -> None:
    assert sorted(db.execute(sql).fetchall()) == rows


def test_a_text_leaves_the_index_with_its_row(db: sqlite3.Connection) -> None:
    def found(word: str) -> list[tuple[int]]:
        return db.execute("SELECT rowid FROM search WHERE search MATCH ?", (word,)).fetchall()

    row = (1, "http://h/1", "Título", "naïve words", 0)
    db.execute(texts.INSERT, row)
    db.executemany(texts.INDEX, texts.index_rows([row]))
    assert found("titulo naive") == [(1,)]
    db.execute("DELETE FROM texts WHERE page_id = 1")
    assert found("naive") == []


def test_datasette_finds_the_search_and_the_titles(db: sqlite3.Connection) -> None:
    """It looks for an FTS table by its `content`, and shows `title` or `name` behind a key."""
    [(sql,)] = db.execute("SELECT sql FROM sqlite_master WHERE name = 'search'")
    assert 'content="texts"' in sql
    for statement in create(table_of(make_dataclass("Thing", [("name", str)]))):
        db.execute(statement)
    tables = ("pages", "bodies", "link_lists", "files", "texts", "problems", "page_versions")
    leads = {
        (table, target)
        for table in (*tables, "revisits", "thing")
        for target in db.execute(f"SELECT [table] FROM pragma_foreign_key_list('{table}')")
    }
    assert {table for table, target in leads if target == ("pages",)} == {
        *tables[1:],
        "revisits",
        "thing",
    }
    assert {("pages", ("hosts",)), ("pages", ("runs",)), ("thing", ("runs",))} <= leads
    assert db.execute("PRAGMA foreign_keys").fetchone() == (0,)
