"""What a command declares in its signature: arguments and options.

`plain_line` reads a line by them; Typer (`with_typer`) does what is asked seldom: help, what is
wrong in a line, and what the Tab key completes. Importing this costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Argument(NamedTuple):
    """A word of the line that has no name before it; stands within `Annotated`."""

    help: str = ""
    metavar: str | None = None

    def names_of(self, parameter: str) -> tuple[str, ...]:
        """Return how it may be typed by a name all the same: as most commands have the store."""
        return ("--store",) if parameter == "store" else ()


class Option:
    """A named value of the line, or a switch; stands within `Annotated`."""

    __slots__ = ("check", "help", "hidden", "max", "metavar", "min", "names", "show_default")

    def __init__(
        self,
        *names: str,
        help: str = "",
        metavar: str | None = None,
        min: float | None = None,
        max: float | None = None,
        check: Callable[[Any], None] | None = None,
        hidden: bool = False,
        show_default: bool = True,
    ) -> None:
        """Declare an option: without a name it has that of its parameter.

        `check` raises ValueError for a value that cannot be; `min` and `max` themselves can.
        """
        self.names, self.help, self.metavar = names, help, metavar
        self.min, self.max, self.check = min, max, check
        self.hidden, self.show_default = hidden, show_default

    def names_of(self, parameter: str) -> tuple[str, ...]:
        """Return how it is typed, for the parameter that it stands at."""
        return self.names or (f"--{parameter.replace('_', '-')}",)

    def examine(self, value: Any) -> None:
        """Raise ValueError for a value that is too small, too great, or refused by `check`."""
        if (self.min is not None and value < self.min) or (
            self.max is not None and value > self.max
        ):
            raise ValueError(f"{value} is not in the range")
        if self.check is not None:
            self.check(value)


class Exit(Exception):
    """Ends a command with an exit code."""

    def __init__(self, code: int = 0) -> None:
        super().__init__(code)
        self.code = code
