"""What a crawl found, as a file: chosen by name or by SQL, complete under its name or not there."""

from __future__ import annotations

import csv
import errno
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Self

from crawler.errors import StoreFull, UsageError
from crawler.export import formats, item_rows
from crawler.export.choice import ALL, Choice, unique, with_id
from crawler.export.choice import select as select
from crawler.export.formats import WriteOptions
from crawler.export.xlsx import write_xlsx
from crawler.inspect.query import Reader, Rows
from crawler.store.rows import iso

FORMATS = (*formats.STREAMS, "sqlite", "xlsx", "warc", "wacz", "markdown", "graphml")
_ENDINGS = {
    "db": "sqlite",
    "sqlite3": "sqlite",
    "gz": "warc",
    "md": "markdown",
    "ndjson": "jsonl",
    "pq": "parquet",
}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_WRONG = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.EISDIR, errno.ENOTDIR),
    *(errno.ENOENT, errno.ENOTEMPTY, errno.ENAMETOOLONG, errno.EINVAL, errno.ELOOP),
}
_OVERLAP = 300.0  # seconds between the begin of a visit and its commit, at the most


def format_of(output: Path, asked: str | None) -> str:
    """Return the format by its name, else by the ending of the file; UsageError if neither says."""
    ending = (asked or output.suffix.removeprefix(".") or "jsonl").lower()
    ending = _ENDINGS.get(ending, ending)
    if ending not in FORMATS:
        raise UsageError(f"{output}: no format for .{ending}; use --format {'|'.join(FORMATS)}")
    return ending


def total(reader: Reader, what: str) -> int:
    """Return the number of pages or of items of a type, 0 if counting would be slow."""
    if what != "pages" and what not in item_types(reader):
        return 0
    quoted = what.replace('"', '""')
    [(number,)] = reader.query(f'SELECT count(*) FROM "{quoted}"').rows
    return int(number)


@dataclass(frozen=True, slots=True)
class ExportPosition:
    """How far an export went: the last id, the last run, and until when that one had come.

    `until` is None where the run had ended. A visit is stored some time after it began, so that of
    a run that went on the last minutes are given once more: nothing is missed, some rows come
    twice.
    """

    what: str
    last: int = 0
    run: int = 0
    until: str | None = None

    def condition(self, id_column: str) -> str:
        """Return the rows, in SQL, that are new or were written again since."""
        found = [f"{id_column} > {int(self.last)}", f"run_id > {int(self.run)}"]
        if self.until is not None:
            at = datetime.fromisoformat(self.until).timestamp() - _OVERLAP
            found.append(f"(run_id = {int(self.run)} AND fetched_at > '{iso(at)}')")
        return f"({' OR '.join(found)})"

    @classmethod
    def now(cls, reader: Reader, what: str) -> Self:
        """Return the position of an export that begins now; `last` is not known yet."""
        rows = reader.query("SELECT run_id, state FROM runs ORDER BY run_id DESC LIMIT 1").rows
        run, state = next(iter(rows), (0, "finished"))
        return cls(what, 0, run, iso(time.time()) if state == "running" else None)

    @classmethod
    def of(cls, path: Path) -> Self | None:
        """Read the position kept beside an exported file, None if there is none."""
        file = _mark_of(path)
        if not path.exists() or not file.exists():
            return None
        try:
            return cls(**json.loads(file.read_text()))
        except (ValueError, TypeError):
            raise UsageError(
                f"{file}: no mark of an export; remove it to write {path} anew"
            ) from None


def _mark_of(path: Path) -> Path:
    return path.with_name(path.name + ".export")


def item_types(reader: Reader) -> dict[str, dict[str, str]]:
    """Return the columns of every item type in the store."""
    return {name: own.columns for name, own in item_rows.item_types(reader).items()}


def to_file(path: Path, write: Callable[[Path], int], *, sync: bool = True) -> int:
    """Let `write` fill a temporary neighbour, which becomes `path` only when it is complete.

    `sync` brings it to the disk first. StoreFull when the disk is full: then neither is left.
    """
    with told(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    try:
        with told(path):
            number = write(part)
            if sync:
                _sync(part)
            part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return number


@contextmanager
def told(path: Path) -> Iterator[None]:
    """Turn an error of the system while `path` is written into one that names the way out."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL or "disk is full" in str(error):
            why = "no file may grow that far" if error.errno == errno.EFBIG else "the disk is full"
            raise StoreFull(
                f"{path}: {why}; nothing of it was kept, make room and try again"
            ) from None
        if error.errno in _WRONG:
            raise UsageError(
                f"{path}: cannot be written ({error.strerror}); choose another -o"
            ) from None
        raise


def stream(rows: Rows, kind: str, out: IO[bytes], options: WriteOptions) -> int:
    """Write rows to an open binary stream, as standard output is."""
    if kind not in formats.STREAMS:
        raise UsageError(f"{kind} cannot go to standard output; name a file with -o")
    return formats.STREAMS[kind](unique(rows), out, options)


def for_sqlite(rows: Rows, options: WriteOptions) -> tuple[Rows, WriteOptions]:
    """Return columns names that differ in more than their case, which SQLite does not tell."""
    named = unique(rows, str.lower)
    renamed = zip(rows.columns, named.columns, strict=True)
    kinds = {new: options.kinds[name] for name, new in renamed if name in options.kinds}
    return named, replace(options, kinds=kinds)


def write(rows: Rows, kind: str, path: Path, options: WriteOptions) -> int:
    """Write rows to a file that appears when it is complete, and give their number."""

    def fill(part: Path) -> int:
        if kind == "sqlite":
            part.unlink(missing_ok=True)
            named, renamed = for_sqlite(rows, options)
            return formats.sqlite(named, part, renamed)
        if kind == "xlsx":
            return write_xlsx(unique(rows), part, options)
        with part.open("wb") as out:
            return stream(rows, kind, out, options)

    return to_file(path, fill)


def go_on(
    reader: Reader, what: str, kind: str, path: Path, options: WriteOptions, choice: Choice = ALL
) -> int:
    """Add to a file what came or changed since it was written; the first time it is written whole.

    A row that was written again since, as an item whose key came again or a page visited again,
    is added once more under the same id: the last one counts. Beside the file `<file>.export`
    keeps how far it goes. JSON lines and CSV only.
    """
    if kind not in ("jsonl", "csv") or " " in what.strip():
        raise UsageError("--continue goes with pages, links or an item type as jsonl or csv")
    known = ExportPosition.of(path)
    if known and known.what != what:
        raise UsageError(f"{path} holds {known.what}, not {what}; choose another file")
    mark = ExportPosition.now(reader, what)
    choice, name = with_id(reader, what, choice)
    rows, typed = select(reader, what, replace(choice, since=known))
    last = known.last if known else 0
    place = rows.columns.index(name)

    def watched() -> Iterator[tuple[Any, ...]]:
        nonlocal last
        for row in rows.rows:
            last = max(last, row[place])
            yield row

    def fill(part: Path) -> int:
        if known:
            _refuse_other_columns(path, kind, rows.columns)
            shutil.copyfile(path, part)
        with part.open("ab" if known else "wb") as out:
            fresh = Rows(rows.columns, watched())
            settings = replace(options, kinds=typed.kinds, read=typed.read, header=not known)
            return stream(fresh, kind, out, settings)

    number = to_file(path, fill)
    kept = json.dumps(asdict(replace(mark, last=last)))
    to_file(_mark_of(path), lambda part: part.write_text(kept))
    return number


def _refuse_other_columns(path: Path, kind: str, columns: Sequence[str]) -> None:
    """Refuse to add rows of other columns below a CSV header."""
    if kind != "csv":
        return
    with path.open(encoding="utf-8", newline="") as file:
        head = next(csv.reader(file), [])
    if head != list(columns):
        raise UsageError(
            f"{path} has other columns ({', '.join(head)}) than there are now"
            f" ({', '.join(columns)}); write it anew"
        )


def _sync(path: Path) -> None:
    if path.is_file():
        with path.open("rb+") as file:
            os.fsync(file.fileno())
