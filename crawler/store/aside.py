"""Starting over: the store there is gets another name, and keeps all that is in it."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from pathlib import Path

from crawler.errors import StoreRefused
from crawler.lazy_regex import lazy
from crawler.store.address import DatabaseAddress, StoreAddress

_ASIDE = lazy(r"\.\d{8}-\d{6}(-\d+)?$")


def set_aside(store: StoreAddress) -> StoreAddress | None:
    """Move a store out of the way, and return where it is now; None where there was none.

    StoreClaimed while a crawl is running on it. Over PostgreSQL it is not for a thread with a
    running event loop.
    """
    if isinstance(store, DatabaseAddress):
        from crawler.store.postgres.aside import move_schema_aside

        return move_schema_aside(store)
    return move_aside(store)


def move_aside(path: Path) -> Path | None:
    """Move a store out of the way with all that belongs to it, and return its new path.

    None where there was none. StoreClaimed while a crawl is running on it.
    """
    if not path.exists():
        return None
    from crawler.store.claim import Claim

    claim = Claim(path)
    claim.take()
    try:
        aside = _free(path)
        _checkpoint(path)
        for ending in ("-wal", "-shm", ".files", ""):
            part = path.with_name(path.name + ending)
            if part.exists():
                part.rename(aside.with_name(aside.name + ending))
    except OSError as error:
        raise StoreRefused(f"{path}: cannot be moved aside ({error.strerror})") from None
    finally:
        claim.release()
    return aside


def was_set_aside(path: Path) -> bool:
    """Return whether a store's name is one that `move_aside` gives."""
    return _ASIDE.search(path.stem) is not None


def _free(path: Path) -> Path:
    """Return a path beside `path` that says when it was put aside."""
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    aside = path.with_name(f"{path.stem}.{stamp}{path.suffix}")
    number = 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.stem}.{stamp}-{number}{path.suffix}")
    return aside


def _checkpoint(path: Path) -> None:
    """Bring the write-ahead log into the file, where that can be; its parts move along anyway."""
    try:
        db = sqlite3.connect(path, timeout=5)
    except sqlite3.Error:
        return
    try:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error:
        return  # no database at all, or damaged: it is moved as it is
    finally:
        db.close()
