"""The Tab key completes commands and options, in the shells themselves."""

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

TYPED = {"crawler statu": "status", "crawler crawl --max-p": "--max-pages"}
LIMIT = 30.0  # seconds


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """An environment in which `crawler` is the one under test, and no start-up file is read."""
    command = tmp_path / "bin" / "crawler"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m crawler "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    home = {"HOME": str(tmp_path), "TERM": "dumb", "PYTHONPATH": str(Path(__file__).parents[2])}
    return {**os.environ, **home, "PATH": f"{command.parent}:{os.environ['PATH']}"}


def shell(name: str) -> str:
    if (path := shutil.which(name)) is None:
        pytest.skip(f"{name} is not installed")
    return path


def test_bash(environ: dict[str, str]) -> None:
    script = ['eval "$(_CRAWLER_COMPLETE=source_bash crawler)"']
    for line in TYPED:
        words = line.split()
        script += [f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _crawler_completion crawler"]
        script += ['printf "%s\\n" "${COMPREPLY[@]}"']
    assert said([shell("bash"), "--norc", "-c", "\n".join(script)], environ) == [*TYPED.values()]


def test_fish(environ: dict[str, str]) -> None:
    script = ["_CRAWLER_COMPLETE=source_fish crawler | source"]
    script += [f"complete -C '{line}'" for line in TYPED]
    lines = said([shell("fish"), "--no-config", "-c", "\n".join(script)], environ)
    assert [line.split("\t")[0] for line in lines] == [*TYPED.values()]


def said(command: list[str], environ: dict[str, str]) -> list[str]:
    nothing = subprocess.DEVNULL
    done = subprocess.run(
        command, env=environ, stdin=nothing, capture_output=True, text=True, timeout=LIMIT
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_zsh(environ: dict[str, str]) -> None:
    """On a terminal, as zsh completes nowhere else."""
    path = shell("zsh")
    main, other = pty.openpty()
    process = subprocess.Popen(
        [path, "-f", "-i"], env=environ, stdin=other, stdout=other, stderr=other
    )
    os.close(other)
    try:
        setup = "autoload -U compinit; compinit -u -D; PS1='> '; "
        setup += 'eval "$(_CRAWLER_COMPLETE=source_zsh crawler)"; echo re""ady\n'
        os.write(main, setup.encode())
        assert "ready" in heard(main, "ready")
        for line, word in TYPED.items():
            os.write(main, f"\x15{line}\t".encode())
            assert word in heard(main, word)
    finally:
        process.kill()
        process.wait()
        os.close(main)


def heard(main: int, word: str) -> str:
    """Return what a terminal shows until a word has come."""
    shown, end = b"", time.monotonic() + LIMIT
    while word.encode() not in shown and time.monotonic() < end:
        if select.select([main], [], [], 0.2)[0]:
            with suppress(OSError):
                shown += os.read(main, 65536)
    return shown.decode(errors="replace")
