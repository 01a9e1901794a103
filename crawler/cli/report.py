"""`crawler report`: what a store proves."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from crawler.cli import options
from crawler.cli.declared import Argument, Exit, Option

if TYPE_CHECKING:
    from crawler.inspect.politeness_report import HostPoliteness


def report(
    what: Annotated[str, Argument(help="A run's number, `last`, or `politeness`.")] = "last",
    store: options.Seen = None,
    output: Annotated[
        Path | None,
        Option("--output", "-o", metavar="FILE", help="The HTML file of a run's report."),
    ] = None,
) -> None:
    """Report a run, or how polite a crawl was.

    A run becomes one HTML page with plots.

    `politeness` shows for each host the requests, the most in flight at once, and the seconds
    between two starts beside what the settings promise; exit code 1 where one was not kept.

    Example: crawler report last -o report.html --store example.com
    """
    if what != "politeness":
        _page(what, store, output)
        return
    from crawler.cli import stores
    from crawler.cli.table import write_table
    from crawler.inspect.politeness_report import manners
    from crawler.inspect.query import Reader, Rows

    with Reader(stores.any_of(store)) as reader:
        found = manners(reader)
    write_table(Rows(_COLUMNS, iter(map(_row, found))), sys.stdout)
    if not all(one.kept for one in found):
        raise Exit(1)


def _page(what: str, store: str | None, output: Path | None) -> None:
    from crawler import export
    from crawler.cli import stores
    from crawler.errors import UsageError
    from crawler.inspect import run_report as reports
    from crawler.inspect.query import Reader

    if what != "last" and not (what.isdecimal() and len(what) < options.LONGEST):
        raise UsageError(f"report {what[:40]}: give a run's number, `last`, or `politeness`")
    if output is not None and output.suffix.lower() not in ("", ".html", ".htm"):
        raise UsageError(f"-o {output}: a report is HTML; write -o {output.with_suffix('.html')}")
    with Reader(stores.any_of(store)) as reader:
        text = reports.page(reader, None if what == "last" else int(what))
    if output is None or str(output) == "-":
        print(text)
        return
    export.to_file(output, lambda part: part.write_text(text, encoding="utf-8"))
    print(f"the report is {output}", file=sys.stderr)


_COLUMNS = ("host", "requests", "in flight", "of", "least gap", "median gap", "delay", "too early")


def _row(one: HostPoliteness) -> tuple[object, ...]:
    return (
        *(one.host, one.requests, one.in_flight, one.per_host),
        *(_seconds(one.least), _seconds(one.median), _seconds(one.delay), one.early),
    )


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f} s"
