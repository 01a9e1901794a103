"""The prompt of `crawler query`: SQL line by line, tables and columns completed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable

from crawler.cli.table import write_table
from crawler.errors import QueryError
from crawler.query import Reader

_HELP = "SQL ends with ;  .tables lists tables and views, .schema NAME columns, .quit leaves"


def ask(reader: Reader) -> None:
    """Read queries until the end of input, and write each answer as a table."""
    read = _reader(_words(reader))
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


def _dot(reader: Reader, words: list[str]) -> None:
    names = reader.names()
    if words[0] == ".tables":
        print("  ".join(names))
    elif words[0] == ".schema" and words[1:2] and words[1] in names:
        print(", ".join(names[words[1]]))
    else:
        print(_HELP)


def _words(reader: Reader) -> list[str]:
    from crawler.query import WORDS

    names = reader.names()
    columns = {column for columns in names.values() for column in columns}
    return sorted({*WORDS, *names, *columns})


def _reader(words: Iterable[str]) -> Callable[[str], str]:
    """Give what reads a line: prompt_toolkit where it is installed, else readline."""
    if not sys.stdin.isatty():
        return lambda prompt: input()
    try:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.completion import WordCompleter
    except ImportError:
        print("for a better prompt: pip install 'crawlkeep[prompt]'", file=sys.stderr)
        return _readline(list(words))
    session: PromptSession[str] = PromptSession(
        completer=WordCompleter(list(words), ignore_case=True), complete_while_typing=True
    )
    return session.prompt


def _readline(words: list[str]) -> Callable[[str], str]:
    try:
        import readline
    except ImportError:  # Windows
        return input

    def complete(text: str, state: int) -> str | None:
        found = [word for word in words if word.lower().startswith(text.lower())]
        return found[state] if state < len(found) else None

    readline.set_completer(complete)
    readline.parse_and_bind("tab: complete")
    return input
