"""The command line. Only this package prints, configures logging, handles signals and exits.

Each command is a function in a module of its own, imported when it is used: a command that only
looks at a store starts in a tenth of a second.
"""

from __future__ import annotations

import difflib
import functools
import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import typer
from typer.core import TyperCommand, TyperGroup

from crawler.cli.visible import close_streams, guarded_terminal, open_streams
from crawler.errors import CrawlerError, StoreFull, UsageError
from crawler.version import __version__

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

_ELSEWHERE = {
    **dict.fromkeys(("startproject", "genspider", "create", "init"), "new"),
    **dict.fromkeys(("runspider", "start", "scrape", "exec"), "run"),
    **dict.fromkeys(("ls", "spiders"), "list"),
    **dict.fromkeys(("sql", "select"), "query"),
    **dict.fromkeys(("serve", "ui", "web"), "dashboard"),
    **dict.fromkeys(("info", "stats", "show"), "status"),
    **{"get": "fetch", "view": "fetch", "continue": "resume", "kill": "stop", "check": "test"},
}
"""What commands of other tools are called here."""

_CRAWLS = ("crawl", "run")  # what `runner` collects garbage for, once a crawl is imported

FAILED, WRONG_USAGE, INTERRUPTED = 1, 2, 130
NO_PAGE, GATE = 3, 4


_UNREADABLE = (
    "what was typed is no text in the encoding of this shell; set LC_ALL=C.UTF-8 (or any other"
    " locale in UTF-8), or PYTHONUTF8=1"
)


class LazyGroup(TyperGroup):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command of that name, None if there is none."""
        if cmd_name not in COMMANDS:
            return None
        module, function = COMMANDS[cmd_name]
        app = _app()
        command = getattr(import_module(f"crawler.cli.{module}"), function)
        app.command(cmd_name, cls=_Command)(_guarded(command, imports=cmd_name in _CRAWLS))
        return typer.main.get_command(app)

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read what stands before the command; an option of the command belongs behind it."""
        typed = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            from crawler.cli.misplaced import before_command

            raise _with(before_command(typed, COMMANDS), error) from None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that the arguments name; UsageError tells the nearest one."""
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            raise UsageError(_unknown(*args[:2]))
        return super().resolve_command(ctx, args)


class _Command(TyperCommand):
    """A command; `--store` names the store also where it is an argument, as most have it so."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments; what stands in the wrong place is told with its way out.

        UsageError for a `--store` without a name.
        """
        if any(known.name == "store" and "--store" not in known.opts for known in self.params):
            args = list(_as_argument(iter(args)))
        typed = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            from crawler.cli.misplaced import meant

            raise _with(meant(self, typed, error), error) from None


def _with(way: str, error: click.UsageError) -> click.UsageError:
    """Return a usage error with the way out behind its message."""
    return click.UsageError(error.format_message() + way, error.ctx) if way else error


def _as_argument(args: Iterator[str]) -> Iterator[str]:
    """Yield the arguments, the value of `--store` as one of them."""
    for argument in args:
        if argument == "--":  # what follows is somebody else's
            yield argument
            yield from args
        elif argument == "--store":
            if (named := next(args, None)) is None:
                raise UsageError(
                    "--store needs a store: a file, or a name (`shop` is data/shop.db)"
                )
            yield named
        else:
            yield argument.removeprefix("--store=")


def _unknown(name: str, then: str = "") -> str:
    """Return what somebody meant who typed what is no command, and `then`."""
    if name == "help":
        return f"help is no command; write: crawler {then} --help".replace("  ", " ")
    if "://" in name or name.startswith("www."):
        return f"{name} is no command; did you mean: crawler crawl {name}"
    near = [_ELSEWHERE[name]] if name in _ELSEWHERE else []
    near += difflib.get_close_matches(name.lower(), COMMANDS, n=1, cutoff=0.6)
    if (Path("spiders") / f"{name}.py").is_file() or name.endswith(".py"):
        return f"{name} is no command; did you mean: crawler run {name}"
    meant = f"did you mean {near[0]!r}" if near else f"there are: {', '.join(COMMANDS)}"
    return f"there is no command {name!r}; {meant}; see: crawler --help"


def _guarded(command: Callable[..., None], *, imports: bool) -> Callable[..., None]:
    """Return a command that runs with the terminal guarded; its help and usage are our own text.

    `imports`: whether it begins with so much to import that it collects garbage by itself.
    """

    @functools.wraps(command)
    def guarded(*positional: Any, **named: Any) -> None:
        if not imports:
            gc.enable()
        with guarded_terminal():
            try:
                command(*positional, **named)
            except BrokenPipeError:  # who reads has seen enough
                raise typer.Exit from None

    return guarded


def _app(*, completion: bool = False, **options: Any) -> typer.Typer:
    # Rich costs 50 ms: only a terminal gets it.
    markup = "rich" if sys.stdout.isatty() else None
    return typer.Typer(
        add_completion=completion,
        rich_markup_mode=markup,  # type: ignore[arg-type]
        pretty_exceptions_enable=False,
        **options,
    )


def build() -> Any:
    """Return the whole command line as one command."""
    app = _app(cls=LazyGroup, no_args_is_help=True, completion=True)
    app.callback()(crawler)
    return typer.main.get_command(app)


def _version(asked: bool) -> None:
    if asked:
        print(f"crawlkeep {__version__}")
        raise typer.Exit


def crawler(
    version: bool = typer.Option(
        False, "--version", "-V", help="Show the version.", callback=_version, is_eager=True
    ),
) -> None:
    """Crawl web sites politely, lose nothing, query the result with SQL.

    Example: crawler crawl https://docs.python.org/3/ --max-pages 100
    """


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
        build()(list(arguments), prog_name="crawler")
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
