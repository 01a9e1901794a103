"""The claim on a store file: one crawl at a time, and a dead one's claim is void at once.

An operating-system lock on `<file>.lock`. The kernel drops it with the process, however that
died, so nothing ever waits for a lease to run out; the pid inside is only for the message.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import IO

from crawler.errors import StoreClaimed, StoreRefused


class Claim:
    """An exclusive claim on `store`, from `take` to `release`."""

    def __init__(self, store: Path) -> None:
        self.path = store.with_name(store.name + ".lock")
        self.store = store
        self._file: IO[str] | None = None
        self.left_at: float | None = None  # Unix time of the last promise of a holder that died

    def take(self) -> None:
        """Claim the store; StoreClaimed names the process that holds it."""
        while True:
            try:
                file = self.path.open("a+", encoding="utf-8")
            except OSError as error:
                raise StoreRefused(
                    f"{self.store}: cannot be written ({error.strerror}); choose another --store"
                ) from None
            if not _lock(file):
                file.seek(0)
                pid = file.read().strip() or "unknown"
                file.close()
                raise StoreClaimed(
                    f"{self.store}: process {pid} is crawling into it;"
                    " stop it, or use another --store"
                )
            if self._is_current(file):
                break
            file.close()  # the former holder removed the file between our open and our lock
        left = os.fstat(file.fileno())
        self.left_at = left.st_mtime if left.st_size else None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._file = file

    def _is_current(self, file: IO[str]) -> bool:
        try:
            return os.path.samestat(os.fstat(file.fileno()), self.path.stat())
        except OSError:
            return False

    def promise(self, until: float) -> None:
        """Note that this holder asks no host after `until` (Unix time) without saying so again.

        The time of the file keeps it: it takes microseconds, and a kill leaves it as it is.
        """
        with suppress(OSError):  # a file that is gone is told of at the next commit
            os.utime(self.path, (until, until))

    def release(self) -> None:
        """Release the claim; do nothing if there is none."""
        if self._file is not None:
            if self._is_current(self._file):  # else somebody else's
                self.path.unlink(missing_ok=True)
            self._file.close()
            self._file = None


if sys.platform == "win32":
    import msvcrt

    def _lock(file: IO[str]) -> bool:
        try:
            file.seek(1 << 20)  # far behind the pid, which others must be able to read
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _lock(file: IO[str]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
