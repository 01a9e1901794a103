"""`crawler copy`: a crawl into another store, of either kind."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from crawler.cli.declared import Argument, Exit, Option
from crawler.markup.words import plural

if TYPE_CHECKING:
    from crawler.store.address import StoreAddress
    from crawler.store.copying import Copied


def copy(
    a: Annotated[str, Argument(help="The store that is copied: a file, a name, an address.")],
    b: Annotated[str, Argument(help="Where to: a file or an address with no crawl in it.")],
    json: Annotated[
        bool, Option("--json", help="Tell the rows of each table, one JSON object a line.")
    ] = False,
) -> None:
    """Copy a crawl into another store.

    SQLite or PostgreSQL each, also half-way: all tables with the same ids, and the crawl goes on
    there. No crawl may run into either. Of a copy that is stopped nothing is left.

    Example: crawler copy data/quotes.db 'postgresql://user@db/web?crawl=quotes'
    """
    from crawler.cli import stores
    from crawler.cli.terminal import Screen
    from crawler.store import copying

    source = stores.any_of(a)
    name = source.stem if isinstance(source, Path) else source.crawl
    target = stores.target(b, Path(b), crawl=name)
    screen, began = Screen(), time.perf_counter()

    def progress(table: str, done: int, total: int) -> None:
        if screen.live:
            screen.show(f"{table}: {done:,} of {total:,}")

    try:
        copied = copying.copy(source, target, progress)
    except KeyboardInterrupt:
        screen.close()
        print(f"stopped; nothing is left of it in {target}", file=sys.stderr)
        raise Exit(130) from None
    finally:
        screen.close()
    _tell(copied, json)
    _tell_around(copied, source, target, time.perf_counter() - began)


def _tell(copied: Copied, as_json: bool) -> None:
    from crawler.cli.table import write_table
    from crawler.inspect.query import Rows

    some = [(table, rows) for table, rows in copied.tables.items() if rows or as_json]
    found = Rows(("table", "rows"), iter(some))
    if as_json:
        from crawler.export import stream
        from crawler.export.formats import WriteOptions

        stream(found, "jsonl", sys.stdout.buffer, WriteOptions())
        sys.stdout.buffer.flush()
    else:
        write_table(found, sys.stdout, "with --json")


def _tell_around(
    copied: Copied, source: StoreAddress, target: StoreAddress, seconds: float
) -> None:
    """Print what else came of it, on standard error."""
    pages = copied.tables["pages"]
    print(
        f"{source} → {target}: {plural(pages, 'page')} in {seconds:.1f} s, counted on both sides",
        file=sys.stderr,
    )
    if copied.changed:
        print(
            f"{plural(copied.changed, 'text')} had NUL characters, which PostgreSQL does not"
            " take: each is U+FFFD there",
            file=sys.stderr,
        )
    if copied.left_out:
        print(f"left out, no part of a crawl: {', '.join(copied.left_out)}", file=sys.stderr)
    if copied.tables["files"] or copied.tables["rendered_files"]:
        print(
            "downloaded files stay where they are; let store.files name their directory, or move"
            " them",
            file=sys.stderr,
        )
