"""What a store says to files, folders and disks that it cannot work with: clearly, and unharmed."""

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiosqlite
import crawl_victim
import pytest
from crawl_story import crawl, read, stored, story
from site_thread import site_on_a_thread

from crawler import Spider
from crawler.errors import SpiderError, StoreError, StoreRefused, UsageError
from crawler.store import open_store
from crawler.store.schema import APPLICATION_ID, VERSION


@pytest.fixture(autouse=True)
def _no_connection_is_left_open(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail where a store that is refused leaves its thread, for which Python would wait forever."""
    made: list[aiosqlite.Connection] = []
    make = aiosqlite.Connection.__init__

    def noted(self: aiosqlite.Connection, *arguments: Any, **named: Any) -> None:
        make(self, *arguments, **named)
        made.append(self)

    monkeypatch.setattr(aiosqlite.Connection, "__init__", noted)
    yield
    left = []
    for connection in made:
        connection._thread.join(5)
        if connection._thread.is_alive():
            connection.stop()
            left.append(connection)
    assert not left, "a connection to a store was left open"


def opening(path: Path) -> None:
    """Open and close the store at `path`."""

    async def story() -> None:
        store = open_store(str(path))
        await store.open()
        await store.close()

    asyncio.run(story())


def refusal(path: Path) -> str:
    """The message with which the store at `path` is refused; the same a second time."""
    messages = []
    for _ in range(2):
        with pytest.raises(StoreRefused) as refused:
            opening(path)
        messages.append(str(refused.value))
    assert messages[0] == messages[1]
    assert str(path) in messages[0]
    assert isinstance(refused.value, UsageError)  # exit code 2
    return messages[0]


def test_a_file_that_is_no_sqlite_file_is_refused_and_left_as_it_is(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("not a database, but long enough to be one\n" * 100)
    before = file.read_bytes()
    assert "no SQLite file" in refusal(file)
    assert file.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["notes.txt"]


def test_the_database_of_another_program_is_refused_and_left_as_it_is(tmp_path):
    file = tmp_path / "other.db"
    with sqlite3.connect(file) as db:
        db.execute("CREATE TABLE pages (mine TEXT)")
    db.close()
    before = file.read_bytes()
    assert "not a crawl's" in refusal(file)
    assert file.read_bytes() == before


def test_a_store_of_a_newer_version_is_refused_with_both_versions(tmp_path):
    file = tmp_path / "s.db"
    opening(file)
    with sqlite3.connect(file) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 7}")
    db.close()
    message = refusal(file)
    assert f"schema {VERSION + 7}" in message
    assert f"knows {VERSION}" in message
    assert "upgrade" in message


def test_a_new_store_carries_its_version_and_whose_it_is(tmp_path):
    opening(tmp_path / "deep" / "er" / "s.db")
    assert read(tmp_path / "deep" / "er" / "s.db", "PRAGMA user_version") == [VERSION]
    assert read(tmp_path / "deep" / "er" / "s.db", "PRAGMA application_id") == [APPLICATION_ID]
    assert read(tmp_path / "deep" / "er" / "s.db", "PRAGMA journal_mode") == ["wal"]


def test_an_empty_file_becomes_a_store(tmp_path):
    (tmp_path / "s.db").touch()
    opening(tmp_path / "s.db")
    assert read(tmp_path / "s.db", "PRAGMA user_version") == [VERSION]


def test_a_folder_is_no_store(tmp_path):
    (tmp_path / "folder").mkdir()
    assert "--store" in refusal(tmp_path / "folder")


def test_a_path_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    assert "--store" in refusal(tmp_path / "file" / "s.db")


def test_a_damaged_store_is_refused_by_name(tmp_path):
    file = tmp_path / "s.db"
    opening(file)
    whole = bytearray(file.read_bytes())
    whole[100:9000] = os.urandom(8900)
    file.write_bytes(whole)
    with pytest.raises(StoreError, match=r"damaged|no SQLite file"):
        opening(file)


OPEN_AS_NOBODY = """
import asyncio, encodings.ascii, encodings.idna, os, sys
from crawler.errors import StoreRefused
from crawler.store import open_store
store = open_store(sys.argv[1])  # imports what a nobody may not read
if os.getuid() == 0:
    os.setuid(65534)
try:
    asyncio.run(store.open())
except StoreRefused as error:
    print(error)
"""


@pytest.mark.parametrize("what", ["folder", "file"])
@pytest.mark.skipif(os.name != "posix", reason="needs POSIX permissions")
def test_what_cannot_be_written_is_refused_with_the_way_out(tmp_path, what):
    file = tmp_path / "locked" / "s.db"
    file.parent.mkdir()
    if what == "file":
        opening(file)
        file.chmod(0o444)
    for each in (tmp_path, *list(tmp_path.parents)[:2]):
        each.chmod(0o755)
    file.parent.chmod(0o777 if what == "file" else 0o555)
    command = [sys.executable, "-c", OPEN_AS_NOBODY, file]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    file.parent.chmod(0o755)
    assert done.stderr == ""
    assert str(file) in done.stdout
    assert "--store" in done.stdout


class Other(Spider):
    name = "other"


@story()
async def test_the_crawl_of_another_spider_is_not_mixed_in(site, path):
    site.add_links("/a", [])
    await crawl(site.at("/a"), path / "s.db")
    with pytest.raises(SpiderError, match=r"'site', not 'other'.*--fresh"):
        await crawl(Other, path / "s.db", site.at("/a"))
    assert stored(path / "s.db", site) == ["/a"]
    await crawl(site.at("/a"), path / "s.db")  # the refusal gave the claim up


# ---------------------------------------------------------------- a full disk

FILL = """
import asyncio, resource, sys
from pathlib import Path
import crawl_victim
from crawler.errors import StoreFull
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
try:
    asyncio.run(crawl_victim.crawl(sys.argv[1], Path(sys.argv[2])))
except StoreFull as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_a_full_disk_stops_the_crawl_with_nothing_lost_and_the_same_command_resumes(tmp_path):
    """No file may grow over the limit, which the write-ahead log soon meets."""
    body = os.urandom(30_000).hex()
    with site_on_a_thread(robots=False) as site:
        for n in range(40):
            links = f'<a href="/{n + 1}">1</a><a href="/{n + 2}">2</a>' if n < 38 else ""
            site.add_page(f"/{n}", f"<title>{n}</title>{links}<p>{body}")
        store = tmp_path / "s.db"
        for limit in (600_000, 900_000):
            command = [sys.executable, "-c", FILL, site.at("/0"), store, str(limit)]
            here = {**os.environ, "PYTHONPATH": str(Path(crawl_victim.__file__).parent)}
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=here)
            told = [line for line in done.stderr.splitlines() if "self.state is kept" not in line]
            assert told == []
            assert str(store) in done.stdout
            assert "run" in done.stdout
            assert read(store, "PRAGMA integrity_check") == ["ok"]
            counts = [f"(SELECT count(*) FROM {table})" for table in ("todo", "pages", "seen")]
            [(queued, ended, seen)] = read(store, f"SELECT {', '.join(counts)}")
            assert queued + ended == seen > 0
        asyncio.run(crawl_victim.crawl(site.at("/0"), store))
        assert len(set(stored(store, site))) == len(stored(store, site)) == 40
