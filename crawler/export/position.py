"""How far an export went, kept so that no row is lost or given twice, whoever is killed when.

A file grows by batches. The position first says, durably, which bytes come next and where; then
they are appended; then it says that they are there. An export that finds bytes announced puts them
there once more: the very same bytes, so that also who reads the growing file reads each once.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

from crawler.errors import UsageError
from crawler.store.address import StoreAddress

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class Position:
    """The last row that was given, and of a file its size with it; `coming` are announced bytes.

    Where rows are committed in another order than that of their ids, `last` is the id up to which
    none is to come any more, and `beyond` has the ids that were given above it, as ranges (first,
    last) in their order; None where rows come in order.
    """

    what: str
    last: int = 0
    file: str = ""
    size: int = 0
    coming: str = ""
    beyond: tuple[tuple[int, int], ...] | None = None

    @classmethod
    def read(cls, path: Path, what: str, *, ordered: bool = True) -> Self:
        """Return the position kept in a file, the very beginning if there is none."""
        try:
            found = cls(**json.loads(path.read_text(encoding="utf-8")))
            if found.beyond is not None:
                found = replace(found, beyond=tuple((int(a), int(b)) for a, b in found.beyond))
        except FileNotFoundError:
            return cls(what, beyond=None if ordered else ())
        except (ValueError, TypeError):
            raise UsageError(f"{path}: no position of an export; remove it to begin anew") from None
        if found.what != what:
            raise UsageError(f"{path} tells how far {found.what} went, not {what}; give another")
        return found

    def given(self, ids: Iterable[int]) -> Self:
        """Return the position behind rows with these ids, in the order in which they were given."""
        if self.beyond is None:
            return replace(self, last=list(ids)[-1])
        merged: list[tuple[int, int]] = [(self.last, self.last)]
        for first, last in sorted([*self.beyond, *((number, number) for number in ids)]):
            if first <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(merged[-1][1], last))
            else:
                merged.append((first, last))
        return replace(self, last=merged[0][1], beyond=tuple(merged[1:]))

    def settled(self, number: int) -> Self:
        """Return the position where no row is to come any more with an id up to this one."""
        if self.beyond is None or number <= self.last:
            return self
        rest = tuple((first, last) for first, last in self.beyond if last > number)
        return replace(self, last=number, beyond=rest).given(())

    def keep(self, path: Path) -> None:
        """Write the position down: it is there whole and durably, or the one before is."""
        part = path.with_name(path.name + ".part")
        with part.open("w", encoding="utf-8") as file:
            json.dump(asdict(self), file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)


def place_of(store: StoreAddress, name: str | None, output: Path) -> Path:
    """Return the file of a position: beside the store by its name, or beside the output.

    Beside a store in a database is the folder `data`, as for its files.
    """
    if name is None:
        return output.with_name(output.name + ".position")
    if not _NAME.fullmatch(name):
        raise UsageError(f"--since-last {name}: a name has letters, digits, '.', '-' and '_'")
    beside = store if isinstance(store, Path) else Path("data") / store.name
    return beside.with_name(f"{beside.name}.{name}.position")


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
        self.position = replace(self.position.given(ids), coming=coming)
        self.position.keep(self._place)
        self._append()
        self.begins = False

    def settle(self, number: int) -> None:
        """Take that no row is to come any more with an id up to this one."""
        settled = self.position.settled(number)
        if settled != self.position:
            self.position = settled
            settled.keep(self._place)

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
