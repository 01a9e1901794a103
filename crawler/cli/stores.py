"""Which store a command means, and moving one aside."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from pathlib import Path

from crawler.errors import StoreRefused, UsageError

DATA = Path("data")


def find(named: str | None) -> Path:
    """Give the store to look at: a path, or the name of one in `data/`; by default the newest."""
    if named is None:
        stores = every()
        if not stores:
            raise UsageError(f"there is no store in {DATA}/ yet; crawl first, or name one: --store")
        return stores[0]
    path = Path(named)
    if path.exists() or path.suffix or len(path.parts) > 1:
        return path
    return DATA / f"{named}.db"


def every() -> list[Path]:
    """Give the stores in `data/`, the newest first."""
    return sorted(DATA.glob("*.db"), key=lambda path: path.stat().st_mtime, reverse=True)


def move_aside(path: Path) -> Path | None:
    """Move a store out of the way with all that belongs to it, and give its new path.

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


def _free(path: Path) -> Path:
    """Give a path beside `path` that says when it was put aside."""
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
