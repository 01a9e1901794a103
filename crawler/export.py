"""What a crawl found, as a file: chosen by name or by SQL, complete under its name or not there."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from crawler import formats
from crawler.errors import QueryError, StoreFull, UsageError
from crawler.formats import Wish
from crawler.query import Reader, Rows

PAGES = (
    "SELECT url, title, status, outcome, depth, fetched_at, elapsed, content_type, encoding, size,"
    " content_hash, attempts, redirect_to, requested_url, error, page_id FROM pages"
)
LINKS = "SELECT source, target, position, page_id FROM links"
FORMATS = (*formats.STREAMS, "sqlite", "warc", "markdown")
_ENDINGS = {
    "db": "sqlite",
    "sqlite3": "sqlite",
    "gz": "warc",
    "md": "markdown",
    "ndjson": "jsonl",
    "pq": "parquet",
}
_DISK_FULL = 28  # ENOSPC


def format_of(output: Path, asked: str | None) -> str:
    """Give the format by its name, else by the ending of the file; UsageError for none of them."""
    ending = asked or output.suffix.removeprefix(".") or "jsonl"
    ending = _ENDINGS.get(ending, ending)
    if ending not in FORMATS:
        raise UsageError(f"{output}: no format for .{ending}; use --format {'|'.join(FORMATS)}")
    return ending


def select(
    reader: Reader, what: str, *, run: int | None = None, after: int = 0
) -> tuple[Rows, Wish]:
    """Give the rows of pages, links, an item type, or any SELECT, and how they are typed.

    `run` takes the rows of one run, `after` those behind a page's or an item's id.
    QueryError names what there is, when `what` is none of it.
    """
    if " " in what.strip():
        return reader.query(what), Wish(table="rows")
    conditions = [] if run is None else [f"run_id = {int(run)}"]
    if what in ("pages", "links"):
        sql = PAGES if what == "pages" else LINKS
        if what == "links":
            conditions = [f"page_id IN (SELECT page_id FROM pages WHERE {c})" for c in conditions]
        conditions += [f"page_id > {int(after)}"] if after else []
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        order = " ORDER BY page_id" if what == "pages" else ""  # links come in that order anyway
        return reader.query(sql + where + order), Wish(table=what)
    types = item_types(reader)
    if what not in types:
        known = ", ".join(["pages", "links", *sorted(types)])
        raise QueryError(
            f"{reader.path} holds no {what!r} to export; it holds: {known}; or give a SELECT"
        )
    conditions += [f"item_id > {int(after)}"] if after else []
    where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
    quoted = what.replace('"', '""')
    rows = reader.query(f'SELECT * FROM "{quoted}"{where} ORDER BY item_id')
    return rows, Wish(kinds=types[what], table=what)


def item_types(reader: Reader) -> dict[str, dict[str, str]]:
    """Give the columns of every item type in the store."""
    rows = reader.query("SELECT name, columns FROM item_types").rows
    return {name: dict(json.loads(columns)) for name, columns in rows}


def to_file(path: Path, write: Callable[[Path], int]) -> int:
    """Let `write` fill a temporary neighbour, which becomes `path` only when it is complete.

    StoreFull when the disk is full: then neither is left.
    """
    part = path.with_name(path.name + ".part")
    try:
        number = write(part)
        _sync(part)
        part.replace(path)
    except OSError as error:
        if error.errno == _DISK_FULL or "disk is full" in str(error):
            raise StoreFull(
                f"{path}: the disk is full; nothing was written, free some space and try again"
            ) from None
        raise
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return number


def stream(rows: Rows, kind: str, out: IO[bytes], wish: Wish) -> int:
    """Write rows to an open binary stream, as standard output is."""
    if kind not in formats.STREAMS:
        raise UsageError(f"{kind} cannot go to standard output; name a file with -o")
    return formats.STREAMS[kind](rows, out, wish)


def write(rows: Rows, kind: str, path: Path, wish: Wish) -> int:
    """Write rows to a file that appears when it is complete, and give their number."""

    def fill(part: Path) -> int:
        if kind == "sqlite":
            part.unlink(missing_ok=True)
            return formats.sqlite(rows, part, wish)
        with part.open("wb") as out:
            return stream(rows, kind, out, wish)

    return to_file(path, fill)


def go_on(reader: Reader, what: str, kind: str, path: Path, wish: Wish) -> int:
    """Add to a file what came since it was written; the first time it is written whole.

    Beside the file `<file>.export` keeps how far it goes. JSON lines and CSV only.
    """
    if kind not in ("jsonl", "csv") or " " in what.strip():
        raise UsageError("--continue goes with pages, links or an item type as jsonl or csv")
    mark = path.with_name(path.name + ".export")
    known = json.loads(mark.read_text()) if path.exists() and mark.exists() else {}
    if known and known.get("what") != what:
        raise UsageError(f"{path} holds {known.get('what')}, not {what}; choose another file")
    rows, typed = select(reader, what, after=known.get("last", 0))
    last = known.get("last", 0)
    place = rows.columns.index("page_id" if what in ("pages", "links") else "item_id")

    def watched() -> Iterator[tuple[Any, ...]]:
        nonlocal last
        for row in rows.rows:
            last = max(last, row[place])
            yield row

    def fill(part: Path) -> int:
        if known:
            shutil.copyfile(path, part)
        with part.open("ab" if known else "wb") as out:
            fresh = Rows(rows.columns, watched())
            settings = replace(wish, kinds=typed.kinds, header=not known)
            return stream(fresh, kind, out, settings)

    number = to_file(path, fill)
    mark.write_text(json.dumps({"what": what, "last": last}))
    return number


def _sync(path: Path) -> None:
    if path.is_file():
        with path.open("rb+") as file:
            os.fsync(file.fileno())
