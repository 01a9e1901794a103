"""`crawler doctor STORE`: what is wrong with a store, and the way out."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from postgres_server import server

from crawler.cli import run as command
from crawler.inspect import database_checks, store_checks
from crawler.inspect.store_checks import Check, checks
from crawler.store.address import DatabaseAddress, address_of
from crawler.store.postgres.appending import Appender
from crawler.store.postgres.copying import database_source
from crawler.store.schema import VERSION, migrate_now


def states(store: str) -> dict[str, Check]:
    """What is not well, by name."""
    return {c.check: c for c in checks(address_of(store)) if c.state != "ok"}


@pytest.fixture
def file(tmp_path: Path) -> str:
    """A store with nothing in it."""
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        migrate_now(db, path)
        db.execute("PRAGMA journal_mode = WAL")
    return str(path)


@pytest.fixture
def database() -> str:
    """A crawl with nothing in it."""
    address = server().dsn()
    Appender(address_of(address)).close()  # type: ignore[arg-type]
    return address


def test_a_store_that_is_well_is_told_so(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert states(file) == {}
    assert command(["doctor", file]) == 0
    told = capsys.readouterr().out
    assert f"ok    schema       version {VERSION}\n" in told and "quick_check" in told
    assert states(str(tmp_path / "none.db")) == {}
    assert not (tmp_path / "none.db").exists()
    assert command(["doctor", file, "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {row["check"] for row in rows} >= {"place", "room", "rights", "log", "claim", "content"}


def test_what_is_wrong_with_a_file_is_told_with_the_way_out(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(sqlite3.connect(file)) as db:
        db.execute(f"PRAGMA user_version = {VERSION + 1}")
    assert states(file)["schema"].way_out == "upgrade crawlkeep"
    assert command(["doctor", file]) == 1
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as db:
        db.execute("CREATE TABLE x (y)")
    assert "not a crawl's" in states(str(other))["schema"].said
    damaged = Path(file).read_bytes()
    Path(file).write_bytes(damaged[:8192] + b"\xff" * 4096 + damaged[12288:])
    assert states(file)["content"].state == "fail"
    Path(file).write_bytes(b"no database, " * 99)
    assert "not a database" in states(file)["content"].said
    Path(f"{file}-wal").write_bytes(b"")
    monkeypatch.setattr(store_checks, "_LARGE_LOG", -1)
    assert "a reader keeps it" in states(file)["log"].said
    monkeypatch.setattr(store_checks, "_NO_ROOM", 1 << 60)
    assert states(file)["room"].state == "fail"
    capsys.readouterr()


@pytest.mark.parametrize(
    ("kind", "state"),
    [("nfs4", "fail"), ("cifs", "fail"), ("fuse.sshfs", "fail"), ("ext4", "ok"), ("btrfs", "ok")],
)
def test_a_file_on_another_machine_is_no_place_for_a_store(
    tmp_path: Path, kind: str, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(
        f"/dev/sda1 / ext4 rw 0 0\nserver:/x {tmp_path} {kind} rw 0 0\nproc /proc proc\n"
    )
    monkeypatch.setattr(store_checks, "_MOUNTS", mounts)
    place = next(checks(tmp_path / "a.db"))
    assert (place.check, place.state) == ("place", state)
    assert kind in place.said


def test_a_database_that_is_well_is_told_so(
    database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for store in (database, server().dsn()):
        # Those two are so in the tests' server, for speed.
        assert {name: c.state for name, c in states(store).items()} == {
            "autovacuum": "warn",
            "durability": "warn",
        }
    assert command(["doctor", database]) == 0
    told = capsys.readouterr().out
    assert "ok    version      PostgreSQL" in told and "may write the crawl" in told


def test_what_a_user_may_not_do_is_told_with_the_grant(database: str) -> None:
    psql, crawl = server().psql, database.rpartition("=")[2]
    psql("CREATE ROLE guest LOGIN")
    try:
        as_guest = database.replace("postgres@", "guest@")
        assert "GRANT ALL ON SCHEMA" in states(as_guest)["rights"].way_out
        psql(f"GRANT ALL ON SCHEMA {crawl} TO guest")
        assert "GRANT ALL ON ALL TABLES" in states(as_guest)["rights"].way_out
        psql(f"GRANT ALL ON ALL TABLES IN SCHEMA {crawl} TO guest")
        assert "rights" not in states(as_guest)
        new = server().dsn().replace("postgres@", "guest@")
        assert "GRANT CREATE ON DATABASE" in states(new)["rights"].way_out
        psql("ALTER ROLE guest CONNECTION LIMIT 1")
        assert "1 of 1 of the user" in states(as_guest)["connections"].said
    finally:
        psql("DROP OWNED BY guest; DROP ROLE guest")


def test_what_keeps_the_server_from_clearing_up_is_told(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = address_of(database)
    assert isinstance(address, DatabaseAddress)
    monkeypatch.setattr(database_checks, "_LONG", 0.0)
    with database_source(address):
        found = states(database)["snapshots"]
        assert "has had a transaction open" in found.said
        assert "pg_terminate_backend" in found.way_out
    assert "snapshots" not in states(database)


def test_a_schema_that_is_newer_or_no_crawls_is_told(database: str) -> None:
    crawl = database.rpartition("=")[2]
    server().psql(f"UPDATE {crawl}.crawl_control SET version = 999")
    assert states(database)["schema"].way_out == "upgrade crawlkeep"
    server().psql("CREATE SCHEMA nocrawl")
    assert "no crawl's" in states(server().dsn("nocrawl"))["schema"].said


def test_a_server_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    nowhere = "postgresql://me:s3cret@127.0.0.1:9/x?crawl=a"
    assert command(["doctor", nowhere]) == 1
    told = capsys.readouterr().out
    assert told.startswith("fail  connection") and "s3cret" not in told
