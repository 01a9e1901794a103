"""The way out of a command line whose words stand in the wrong place, or with one hyphen too few.

Each function returns what is put behind the usage error; empty where nothing is known of it.
"""

from __future__ import annotations

import shlex
from collections.abc import Container
from typing import Any

from click import NoSuchOption, UsageError

from crawler.cli.stores import is_store

_ELSEWHERE = {"-a": "crawl runs no spider of yours: crawler run NAME -a name=value"}
"""Options that another command has."""


def before_command(typed: list[str], commands: Container[str]) -> str:
    """Return how a line is written whose options stand before its command."""
    at = next((place for place, word in enumerate(typed) if word in commands), None)
    if at is None:
        return ""
    return f" Options stand behind the command: {_line(*typed[at:], *typed[:at])}"


def meant(command: Any, typed: list[str], error: UsageError) -> str:
    """Return what somebody meant by the words of a command that it does not take."""
    if isinstance(error, NoSuchOption):
        return _option(command, typed, error.option_name)
    if "unexpected extra argument" in error.message:
        return _extra(command, typed)
    return ""


def _option(command: Any, typed: list[str], name: str) -> str:
    known = {option for parameter in command.params for option in parameter.opts}
    long = next((f"-{word}" for word in typed if f"-{word.partition('=')[0]}" in known), "")
    if long.startswith("--"):
        return f" Write it with two hyphens: {long}"
    return f" {_ELSEWHERE[name]}" if name in _ELSEWHERE else ""


def _extra(command: Any, typed: list[str]) -> str:
    words = [word for word in typed if not word.startswith("-")]
    store = next((word for word in words if is_store(word)), None)
    if store is not None:
        rest = [word for word in typed if word != store]
        return f". A store is named by --store: {_line(command.name, *rest, '--store', store)}"
    if command.name == "query":
        return f'. Put the SQL into quotes: crawler query "{" ".join(words)}"'
    return ""


def _line(*words: str) -> str:
    return shlex.join(["crawler", *words])
