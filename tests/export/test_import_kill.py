"""An import that is killed, at any moment, and run again ends as if nothing had happened.

`KILLS=100` (make kill-test) kills at random moments a hundred times; the quick suite twice.
"""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from crawl_victim import before_call

from crawler.cli import run as command
from crawler.export import import_
from crawler.inspect import status

KILLS = int(os.environ.get("KILLS", "2"))
# Before which calls it is killed: all of them, or every third or ninth.
STRIDE = 1 if KILLS >= 100 else 3 if KILLS >= 20 else 9
PAGES = 5
COPIES = ("http://a.example/p/0", "http://a.example/p/0")


def record(url: str, status: int, body: bytes, *fields: str) -> bytes:
    """One response of a WARC file."""
    head = [f"HTTP/1.1 {status} x", "Content-Type: text/html", *fields]
    http = "\r\n".join([*head, f"Content-Length: {len(body)}", "", ""]).encode() + body
    lines = [
        *("WARC/1.1", "WARC-Type: response", f"WARC-Target-URI: {url}"),
        *("WARC-Date: 2026-01-01T00:00:00Z", f"WARC-Record-ID: <urn:test:{len(http)}>"),
        *("Content-Type: application/http; msgtype=response", f"Content-Length: {len(http)}"),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + http + b"\r\n\r\n"


def page(number: int) -> bytes:
    return f"<title>{number}</title><a href=/p/{number + 1}>next</a>{'word ' * 40}".encode()


def archive(file: Path, pages: int) -> Path:
    """A WARC file of pages, a redirect, a dead link, a copy of a URL, and what is not the web's."""
    parts = [record(f"http://a.example/p/{n}", 200, page(n)) for n in range(pages)]
    parts.insert(2, record(COPIES[0], 200, b"<title>a later copy</title>"))
    parts += [
        record("http://b.example/old", 301, b"", "Location: /new"),
        record("http://b.example/none", 404, b"gone"),
        record("dns:b.example", 200, b"x"),
        record(COPIES[1], 200, b"<title>the last copy</title>"),
    ]
    file.write_bytes(b"".join(parts))
    return file


@pytest.fixture
def swift_path() -> Iterator[Path]:
    """A directory in memory where there is one: hundreds of stores are made in it."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as directory:
        yield Path(directory)


@pytest.fixture
def sources(swift_path: Path) -> dict[str, Path]:
    """What can be imported, by its kind."""
    urls = [f"http://{host}.example/{n}" for host in "ab" for n in range(4)]
    entries = "".join(f"<url><loc>{url}</loc></url>" for url in urls)
    made = {"list": "\n".join(urls), "map.xml": f"<urlset>{entries}</urlset>"}
    for name, text in made.items():
        (swift_path / name).write_text(text)
    return {
        "warc": archive(swift_path / "a.warc", PAGES),
        **{name: swift_path / name for name in made},
    }


def held(store: Path) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that an import has left, but for the runs and whose page it is."""
    db = sqlite3.connect(store)
    try:
        columns = ", ".join(
            name for _, name, *_ in db.execute("PRAGMA table_info(pages)") if name != "run_id"
        )
        tables = ("bodies", "link_lists", "counters", "crawl", "hosts", "seen", "todo", "texts")
        found = {name: sorted(db.execute(f"SELECT * FROM {name}").fetchall()) for name in tables}
        found["pages"] = db.execute(f"SELECT {columns} FROM pages ORDER BY page_id").fetchall()
        found["check"] = db.execute("PRAGMA integrity_check").fetchall()
        return found
    finally:
        db.close()


def forked(arguments: list[str], die_at: int) -> int:
    """Import in a child, which dies as if killed before one of its calls; give its exit code."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            before_call(die_at, lambda: os._exit(9))
            status = command(arguments)
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize(
    ("kind", "more"), [("warc", []), ("warc", ["--seeds"]), ("list", []), ("map.xml", [])]
)
def test_an_import_killed_before_any_of_its_calls_to_the_database_loses_nothing(
    sources: dict[str, Path],
    swift_path: Path,
    kind: str,
    more: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(import_, "_BATCH", 4)

    def arguments(store: Path) -> list[str]:
        return ["import", str(sources[kind]), *more, "--store", str(store)]

    assert command(arguments(swift_path / "undisturbed.db")) == 0
    expected = held(swift_path / "undisturbed.db")
    assert len(expected["seen"]) == (8 if kind != "warc" else PAGES + 2)
    number = 1
    while forked(arguments(store := swift_path / f"{number}.db"), die_at=number) == 9:
        assert command(arguments(store)) == 0
        assert held(store) == expected, f"killed before call {number}"
        number += STRIDE
    assert number > 20


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_an_import_killed_at_random_moments_ends_like_an_undisturbed_one(swift_path: Path) -> None:
    file, dice = archive(swift_path / "a.warc", 400), random.Random(5)
    words = [sys.executable, "-m", "crawler", "import", str(file), "--store"]
    subprocess.run([*words, swift_path / "undisturbed.db"], check=True, capture_output=True)
    expected = held(swift_path / "undisturbed.db")
    assert len(expected["bodies"]) == 400
    for number in range(KILLS):
        store = swift_path / f"{number}.db"
        victim = subprocess.Popen([*words, store], stderr=subprocess.DEVNULL)
        try:
            victim.wait(dice.uniform(0.15, 0.6))
        except subprocess.TimeoutExpired:
            victim.kill()
            victim.wait()
        subprocess.run([*words, store], check=True, capture_output=True)
        assert held(store) == expected


def test_what_an_import_passes_over_is_told(
    sources: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["import", str(sources["warc"]), "--store", str(tmp_path / "a.db")]
    for number, known in ((PAGES + 2, 2), (0, PAGES + 4)):
        assert command(arguments) == 0
        told = capsys.readouterr().err
        assert f"{number} pages → " in told and f"; {known} more were known already" in told
        assert "left out, because it is no response of HTTP: 'dns:b.example'" in told
        assert status.overview(tmp_path / "a.db").state == "finished"
    titles = held(tmp_path / "a.db")["pages"]
    assert [row[2] for row in titles if row[1] == COPIES[0]] == ["0"], "of two copies the first"
    db = sqlite3.connect(tmp_path / "a.db")
    assert db.execute("SELECT pages FROM runs").fetchall() == [(PAGES,), (0,)]
    db.close()
