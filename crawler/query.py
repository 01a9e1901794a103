"""Read-only SQL over a store, also while a crawl writes into it.

WAL gives every reader its own snapshot, so nothing here can stop or slow a crawl's commits.
"""

from __future__ import annotations

import difflib
import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from crawler.errors import QueryError, StoreRefused

_BUSY = 10.0  # seconds to wait for a lock, which only a checkpoint or a migration can hold


@dataclass(frozen=True, slots=True)
class Rows:
    """The answer to a query: column names, and the rows as they come."""

    columns: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]]


class Reader:
    """A store opened for reading; use it as a context manager."""

    def __init__(self, path: str | Path) -> None:
        """Open the file; StoreRefused when it is missing or no SQLite database."""
        self.path = Path(path)
        if not self.path.is_file():
            raise StoreRefused(
                f"{self.path}: there is no such store; crawl into it first,"
                " or name another with --store"
            )
        self._db = self._open()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._db.close()

    def query(self, sql: str, values: Sequence[Any] = ()) -> Rows:
        """Run one statement that only reads; QueryError says what is wrong with it."""
        try:
            cursor = self._db.execute(sql, values)
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise _named(error, self.path, sql, self._db) from None
        columns = tuple(column[0] for column in cursor.description or ())
        return Rows(columns, self._rows(cursor))

    def explain(self, sql: str) -> Rows:
        """Give the plan by which SQLite would answer a query."""
        plan = self.query(f"EXPLAIN QUERY PLAN {sql}").rows
        depth: dict[int, int] = {0: -1}
        lines = []
        for number, parent, _, detail in plan:
            depth[number] = depth.get(parent, -1) + 1
            lines.append((f"{'  ' * depth[number]}{detail}",))
        return Rows(("plan",), iter(lines))

    def names(self) -> dict[str, list[str]]:
        """Give the columns of every table and view, for completion."""
        return names(self._db)

    def _rows(self, cursor: sqlite3.Cursor) -> Iterator[tuple[Any, ...]]:
        try:
            yield from cursor
        except sqlite3.Error as error:
            raise _named(error, self.path) from None

    def _open(self) -> sqlite3.Connection:
        uri = self.path.absolute().as_uri() + "?mode=ro"
        try:
            return _connect(uri)
        except sqlite3.OperationalError as error:
            if "unable to open" not in str(error):
                raise _named(error, self.path) from None
            # In a directory that cannot be written SQLite cannot make the -shm file that WAL needs.
            try:
                return _connect(uri + "&immutable=1")
            except sqlite3.Error as error:
                raise _named(error, self.path) from None
        except sqlite3.DatabaseError as error:
            raise _named(error, self.path) from None


def _connect(uri: str) -> sqlite3.Connection:
    db = sqlite3.connect(uri, uri=True, timeout=_BUSY, isolation_level=None)
    db.execute("PRAGMA query_only = ON")
    db.execute("SELECT count(*) FROM sqlite_master")
    db.set_authorizer(_allowed)
    return db


_PRAGMAS = {"table_info", "table_xinfo", "index_list", "index_info", "data_version", "user_version"}


def _allowed(action: int, first: str | None, second: str | None, *place: str | None) -> int:
    """Refuse what `mode=ro` and `query_only` do not: other files, and settings of the connection.

    Nothing more: virtual tables such as the index describe themselves with a CREATE TABLE.
    """
    elsewhere = action in (sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH)
    if elsewhere or (action == sqlite3.SQLITE_PRAGMA and first not in _PRAGMAS):
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK


# ---------------------------------------------------------------- what went wrong


def names(db: sqlite3.Connection) -> dict[str, list[str]]:
    """Give the columns of every table and view that users query."""
    found: dict[str, list[str]] = {}
    sql = (
        "SELECT m.name, c.name FROM sqlite_master AS m, pragma_table_info(m.name) AS c"
        " WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'search_%'"
        " AND m.name NOT LIKE 'sqlite_%' ORDER BY m.name, c.cid"
    )
    for table, column in db.execute(sql):
        found.setdefault(table, []).append(column)
    return found


_NO_SUCH = re.compile(r"no such (table|column|function): (?:\w+\.)?([^\s:]+)")
_NEAR = re.compile(r'near "(.*)": syntax error', re.DOTALL)
WORDS = tuple(
    re.findall(
        r"\w+",
        "SELECT FROM WHERE GROUP BY ORDER HAVING LIMIT JOIN LEFT INNER CROSS ON USING AND OR NOT"
        " NULL IS IN LIKE GLOB MATCH BETWEEN CASE WHEN THEN ELSE END DISTINCT AS ASC DESC"
        " UNION ALL WITH COUNT OFFSET EXISTS CAST",
    )
)


def _named(
    error: Exception, path: Path, sql: str = "", db: sqlite3.Connection | None = None
) -> QueryError | StoreRefused:
    text = str(error)
    if "not a database" in text:
        return StoreRefused(f"{path}: no SQLite file; choose another --store")
    if "readonly" in text or "query_only" in text or "not authorized" in text or "denied" in text:
        return QueryError(
            "a query can only read: INSERT, UPDATE, DELETE, ATTACH and PRAGMA are refused"
        )
    if "one statement at a time" in text:
        return QueryError("a query is one statement; leave out what stands behind the semicolon")
    missing = _NO_SUCH.search(text)
    if missing and db is not None:
        return QueryError(f"{text}{_nearest(missing[1], missing[2], db)}{_where(sql, missing[2])}")
    wrong = _NEAR.search(text)
    if wrong:
        before = re.findall(r"[A-Za-z_]+", sql[: max(sql.find(wrong[1]), 0)])[-1:]
        odd = [word for word in (*before, wrong[1]) if word.upper() not in WORDS]
        near = [m for word in odd for m in difflib.get_close_matches(word.upper(), WORDS, 1, 0.7)]
        hint = f"; did you mean {near[0]}?" if near else ""
        return QueryError(f"{text}{hint}{_where(sql, wrong[1])}")
    return QueryError(f"{path}: {text}")


def _nearest(kind: str, name: str, db: sqlite3.Connection) -> str:
    known = names(db)
    if kind == "table":
        near = difflib.get_close_matches(name, known, 1, 0.5)
        return f"; did you mean {near[0]}?" if near else f"; there are: {', '.join(known)}"
    if kind == "function":
        return ""
    where = {column: table for table, columns in known.items() for column in columns}
    near = difflib.get_close_matches(name, where, 1, 0.5)
    if not near:
        return '; see the columns with: crawler query "SELECT name, sql FROM sqlite_master"'
    tables = [table for table, columns in known.items() if near[0] in columns][:5]
    return f"; did you mean {near[0]} (of {', '.join(tables)})?"


def _where(sql: str, token: str) -> str:
    """Show the line of the SQL in which the token stands, and a caret below it."""
    found = re.search(rf"(?<!\w){re.escape(token)}(?!\w)", sql, re.IGNORECASE)
    if not found:
        return ""
    start = sql.rfind("\n", 0, found.start()) + 1
    line = sql[start:].partition("\n")[0]
    return f"\n  {line}\n  {' ' * (found.start() - start)}^"
