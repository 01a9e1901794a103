"""The command line by Typer: help, what is wrong in a line, and what the Tab key completes.

A line that means one thing is read by `plain_line`; this is imported for all others.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import click
import typer
from typer.core import TyperCommand, TyperGroup

from crawler.cli import COMMANDS, call, function_of
from crawler.cli.declared import Argument, Option
from crawler.errors import UsageError
from crawler.version import __version__

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


class LazyGroup(TyperGroup):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names in the order of `COMMANDS`."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command of that name, None if there is none."""
        if cmd_name not in COMMANDS:
            return None
        app = _app()
        app.command(cmd_name, cls=_Command)(_for_typer(cmd_name))
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


def _for_typer(name: str) -> Callable[..., None]:
    """Return a command with its declarations as Typer reads them."""
    command = function_of(name)
    hints = get_type_hints(command, include_extras=True)
    signature = inspect.signature(command)
    declared = [
        parameter.replace(annotation=_annotation(hints[parameter.name]))
        for parameter in signature.parameters.values()
    ]

    @functools.wraps(command)
    def called(**values: Any) -> None:
        call(name, values)

    called.__signature__ = signature.replace(parameters=declared)  # type: ignore[attr-defined]
    called.__annotations__ = {each.name: each.annotation for each in declared}
    return called


def _annotation(hint: Any) -> Any:
    """Return the annotation of a parameter with Typer's declaration in the place of ours."""
    kind, about = get_args(hint)
    if isinstance(about, Argument):
        return Annotated[kind, typer.Argument(help=about.help, metavar=about.metavar)]
    option = typer.Option(
        *about.names,
        help=about.help,
        metavar=about.metavar,
        min=about.min,
        max=about.max,
        callback=_checked(about),
        hidden=about.hidden,
        show_default=about.show_default,
    )
    return Annotated[kind, option]


def _checked(option: Option) -> Callable[[Any], Any] | None:
    """Return what refuses a value as Typer has it; None for an option without a check."""
    if option.check is None:
        return None

    def checked(value: Any) -> Any:
        try:
            if value is not None:
                option.examine(value)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None
        return value

    return checked


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
