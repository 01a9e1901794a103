"""The command line. Only this package prints, configures logging, handles signals and exits.

Each command is a function in a module of its own, imported when it is used, and Typer only for a
line that is not plain (`plain_line`): what looks at a store starts in a tenth of a second.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any

from crawler.cli import plain_line
from crawler.cli.declared import Exit
from crawler.cli.visible import close_streams, guarded_terminal, open_streams
from crawler.errors import CrawlerError, StoreFull, UsageError

COMMANDS: dict[str, tuple[str, str]] = {
    "crawl": ("crawl", "crawl"),
    "run": ("run", "run"),
    "list": ("spiders", "list_spiders"),
    "new": ("scaffold", "new"),
    "status": ("status", "status"),
    "query": ("query", "query"),
    "search": ("search", "search"),
    "export": ("export", "export"),
    "import": ("importing", "import_"),
    "copy": ("copy", "copy"),
    "retry": ("retry", "retry"),
    "recrawl": ("recrawl", "recrawl"),
    "changes": ("changes", "changes"),
    "reparse": ("reparse", "reparse"),
    "diff": ("diff", "diff"),
    "test": ("spider_tests", "test"),
    "heal": ("heal", "heal"),
    "fetch": ("fetch", "fetch"),
    "why": ("why", "why"),
    "traps": ("traps", "traps"),
    "workers": ("workers", "workers"),
    "dashboard": ("dashboard", "dashboard"),
    "datasette": ("datasette", "datasette"),
    "pause": ("steering", "pause"),
    "resume": ("steering", "resume"),
    "stop": ("steering", "stop"),
    "add": ("steering", "add"),
    "block": ("steering", "block"),
    "unblock": ("steering", "unblock"),
    "prioritize": ("steering", "prioritize"),
    "set": ("steering", "set_"),
    "report": ("report", "report"),
    "download": ("download", "download"),
    "shell": ("shell", "shell"),
    "config": ("settings", "config"),
    "identity": ("identity", "identity"),
    "doctor": ("doctor", "doctor"),
    "demo": ("demo", "demo"),
}
"""Every command: the module of `crawler.cli` and the function in it."""

_CRAWLS = ("crawl", "run")  # what `runner` collects garbage for, once a crawl is imported

FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130
NO_PAGE, GATE = 3, 4

_COMPLETION = "_CRAWLER_COMPLETE"
"""The variable by which a shell asks what the Tab key completes."""


_UNREADABLE = (
    "what was typed is no text in the encoding of this shell; set LC_ALL=C.UTF-8 (or any other"
    " locale in UTF-8), or PYTHONUTF8=1"
)


def function_of(name: str) -> Callable[..., None]:
    """Return the function of a command, whose module is imported for it."""
    module, function = COMMANDS[name]
    command: Callable[..., None] = getattr(import_module(f"crawler.cli.{module}"), function)
    return command


def call(name: str, values: Mapping[str, Any]) -> None:
    """Call a command with what was typed, the terminal guarded."""
    command = function_of(name)
    if name not in _CRAWLS:
        gc.enable()
    with guarded_terminal():
        try:
            command(**values)
        except BrokenPipeError:  # who reads has seen enough
            raise Exit from None
        except KeyboardInterrupt:
            raise Exit(INTERRUPTED) from None


def _complain(error: Exception) -> None:
    """Print in one line what went wrong."""
    with guarded_terminal():
        print(f"crawler: {error}", file=sys.stderr)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and give its exit code; what went wrong is one line on stderr."""
    open_streams()
    code = _run(arguments)
    try:
        close_streams()
    except OSError as error:  # the disk is full under what was printed
        _complain(error)
        return FAILED
    return code


def _run(arguments: Sequence[str]) -> int:
    try:
        _command(arguments)
    except Exit as end:
        return end.code
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except BrokenPipeError:  # who reads has seen enough
        return 0
    except CrawlerError as error:
        _complain(error)
        return WRONG_USAGE if isinstance(error, (UsageError, StoreFull)) else FAILED
    except OSError as error:
        _complain(error)
        return FAILED
    except UnicodeEncodeError as error:  # an argument that is none in the encoding of the system
        if error.reason != "surrogates not allowed":
            raise
        _complain(UsageError(_UNREADABLE))
        return WRONG_USAGE
    return 0


def _command(arguments: Sequence[str]) -> None:
    name, *words = arguments or [""]
    if name in COMMANDS and _COMPLETION not in os.environ:
        values = plain_line.read(function_of(name), words)
        if values is not None:
            call(name, values)
            return
    from crawler.cli.with_typer import build

    build()(list(arguments), prog_name="crawler")
