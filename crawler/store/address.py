"""The file of a store: what its address means, who may read it, and that it is still there."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from crawler.errors import StoreGone, StoreRefused

_PRIVATE = 0o600
# A Path has made one slash of two; a drive of Windows is one letter.
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]+):/")
_PARTS = ("", "-wal", "-shm", ".lock")


def file_of(address: str | Path) -> Path:
    """Return the path that the address of a store stands for.

    StoreRefused for what is none: SQLite would make a file of that very name, or keep nothing.
    """
    text = str(address)
    if not text or "\0" in text:
        raise StoreRefused(f"{text!r} names no store; give the path of a file: data/example.db")
    if text == ":memory:" or text.startswith("file::memory:"):
        raise StoreRefused(
            f"{text}: a store is a file, from which a crawl is resumed; give a path, such as"
            " that of a temporary file"
        )
    if text.startswith("file:"):
        raise StoreRefused(f"{text}: give the path alone, without file: and parameters")
    if scheme := _SCHEME.match(text):  # what follows may hold a password
        raise StoreRefused(
            f"{scheme[1]}://…: this version keeps a store in one SQLite file; give its path, such"
            " as data/example.db"
        )
    return Path(address)


def make_private(path: Path) -> None:
    """Make an empty file that its owner alone can read, if there is none: cookies go into it.

    SQLite gives its log the same rights. A file that is there keeps its own.
    """
    # Only then: to close another descriptor of a file drops the locks that SQLite has on it.
    if not path.exists():
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT, _PRIVATE))


class StoreFile:
    """A store's file and what belongs to it, as they were when it was opened.

    SQLite goes on writing into files that were moved or deleted, and says nothing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._parts: dict[str, tuple[Path, os.stat_result]] = {}

    def note(self) -> None:
        """Remember the files as they are now: opened, and claimed."""
        full = self.path.absolute()  # the working directory may change
        for ending in _PARTS:
            part = full.with_name(full.name + ending)
            with suppress(FileNotFoundError):
                self._parts[ending] = (part, part.stat())

    def check(self) -> None:
        """Raise StoreGone if one of them is no longer there, or another one; takes microseconds."""
        for ending, (part, known) in self._parts.items():
            try:
                found = part.stat()
            except OSError:
                raise self._gone(ending) from None
            emptied = not ending and found.st_size == 0 < known.st_size
            if emptied or not os.path.samestat(known, found):
                raise self._gone(ending)

    @property
    def missing(self) -> bool:
        """Whether there is no file any more where it was opened."""
        return "" in self._parts and not self._parts[""][0].exists()

    def remove_rest(self) -> None:
        """Remove the log and its index: what was in them is in the file, wherever that is."""
        for ending in ("-wal", "-shm"):
            if ending in self._parts:
                self._parts[ending][0].unlink(missing_ok=True)

    def _gone(self, ending: str) -> StoreGone:
        way = "run the same command again"
        if not ending:
            way = f"put it back and {way}; without it that begins anew"
        return StoreGone(
            f"{self.path}{ending}: moved, deleted or replaced while this command wrote into the"
            f" store, and no more is stored; {way}"
        )
