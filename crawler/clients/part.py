"""Part: a download that is under way, in a file that outlives the process.

Two files: `<name>.part` holds the bytes, `<name>.part.json` what they are the beginning of.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Self

from crawler.errors import StoreFull, StoreRefused

_BLOCK = 1 << 20
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


@contextmanager
def on_disk(path: Path) -> Iterator[None]:
    """Name what a disk says: StoreFull where it is full, StoreRefused where it may not be written.

    What is in the part already stays there, to be taken up again.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            text = f"{path}: {error.strerror}; free some space and run it again"
            raise StoreFull(text) from None
        raise StoreRefused(f"{path}: cannot be written: {error.strerror or error}") from None


class Part:
    """The beginning of a file; use it as a context manager around one try.

    Invariant: the bytes on disk are the first `size` ones of the answer that `note` describes.
    A part of another URL, or one whose note is missing or unreadable, starts anew.
    """

    def __init__(self, path: Path, url: str) -> None:
        self.path, self.url = path, url
        self.note: dict[str, Any] = {}
        self.size = 0
        self.digest = hashlib.sha256()
        self._note_path = path.with_name(path.name + ".json")
        self._file: IO[bytes]

    def __enter__(self) -> Self:
        with on_disk(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("ab")
        self.size = self._file.tell()
        self.note = note_of(self.path)
        if self.note.get("url") != self.url:
            self.restart({})
        return self

    def __exit__(self, *exc: object) -> None:
        with on_disk(self.path):  # what is still in the buffer may not fit
            self._file.close()

    def mark(self, **facts: Any) -> None:
        """Add facts to the note, at once and whole."""
        self.note |= facts
        fresh = self._note_path.with_name(self._note_path.name + ".new")
        with on_disk(self._note_path):
            fresh.write_text(json.dumps(self.note), encoding="utf-8")
            fresh.replace(self._note_path)

    def restart(self, headers: Mapping[str, str]) -> None:
        """Forget the bytes; what follows is the beginning of the answer with these headers."""
        self._file.truncate(0)
        self.size = 0
        self.digest = hashlib.sha256()
        self.note = {}
        names = {"etag": "ETag", "last_modified": "Last-Modified"}
        self.mark(url=self.url, **{key: headers.get(name) for key, name in names.items()})

    async def recall(self) -> None:
        """Bring the digest in line with the bytes on disk."""
        if self.size:
            self.digest = await asyncio.to_thread(_digest_of, self.path)

    def conditions(self) -> dict[str, str]:
        """Give the headers that ask for the rest alone, none where only the whole will do.

        If-Range takes a strong validator only (RFC 9110 13.1.5); a date is strong enough where
        the server gives nothing better.
        """
        tag, date = self.note.get("etag"), self.note.get("last_modified")
        validator = tag if tag and not tag.startswith("W/") else None if tag else date
        if not self.size or not validator:
            return {}
        return {"Range": f"bytes={self.size}-", "If-Range": validator}

    def write(self, data: bytes) -> None:
        """Append some bytes."""
        with on_disk(self.path):
            self._file.write(data)
        self.digest.update(data)
        self.size += len(data)

    def finish(self, target: Path) -> None:
        """Give the file its final name, in one step; what had that name before is replaced."""
        with on_disk(target):
            self._file.close()
            target.parent.mkdir(parents=True, exist_ok=True)
            self.path.replace(target)

    def forget(self) -> None:
        """Remove what is left of it."""
        self._file.close()
        remove(self.path)


def note_of(path: Path) -> dict[str, Any]:
    """Give the note beside a part, empty where there is none that can be read."""
    try:
        note = json.loads(path.with_name(path.name + ".json").read_bytes())
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}


def remove(path: Path) -> None:
    """Remove a part that nobody is writing, with its note."""
    path.unlink(missing_ok=True)
    path.with_name(path.name + ".json").unlink(missing_ok=True)


def _digest_of(path: Path) -> Any:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest
