"""What `--store` and `Crawler(store=…)` mean: a file, or a name in data/; nothing else."""

import asyncio
import os
import shutil
import sqlite3
import stat
import sys
from pathlib import Path

import pytest
from data_story import FAST, SmallWeb, on_web, page

from crawler import Crawler, SiteSpider
from crawler.cli import run as command
from crawler.cli import stores
from crawler.cli.with_typer import build
from crawler.errors import StoreRefused, UsageError
from crawler.inspect.query import Reader
from crawler.store import open_store
from crawler.store.address import file_of
from crawler.store.aside import move_aside

REFUSED = {
    "postgresql://me:s3cret@db.example/crawl?crawl=No-Name": "names no crawl",
    "postgres://db/crawl?crawl=pg_catalog": "names no crawl",
    "mysql+aiomysql://db/crawl": "one SQLite file",
    "sqlite:///data/a.db": "one SQLite file",
    "https://a.example/a.db": "one SQLite file",
    ":memory:": "a store is a file",
    "file::memory:?cache=shared": "a store is a file",
    "file:a.db?mode=ro": "give the path alone",
    "": "names no store",
    "a\0b": "names no store",
}
COMMANDS = (
    *(["crawl", "http://127.0.0.1:9/"], ["run", "quotes"], ["import", "urls.txt"]),
    *(["query", "SELECT 1"], ["export", "pages"], ["search", "x"], ["search", "--index"]),
    *(["retry"], ["recrawl"], ["changes"], ["report", "last"], ["why", "http://a.example/"]),
    *(["reparse", "quotes"], ["diff", "1", "2"], ["test", "record", "quotes"]),
    *(["pause"], ["resume"], ["stop"], ["add", "http://a.example/"], ["block", "a.example"]),
    *(["unblock", "a.example"], ["prioritize", "a.example", "--by", "5"]),
    *(
        ["set", "delay=1"],
        ["status"],
        ["traps"],
        ["workers"],
        ["dashboard"],
        ["doctor"],
    ),
)
FIRST = ("status", "traps", "workers", "dashboard", "doctor")  # of them the store is an argument
OTHERS = {"datasette", "demo", "heal"}  # with tests of their own, and where more is missing


@pytest.mark.parametrize("address", REFUSED)
def test_what_is_no_path_is_refused_with_what_is(address: str) -> None:
    for use in (file_of, open_store, Reader, lambda text: Crawler(SiteSpider, store=text)):
        words = "needs the file" if use is file_of and "crawl=" in address else REFUSED[address]
        with pytest.raises(StoreRefused, match=words) as refused:
            use(address)
        assert "s3cret" not in str(refused.value)
    assert isinstance(refused.value, UsageError)  # exit code 2


def test_a_path_whose_slashes_were_joined_is_refused_too() -> None:
    with pytest.raises(StoreRefused, match="postgresql://…: this needs the file"):
        file_of(Path("postgresql://db/crawl"))


@pytest.mark.parametrize("text", ["a.db", "a b.db", "data/x:y.db", "/tmp/a.db", "C:/data/a.db"])
def test_a_path_is_taken_as_it_is(text: str) -> None:
    assert file_of(text) == Path(text)


@pytest.fixture
def desk(furnished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a spider and two stores in `data/`."""
    shutil.copytree(furnished, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("desk")
    (folder / "spiders").mkdir()
    (folder / "spiders" / "quotes.py").write_text(
        "from crawler import Spider\n\n\nclass Quotes(Spider):\n    name = 'quotes'\n"
        "    start_urls = ('http://127.0.0.1:9/',)\n"
    )
    (folder / "urls.txt").write_text("http://a.example/\n")
    for number, name in enumerate(("a", "example.com")):
        store = folder / "data" / f"{name}.db"
        assert command(["import", str(folder / "urls.txt"), "--store", str(store)]) == 0
        os.utime(store, (number, number))
    return folder


def imported(store: Path) -> None:
    assert command(["import", "urls.txt", "--store", str(store)]) == 0


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_every_command_refuses_it_and_makes_no_file(
    desk: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(desk.rglob("*"))
    for address, words in REFUSED.items():
        capsys.readouterr()
        named = [address] if arguments[0] in FIRST else ["--store", address]
        assert command([*arguments, *named]) == 2
        told = capsys.readouterr()
        assert words in told.err or "needs the file" in told.err
        assert told.err.startswith("crawler: "), told
        assert told.err.count("\n") == 1 and told.out == ""
    compiled = {*desk.rglob("__pycache__"), *desk.rglob("*.pyc")}
    assert [path for path in sorted(desk.rglob("*")) if path not in compiled] == before


def test_the_table_of_commands_has_every_one_that_takes_a_store() -> None:
    group = build()
    context = group.context_class(group)
    found = {name: group.get_command(context, name) for name in group.list_commands(context)}
    takes = {name for name, one in found.items() if any(p.name == "store" for p in one.params)}
    assert takes - OTHERS == {arguments[0] for arguments in COMMANDS}


def test_stores_that_are_arguments_are_refused_too(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments in (["status", ":memory:"], ["diff", "a", "postgresql://db/x"]):
        assert command(arguments) == 2
    assert capsys.readouterr().err.count("\n") == 2


@pytest.mark.parametrize(
    ("named", "path"),
    [
        ("example.com", "data/example.com.db"),
        ("example.com.db", "data/example.com.db"),
        ("a", "data/a.db"),
        ("data/a.db", "data/a.db"),
        ("none.example", "data/none.example.db"),
        ("none", "data/none.db"),
        ("none.db", "none.db"),
        ("elsewhere/none", "elsewhere/none"),
    ],
)
def test_a_name_is_found_in_data(desk: Path, named: str, path: str) -> None:
    assert stores.find(named) == Path(path)


def test_a_crawl_goes_on_in_the_store_of_that_name_and_makes_a_new_one_in_data(
    desk: Path,
) -> None:
    default = Path("data/default.db")
    assert stores.place("example.com", default) == Path("data/example.com.db")
    assert stores.place("new", default) == Path("data/new.db")
    assert stores.place(None, default) == default
    Path("example.com").write_bytes(b"")
    assert stores.place("example.com", default) == Path("example.com")


def test_the_newest_store_is_the_one_last_written_and_it_is_told(
    desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert stores.find(None) == Path("data/example.com.db")
    assert "data/example.com.db, the newest of 2; --store" in capsys.readouterr().err
    Path("data/a.db-wal").touch()  # into its log, as SQLite does
    assert stores.find(None) == Path("data/a.db")
    Path("data/a.db-wal").unlink()
    Path("data/example.com.db").unlink()
    capsys.readouterr()
    assert stores.find(None) == Path("data/a.db")
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(sys.platform == "win32", reason="a process cannot be asked for there")
def test_a_store_that_is_crawled_into_is_the_newest(desk: Path) -> None:
    async def story() -> Path:
        store = open_store("data/a.db")
        await store.open()
        for ending in ("", "-wal"):
            os.utime(f"data/a.db{ending}", (0, 0))
        found = stores.find(None)
        await store.close()
        return found

    assert asyncio.run(story()) == Path("data/a.db")
    Path("data/a.db.lock").write_text("4194304")  # a killed one's: no process has this number
    os.utime("data/a.db", (0, 0))
    assert stores.find(None) == Path("data/example.com.db")


# ---------------------------------------------------------------- who may read it


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.skipif(sys.platform == "win32", reason="has no such modes")
def test_a_new_store_can_be_read_by_its_owner_alone(tmp_path: Path) -> None:
    store = tmp_path / "a.db"
    modes: dict[str, int] = {}

    async def tell(web: SmallWeb) -> None:
        web.add("/", page("x"))
        async with Crawler(SiteSpider(web.url), store=store, settings=FAST) as crawler:
            await crawler.run()
            for ending in ("", "-wal", "-shm"):
                modes[ending] = mode(store.with_name(store.name + ending))

    before = os.umask(0o022)
    try:
        on_web(tell)
        assert modes == {"": 0o600, "-wal": 0o600, "-shm": 0o600}
        out = tmp_path / "a.csv"
        assert command(["export", "pages", "-o", str(out), "--store", str(store)]) == 0
        assert mode(out) == 0o644, "an export goes by the umask"
        moved = move_aside(store)
        assert moved is not None and mode(moved) == 0o600
        store.write_bytes(b"")
        store.chmod(0o640)
        on_web(tell)
        assert modes == {"": 0o640, "-wal": 0o640, "-shm": 0o640}, "one that is there keeps its own"
    finally:
        os.umask(before)


@pytest.mark.skipif(sys.platform == "win32", reason="has no such modes")
def test_an_imported_store_can_be_read_by_its_owner_alone(desk: Path) -> None:
    imported(desk / "made.db")
    assert mode(desk / "made.db") == 0o600
    db = sqlite3.connect(desk / "made.db")
    assert db.execute("SELECT count(*) FROM todo").fetchall() == [(1,)]
    db.close()
