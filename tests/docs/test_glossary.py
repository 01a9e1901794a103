"""docs/glossary.md has the words of the code: no more and no fewer."""

import asyncio
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

import crawler.cli
from crawler.store import open_store

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")

# Built in: every table of items has them.
OF_ITEMS = {"item_id", "page_id", "page_url", "run_id", "fetched_at", "replaced_at"}


def section(title: str) -> str:
    return PAGE.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def words(title: str) -> list[str]:
    return re.findall(r"^\| `?([^|`]+?)`? \|", section(title), re.MULTILINE)[1:]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """The columns of every table and view of a new store; not those that FTS5 keeps for itself."""
    path = tmp_path_factory.mktemp("glossary") / "new.db"

    async def story() -> None:
        store = open_store(str(path))
        await store.open()
        await store.close()

    asyncio.run(story())
    with sqlite3.connect(path) as db:
        names = db.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")
        return {
            name: {row[1] for row in db.execute(f'PRAGMA table_info("{name}")')}
            for (name,) in names.fetchall()
            if not name.startswith(("search_", "sqlite_"))
        }


def test_every_table_and_view_is_a_word(tables: dict[str, set[str]]) -> None:
    assert words("Tables and views") == sorted(tables)


def test_every_column_is_a_word(tables: dict[str, set[str]]) -> None:
    assert words("Columns") == sorted(set().union(*tables.values()))
    assert {word for word in OF_ITEMS if f"`{word}`" not in section("Columns")} == set()


def test_every_prefix_of_a_counter_is_told() -> None:
    source = "".join(f.read_text(encoding="utf-8") for f in (ROOT / "crawler").rglob("*.py"))
    prefixes = set(re.findall(r'f"(\w+\.)\{', source)) & {"outcome.", "refused.", "retry."}
    plain = set(re.findall(r'counts\["([a-z]+\.[a-z]+)"\]', source))
    assert prefixes and plain
    told = section("Refusals")
    assert [word for word in sorted(prefixes | plain) if f"`{word}" not in told] == []


def test_every_exit_code_is_a_word() -> None:
    cli = crawler.cli
    codes = {cli.FAILED, cli.WRONG_USAGE, cli.NO_PAGE, cli.GATE, cli.INTERRUPTED}
    assert [int(code) for code in words("Exit codes")] == sorted({0, *codes})


def test_outcomes_refusals_settings_and_public_names_are_those_of_the_code() -> None:
    made = subprocess.run(
        [sys.executable, ROOT / "docs" / "make" / "glossary.py"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert made.stdout == PAGE, "write it anew: make docs"


def test_words_that_readers_look_for_are_ideas() -> None:
    shown = set(words("Ideas"))
    assert shown >= {"outcome", "status", "refusal", "text", "fetch", "promised delay"}
    assert shown >= {"robots policy", "kind of request", "kind of column", "kind of change"}
    assert len(words("Ideas")) == len(shown)
