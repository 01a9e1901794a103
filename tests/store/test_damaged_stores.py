"""Damaged rows, bodies, headers and indexes: every command says so in a line, with a way out."""

import os
from pathlib import Path

import pytest
from damaged_stores import DAMAGES, commands, copy_of, outcome_of, sql, whole_store

WAYS = ("--fresh", "--where", "recrawl", "--store", "export", "json_valid", "name another", "; ")
SLOW = {"recrawl", "run", "import", "export items"}
ALL = bool(os.environ.get("DAMAGED"))  # `make damaged`: those, too, on every damage
FOR_CRAWLS = {"numbers that are none", "values of the crawl", "headers that are no JSON"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "list.txt").write_text("http://127.0.0.1:9/x\n")
    return folder, whole_store(folder)


@pytest.mark.parametrize("damage", ["none", *DAMAGES])
def test_no_command_ends_in_a_traceback(made: tuple[Path, str], damage: str) -> None:
    folder, home = made
    store = copy_of(folder / "a.db", folder / f"{'-'.join(damage.split())}.db")
    DAMAGES.get(damage, lambda path: None)(store)
    wrong = []
    for name, arguments in commands(store, home, folder).items():
        if name in SLOW and not ALL and damage not in {"none", *FOR_CRAWLS}:
            continue
        try:
            code, said = outcome_of(arguments)
        except Exception as error:
            wrong.append(f"{name}: {error!r}")
            continue
        last = said.strip().splitlines()
        errors = [line for line in last if line.startswith("crawler: ")]
        if "Traceback" in said:
            wrong.append(f"{name}: {said}")
        elif name == "report politeness" and code == 1 and not said:
            continue  # a promise that was not kept
        elif code in (1, 2) and not any(way in line for line in errors for way in WAYS):
            wrong.append(f"{name} gives no way out: {code} {said}")
        elif damage == "none" and code not in (0, 3):
            wrong.append(f"{name}: {code} {said}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("damage", "command", "named"),
    [
        ("requests that are no JSON", "retry", "page_id 4 in pages"),
        ("columns of an item type that are no JSON", "diff of two", "the row 'item' of item_types"),
        ("settings that are no JSON", "why", "runs.settings of the last run"),
        ("values of the crawl", "retry", "the row 'next_seq' of the table crawl"),
        ("numbers that are none", "status", "of the table counters"),
        ("URLs of bytes", "diff of two", "the row of pages with the url"),
        ("URLs of bytes", "report", "a value that the report shows"),
        ("times that are none", "report", "(a fetched_at of pages is no time)"),
    ],
)
def test_the_row_is_named(made: tuple[Path, str], damage: str, command: str, named: str) -> None:
    folder, home = made
    store = copy_of(folder / "a.db", folder / "y.db")
    DAMAGES[damage](store)
    code, said = outcome_of(commands(store, home, folder)[command])
    assert code == 1
    assert named in said and "is damaged" in said and said.count("\n") == 1


@pytest.mark.parametrize("damage", ["headers that are no JSON", "bodies of numbers"])
@pytest.mark.parametrize("command", ["search --index", "export warc", "export markdown"])
def test_a_damaged_page_is_left_out_and_told(
    made: tuple[Path, str], damage: str, command: str
) -> None:
    folder, home = made
    store = copy_of(folder / "a.db", folder / "z.db")
    DAMAGES[damage](store)
    code, said = outcome_of(commands(store, home, folder)[command])
    assert code == 0
    assert "left out, because what is stored of it is damaged: http://127.0.0.1" in said


@pytest.mark.parametrize(
    "command", ["search --index", "reparse --apply", "retry", "recrawl", "run", "import"]
)
def test_a_command_that_writes_refuses_a_newer_schema(made: tuple[Path, str], command: str) -> None:
    folder, home = made
    store = copy_of(folder / "a.db", folder / "newer.db")
    sql("PRAGMA user_version = 99")(store)
    before = store.read_bytes()
    code, said = outcome_of(commands(store, home, folder)[command])
    assert code == 2
    assert "made by a newer Crawlkeep (schema 99" in said and "upgrade" in said
    assert store.read_bytes() == before
