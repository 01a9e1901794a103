"""`crawler changes`: what later visits found otherwise."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import Annotated

from crawler.cli import options
from crawler.cli.declared import Option

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def changes(
    since: Annotated[str, Option(help="A time (ISO 8601), or how long ago: 30m, 12h, 7d.")] = "7d",
    kind: Annotated[
        str | None,
        Option(
            help="Of pages: new, changed, touched, redirected, gone, back, failed; of items:"
            " item_gone, item_back, item_changed."
        ),
    ] = None,
    store: options.Seen = None,
    json: options.Json = False,
) -> None:
    """List what later visits found otherwise, of pages and of items.

    Example: crawler changes --since 2d --store quotes
    """
    from crawler.cli import stores
    from crawler.cli.table import write_table
    from crawler.export import stream
    from crawler.export.formats import WriteOptions
    from crawler.inspect import item_changes
    from crawler.inspect.query import Reader

    with Reader(stores.any_of(store)) as reader:
        rows = item_changes.with_pages(reader, _time(since), kind)
        if json:
            stream(rows, "jsonl", sys.stdout.buffer, WriteOptions())
            sys.stdout.buffer.flush()
        else:
            none = "nothing changed; what was visited once is compared with: crawler recrawl --all"
            write_table(rows, sys.stdout, "with --json, or in a pipe", none=none)


def _time(text: str) -> str:
    """Return a moment as the store writes it; UsageError if it is no time."""
    from crawler.errors import UsageError
    from crawler.store.rows import iso

    try:
        if text[-1:] in _UNITS and text[:-1].isdecimal():
            ago = timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
            return iso((datetime.now(UTC) - ago).timestamp())
        made = datetime.fromisoformat(text)
        return iso((made if made.tzinfo else made.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError):
        raise UsageError(f"--since {text[:40]}: write a time like 2026-01-31, or 12h, 7d") from None
