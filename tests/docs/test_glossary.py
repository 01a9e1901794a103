"""docs/glossary.md has the words of the code: no more and no fewer."""

import ast
import asyncio
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import crawler.cli
from crawler.store import open_store

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")

# Built in: every table of items has them.
OF_ITEMS = {"item_id", "page_id", "page_url", "run_id", "fetched_at", "replaced_at"}
# What counts a refusal in the code takes its reason as an argument …
COUNTING = {"refuse", "_refuse", "refused", "_refused", "PickedLink"}
# … and what decides about a link returns it.
DECIDING = ROOT / "crawler" / "links"
REASON = re.compile(r"[a-z]+(_[a-z0-9]+)+|dropped|endless|nofollow")


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


def constants(trees: list[ast.Module]) -> Iterator[tuple[str, str]]:
    """The texts that modules name: `CUT_OFF = "sitemap_cut_off"`, several in one line too."""
    for tree in trees:
        for node in tree.body:
            if not isinstance(node, ast.Assign):
                continue
            for target in node.targets:
                one = isinstance(target, ast.Name)
                names = [target] if one else getattr(target, "elts", [])
                values = [node.value] if one else getattr(node.value, "elts", [])
                for name, value in zip(names, values, strict=False):
                    if isinstance(value, ast.Constant) and isinstance(value.value, str):
                        yield name.id, value.value


def places(node: ast.AST, file: Path) -> list[ast.AST]:
    """The parts of a node that a reason for a refusal stands in."""
    if isinstance(node, ast.Call):
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        return list(node.args) if name in COUNTING else []
    if isinstance(node, ast.Subscript):
        return [node.slice] if getattr(node.value, "attr", "") in ("refusals", "refused") else []
    if isinstance(node, ast.Assign):
        named = {getattr(target, "id", "") for target in node.targets}
        return [node.value] if named & {"refusal", "general"} else []
    if isinstance(node, ast.Return):
        return [node.value] if node.value is not None and file.parent == DECIDING else []
    return [node] if isinstance(node, ast.ClassDef) and node.name.endswith("Refusal") else []


def reasons() -> set[str]:
    """Every reason for a refusal that the code counts."""
    files = [f for f in (ROOT / "crawler").rglob("*.py") if "practice" not in f.parts]
    trees = {file: ast.parse(file.read_text(encoding="utf-8")) for file in files}
    named = dict(constants(list(trees.values())))
    found = set()
    for file, tree in trees.items():
        for node in ast.walk(tree):
            for part in places(node, file):
                for leaf in ast.walk(part):
                    text = named.get(leaf.id) if isinstance(leaf, ast.Name) else None
                    text = leaf.value if isinstance(leaf, ast.Constant) else text
                    if isinstance(text, str) and REASON.fullmatch(text):
                        found.add(text)
    return found


def test_every_table_and_view_is_a_word(tables: dict[str, set[str]]) -> None:
    assert words("Tables and views") == sorted(tables)


def test_every_column_is_a_word(tables: dict[str, set[str]]) -> None:
    assert words("Columns") == sorted(set().union(*tables.values()))
    assert {word for word in OF_ITEMS if f"`{word}`" not in section("Columns")} == set()


def test_every_reason_for_a_refusal_is_a_word() -> None:
    shown = words("Refusals")
    assert sorted(shown) == sorted(reasons())
    assert len(shown) > 30


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


def test_outcomes_settings_and_public_names_are_those_of_the_code() -> None:
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
