"""`crawler export`: what was found, as a file."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crawler.cli import options

if TYPE_CHECKING:
    from crawler.cli.terminal import Screen
    from crawler.inspect.query import Reader

_CELLS = 24


def export(
    what: Annotated[str, typer.Argument(help="pages, links, an item type, or any SELECT.")],
    *,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The file; - is standard output.")
    ] = Path("-"),
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            "-f",
            metavar="FORMAT",
            help="jsonl, json, csv, parquet, sqlite, warc, markdown; by default the file's ending.",
        ),
    ] = None,
    store: options.Seen = None,
    run: Annotated[int | None, typer.Option(help="Only what this run found.")] = None,
    continue_: Annotated[
        bool, typer.Option("--continue", help="Add to the file what came since (jsonl, csv).")
    ] = False,
    safe: Annotated[
        bool, typer.Option("--safe", help="CSV: no text that a spreadsheet takes for a formula.")
    ] = False,
) -> None:
    """Write pages, links or items to a file.

    The file appears when it is complete; an interrupted export leaves nothing.

    Example: crawler export quote -o quotes.jsonl
    """
    from crawler import export as exports
    from crawler.cli import stores
    from crawler.cli.terminal import Screen
    from crawler.errors import UsageError
    from crawler.export.formats import WriteOptions
    from crawler.inspect.query import Reader

    kind = exports.format_of(output, format)
    if run is not None and (continue_ or kind in ("warc", "markdown")):
        raise UsageError("--run goes neither with --continue nor with warc and markdown")
    screen = Screen()
    with Reader(stores.find(store)) as reader:
        total = exports.total(reader, what) if screen.live and run is None and not continue_ else 0
        tick = _ticker(screen, total, str(output))
        if kind in ("warc", "markdown"):
            number = _archive(reader, kind, what, output, tick)
        elif continue_:
            how = WriteOptions(safe=safe, tick=tick, table=what)
            number = exports.go_on(reader, what, kind, output, how)
        else:
            rows, how = exports.select(reader, what, run=run)
            how.safe = safe
            if str(output) == "-":
                exports.stream(rows, kind, sys.stdout.buffer, how)
                sys.stdout.buffer.flush()
                return
            how.tick = tick
            number = exports.write(rows, kind, output, how)
    screen.close()
    print(f"{number:,} rows → {output}", file=sys.stderr)


def _ticker(screen: Screen, total: int, output: str) -> Callable[[int], None]:
    """Return what shows the number of rows written so far, on a terminal."""

    def tick(number: int) -> None:
        if screen.live:
            screen.show(progress(number, total, output))

    return tick


def progress(number: int, total: int, output: str) -> str:
    """Return one line that says how far an export is; `total` is 0 where nobody knows it."""
    if not total:
        return f"{number:,} rows → {output}"
    share = min(1.0, number / total)
    full = int(share * _CELLS)
    cells = "█" * full + "░" * (_CELLS - full)
    return f"{cells} {share:4.0%}  {number:,} of {total:,} rows → {output}"


def _archive(
    reader: Reader, kind: str, what: str, output: Path, tick: Callable[[int], None]
) -> int:
    """Write stored bodies: as WARC records, or as one Markdown file a page."""
    from crawler.cli.terminal import tell_damaged
    from crawler.errors import UsageError
    from crawler.export import to_file

    if what != "pages":
        raise UsageError(f"{kind} holds pages: crawler export pages -f {kind}")
    if str(output) == "-":
        raise UsageError(f"{kind} cannot go to standard output; name a file with -o")
    damaged: list[str] = []
    if kind == "warc":
        from crawler.export.warc import write_warc

        number = to_file(output, lambda part: write_warc(reader, part, tick, damaged.append))
        tell_damaged(damaged)
        return number
    from crawler.export.markdown import write_pages

    number = write_pages(reader, output, tick, damaged.append)
    tell_damaged(damaged)
    return number
