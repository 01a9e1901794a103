"""Following a crawl: each row once and in order, whoever is killed when.

`KILLS=50` (make kill-test) kills the command itself fifty times; the quick suite three times.
"""

import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from item_story import store

from crawler.cli import run as command
from crawler.errors import UsageError
from crawler.export import position
from crawler.export.choice import Choice
from crawler.export.follow import Pipe, follow, open_sink
from crawler.export.formats import WriteOptions
from crawler.export.position import Position
from crawler.inspect.query import Reader

KILLS = int(os.environ.get("KILLS", "3"))
ROWS = 1200


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("follow") / "a.db"
    store(path, [{"n": number, "t": "é\n" * (number % 7)} for number in range(ROWS)])
    ended(path)
    return path


def ended(path: Path, state: str = "finished") -> None:
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE runs SET state = ?, pid = ?", (state, os.getpid()))


def add(path: Path, number: int) -> None:
    """Commit one more item, as a crawl does."""
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute(
            "INSERT INTO item (n, t, page_id, page_url, run_id, fetched_at)"
            " SELECT ?, t, page_id, page_url, run_id, fetched_at FROM item LIMIT 1",
            (number,),
        )


def grow(path: Path, out: Path, name: str | None = "feed", **more: Any) -> int:
    with Reader(path) as reader, open_sink(path, "item", out, name) as sink:
        return follow(reader, out.suffix[1:], Choice(**more), sink, WriteOptions(), live=False)


def numbers(text: str) -> list[int]:
    return [json.loads(line)["n"] for line in text.splitlines()]


# ---------------------------------------------------------------- into a file


class Killed(BaseException):
    """What nothing catches, as nothing catches a kill."""


def test_a_file_has_each_row_once_wherever_the_export_was_killed(
    rows: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.jsonl"
    left = 0

    def sync(file: int) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed

    def cut(file: int) -> None:  # a power cut: of what was appended last some is not there
        nonlocal left
        left -= 1
        if left < 0:
            os.ftruncate(file, max(0, os.fstat(file).st_size - 1000))
            raise Killed

    seen, kills = b"", 0
    for steps in range(20):
        monkeypatch.setattr(position.os, "fsync", cut if steps % 2 else sync)
        left = steps % 4
        try:
            grow(rows, out, "each")
            break
        except Killed:
            kills += 1
        data = out.read_bytes() if out.exists() else b""
        assert steps % 2 or data.startswith(seen), "what was once there stays as it was"
        seen = data
    assert kills >= 4
    assert numbers(out.read_text()) == list(range(ROWS))


def test_csv_goes_on_below_its_one_header(rows: Path, tmp_path: Path) -> None:
    path, out = tmp_path / "a.db", tmp_path / "new" / "out.csv"
    store(path, [{"n": 1, "t": "x"}])
    assert (grow(path, out, None), grow(path, out, None)) == (1, 0)
    add(path, 2)
    assert grow(path, out, None) == 1
    assert [line.split(",")[1] for line in out.read_text().splitlines()] == ["n", "1", "2"]
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute("ALTER TABLE item ADD COLUMN more TEXT")
    add(path, 3)
    with pytest.raises(UsageError, match="other columns"):
        grow(path, out, None)


def test_a_file_of_another_is_never_written_over(rows: Path, tmp_path: Path) -> None:
    path, out = tmp_path / "a.db", tmp_path / "out.jsonl"
    store(path, [{"n": 1, "t": "x"}])
    out.write_text("mine\n")
    with pytest.raises(UsageError, match="none of this export's"):
        grow(path, out)
    out.unlink()
    assert grow(path, out) == 1
    out.write_text(out.read_text() + "mine\n")
    with pytest.raises(UsageError, match="changed by another"):
        grow(path, out)
    out.rename(tmp_path / "moved.jsonl")  # as logrotate does: the next file has what is new
    add(path, 2)
    assert grow(path, out) == 1 and numbers(out.read_text()) == [2]


def test_a_condition_and_fields_hold_for_what_is_followed(rows: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    assert grow(rows, out, "some", where="n % 100 = 7", fields=("n",)) == 12
    first = json.loads(out.read_text().splitlines()[0])
    assert first == {"item_id": 8, "n": 7}


# ---------------------------------------------------------------- while a crawl runs


def test_rows_come_as_they_are_committed_until_the_crawl_ends(tmp_path: Path) -> None:
    path, out = tmp_path / "a.db", tmp_path / "out.jsonl"
    store(path, [{"n": 0, "t": "x"}])
    ended(path, "running")
    result: list[int] = []

    def follows() -> None:
        with Reader(path) as reader, open_sink(path, "item", out, "live") as sink:
            result.append(follow(reader, "jsonl", Choice(), sink, WriteOptions()))

    thread = threading.Thread(target=follows)
    thread.start()
    for number in range(1, 4):
        add(path, number)
        deadline = time.monotonic() + 20
        while not (out.exists() and len(numbers(out.read_text())) > number):
            assert time.monotonic() < deadline and thread.is_alive()
    add(path, 4)
    ended(path)
    thread.join(20)
    assert result == [5] and numbers(out.read_text()) == [0, 1, 2, 3, 4]


def test_two_exports_of_one_name_do_not_share_the_rows(rows: Path, tmp_path: Path) -> None:
    with (
        open_sink(rows, "item", tmp_path / "a.jsonl", "same"),
        pytest.raises(UsageError, match="another export is at it"),
        open_sink(rows, "item", tmp_path / "b.jsonl", "same"),
    ):
        pass


# ---------------------------------------------------------------- into a pipe


@contextlib.contextmanager
def reads(bytes_: int) -> Iterator[tuple[int, list[bytes]]]:
    """A reader that takes so many bytes out of a pipe, and is gone."""
    end, out = os.pipe()
    reader = subprocess.Popen(
        ["dd", "ibs=1", "obs=1", f"count={bytes_}", "status=none"],
        stdin=end,
        stdout=subprocess.PIPE,
    )
    os.close(end)
    got: list[bytes] = []
    thread = threading.Thread(target=lambda: got.append(reader.communicate()[0]))
    thread.start()
    try:
        yield out, got
    finally:
        os.close(out)
        thread.join()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what is left in a pipe")
def test_a_reader_that_dies_fifty_times_gets_each_row_once(rows: Path, tmp_path: Path) -> None:
    dice, whole, place = random.Random(7), "", tmp_path / "p.position"
    deaths = 0
    while deaths < 60:
        with reads(dice.randrange(1, 2500)) as (out, got), Reader(rows) as reader:
            sink = Pipe(Position.read(place, "item"), place, out)
            try:
                follow(reader, "jsonl", Choice(fields=("n",)), sink, WriteOptions(), live=False)
                ended_ = True
            except BrokenPipeError:
                ended_, deaths = False, deaths + 1
        text = got[0].decode()
        whole += text[: text.rfind("\n") + 1]  # half a line is none
        if ended_:
            break
    assert deaths > 15
    assert numbers(whole) == list(range(ROWS))


def test_a_reader_that_keeps_its_own_position_is_killed_anywhere(
    rows: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    dice, kept = random.Random(7), list[dict[str, Any]]()
    for _ in range(50):  # it had read on, and was killed before it had kept all
        after = ["--after", str(kept[-1]["item_id"])] if kept else []
        arguments = ["export", "item", "--follow", *after, "--store", str(rows)]
        assert command([*arguments, "--where", "n < 500"]) == 0
        lines = capfdbinary.readouterr().out.splitlines()
        kept += [json.loads(line) for line in lines[: dice.randrange(25)]]
    assert command([*arguments[:3], "--after", str(kept[-1]["item_id"]), *arguments[-2:]]) == 0
    kept += [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    assert [row["n"] for row in kept] == list(range(ROWS))


def test_the_command_itself_is_killed_and_no_row_is_lost(rows: Path, tmp_path: Path) -> None:
    path, out, dice = tmp_path / "a.db", tmp_path / "out.jsonl", random.Random(1)
    with contextlib.closing(sqlite3.connect(rows)) as db:
        db.execute("VACUUM INTO ?", (str(path),))
    ended(path, "running")
    arguments = ["export", "item", "--follow", "--since-last", "n", "-o", str(out)]
    made = ROWS
    for _ in range(KILLS):
        run = subprocess.Popen(
            [sys.executable, "-m", "crawler", *arguments, "--store", str(path)],
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + 0.3 + 0.2 * dice.random()
        while time.monotonic() < end:
            add(path, made)
            made += 1
        run.send_signal(signal.SIGKILL)
        run.wait()
    ended(path)
    assert command([*arguments, "--store", str(path)]) == 0
    assert numbers(out.read_text()) == list(range(made))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["links", "--follow"], "only pages or an item type"),
        (["SELECT 1 AS a", "--follow"], "only pages or an item type"),
        (["item", "--follow", "-f", "json"], "jsonl or csv"),
        (["item", "--since-last", "a/b"], "a name has letters"),
        (["item", "--since-last", "a", "--after", "3"], "--after says where"),
        (["nothing", "--follow"], "holds no 'nothing'"),
    ],
)
def test_what_cannot_be_followed_is_refused(
    rows: Path, arguments: list[str], words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert command(["export", *arguments, "--store", str(rows)]) in (1, 2)
    assert words in capfd.readouterr().err
