"""The prompt of `crawler query`: SQL line by line, tables and columns completed."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from typing import Any, TextIO, cast

from crawler.cli.table import write_table
from crawler.cli.visible import raw
from crawler.errors import QueryError
from crawler.inspect.query import WORDS, Reader

_HELP = "SQL ends with ;  .tables lists tables and views, .schema NAME columns, .quit leaves"


def ask(reader: Reader) -> None:
    """Read queries until the end of input, and write each answer as a table."""
    read = _reader(reader.names())
    print(f"{reader.path}: {_HELP}", file=sys.stderr)
    pending = ""
    while True:
        try:
            line = read("...> " if pending else "sql> ")
        except KeyboardInterrupt:
            pending = ""
            continue
        except EOFError:
            return
        if not pending and line.strip() in (".quit", ".exit", "quit", "exit"):
            return
        if not pending and line.startswith("."):
            _dot(reader, line.split())
            continue
        pending += line + "\n"
        if pending.strip().endswith(";") or not pending.strip():
            _answer(reader, pending.strip().rstrip(";"))
            pending = ""


def _answer(reader: Reader, sql: str) -> None:
    if not sql:
        return
    try:
        write_table(reader.query(sql), sys.stdout)
    except QueryError as error:
        print(error, file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)


def _dot(reader: Reader, words: list[str]) -> None:
    names = reader.names()
    if words[0] == ".tables":
        print("  ".join(names))
    elif words[0] == ".schema" and words[1:2] and words[1] in names:
        print(", ".join(names[words[1]]))
    else:
        print(_HELP)


def offers(names: dict[str, list[str]], text: str) -> list[str]:
    """Return what the word at the end of `text` may become; `names` are the columns by table.

    Behind FROM and JOIN tables, behind `table.` its columns, else columns of the tables that the
    text names, or of all, and the words of SQL.
    """
    word = _last(text)
    table, dot, begin = word.rpartition(".")
    before = re.findall(r"\w+", text[: len(text) - len(word)])
    if dot:
        fitting = names.get(table, [])
    elif before and before[-1].upper() in ("FROM", "JOIN", "SCHEMA"):
        fitting = list(names)
    else:
        named = [columns for name, columns in names.items() if name in before]
        columns = {column for columns in named or names.values() for column in columns}
        fitting = [*sorted(columns), *WORDS]
    return [one for one in fitting if one.lower().startswith(begin.lower())]


def _last(text: str) -> str:
    return re.split(r"[^\w.]", text)[-1]


def _reader(names: dict[str, list[str]]) -> Callable[[str], str]:
    """Return what reads a line: prompt_toolkit where it is installed, else readline."""
    if not sys.stdin.isatty():
        return lambda prompt: input()
    try:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.completion import Completer, Completion
        from prompt_toolkit.output import create_output
    except ImportError:
        print("for a better prompt: pip install 'crawlkeep[prompt]'", file=sys.stderr)
        return _readline(names)

    class NameCompleter(Completer):
        def get_completions(self, document: Any, complete_event: Any) -> Iterator[Completion]:
            text = document.text_before_cursor
            begun = len(_last(text).rpartition(".")[2])
            for word in offers(names, text) if begun or text.endswith((" ", ".")) else ():
                yield Completion(word, -begun)

    session: PromptSession[str] = PromptSession(
        completer=NameCompleter(),
        complete_while_typing=True,
        output=create_output(cast(TextIO, raw(sys.stdout))),
    )
    return session.prompt


def _readline(names: dict[str, list[str]]) -> Callable[[str], str]:
    if sys.platform == "win32":
        return input
    try:
        import readline
    except ImportError:  # a Python built without it
        return input

    def complete(text: str, state: int) -> str | None:
        found = offers(names, readline.get_line_buffer()[: readline.get_endidx()])
        return found[state] if state < len(found) else None

    readline.set_completer_delims(" \t\n,;()=<>.")
    readline.set_completer(complete)
    readline.parse_and_bind("tab: complete")
    return input
