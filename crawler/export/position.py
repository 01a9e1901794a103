"""How far an export went, kept so that no row is lost or given twice, whoever is killed when.

A file grows by batches. The position first says, durably, which bytes come next and where; then
they are appended; then it says that they are there. An export that finds bytes announced puts them
there once more: the very same bytes, so that also who reads the growing file reads each once.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

from crawler.errors import UsageError

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class Position:
    """The last row that was given, and of a file its size with it; `coming` are announced bytes."""

    what: str
    last: int = 0
    file: str = ""
    size: int = 0
    coming: str = ""

    @classmethod
    def read(cls, path: Path, what: str) -> Self:
        """Return the position kept in a file, the very beginning if there is none."""
        try:
            found = cls(**json.loads(path.read_text(encoding="utf-8")))
        except FileNotFoundError:
            return cls(what)
        except (ValueError, TypeError):
            raise UsageError(f"{path}: no position of an export; remove it to begin anew") from None
        if found.what != what:
            raise UsageError(f"{path} tells how far {found.what} went, not {what}; give another")
        return found

    def keep(self, path: Path) -> None:
        """Write the position down: it is there whole and durably, or the one before is."""
        part = path.with_name(path.name + ".part")
        with part.open("w", encoding="utf-8") as file:
            json.dump(asdict(self), file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)


def place_of(store: Path, name: str | None, output: Path) -> Path:
    """Return the file of a position: beside the store by its name, or beside the output."""
    if name is None:
        return output.with_name(output.name + ".position")
    if not _NAME.fullmatch(name):
        raise UsageError(f"--since-last {name}: a name has letters, digits, '.', '-' and '_'")
    return store.with_name(f"{store.name}.{name}.position")


class GrowingFile:
    """A file to which batches of rows are added; `begins` tells whether it is empty yet."""

    def __init__(self, path: Path, place: Path, position: Position) -> None:
        """Put what was announced where it belongs; UsageError where the file is another's."""
        self.path: Path | None = path
        self._path, self._place = path, place
        name, there = str(path.absolute()), path.stat().st_size if path.exists() else 0
        if position.file != name or not path.exists():  # the first one, or the last was moved away
            if there:
                raise UsageError(f"{path} is there and is none of this export's; choose another -o")
            position = replace(position, file=name, size=0)
        if not position.size <= there <= position.size + len(position.coming.encode()):
            raise UsageError(f"{path} was changed by another program; choose another -o")
        self.position = position
        if position.coming:
            self._append()
        self.begins = self.position.size == 0

    def add(self, rows: list[bytes], ids: list[int]) -> None:
        """Add a batch of rows with these ids."""
        coming = b"".join(rows).decode()
        self.position = replace(self.position, last=ids[-1], coming=coming)
        self.position.keep(self._place)
        self._append()
        self.begins = False

    def _append(self) -> None:
        at, data = self.position.size, self.position.coming.encode()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.touch()
        with self._path.open("r+b") as file:
            file.seek(at)
            file.write(data)  # over what of it is there already
            file.flush()
            os.fsync(file.fileno())
        self.position = replace(self.position, size=at + len(data), coming="")
        self.position.keep(self._place)
