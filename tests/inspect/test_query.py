"""The query prompt on a terminal, and what a query that cannot run is told."""

import contextlib
import io
import os
import re
import select
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.cli import prompt
from crawler.errors import QueryError
from crawler.inspect.query import Reader
from crawler.store import views
from crawler.store.schema import MIGRATIONS

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]|\x08")
ENDLESS = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("query") / "a.db"
    db = sqlite3.connect(path)
    for file in MIGRATIONS:
        db.executescript(file.read_text(encoding="utf-8"))
    db.executescript(views.script((), []))
    db.execute("INSERT INTO counters VALUES ('apples', 7)")
    db.commit()
    db.close()
    return path


@pytest.mark.parametrize(
    ("sql", "words", "caret"),
    [
        ("SELECT titel FROM pages", "did you mean title (of pages)?", "titel"),
        ("SELECT 'titel', p.titel FROM pages p", "did you mean title", "titel FROM"),
        ("SELECT delay FROM pages", "did you mean delay (of hosts)?", "delay"),
        ("SELECT zzzzzz FROM runs", "runs has: run_id, spider", "zzzzzz"),
        ("SELECT url FROM page", "did you mean pages?", "page"),
        ("SELECT lenght(url) FROM pages", "did you mean length?", "lenght"),
        ("SELECT 3 FROM pages LIMT 3", "did you mean LIMIT?", "LIMT"),
        ("SELECT url FROM pages ORDRE BY url", "did you mean ORDER?", "ORDRE"),
        ("SELECT url FROM (SELECT url, FROM pages)", "comma before it", "FROM pages"),
        ("SELECT url FROM pages WHERE status = = 3", "syntax error", "= 3"),
        ("SELECT url FROM pages WHERE title = 'x", "unrecognized token", "'x"),
        ("SELECT url\nFROM pages\nWHERE", "ends too early", ""),
        ("SELECT name FROM hosts, counters", "name its table too", "name"),
    ],
)
def test_what_is_wrong_with_a_query_is_shown_where_it_stands(
    store: Path, sql: str, words: str, caret: str
) -> None:
    with Reader(store) as reader, pytest.raises(QueryError) as error:
        reader.query(sql)
    told, line, mark = str(error.value).rsplit("\n", 2)
    assert words in told
    assert line[mark.index("^") :].startswith(caret)


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT ?", "no parameters"),
        ("", "write a SELECT"),
        ("BEGIN", "write a SELECT"),
        ("SELECT json_extract('{}', 'x')", "JSON path error"),
        ("SELECT * FROM search WHERE search MATCH 'a AND'", "fts5: syntax error"),
    ],
)
def test_an_error_of_the_query_does_not_blame_the_file(store: Path, sql: str, words: str) -> None:
    with Reader(store) as reader, pytest.raises(QueryError, match=words) as error:
        reader.query(sql)
    assert str(store) not in str(error.value)


def test_an_interrupt_ends_a_query_that_would_never_end(store: Path) -> None:
    timer = threading.Timer(0.05, lambda: signal.raise_signal(signal.SIGINT))
    with Reader(store) as reader:
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            list(reader.query(ENDLESS).rows)
        timer.join()
        assert list(reader.query("SELECT 1").rows) == [(1,)]


def test_the_prompt_outlives_an_interrupt(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{ENDLESS};\nSELECT 40 + 2;\n"))
    timer = threading.Timer(0.05, lambda: signal.raise_signal(signal.SIGINT))
    with Reader(store) as reader:
        timer.start()
        prompt.ask(reader)
        timer.join()
    told = capsys.readouterr()
    assert "interrupted" in told.err and "42" in told.out


# ---------------------------------------------------------------- the prompt


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("SEL", ["SELECT"]),
        ("SELECT na", ["name"]),
        ("SELECT * FROM r", ["runs"]),
        ("select * from ", ["pages", "runs"]),
        ("SELECT runs.", ["run_id", "spider"]),
        ("SELECT * FROM runs WHERE s", ["spider", "SELECT"]),
        ("SELECT * FROM runs WHERE ti", []),
        (".schema pa", ["pages"]),
        ("", None),
    ],
)
def test_completion_offers_what_can_stand_there(text: str, words: list[str] | None) -> None:
    names = {"pages": ["url", "title", "name"], "runs": ["run_id", "spider"]}
    found = prompt.offers(names, text)
    assert found == words if words is not None else "SELECT" in found


class Terminal:
    """A command on a terminal: `type` keys, and `see` what is shown."""

    def __init__(self, *arguments: str) -> None:
        import pty
        import termios

        self._end, end = pty.openpty()
        termios.tcsetwinsize(end, (40, 200))
        env = {**os.environ, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "crawler", *arguments],
            stdin=end, stdout=end, stderr=end, env=env, start_new_session=True,
        )  # fmt: skip
        os.close(end)
        self._shown = ""

    def type(self, keys: str) -> None:
        os.write(self._end, keys.encode())

    def see(self, words: str) -> None:
        """Wait until these words are shown, and forget what was shown up to them."""
        until = time.monotonic() + 30
        while words not in (plain := _ESCAPES.sub("", self._shown)):
            left = until - time.monotonic()
            assert left > 0, f"never showed {words!r}: {plain!r}"
            if select.select([self._end], [], [], left)[0]:
                self._shown += os.read(self._end, 65536).decode(errors="replace")
        self._shown = plain.partition(words)[2]

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._end)


@contextlib.contextmanager
def terminal(*arguments: str) -> Iterator[Terminal]:
    made = Terminal(*arguments)
    try:
        yield made
    finally:
        made.close()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_the_prompt_completes_names_and_outlives_mistakes(store: Path) -> None:
    pytest.importorskip("prompt_toolkit")
    with terminal("query", "--store", str(store)) as shell:
        shell.see("sql>")
        shell.type("SELECT name, value FROM count")
        shell.see("counters")  # offered below the line
        shell.type("\t;\r")
        shell.see("apples")
        shell.type("SELECT nam FROM counters;\r")
        shell.see("did you mean name (of counters)?")
        shell.type("SELECT 40 +\r")
        shell.see("...>")
        shell.type("2;\r")
        shell.see("42")
        shell.type(".schema counters\r")
        shell.see("name, value")
        shell.see("sql>")
        shell.type("\x04")
        assert shell.process.wait(30) == 0
