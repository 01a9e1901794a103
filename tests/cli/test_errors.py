"""Bad input: one line that names the thing and the way out, exit code 2, no traceback."""

import os
import resource
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cli_story import Command, Desk, ServedSite

BROKEN = "from crawler import Spider\n\n\nclass Broken(Spider):\n    name = undefined_name\n"
HALF = "from crawler import Spider\n\n\nclass Half(Spider)\n    name = 'half'\n"
NEEDY = """
from crawler import Spider

class Needy(Spider):
    name = "needy"

    def __init__(self, *, city, **arguments):
        super().__init__(**arguments)
"""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    desk = Desk(tmp_path_factory.mktemp("errors"))
    for name, text in (("broken", BROKEN), ("half", HALF), ("needy", NEEDY)):
        (desk.folder / "spiders" / f"{name}.py").write_text(text)
    (desk.folder / "unknown.toml").write_text("[politness]\ndelay = 1\n")
    (desk.folder / "bad.toml").write_text("[politeness\n")
    (desk.folder / "text.db").write_text("This is a text, not a database. " * 100)
    with sqlite3.connect(desk.folder / "other.db") as other:
        other.execute("CREATE TABLE mine (x)")
    other.close()
    return desk


def refused(done: Command, lines: int = 1) -> str:
    """Check that a command was refused as it should be, and give what it said."""
    assert done.code == 2, done
    assert "Traceback" not in done.err
    assert done.err.startswith("crawler: ")
    assert len(done.err.splitlines()) <= lines
    return done.err


REFUSALS = [
    ("run quote", ["no spider 'quote'", "did you mean 'quotes'?"]),
    ("run zzz", ["no spider 'zzz'", "quotes"]),
    ("run broken", ["spiders/broken.py:5", "NameError", "undefined_name"]),
    ("run half", ["spiders/half.py:4", "SyntaxError"]),
    ("run spiders/nothing.py", ["spiders/nothing.py", "no such file"]),
    ("run nowhere:Spider", ["no module 'nowhere'"]),
    ("run spiders.quotes:Quots", ["no spider 'Quots'", "did you mean spiders.quotes:Quotes?"]),
    ("run needy", ["city", "-a name=value"]),
    ("run quotes -a base", ["-a base", "name=value"]),
    ("run quotes -a parse=1", ["parse", "choose another name"]),
    ("run quotes -a base=ftp://x.org/", ["only http and https"]),
    ("crawl ftp://example.com/", ["ftp://example.com/", "only http and https"]),
    ("crawl http://", ["http://", "is not a URL"]),
    ("crawl intranet", ["intranet", "http://intranet/"]),
    ("crawl x.org --set politeness.dely=1", ["politeness.dely", "`politeness.delay`"]),
    ("crawl x.org --set engine.workers=many", ["engine.workers", "many"]),
    ("crawl x.org --set engine.workers=0", ["engine.workers", "0"]),
    ("crawl x.org --set engine.workers=99999999999", ["engine.workers", "10000"]),
    ("crawl x.org --set workers", ["--set workers", "section.key=value"]),
    ("crawl x.org --config unknown.toml", ["unknown.toml", "politness", "politeness"]),
    ("crawl x.org --config bad.toml", ["bad.toml", "not valid TOML"]),
    ("crawl x.org --config none.toml", ["none.toml", "--config"]),
    ("crawl x.org --store text.db", ["text.db", "no SQLite file", "--store"]),
    ("crawl x.org --store other.db", ["other.db", "not a crawl's", "--store"]),
    ("crawl x.org --store spiders", ["spiders", "--store"]),
    ("crawl x.org --store text.db/a.db", ["text.db/a.db", "--store"]),
    ("query SELECT --store none.db", ["none.db", "no such store"]),
    ("query SELECT --store text.db", ["text.db", "no SQLite file"]),
    ("status other.db", ["other.db", "not a crawl's store"]),
    ("export pages --store none.db", ["none.db", "no such store"]),
    ("new 9lives", ["9lives", "letters, digits"]),
    ("new quotes", ["spiders/quotes.py", "choose another name"]),
    ("fetch ftp://x.org/", ["only http and https"]),
]


@pytest.fixture(scope="module")
def said(desk: Desk) -> dict[str, Command]:
    """What each command of the table said."""
    commands = [command for command, _ in REFUSALS]
    return dict(zip(commands, desk.run_all([c.split() for c in commands]), strict=True))


@pytest.mark.parametrize(("command", "words"), REFUSALS)
def test_what_cannot_work_is_refused_in_one_line_with_the_way_out(
    said: dict[str, Command], command: str, words: list[str]
) -> None:
    line = refused(said[command])
    assert [word for word in words if word not in line] == [], line


def test_unknown_options_and_commands_are_refused_too(desk: Desk) -> None:
    commands = ["crawll", "crawl", "crawl x.org --max-pages 0", "run --x"]
    for done in desk.run_all([command.split() for command in commands]):
        assert done.code == 2
        assert "Traceback" not in done.err


# ---------------------------------------------------------------- stores


@pytest.fixture(scope="module")
def site() -> Iterator[ServedSite]:
    with ServedSite() as served:
        yield served


def quotes(site: ServedSite, store: object, *more: str) -> tuple[str, ...]:
    base = f"base={site.url}"
    return (
        "run",
        "quotes",
        "-a",
        base,
        "--set",
        "politeness.delay=0",
        "--store",
        str(store),
        *more,
    )


def test_queries_that_write_or_make_no_sense_are_refused(site: ServedSite, desk: Desk) -> None:
    desk.run(*quotes(site, "some.db", "--max-pages", "1"))
    for sql, word in (
        ("DELETE FROM pages", "can only read"),
        ("DROP TABLE pages", "can only read"),
        ("SELEC 1", "syntax error"),
        ("SELECT x FROM nowhere", "no such table"),
        ("SELECT 1; SELECT 2", "one statement"),
    ):
        # Two lines more show where in the SQL.
        assert word in refused(desk.run("query", sql, "--store", "some.db"), lines=3)
    said = refused(desk.run("export", "quots", "--store", "some.db"))
    assert "pages, links, quote" in said
    assert desk.rows("SELECT count(*) AS n FROM pages", "some.db") == [{"n": 1}]


def test_a_store_of_a_newer_version_is_refused(site: ServedSite, desk: Desk) -> None:
    desk.run(*quotes(site, "newer.db", "--max-pages", "1"))
    with sqlite3.connect(desk.folder / "newer.db") as db:
        db.execute("PRAGMA user_version = 999")
    db.close()
    said = refused(desk.run(*quotes(site, "newer.db")))
    assert "newer Crawlkeep" in said
    assert "upgrade" in said


def test_a_store_of_another_spider_is_refused(site: ServedSite, desk: Desk) -> None:
    desk.run(*quotes(site, "own.db", "--max-pages", "1"))
    said = refused(desk.run("crawl", site.url, "--store", "own.db"))
    assert "'quotes'" in said
    assert "--fresh" in said


def test_a_crawl_that_began_elsewhere_is_not_taken_for_this_one(
    site: ServedSite, desk: Desk
) -> None:
    fast = ("--set", "politeness.delay=0", "--max-pages", "2", "--json")
    first = desk.run("crawl", f"{site.url}shop/", *fast)
    again = desk.run("crawl", f"{site.url}shop/", *fast)
    said = refused(desk.run("crawl", f"{site.url}encodings/nowhere", *fast))
    assert (first.code, again.code, again.summary["pages"]) == (0, 0, 0)
    assert "began elsewhere" in said
    assert "--store" in said


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")
def test_a_read_only_store_is_refused(site: ServedSite, desk: Desk, tmp_path: Path) -> None:
    with small_disk(tmp_path, "size=4m") as disk:
        desk.run(*quotes(site, disk / "a.db", "--max-pages", "2"))
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        said = refused(desk.run(*quotes(site, disk / "a.db")))
        seen = desk.rows("SELECT count(*) AS n FROM pages", str(disk / "a.db"))
    assert "--store" in said
    assert seen == [{"n": 2}]


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a file system")
def test_a_full_disk_stops_the_crawl_and_the_same_command_resumes_it(
    site: ServedSite, desk: Desk, tmp_path: Path
) -> None:
    with small_disk(tmp_path, "size=3m") as disk:
        command = quotes(site, disk / "a.db", "--set", "store.flush_visits=1", "--json")
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(2_850_000))
        said = refused(desk.run(*command))
        ballast.unlink()
        resumed = desk.run(*command)
        rows = desk.rows(
            "SELECT count(*) AS n, count(DISTINCT text) AS d FROM quote", str(disk / "a.db")
        )
    assert "full" in said
    assert "again" in said
    assert resumed.code == 0, resumed.err
    assert resumed.summary["total_pages"] == 10
    assert rows == [{"n": 100, "d": 100}]


def test_a_file_that_may_not_grow_stops_the_crawl_as_a_full_disk_does(
    site: ServedSite, desk: Desk
) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))

    command = quotes(site, "limit.db", "--json")
    said = refused(desk.process(*command, preexec_fn=limit))
    resumed = desk.run(*command)
    assert "run again" in said or "same command again" in said
    assert resumed.summary["total_pages"] == 10


class small_disk:
    """A small file system in memory, as a context manager; skips where none can be mounted."""

    def __init__(self, folder: Path, options: str) -> None:
        self._path, self._options = folder / "disk", options

    def __enter__(self) -> Path:
        self._path.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", self._options, "tmpfs", str(self._path)]
        if sys.platform != "linux" or shutil.which("mount") is None:
            pytest.skip("no mount here")
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("nothing can be mounted here")
        return self._path

    def __exit__(self, *exc: object) -> None:
        subprocess.run(["umount", "-l", str(self._path)], check=False)
