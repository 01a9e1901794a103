"""Which store a command means: one rule, to read and to write."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from crawler.errors import UsageError
from crawler.store.address import StoreAddress, address_of, file_of

DATA = Path("data")
_ENDINGS = {".db", ".db3", ".sqlite", ".sqlite3"}


def find(named: str | None) -> Path:
    """Return the store that is meant, as `place_of` has it; by default the newest in `data/`.

    Which one that is, where there are several, is told. StoreRefused for what is no path.
    """
    if named is None:
        stores = every()
        if not stores:
            raise UsageError(f"there is no store in {DATA}/ yet; crawl first, or name one: --store")
        if len(stores) > 1:
            told = f"crawler: {stores[0]}, the newest of {len(stores)}; --store names another"
            print(told, file=sys.stderr)
        return stores[0]
    return place_of(named)


def place(named: str | None, default: Path) -> Path:
    """Return the store to write into: the one that is meant, or the default where none is."""
    return default if named is None else place_of(named)


def place_of(named: str) -> Path:
    """Return where a store lies that is named: the one rule, to read and to write.

    `shop` is `data/shop.db`; what has a folder or an ending of SQLite (`out/shop`, `shop.db`) is a
    path. A file of that very name is meant before either, then one in `data/`. UsageError for a
    folder where there is no such store.
    """
    path = file_of(named)
    below = path if path.suffix in _ENDINGS else Path(f"{named}.db")
    known: Path | None = None
    if len(path.parts) == 1 and not named.endswith(("/", os.sep)):
        places = (path, DATA / below, DATA / named)
        known = next((one for one in places if one.is_file()), None)
        if known is None and not path.is_dir():
            return path if path == below else DATA / below
    if known is None and path.is_dir():
        way = f"--store {DATA / path.name}.db"
        raise UsageError(f"{named}: a folder is no store; name a file: {way}")
    return known or path


def is_store(word: str) -> bool:
    """Return whether a word names a store that is there."""
    places = (DATA / f"{word}.db", DATA / word, Path(word))
    return any(one.suffix in _ENDINGS and one.is_file() for one in places)


def any_of(named: str | None) -> StoreAddress:
    """Return the store to look at, as `find` does, or the crawl in a database that is named."""
    if named is not None and "://" in named:
        return address_of(named)
    return find(named)


def target(named: str | None, default: Path, *, crawl: str) -> StoreAddress:
    """Return the store to write into, as `place` does, or the crawl in a database."""
    if named is not None and "://" in named:
        return address_of(named, crawl=crawl)
    return place(named, default)


def file_alone(store: StoreAddress, what: str) -> Path:
    """Return the file of a store; UsageError for a database, over which `what` is not there yet."""
    if isinstance(store, Path):
        return store
    raise UsageError(
        f"{store}: {what} do not work over PostgreSQL yet; docs/machines.md has what does"
    )


def lock_timeout() -> float:
    """Return how long another program's lock is waited for: `store.lock_timeout`."""
    from crawler.config.layers import load

    return load().store.lock_timeout


def templated(
    named: str | None, values: Mapping[str, object], *, option: str = "--store"
) -> str | None:
    """Return the name of a store or file with `{name}` and the like filled in, safe in a name.

    UsageError for a name that there is no value of. A file of that very name stays itself.
    """
    if named is None or "{" not in named or "://" in named or file_of(named).exists():
        return named
    safe = {name: _safe(value) for name, value in values.items() if value not in (None, "")}
    try:
        return named.format_map(safe)
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        missing = f"{{{error.args[0]}}} has no value" if isinstance(error, KeyError) else str(error)
        raise UsageError(
            f"{option} {named}: {missing}; there are: {', '.join(f'{{{name}}}' for name in safe)}"
        ) from None


def _safe(value: object) -> str:
    text = ",".join(map(str, value)) if isinstance(value, (list, tuple, set)) else str(value)
    return "".join(char if char.isalnum() or char in ".-," else "_" for char in text)[:100]


def every() -> list[Path]:
    """Return the stores in `data/`: those that are crawled into, then the newest."""
    return sorted(DATA.glob("*.db"), key=_newness, reverse=True)


def _newness(path: Path) -> tuple[bool, float]:
    """Return whether a crawl runs into a store, and when it was last written: into its log."""
    times = [0.0]
    for ending in ("", "-wal"):
        with suppress(OSError):
            times.append(path.with_name(path.name + ending).stat().st_mtime)
    return _is_claimed(path), max(times)


def _is_claimed(path: Path) -> bool:
    """Return whether the process that claimed a store lives; its lock is left alone."""
    try:
        pid = int(path.with_name(path.name + ".lock").read_text("ascii"))
    except (OSError, ValueError):
        return False
    from crawler.inspect.status import lives  # what a crawl has no need of

    return os.name != "nt" and lives(pid)
