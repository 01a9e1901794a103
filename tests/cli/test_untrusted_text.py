"""What a server or a store says is data: on the terminal, in errors, in what is kept."""

import asyncio
import io
import json
import sqlite3
import sys
import time
from contextlib import closing
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from client_story import Served

from crawler import Crawler, Request, Spider
from crawler.cli import COMMANDS, run
from crawler.cli.visible import Visible, guarded_terminal, raw, visible
from crawler.errors import BadUrl, CrawlerError, FetchError, without_passwords
from crawler.inspect.query import Reader
from crawler.inspect.why import why
from crawler.urls import from_cli
from crawler.web.body import shown

SLY = "\x1b]0;name\x07\x1b[31mred\x1b[2J\x9b31m\u202egnp\u2066\u200f\x00\x08\r"
COMMANDING = set(SLY) - set("]0;name[31mred[2Jgnp")

# ---------------------------------------------------------------- the terminal


def test_characters_that_command_a_terminal_are_written_out() -> None:
    assert visible(SLY).isprintable() and visible("\x1b") == "\\u001b"
    assert visible("\x9b\u202e\ud800") == "\\u009b\\u202e\\ud800"
    for text in ("tab\tand\nlines", "Grüße, 日本語, עברית, 👩‍👩‍👧", "क्‍ष"):
        assert visible(text) == text
    assert json.loads(f'"{visible(SLY)}"') == SLY  # a JSON string stays what it was


class Tty(io.TextIOWrapper):
    """A terminal, as far as a program can tell."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)

    def isatty(self) -> bool:
        return True

    def text(self) -> str:
        return self.buffer.getvalue().decode()  # type: ignore[attr-defined, no-any-return]


def test_bytes_reach_a_pipe_exact_and_a_terminal_made_visible() -> None:
    data = SLY.encode() + "ü".encode()
    terminal, pipe = Tty(), io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    for stream in (terminal, pipe):
        door = Visible(stream)
        door.buffer.write(data[:1])
        door.buffer.write(data[1:-1])  # in the middle of a character
        door.buffer.write(data[-1:])
        door.buffer.flush()
    assert terminal.text() == visible(SLY + "ü")
    assert pipe.buffer.getvalue() == data  # type: ignore[attr-defined]


def test_what_draws_by_itself_takes_the_stream_below(monkeypatch: pytest.MonkeyPatch) -> None:
    below = Tty()
    monkeypatch.setattr(sys, "stdout", below)
    with guarded_terminal(), guarded_terminal():
        print(SLY)
        assert raw(sys.stdout) is below
        assert sys.stdout.isatty()
    assert sys.stdout is below
    assert not COMMANDING & set(below.text())


async def hostile(request: web.Request) -> web.Response:
    page = f"<meta charset=utf-8><title>{SLY}</title><a href='/{SLY}'>x</a><p>tide {SLY}"
    return web.Response(text=page, content_type="text/html", headers={"X-Sly": "\x9b31m\u202e"})


async def policy(request: web.Request) -> web.Response:
    return web.Response(text=f"User-agent: *\nDisallow: /x{SLY}\n")


def looks(url: str, store: str) -> list[list[str]]:
    """Every command that shows what a server said."""
    at = ["--store", store]
    return [
        ["fetch", url, "--headers", "--links", "--explain"],
        ["fetch", url, url],
        ["query", "SELECT url, title, error, headers FROM pages", *at],
        ["query", f"SELECT '{visible('x')}' AS \"a\x1b[31mb\"", *at],
        ["query", "SELECT no_such\x1b[31m FROM pages", *at],
        ["search", "tide", *at],
        ["why", url, *at],
        ["why", "ftp://\x1b[31m/", *at],
        ["status", store],
        ["changes", *at],
        ["report", "politeness", *at],
    ]


def test_no_command_hands_a_control_character_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "sly.py"

    async def story() -> None:
        async with Served({"/": hostile, "/robots.txt": policy}) as url:
            file.write_text(
                "from crawler import Spider\n"
                "class Sly(Spider):\n"
                f"    name, start_urls = 'sly', ['{url}/']\n"
                "    def parse(self, page):\n"
                "        raise ValueError(page.title)\n",
                encoding="utf-8",
            )
            crawled = ["run", str(file), "--store", "a.db", "--set", "store.text=true"]
            child = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "crawler", *crawled),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            said, _ = await child.communicate()  # which handles signals: in a thread it cannot
            assert b"red" in said and not COMMANDING & set(said.decode())
            for line in looks(f"{url}/", "a.db"):
                await asyncio.to_thread(run, line)
                out, err = capsys.readouterr()
                assert not COMMANDING & set(out + err), line

    asyncio.run(story())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_runs_behind_the_door(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def prints() -> None:
        print(SLY, file=sys.stderr)
        print(SLY)
        raise CrawlerError(SLY)

    module, function = COMMANDS[name]
    monkeypatch.setattr(import_module(f"crawler.cli.{module}"), function, prints)
    assert run([name]) == 1
    out, err = capsys.readouterr()
    assert "red" in out and err.count("red") == 2 and not COMMANDING & set(out + err)


# ---------------------------------------------------------------- a store is data


def owned(store: Path, spider: str, steps: list[str] | None = None) -> None:
    """Let a store name this spider, and these steps of links.canonicalize."""
    with closing(sqlite3.connect(store)) as db, db:
        db.execute("UPDATE crawl SET value = ? WHERE key = 'spider'", (spider,))
        if steps is not None:
            [(settings,)] = db.execute("SELECT settings FROM runs ORDER BY run_id DESC LIMIT 1")
            told = json.loads(settings or "{}")
            told.setdefault("links", {})["canonicalize"] = steps
            db.execute("UPDATE runs SET settings = ?", (json.dumps(told),))


@pytest.fixture
def unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store from somebody else, with code beside it that leaves a mark when it is run."""
    monkeypatch.chdir(tmp_path)
    Path("urls.txt").write_text("http://127.0.0.1:9/\n")
    assert run(["import", "urls.txt", "--store", "a.db"]) == 0
    code = "from pathlib import Path\nPath('ran').touch()\nfrom crawler import Spider\n"
    code += "class Evil(Spider):\n    name = 'evil'\n\n\ndef step(url):\n    return url\n"
    Path("evil.py").write_text(code)
    Path("sub").mkdir()
    Path("sub/evil.py").write_text(code)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return tmp_path


NAMES = [
    "evil.py",
    "sub/evil.py",
    "./evil.py:Evil",
    "evil:Evil",
    "evil",
    "sub.evil:Evil",
    "../x.py",
]


@pytest.mark.parametrize("name", NAMES)
def test_no_look_at_a_store_runs_what_it_names(name: str, unpacked: Path) -> None:
    store = unpacked / "a.db"
    owned(store, name)
    at = ["--store", str(store)]
    for line in (
        ["why", "http://127.0.0.1:9/", *at],
        ["status", str(store)],
        ["query", "SELECT 1", *at],
        ["retry", *at],
        ["recrawl", *at],
        ["report", "last", "-o", "r.html", *at],
        ["export", "pages", "-o", "e.jsonl", *at],
    ):
        run(line)
        assert not (unpacked / "ran").exists(), line


def test_a_store_names_no_step_to_import(
    unpacked: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    owned(unpacked / "a.db", "site", ["evil:step", "strip_www"])
    with Reader(unpacked / "a.db") as reader:
        told = why(reader, "http://127.0.0.1:9/", ())
    assert not (unpacked / "ran").exists()
    assert any("evil:step" in text for about, text in told if about == "note")


def test_a_spider_of_the_folder_is_known_by_its_name(
    unpacked: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("spiders").mkdir()
    for name in ("mine", "other"):
        Path(f"spiders/{name}.py").write_text(
            f"from pathlib import Path\nPath('ran-{name}').touch()\n"
            "from crawler import Rule, Spider\n"
            f"class Mine(Spider):\n    name = '{name}'\n"
            "    rules = (Rule(deny='x'),)\n"
        )
    owned(unpacked / "a.db", "mine")
    assert run(["why", "http://127.0.0.1:9/x", "--store", "a.db"]) == 0
    assert "not known here" not in capsys.readouterr().out
    assert Path("ran-mine").exists() and not Path("ran-other").exists()
    assert run(["why", "http://127.0.0.1:9/", "--store", "a.db", "--spider", "evil.py"]) == 0
    assert (unpacked / "ran").exists()  # the user may name it


def test_no_command_line_with_a_path_of_a_store_is_offered_for_pasting(
    unpacked: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    owned(unpacked / "a.db", "sub/evil.py")
    assert run(["recrawl", "--store", "a.db"]) == 2
    assert "evil" not in capsys.readouterr().err


# ---------------------------------------------------------------- passwords

WORD = "S3CRET"


@pytest.mark.parametrize(
    "text",
    [
        f"http://me:{WORD}@a.example/x",
        f"socks5h://me:{WORD}@a.example:1080",
        f"ftp://{WORD}@a.example",
        f"http:\\\\me:{WORD}@a.example",
        f"see HTTPS://me:p@{WORD}@a.example/?q=1 and http://{WORD}@b.example",
        f"http://me:'{WORD}'@a.example/",
    ],
)
def test_no_error_of_ours_shows_the_password_of_a_url(text: str) -> None:
    assert WORD not in without_passwords(text) and "example" in without_passwords(text)
    for error in (CrawlerError(text), FetchError(f"{text!r}: no"), BadUrl(text)):
        assert WORD not in str(error) + repr(error)


def test_what_only_looks_like_a_password_stays() -> None:
    for text in ("http://a.example/@me", "http://a.example/?to=me@b.example", "me@a.example"):
        assert without_passwords(text) == text


def test_a_password_is_looked_for_in_linear_time() -> None:
    started = time.process_time()
    for part in ("a", "a:/", "a://b", ":", "/"):
        without_passwords("@" + part * 50_000)
    assert time.process_time() - started < 1


def test_a_seed_that_is_refused_does_not_show_its_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for url in (f"ftp://me:{WORD}@x/", f"http://me:{WORD}@[/"):
        assert run(["crawl", url]) != 0
        assert WORD not in capsys.readouterr().err
        with pytest.raises(ValueError):
            from_cli(url)


BODIES: list[dict[str, Any]] = [
    {"json": {"user": "me", "password": WORD}},
    {"json": {"login": [{"Pass-Phrase": 1, "accessToken": WORD, "deep": {"client_secret": WORD}}]}},
    {"data": {"user": "me", "passwd": WORD, "api_key": WORD}},
    {"data": [("user", "me"), ("otp", WORD)]},
    {"data": json.dumps({"user": "me", "pwd": WORD})},
    {"data": json.dumps({"user": "me", "pwd": WORD}).encode()},
    {"data": f"user=me&password={WORD}"},
    {"data": f"<login user='me'><password>{WORD}</password></login>"},
    {"headers": {"X-Auth-Token": WORD, "X-Session-Id": WORD, "Proxy-Authorization": WORD}},
    {"cookies": {"anything": WORD}},
    {"proxy": f"http://me:{WORD}@gate.example"},
]


@pytest.mark.parametrize("body", BODIES, ids=repr)
def test_a_password_is_masked_in_whatever_form_it_is_sent(body: dict[str, Any]) -> None:
    request = Request("http://a.example/", "POST", **body)
    kept = shown(request.extra() or "")
    assert WORD not in kept and "UzNDUkVU" not in kept
    if "me" in str(body) and "<" not in str(body):
        assert "user" in kept or "data_bytes" in kept or "proxy" in kept


def test_what_is_no_password_is_kept_as_it_was_sent() -> None:
    for body in ({"json": {"keyword": "a", "n": [1]}}, {"data": {"q": "monkeys", "author": "x"}}):
        request = Request("http://a.example/", "POST", **body)
        assert shown(request.extra() or "") == request.extra()
    request = Request("http://a.example/", headers={"X-Kept": "yes", "Accept": "x"})
    assert shown(request.extra() or "") == request.extra()


def test_a_json_password_is_in_no_file_of_a_finished_crawl(tmp_path: Path) -> None:
    async def fine(request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def story() -> None:
        async with Served({"/": fine}) as url:

            class Login(Spider):
                name = "login"

                def start(self) -> Any:
                    yield Request(f"{url}/", "POST", json={"password": WORD})

            settings = {"politeness": {"delay": 0.0, "robots": False}}
            async with Crawler(Login, store=tmp_path / "a.db", settings=settings) as crawler:
                await crawler.run()

    asyncio.run(story())
    with closing(sqlite3.connect(tmp_path / "a.db")) as db:
        dump = "\n".join(db.iterdump())
    assert "password" in dump and WORD not in dump
