"""A line that is read without Typer gives a command the values that Typer would give it."""

import contextlib
import io
from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler import cli
from crawler.cli import COMMANDS, function_of, plain_line, with_typer
from crawler.cli.declared import Exit, Option

WORDS = (
    "x",
    "a b",
    "-",
    "0",
    "1",
    "007",
    "65536",
    "2.5",
    "1_000",
    "\uff11",
    "auto",
    "",
    "-x",
    "--",
    "\xe9",
)


def as_typer_reads(name: str, words: Sequence[str]) -> dict[str, Any] | None:
    """Return what Typer calls the command with; None where it does not."""
    calls: list[Any] = []
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stderr(io.StringIO()):
        patch.setattr(with_typer, "call", lambda _, values: calls.append(values))
        with contextlib.suppress(SystemExit), contextlib.redirect_stdout(io.StringIO()):
            with_typer.build()([name, *words], prog_name="crawler")
    return calls[0] if calls else None


def pieces(name: str) -> st.SearchStrategy[list[str]]:
    """Words of a line for a command: its own options, and values of all kinds."""
    values = set(WORDS)
    options: list[str] = ["--help", "--nothing", "--store"]
    for parameter in plain_line.parameters(function_of(name)):
        if isinstance(parameter.about, Option):
            options += parameter.about.names_of(parameter.name)
        if issubclass(parameter.kind, Enum):
            values |= {str(choice) for choice in parameter.kind}
    value, option = st.sampled_from(sorted(values)), st.sampled_from(options)
    return st.one_of(
        value.map(lambda word: [word]),
        option.map(lambda word: [word]),
        st.tuples(option, value).map(list),
        st.tuples(option, value).map(lambda pair: ["=".join(pair)]),
    )


def must_be_given(name: str) -> Iterator[str]:
    for parameter in plain_line.parameters(function_of(name)):
        if parameter.default is ...:
            if isinstance(parameter.about, Option):
                yield parameter.about.names_of(parameter.name)[0]
            yield "1"


@pytest.mark.parametrize("name", COMMANDS)
def test_what_is_read_here_is_what_typer_reads(name: str) -> None:
    read = 0
    needed = list(must_be_given(name))

    @given(st.lists(pieces(name), max_size=4), st.booleans())
    @settings(max_examples=60, deadline=None)
    def law(parts: list[list[str]], whole: bool) -> None:
        nonlocal read
        words = [*(needed if whole else ()), *(word for part in parts for word in part)]
        if (found := plain_line.read(function_of(name), words)) is not None:
            assert found == as_typer_reads(name, words)
            read += 1

    law()
    assert read


@pytest.mark.parametrize(
    ("line", "values"),
    [
        (["crawl", "http://a/", "-q"], {"urls": ["http://a/"], "quiet": True}),
        (["crawl", "a", "b", "--max-pages=5"], {"urls": ["a", "b"], "max_pages": 5}),
        (["status", "--store", "shop"], {"store": "shop"}),
        (["run", "quotes", "-a", "x=1", "-a", "y=2"], {"arguments": ["x=1", "y=2"]}),
        (["query", "SELECT 1", "-f", "json"], {"sql": "SELECT 1", "format": "json"}),
    ],
)
def test_a_plain_line_needs_no_typer(line: list[str], values: dict[str, Any]) -> None:
    read = plain_line.read(function_of(line[0]), line[1:])
    assert read is not None
    assert {name: read[name] for name in values} == values


@pytest.mark.parametrize(
    "line",
    [
        ["crawl"],
        ["crawl", "--help"],
        ["crawl", "a", "--max-pages", "0"],
        ["crawl", "a", "--max-pages", "-1"],
        ["crawl", "a", "--max-pages", "9" * 19],
        ["crawl", "a", "--processes", "none"],
        ["crawl", "a", "--scope", "galaxy"],
        ["crawl", "a", "--quiet=yes"],
        ["crawl", "a", "--no-quiet"],
        ["crawl", "a", "-qo", "x.csv"],
        ["crawl", "a", "-ox.csv"],
        ["crawl", "--", "a"],
        ["crawl", "a", "--store"],
        ["query", "SELECT", "1"],
    ],
)
def test_any_other_line_is_for_typer(line: list[str]) -> None:
    assert plain_line.read(function_of(line[0]), line[1:]) is None


def test_ctrl_c_ends_every_command_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "function_of", lambda _: interrupted)
    monkeypatch.setattr(with_typer, "function_of", lambda _: interrupted)
    with pytest.raises(Exit) as plainly:
        cli.call("list", {})
    with pytest.raises(Exit) as by_typer:
        with_typer.build()(["list"], prog_name="crawler")
    assert plainly.value.code == by_typer.value.code == cli.INTERRUPTED
