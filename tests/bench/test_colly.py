"""Where Colly's peer comes from: built by Go, taken as it is, or left out with one line why."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

import install


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give an empty working directory for the builds, and a PATH with nothing on it."""
    monkeypatch.setattr(install, "WORK", tmp_path / "work")
    monkeypatch.setenv("PATH", str(tmp_path / "programs"))
    (tmp_path / "work").mkdir()
    (tmp_path / "programs").mkdir()
    return tmp_path / "work"


def put_go(work: Path, script: str) -> None:
    go = work.parent / "programs" / "go"
    go.write_text(f"#!/bin/sh\n{script}\n")
    go.chmod(0o755)


def test_without_go_colly_is_left_out_with_the_reason(work: Path) -> None:
    assert install.build_colly(work / "colly") == "go is not installed (Debian: golang-go)"


def test_without_its_modules_colly_is_left_out_and_what_go_said_is_kept(work: Path) -> None:
    put_go(work, "echo no such host >&2; exit 1")
    problem = install.build_colly(work / "colly")
    assert problem == "`go mod tidy` failed; see bench/.work/colly.log"
    assert (work / "colly.log").read_text() == "no such host\n"


def test_a_program_that_is_there_is_taken_until_its_source_is_newer(work: Path) -> None:
    program = work / "colly"
    program.write_text("built elsewhere")
    assert install.build_colly(program) == ""
    os.utime(program, (0, 0))
    assert install.build_colly(program) != ""


def test_go_builds_the_crawler_from_a_copy_of_its_source(work: Path) -> None:
    put_go(work, 'test "$1" = mod || printf built > "$3"')
    assert install.build_colly(work / "colly") == ""
    assert (work / "colly").read_text() == "built"
    assert {path.name for path in (work / "colly-source").iterdir()} == {"go.mod", "main.go"}
