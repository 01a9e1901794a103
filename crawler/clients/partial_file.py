"""Part: a download that is under way, in a file that outlives the process.

Two files: `<name>.part` holds the bytes, `<name>.part.json` what they are the beginning of. While
it is open an operating-system lock keeps every other download out, of this process and of others.
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import IO, Any, Self

from crawler.errors import StoreClaimed, StoreFull, StoreRefused

_BLOCK = 1 << 20
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NO_LINKS = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})
_KEPT = ("Content-Type", "Content-Disposition", "ETag", "Last-Modified")


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


class PartialFile:
    """The beginning of a file; use it as a context manager around a download, all tries of it.

    Invariant: the bytes on disk are the first `size` ones of the answer that `note` describes, and
    between entering and leaving nobody else writes them. A part of another URL, or one whose note
    is missing or unreadable, starts anew. Entering raises StoreClaimed where it is being written.
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
            self._file = self._claimed()
        self.size = self._file.seek(0, os.SEEK_END)
        self.note = note_of(self.path)
        if self.note.get("url") != self.url:
            self.restart({})
        return self

    def __exit__(self, *exc: object) -> None:
        with on_disk(self.path):  # what is still in the buffer may not fit
            self._file.close()

    def _claimed(self) -> IO[bytes]:
        """Return the open file, locked; the one that has the name now, not one moved away."""
        while True:
            file = self.path.open("ab")
            if not _lock(file):
                file.close()
                raise StoreClaimed(
                    f"{self.path}: another download is writing it; wait for its end, or choose"
                    " another name"
                )
            with suppress(FileNotFoundError):
                if os.path.samestat(mine := os.fstat(file.fileno()), self.path.stat()):
                    if mine.st_nlink == 1:
                        return file
                    self.path.unlink()  # the second name of a finished file: see `finish_free`
            file.close()  # its download ended between our open and our lock

    def mark(self, **facts: Any) -> None:
        """Add facts to the note, at once and whole."""
        self.note |= facts
        fresh = self._note_path.with_name(self._note_path.name + ".new")
        with on_disk(self._note_path):
            fresh.write_text(json.dumps(self.note), encoding="utf-8")
            fresh.replace(self._note_path)

    def restart(
        self, headers: Mapping[str, str], *, total: int | None = None, source: str = ""
    ) -> None:
        """Forget the bytes; what follows is the beginning of the answer with these headers.

        `total` is the length of the whole file where it is known, `source` the URL that answered.
        """
        with on_disk(self.path):
            self._file.truncate(0)
        self.size = 0
        self.digest = hashlib.sha256()
        kept = {name: headers[name] for name in _KEPT if name in headers}
        self.note = {}
        self.mark(
            url=self.url,
            total=total,
            source=source,
            headers=kept,
            validator=_strong_validator(headers),
        )

    async def recall(self) -> None:
        """Bring the digest in line with the bytes on disk."""
        with on_disk(self.path):
            self._file.flush()
        if self.size:
            self.digest = await asyncio.to_thread(_digest_of, self.path)

    @property
    def validator(self) -> str | None:
        """What tells this version of the file from all others; None where nothing does."""
        found = self.note.get("validator")
        return found if isinstance(found, str) else None

    def conditions(self) -> dict[str, str]:
        """Return the headers that ask for the rest alone, none where only the whole will do."""
        if not self.size or not self.validator:
            return {}
        return {"Range": f"bytes={self.size}-", "If-Range": self.validator}

    def write(self, data: bytes) -> None:
        """Append some bytes."""
        with on_disk(self.path):
            self._file.write(data)
        self.digest.update(data)
        self.size += len(data)

    def finish(self, target: Path) -> None:
        """Return the file its final name, in one step; what had that name before is replaced.

        The lock goes with the file: who waits for this name finds it free, and no bytes in it.
        """
        with on_disk(target):
            self._file.flush()
            target.parent.mkdir(parents=True, exist_ok=True)
            if sys.platform == "win32":  # an open file cannot be moved there
                self._file.close()
            self.path.replace(target)

    def finish_free(self, target: Path) -> Path:
        """Return the file a final name that nothing has, and return it.

        The first of `name.txt`, `name-1.txt`, `name-2.txt` … that can be taken: to look first and
        to take then would let two downloads take the same.
        """
        with on_disk(target):
            self._file.flush()
            target.parent.mkdir(parents=True, exist_ok=True)
            name = next(name for name in _names(target) if _take_name(self.path, name))
            linked = self.path.samefile(name)
        if not linked:
            self.finish(name)
        else:  # to rename a file to another name of its own does nothing
            self._unlink()
        return name

    def forget_note(self) -> None:
        """Remove the note; the bytes are whole, or begin anew."""
        with on_disk(self._note_path):
            self._note_path.unlink(missing_ok=True)

    def forget(self) -> None:
        """Remove what is there of it, while the lock is held."""
        self.forget_note()
        self._unlink()

    def _unlink(self) -> None:
        with on_disk(self.path):
            if sys.platform == "win32":  # an open file cannot be removed there
                self._file.close()
            self.path.unlink(missing_ok=True)


def _strong_validator(headers: Mapping[str, str]) -> str | None:
    """Return what If-Range may say of an answer (RFC 9110 13.1.5), None where nothing is enough.

    A strong entity tag; or, where there is no entity tag at all, a Last-Modified that is at least
    a second older than the answer (8.8.2.2): later changes within that second would not show.
    """
    tag = headers.get("ETag")
    if tag is not None:
        return tag if len(tag) > 1 and tag[0] == tag[-1] == '"' else None
    modified = headers.get("Last-Modified")
    try:
        age = parsedate_to_datetime(headers["Date"]) - parsedate_to_datetime(modified or "")
    except (KeyError, ValueError, TypeError, OverflowError):
        return None
    return modified if age.total_seconds() >= 1 else None


def _names(path: Path) -> Iterator[Path]:
    yield path
    number = 0
    while True:
        number += 1
        yield path.with_name(f"{path.stem}-{number}{path.suffix}")


def _take_name(part: Path, name: Path) -> bool:
    """Return the part a second name if nothing has it; tell whether it has it now."""
    try:
        os.link(part, name)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        try:
            name.open("xb").close()  # a file system without links: an empty file holds the name
        except FileExistsError:
            return False
    return True


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[bytes]) -> bool:
        try:
            file.seek(1 << 60)  # far behind all bytes, which must stay readable
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _lock(file: IO[bytes]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True  # a file system without locks: as good as it gets
        return True


def note_of(path: Path) -> dict[str, Any]:
    """Return the note beside a part, empty where there is none that can be read."""
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
