"""The tutorial and every how-to run from their first command to their last, on the practice site.

A page is a story: files (`title="name"`) are written where they stand, commands run in their order
in one folder, and what a page shows of their output is in what they print, figures aside.
"""

import asyncio
import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest
from cli_story import Desk
from site_thread import site_on_a_thread

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [DOCS / "tutorial.md", *sorted((DOCS / "how-to").glob("*.md"))]
BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.DOTALL | re.MULTILINE)
ELSEWHERE = ("pip ", "python3 ", ". ", "datasette ")  # installs, or another program
SITE = "127.0.0.1:8765"
QUICK = "[politeness]\ndelay = 0.0\n"


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


def run(desk: Desk, text: str) -> None:
    """Run the `crawler` commands of a block in one process, and compare what they print."""
    ours = [
        (line, shown)
        for line, shown in commands(text)
        if not line.startswith(ELSEWHERE) and "--serve-only" not in line
    ]
    for line, _ in ours:
        assert line.startswith("crawler "), line
    done = desk.run_all([shlex.split(line, comments=True)[1:] for line, _ in ours])
    for (line, shown), command in zip(ours, done, strict=True):
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


@pytest.mark.parametrize("page", PAGES, ids=[page.stem for page in PAGES])
def test_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(DOCS.parent / "spiders", tmp_path / "spiders")
    (tmp_path / "config.toml").write_text(QUICK, encoding="utf-8")
    desk = Desk(tmp_path)
    names: dict[str, object] = {"__name__": "cell"}
    monkeypatch.setitem(sys.modules, "cell", type(sys)("cell"))
    text = page.read_text(encoding="utf-8")
    with site_on_a_thread() as site:
        text = text.replace(SITE, site.url.removeprefix("http://").rstrip("/"))
        for language, title, block in BLOCK.findall(text):
            if language == "console":
                run(desk, block)
            elif title in ("cell", "program"):
                execute(block, names)
            elif title:
                if title == "config.toml" and "[politeness]" not in block:
                    block = QUICK + block
                (tmp_path / title).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / title).write_text(block, encoding="utf-8")


def test_every_how_to_is_on_the_first_page_and_in_the_site() -> None:
    index = (DOCS / "how-to" / "index.md").read_text(encoding="utf-8")
    site = (DOCS.parent / "mkdocs.yml").read_text(encoding="utf-8")
    for page in PAGES[1:]:
        if page.stem != "index":
            assert f"]({page.name})" in index, page
            assert f"how-to/{page.name}" in site, page
