"""What SQLite says when something is wrong, as a StoreError that names the way out."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from crawler.errors import StoreError, StoreFull, StoreLocked, StoreRefused

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
            return kind(f"{path}: {meaning}")
    return StoreError(f"{path}: {text}")
