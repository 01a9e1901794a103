"""Options that several commands share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from crawler.cli.declared import Option


class LogLevel(StrEnum):
    """How much is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


Store = Annotated[
    str | None,
    Option(
        help="The store: a file, or a name (`shop` is data/shop.db); in `run`, {name}, {date}"
        " and the spider's attributes are filled in. By default a file in data/ with the name of"
        " the spider or the host.",
        metavar="FILE",
    ),
]
Seen = Annotated[
    str | None,
    Option(
        "--store",
        metavar="FILE",
        help="The store: a file, or a name (`shop` is data/shop.db)."
        " By default the newest in data/.",
    ),
]
ConfigFile = Annotated[
    Path | None,
    Option("--config", help="The configuration. By default config.toml.", metavar="FILE"),
]
Set = Annotated[
    list[str] | None,
    Option("--set", help="Set a key of the configuration.", metavar="SECTION.KEY=VALUE"),
]
MaxPages = Annotated[
    int | None,
    Option(
        "--max-pages", min=1, metavar="N", help="Stop when so many pages are stored, over all runs."
    ),
]


LONGEST = 19
"""Digits of a number beyond 64 bits; Python makes no int of 4,301."""


def _processes(given: str) -> None:
    """Raise ValueError for a number of processes that cannot be."""
    if given != "auto" and not (given.isdecimal() and len(given) < LONGEST and int(given)):
        raise ValueError(f"{given[:40]!r} is neither auto nor a number from 1 on.")


Processes = Annotated[
    str | None,
    Option(
        metavar="N|auto",
        check=_processes,
        help="Processes that fetch, parse and run callbacks; auto: as many as there are cores.",
    ),
]
Output = Annotated[
    list[str] | None,
    Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Write what was found to a file at the end, also of an early one; the format is its"
        " ending's (jsonl, json, csv, parquet, sqlite, xlsx, warc.gz, wacz). Repeat for more;"
        " pages=FILE has the pages, {type} in a name gives each item type a file.",
    ),
]
Fresh = Annotated[bool, Option("--fresh", help="Start over; the store there is moved aside.")]
Quiet = Annotated[
    bool, Option("--quiet", "-q", help="Print nothing but errors; the exit code tells.")
]
Level = Annotated[LogLevel, Option("--log-level", help="How much is logged.")]


class LogFormat(StrEnum):
    """How a log record is written."""

    TEXT = "text"
    JSON = "json"


Format = Annotated[
    LogFormat, Option("--log-format", help="Lines to read, or one JSON object a line.")
]
Dashboard = Annotated[
    bool,
    Option("--dashboard", help="Open the live page beside it; it ends with the crawl."),
]
Listen = Annotated[
    str | None,
    Option(
        metavar="HOST:PORT",
        help="Where the live page listens; by default at 127.0.0.1:8642, or the next port that is"
        " free. Beyond this machine it asks for a token, which is printed.",
        show_default=False,
    ),
]
Json = Annotated[bool, Option("--json", help="Print the summary as JSON.")]


def told(
    quiet: bool, level: str, format_: str, dashboard: bool, listen: str | None
) -> dict[str, Any]:
    """Return how a run is to be told of, as `RunOptions` has it; to listen is to show the page."""
    page = ("--listen", listen) if listen is not None else () if dashboard else None
    as_json = format_ == LogFormat.JSON
    return {"quiet": quiet, "log_level": level, "log_json": as_json, "page": page}


def overrides(given: list[str] | None, wanted: Mapping[str, object]) -> tuple[str, ...]:
    """Return `--set` and the options that stand for a key, as settings; an option wins."""
    return (
        *(given or ()),
        *(f"{key}={value}" for key, value in wanted.items() if value is not None),
    )


def as_toml(texts: list[str] | None) -> str | None:
    """Return texts as the value of a key; None where none were given."""
    return json.dumps(texts, ensure_ascii=False) if texts else None
