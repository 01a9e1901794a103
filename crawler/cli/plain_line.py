"""Read a line of words as a command declares it, without Typer, whose import takes 30 ms.

Only a line that means one thing is read here: switches, named values, words in their places. What
is left (help, short options run together, a word too many, a value that does not fit) is for Typer,
which knows what to say. A law holds both to the same values.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import NoneType
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

from crawler.cli.declared import Argument, Option

_DIGITS = 18  # a number of so many has 64 bits


class _ForTyper(Exception):
    """The line is none that is read here."""


class CommandParameter(NamedTuple):
    """A parameter of a command: its name, the type of a value, and what is declared of it."""

    name: str
    kind: Any
    many: bool
    about: Argument | Option
    default: Any
    """`...` where it must be given."""


def parameters(command: Callable[..., Any]) -> Iterator[CommandParameter]:
    """Yield the parameters of a command, in the order of its code."""
    code, given = command.__code__, command.__defaults__ or ()
    last = code.co_varnames[: code.co_argcount][-len(given) :] if given else ()
    defaults = {**dict(zip(last, given, strict=True)), **(command.__kwdefaults__ or {})}
    for name, hint in get_type_hints(command, include_extras=True).items():
        if name != "return":
            declared, about = get_args(hint)
            parts = [part for part in get_args(declared) if part is not NoneType]
            kind = parts[0] if parts and get_origin(declared) is not list else declared
            many = get_origin(kind) is list
            one = get_args(kind)[0] if many else kind
            yield CommandParameter(name, one, many, about, defaults.get(name, ...))


def read(command: Callable[..., Any], words: Sequence[str]) -> dict[str, Any] | None:
    """Return the values that a line gives to a command; None for a line that is for Typer."""
    known = list(parameters(command))
    try:
        return _values(known, iter(words))
    except _ForTyper:
        return None


def _values(known: list[CommandParameter], words: Iterator[str]) -> dict[str, Any]:
    named = {
        name: parameter for parameter in known for name in parameter.about.names_of(parameter.name)
    }
    values: dict[str, Any] = {}
    placed: deque[str] = deque()
    for word in words:
        if word[:1] != "-" or word == "-":
            placed.append(word)
            continue
        name, _, value = word.partition("=") if word.startswith("--") else (word, "", "")
        parameter = named.get(name)
        if parameter is None or (parameter.kind is bool and name != word):
            raise _ForTyper
        if isinstance(parameter.about, Argument):
            placed.append(value if name != word else next(words, ""))
        elif parameter.kind is bool:
            values[parameter.name] = True
        else:
            _take(values, parameter, value if name != word else next(words, ""))
    _place(values, [each for each in known if isinstance(each.about, Argument)], placed)
    for parameter in known:
        if values.setdefault(parameter.name, parameter.default) is ...:
            raise _ForTyper
    return values


def _place(values: dict[str, Any], arguments: list[CommandParameter], words: deque[str]) -> None:
    """Take the words that have no name as the arguments, in their order."""
    for parameter in arguments:
        while words and (parameter.many or parameter.name not in values):
            _take(values, parameter, words.popleft())
    if words:
        raise _ForTyper


def _take(values: dict[str, Any], parameter: CommandParameter, word: str) -> None:
    value = _value(parameter, word)
    if parameter.many:
        values.setdefault(parameter.name, []).append(value)
    else:
        values[parameter.name] = value


def _value(parameter: CommandParameter, word: str) -> Any:
    """Return what a word is as the value of a parameter."""
    kind = parameter.kind
    if word[:1] in ("", "-") and word != "-":
        raise _ForTyper
    if kind in (int, float) and not _is_number(word):
        raise _ForTyper
    if kind is Path and not _is_readable(word):
        raise _ForTyper
    try:
        value = kind(word)
        if isinstance(parameter.about, Option):
            parameter.about.examine(value)
    except ValueError:
        raise _ForTyper from None
    return value


def _is_number(word: str) -> bool:
    return len(word) <= _DIGITS and word.isascii() and word.replace(".", "", 1).isdigit()


def _is_readable(word: str) -> bool:
    """Return whether nothing stands in the way of reading a file; one may be yet to be written."""
    return os.access(word, os.R_OK) or not os.path.lexists(word)
