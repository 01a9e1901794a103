"""Read-only SQL over several stores at once: every table with the rows of all, by spider."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from crawler.errors import StoreError, StoreRefused, UsageError
from crawler.inspect.query import Reader, only_reads, quoted

_MOST = 10  # stores that SQLite attaches, unless it was built for more


class JointReader(Reader):
    """Several stores opened for reading as one.

    Each table and view that one of them has has the rows of all, behind a column `spider` that
    says whose they are: the spider's name, or the file's where several are of one spider. A column
    that a store does not have is NULL there.
    """

    def __new__(cls, paths: Sequence[Path]) -> Self:
        """Make this reader: each of the stores is a file."""
        return object.__new__(cls)

    def __init__(self, paths: Sequence[Path]) -> None:
        """Open the files; UsageError for more than SQLite takes, StoreRefused for what is none."""
        if len(paths) > _MOST:
            raise UsageError(
                f"{len(paths)} stores, and SQLite reads {_MOST} at once; ask some with --store, or"
                " bring all into one PostgreSQL, each a crawl of its own: crawler copy"
            )
        self._stores = list(paths)
        super().__init__(paths[0])

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(":memory:", uri=True, isolation_level=None)
        with ExitStack() as undo:
            undo.callback(db.close)
            whose, tables = [], _Tables()
            for number, path in enumerate(self._stores):
                spider, names = _looked_at(path)
                whose.append(spider)
                tables.add(number, names)
                uri = f"{path.absolute().as_uri()}?mode=rw"
                db.execute(f"ATTACH DATABASE ? AS s{number}", (uri,))
            named = [
                spider if whose.count(spider) == 1 else path.stem
                for spider, path in zip(whose, self._stores, strict=True)
            ]
            for table, sql in tables.selects(named):
                db.execute(f"CREATE TEMP VIEW {quoted(table)} AS {sql}")
            only_reads(db)
            undo.pop_all()
        return db

    def kinds(self, sql: str) -> list[str]:
        """Return nothing: the columns of several tables may differ in their types."""
        return []

    def size(self) -> int:
        """Return how many bytes the stores take."""
        return sum(path.stat().st_size for path in self._stores)


def _looked_at(path: Path) -> tuple[str, dict[str, list[str]]]:
    """Return the spider of a store, and its tables; StoreRefused names what is no store."""
    try:
        with Reader(path) as one:
            names = one.names()
            if "crawl" not in names:
                raise StoreRefused(f"{path}: not a crawl's")
            return str(one.values().get("spider") or path.stem), names
    except StoreError as error:
        raise StoreRefused(f"{error}; --all asks all in {path.parent}: move it elsewhere") from None


class _Tables:
    """The tables of all stores. SQLite takes `Title` and `title` for one name, and so does this."""

    def __init__(self) -> None:
        self._found: dict[str, dict[int, tuple[str, dict[str, str]]]] = {}

    def add(self, number: int, names: dict[str, list[str]]) -> None:
        """Add those of a store: their columns, by name."""
        for table, columns in names.items():
            own = {column.lower(): column for column in columns}
            self._found.setdefault(table.lower(), {})[number] = table, own

    def selects(self, whose: Sequence[str]) -> Iterator[tuple[str, str]]:
        """Yield each table's name and the SELECT of its rows in all stores that have it.

        `whose` says of each store what is in the column `spider`.
        """
        for stores in self._found.values():
            every = {key: name for _, own in stores.values() for key, name in own.items()}
            every = {"spider": "spider"} | every if "spider" not in every else every
            parts = []
            for number, (table, own) in stores.items():
                missing = {"spider": _text(whose[number])}
                shown = [
                    quoted(own[key]) if key in own else f"{missing.get(key, 'NULL')} AS {quoted(n)}"
                    for key, n in every.items()
                ]
                parts.append(f"SELECT {', '.join(shown)} FROM s{number}.{quoted(table)}")
            yield next(iter(stores.values()))[0], " UNION ALL ".join(parts)


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
