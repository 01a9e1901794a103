"""Read-only SQL over several stores at once: every table with the rows of all, by spider."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from crawler.errors import UsageError
from crawler.inspect.query import Reader, only_reads, quoted

_MOST = 10  # stores that SQLite attaches, unless it was built for more


class JointReader(Reader):
    """Several stores opened for reading as one.

    Each table and view that one of them has has the rows of all, behind a column `spider` that
    says whose they are; a column that a store does not have is NULL there.
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
        columns: dict[str, dict[int, list[str]]] = {}
        spiders = []
        for number, path in enumerate(self._stores):
            with Reader(path) as one:  # which says what is wrong with it
                spiders.append(str(one.values().get("spider") or path.stem))
                for table, found in one.names().items():
                    columns.setdefault(table, {})[number] = found
            db.execute(f"ATTACH DATABASE ? AS s{number}", (f"{path.absolute().as_uri()}?mode=rw",))
        for table, stores in columns.items():
            db.execute(f"CREATE TEMP VIEW {quoted(table)} AS {_of_all(table, stores, spiders)}")
        only_reads(db)
        self._columns = {table: _columns(stores) for table, stores in columns.items()}
        return db

    def kinds(self, sql: str) -> list[str]:
        """Return nothing: the columns of several tables may differ in their types."""
        return []

    def names(self) -> dict[str, list[str]]:
        """Return the columns of every table, for completion."""
        return self._columns

    def size(self) -> int:
        """Return how many bytes the stores take."""
        return sum(path.stat().st_size for path in self._stores)


def _of_all(table: str, stores: dict[int, list[str]], spiders: list[str]) -> str:
    """Return the SELECT of a table's rows in all stores that have it."""
    every, parts = _columns(stores), []
    for number, found in stores.items():
        spider = "'" + spiders[number].replace("'", "''") + "'"
        shown = [quoted(n) if n in found else f"NULL AS {quoted(n)}" for n in every]
        if "spider" in every and "spider" not in found:  # as of an item that has such a field
            shown = [spider if text == 'NULL AS "spider"' else text for text in shown]
        first = [] if "spider" in every else [f"{spider} AS spider"]
        parts.append(f"SELECT {', '.join(first + shown)} FROM s{number}.{quoted(table)}")
    return " UNION ALL ".join(parts)


def _columns(stores: dict[int, list[str]]) -> list[str]:
    """Return the columns of a table in any of the stores, each once."""
    return list(dict.fromkeys(name for found in stores.values() for name in found))
