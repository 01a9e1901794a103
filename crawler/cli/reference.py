"""The page of the documentation that shows every command: `python -m crawler.cli.reference`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from enum import Enum
from importlib import import_module
from typing import NamedTuple

from crawler.cli import COMMANDS, plain_line
from crawler.cli.declared import Argument

_HEAD = """\
# The command line

`crawler COMMAND`, also `python -m crawler COMMAND`. This page is made from the code (`make docs`).

Exit codes: 0 finished, 1 failed, 2 wrong usage or configuration, 3 finished without a page, \
4 a health gate failed, 130 interrupted and resumable.

The first SIGINT or SIGTERM lets what is in flight end (`engine.grace` seconds), commits, and says \
how to resume; a second one stops at once; a third ends the process. Nothing is lost by any of them.
"""


class Parameter(NamedTuple):
    """An argument or option, as it is typed, and what it is for."""

    shown: str
    help: str
    is_argument: bool


def reference() -> str:
    """Return the page: a section for each command, in the order of `crawler --help`."""
    return "\n".join([_HEAD, *(_section(name, *place) for name, place in COMMANDS.items())])


def _section(name: str, module: str, function: str) -> str:
    command = getattr(import_module(f"crawler.cli.{module}"), function)
    about, _, example = inspect.getdoc(command).partition("Example: ")  # type: ignore[union-attr]
    text = "\n\n".join(" ".join(part.split()) for part in about.strip().split("\n\n"))
    parameters = list(parameters_of(command))
    arguments = " ".join(found.shown for found in parameters if found.is_argument)
    rows = "".join(f"| `{_cell(found.shown)}` | {_cell(found.help)} |\n" for found in parameters)
    table = f"\n| | |\n|---|---|\n{rows}" if rows else ""
    options = "" if all(found.is_argument for found in parameters) else "[OPTIONS]"
    usage = " ".join(f"crawler {name} {arguments} {options}".split())
    return f"## crawler {name}\n\n{text}\n\n    {usage}\n\nExample: `{example.strip()}`\n{table}"


def parameters_of(command: Callable[..., None]) -> Iterator[Parameter]:
    """Yield the parameters of a command in the order of its code."""
    for found in plain_line.parameters(command):
        value, about = _value(found), found.about
        if isinstance(about, Argument):
            yield Parameter(value if found.default is ... else f"[{value}]", about.help, True)
        elif not about.hidden:
            shown = ", ".join(about.names_of(found.name))
            yield Parameter(f"{shown} {value}".strip(), about.help, False)


def _value(found: plain_line.CommandParameter) -> str:
    """Write what a parameter takes: its choices, or a word in capitals; nothing for a switch."""
    if found.kind is bool:
        return ""
    if issubclass(found.kind, Enum):
        return "|".join(str(choice) for choice in found.kind)
    return found.about.metavar or found.name.rstrip("_").upper()


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(reference(), end="")
