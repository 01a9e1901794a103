"""What SQLite says when something is wrong, as a StoreError that names the way out."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from crawler.errors import StoreDamaged, StoreError, StoreFull, StoreLocked, StoreRefused

_CAUSES: tuple[tuple[str, type[StoreError], str], ...] = (
    ("disk is full", StoreFull, "the disk is full; free some space and run the same command again"),
    ("not a database", StoreRefused, "no SQLite file; choose another --store"),
    (
        "readonly",
        StoreRefused,
        "cannot be written; check its permissions or choose another --store",
    ),
    ("unable to open", StoreRefused, "cannot be opened for writing; check the path or --store"),
    (
        "malformed JSON",
        StoreDamaged,
        "a value that is read as JSON is none: link_lists.targets, pages.headers or pages.request"
        " of a damaged row, which json_valid() finds; set it to NULL, or start over with --fresh",
    ),
    (
        "decode to UTF-8",
        StoreDamaged,
        "a text is no UTF-8 ({text}); find it with CAST(column AS BLOB), set it right, or start"
        " over with --fresh",
    ),
    (
        "vtable constructor",
        StoreDamaged,
        "the text index is damaged ({text}); start over with --fresh, or from the tables that are"
        " whole: crawler export",
    ),
    (
        "malformed",
        StoreRefused,
        "a damaged SQLite file; see `PRAGMA integrity_check`, or start over with --fresh",
    ),
    ("locked", StoreLocked, "locked by another program; close it and run again"),
    (
        "disk I/O error",
        StoreFull,
        "the disk failed or is full; what was committed is safe: run again",
    ),
)


def to_store_error(path: Path, error: sqlite3.DatabaseError) -> StoreError:
    """Return the StoreError for an error of SQLite on the file at `path`."""
    text = str(error)
    for words, kind, meaning in _CAUSES:
        if words in text:
            return kind(f"{path}: {meaning.format(text=text)}")
    if text.startswith(("no such table", "no such column")):
        return StoreDamaged(
            f"{path}: a table of the crawl is not as it was ({text}); put it back, or start over"
            " with --fresh"
        )
    return StoreError(f"{path}: {text}")


def is_damage(error: sqlite3.Error) -> bool:
    """Return whether an error says that the file is damaged, whatever was asked."""
    text = str(error)
    return any(words in text for words in ("disk image", "decode to UTF-8", "vtable constructor"))
