"""Run a page of the documentation from its first block to its last, as a reader would."""

import asyncio
import contextlib
import re
import shlex
import shutil
import sys
import urllib.request
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from browser_story import SANDBOX
from cli_story import ROOT, Command, Desk, here

BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.DOTALL | re.MULTILINE)
ELSEWHERE = (
    "pip ",
    "python3 ",
    ". ",
    "datasette ",
    "crawler datasette ",  # tests/cli/test_datasette.py
    "uv ",
    "pipx ",
    "make ",
    "opentelemetry-",
)  # other programs
QUICK = "[politeness]\ndelay = 0.0\n"
TOOLS = ("duckdb", "pandas")  # `make other-tools` installs them, and runs their page
LIVE = 18642  # where the live page of a documentation page is, in place of 8642
NO_WAITS = {
    "FETCH__RETRY_DELAY": "0.01",
    "POLITENESS__ADAPTIVE": "false",
    "POLITENESS__MAX_RETRY_AFTER": "0.01",
    "BROWSER__SANDBOX": SANDBOX,
    "BROWSER__SETTLE": "0.2",
}


def shape(line: str) -> str:
    """A line without its figures and the widths of its columns."""
    return " ".join(re.sub(r"[\d.,:TZ]*\d[\d.,:TZ]*", "#", line).split())


def commands(text: str) -> list[tuple[str, list[str]]]:
    """The commands of a block, each with the output that is shown."""
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif line.strip():
            found[-1][1].append(line)
    return found


def run(line: str) -> Command:
    """Run a `crawler` command in this process, in the working directory."""
    assert line.startswith("crawler "), line
    return here(Desk(Path.cwd()), shlex.split(line, comments=True)[1:])


@contextlib.contextmanager
def served(line: str) -> Iterator[Command]:
    """Start a command that serves until it is ended, and give what it said when it was ready."""
    listening = ["--listen", f"127.0.0.1:{LIVE}"]
    with Desk(Path.cwd()).start(*shlex.split(line)[1:], *listening) as running:
        yield Command(0, running.first(), "")


def asked(line: str) -> Command:
    """Do what `curl -s URL` does."""
    with urllib.request.urlopen(line.split()[2], timeout=20) as answer:
        return Command(0, answer.read().decode(), "")


def run_block(text: str, servers: contextlib.ExitStack) -> None:
    """Run the `crawler` commands of a block, and compare what they print with what is shown."""
    for line, shown in commands(text):
        if line.startswith(ELSEWHERE) or "--serve-only" in line:
            continue
        command = asked(line) if line.startswith("curl -s ") else None
        if line.startswith("crawler dashboard"):
            command = servers.enter_context(served(line))
        command = command or run(line)
        assert command.code == 0, (line, command.out, command.err)
        printed = {shape(each) for each in (command.out + command.err).splitlines()}
        for each in shown:
            assert shape(each) in printed, (line, each, command.out, command.err)


def execute(code: str, names: dict[str, object]) -> None:
    """Run a cell, which may await at its top level."""
    flags = __import__("ast").PyCF_ALLOW_TOP_LEVEL_AWAIT
    result = eval(compile(code, "cell", "exec", flags=flags), names)
    if result is not None:
        asyncio.run(result)


def run_page(text: str) -> None:
    """Run every block of a page: files (`title="name"`) are written, commands and cells run."""
    names: dict[str, object] = {"__name__": "cell"}
    text = text.replace("127.0.0.1:8642", f"127.0.0.1:{LIVE}")
    with contextlib.ExitStack() as servers:
        _run_blocks(text, names, servers)


def _run_blocks(text: str, names: dict[str, object], servers: contextlib.ExitStack) -> None:
    for language, title, block in BLOCK.findall(text):
        if language == "console":
            run_block(block, servers)
        elif title in ("cell", "program"):
            if not any(f"import {name}" in block and find_spec(name) is None for name in TOOLS):
                execute(block, names)
        elif title:
            if title == "config.toml" and "[politeness]" not in block:
                block = QUICK + block
            Path(title).parent.mkdir(parents=True, exist_ok=True)
            Path(title).write_text(block, encoding="utf-8")


@contextlib.contextmanager
def desk(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work in a folder with the spiders of the checkout, in no hurry to wait."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("NO_COLOR", "1")
    for key, value in NO_WAITS.items():
        monkeypatch.setenv(f"CRAWLER_{key}", value)
    shutil.copytree(ROOT / "spiders", folder / "spiders")
    (folder / "config.toml").write_text(QUICK, encoding="utf-8")
    monkeypatch.setitem(sys.modules, "cell", type(sys)("cell"))
    yield
