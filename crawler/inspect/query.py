"""Read-only SQL over a store, also while a crawl writes into it.

WAL gives every reader its own snapshot, so nothing here can stop or slow a crawl's commits.
"""

from __future__ import annotations

import difflib
import re
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

from crawler.errors import QueryError, StoreError, StoreRefused
from crawler.inspect.queue_counts import QueueCounts
from crawler.inspect.sqlite_guard import allowed, defines_view
from crawler.store import lock
from crawler.store.address import DatabaseAddress, StoreAddress, file_of
from crawler.store.sql_functions import Functions, limit_values
from crawler.store.sqlite_errors import is_damage, to_store_error

_BUSY = 10.0  # seconds to wait for a lock, which only a checkpoint or a migration can hold
# One call of these can take minutes, and nothing interrupts it; the last one gives and takes
# addresses in the memory of this process.
UNSTOPPABLE = {"printf", "format", "json_patch", "fts3_tokenizer"}
_TURN = 100_000  # steps of SQLite's machine, about a millisecond, between two looks for Ctrl-C


@dataclass(frozen=True, slots=True)
class Rows:
    """The answer to a query: column names, and the rows as they come."""

    columns: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]]


class Reader:
    """A store opened for reading; use it as a context manager."""

    path: StoreAddress
    insertion = "rowid"
    """The column that sorts rows as they were inserted."""

    def __new__(cls, path: str | StoreAddress) -> Self:
        """Make the reader of the database that keeps the store."""
        if isinstance(path, DatabaseAddress) or (isinstance(path, str) and "://" in path):
            from crawler.inspect.postgres_reader import PostgresReader

            cls = cast(type[Self], PostgresReader)
        return object.__new__(cls)

    def __init__(self, path: str | StoreAddress) -> None:
        """Open the file; StoreRefused if it is missing or no SQLite database."""
        self._file = file_of(str(path) if isinstance(path, DatabaseAddress) else path)
        self.path = self._file
        if not self._file.is_file():
            raise StoreRefused(
                f"{self.path}: there is no such store; crawl into it first,"
                " or name another with --store"
            )
        self._db = self._open()
        self._functions = Functions(self._db)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._db.close()

    def query(self, sql: str, values: Sequence[Any] | Mapping[str, Any] = ()) -> Rows:
        """Run one statement that only reads; QueryError says what is wrong with it."""
        try:
            cursor = self._db.execute(sql, values)
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise self._told(error, sql) from None
        if cursor.description is None:
            raise QueryError("a query gives rows: write a SELECT")
        columns = tuple(column[0] for column in cursor.description)
        return Rows(columns, self._rows(cursor))

    def guard(self, *secret: str) -> None:
        """Make what strangers ask harmless: no `secret` table, no huge value, no endless REGEXP."""
        limit_values(self._db)
        self._functions.bound(self._db)

        def guarded(action: int, first: str | None, second: str | None, *place: str | None) -> int:
            if action == sqlite3.SQLITE_READ and first is not None and first.lower() in secret:
                return sqlite3.SQLITE_DENY
            if action == sqlite3.SQLITE_FUNCTION and second in UNSTOPPABLE:
                return sqlite3.SQLITE_DENY
            return allowed(action, first, second, *place)

        self._db.set_authorizer(guarded)

    @contextmanager
    def limited(self, seconds: float) -> Iterator[None]:
        """Stop what takes longer than so many seconds: QueryError says so."""
        until = time.monotonic() + seconds
        late = False

        def look() -> bool:
            nonlocal late
            late = time.monotonic() > until
            return late

        self._db.set_progress_handler(look, _TURN // 10)
        try:
            yield
        except KeyboardInterrupt:
            if not late:
                raise
            raise QueryError(f"stopped after {seconds:g} s") from None
        finally:
            self._db.set_progress_handler(lambda: 0, _TURN)

    def explain(self, sql: str) -> Rows:
        """Return the plan by which SQLite would answer a query."""
        plan = self.query(f"EXPLAIN QUERY PLAN {sql}").rows
        depth: dict[int, int] = {0: -1}
        lines = []
        for number, parent, _, detail in plan:
            depth[number] = depth.get(parent, -1) + 1
            lines.append((f"{'  ' * depth[number]}{detail}",))
        return Rows(("plan",), iter(lines))

    def kinds(self, sql: str) -> list[str]:
        """Return the declared types of a SELECT's columns in order, such as TEXT or JSON.

        "" for a column that does not come from one of a table as it is; nothing at all for what
        SQLite has no view of.
        """
        db = sqlite3.connect(self._uri("ro"), uri=True, timeout=_BUSY, isolation_level=None)
        try:
            Functions(db)
            db.set_authorizer(defines_view)
            db.execute(f'CREATE TEMP VIEW "~" AS {sql}')
            rows = db.execute("SELECT type FROM pragma_table_info('~')").fetchall()
        except (sqlite3.Error, sqlite3.Warning):
            return []
        finally:
            db.close()
        return [type_.partition(" ")[0].upper() for (type_,) in rows]

    def in_bytes(self, column: str) -> str:
        """Return what sorts texts as Python does, by code points."""
        return column

    def json_array(self, columns: Mapping[str, str]) -> str:
        """Return an array of columns (name → declared type), in JSON, as SQL."""
        return f"json_array({', '.join(map(quoted, columns))})"

    def among(self, key: Mapping[str, str]) -> str:
        """Return the condition that a row has one of the keys (name → declared type) of `?`.

        That is an array of arrays, in JSON.
        """
        values = ", ".join(f"value ->> {place}" for place in range(len(key)))
        return f"({', '.join(map(quoted, key))}) IN (SELECT {values} FROM json_each(?))"

    def many_hosts(self, counts: QueueCounts) -> str:
        """Return what stands behind FROM where all hosts are looked at, and not one by its name."""
        return "hosts"

    def floor(self, number: str) -> str:
        """Return the SQL of the whole part of a number that is not negative."""
        return f"cast({number} AS INTEGER)"

    def size(self) -> int:
        """Return how many bytes the store takes."""
        log = self._file.with_name(self._file.name + "-wal")
        return sum(part.stat().st_size for part in (self._file, log) if part.exists())

    def moved(self) -> Any:
        """Return what is another value whenever somebody else has committed since."""
        return next(iter(self.query("PRAGMA data_version").rows))[0]

    def values(self) -> dict[str, Any]:
        """Return the rows of the table `crawl`."""
        return dict(self.query("SELECT key, value FROM crawl").rows)

    def runs_on(self, pid: int) -> bool:
        """Return whether the run that is said to be under way is: its process lives."""
        from crawler.inspect.status import lives

        return lives(pid)

    def uncounted(self, run_id: int) -> tuple[int, int]:
        """Return the pages and errors of a run under way that its row does not count yet."""
        return 0, 0

    def names(self) -> dict[str, list[str]]:
        """Return the columns of every table and view, for completion."""
        return names(self._db)

    def _rows(self, cursor: sqlite3.Cursor) -> Iterator[tuple[Any, ...]]:
        try:
            for row in cursor:  # noqa: UP028  # else it is closed with this, after its connection
                yield row
        except sqlite3.Error as error:
            raise self._told(error) from None

    def _told(self, error: Exception, sql: str = "") -> QueryError | StoreError:
        told = self._functions.told()
        return (
            QueryError(told) if told else _named(error, self._file, sql, self._db if sql else None)
        )

    def _uri(self, mode: str) -> str:
        return f"{self._file.absolute().as_uri()}?mode={mode}"

    def _open(self) -> sqlite3.Connection:
        # Not mode=ro: that leaves an empty log and its index behind when it is the last to close.
        try:
            return _connect(self._uri("rw"), self._file)
        except sqlite3.OperationalError as error:
            if "unable to open" not in str(error):
                raise _named(error, self._file) from None
            # In a directory that cannot be written SQLite cannot make the -shm file that WAL needs.
            try:
                return _connect(self._uri("ro&immutable=1"), self._file)
            except sqlite3.Error as error:
                raise _named(error, self._file) from None
        except sqlite3.DatabaseError as error:
            raise _named(error, self._file) from None


def _connect(uri: str, path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(uri, uri=True, timeout=lock.MOMENT, isolation_level=None)
    lock.tried(lambda: db.execute("SELECT count(*) FROM sqlite_master"), lock.LockWait(path, _BUSY))
    only_reads(db)
    return db


def only_reads(db: sqlite3.Connection) -> None:
    """Let a connection read what it has open, and nothing else."""
    db.execute("PRAGMA query_only = ON")
    db.execute(f"PRAGMA busy_timeout = {1000 * _BUSY:.0f}")
    db.set_authorizer(allowed)
    db.set_progress_handler(lambda: 0, _TURN)  # Python sees to its signals only where it runs


def quoted(name: str) -> str:
    """Return a name as SQL."""
    return '"' + name.replace('"', '""') + '"'


# ---------------------------------------------------------------- what went wrong


_TABLES = (
    "SELECT name FROM (SELECT * FROM sqlite_master UNION ALL SELECT * FROM sqlite_temp_master)"
    " WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite!_%' ESCAPE '!' AND name NOT IN"
    " ('search_data', 'search_idx', 'search_content', 'search_docsize', 'search_config')"
    " ORDER BY name"
)


def names(db: sqlite3.Connection) -> dict[str, list[str]]:
    """Return the columns of every table and view that users query.

    But for what cannot name its columns: a damaged index, a view of a table that is gone.
    """
    found: dict[str, list[str]] = {}
    for (table,) in db.execute(_TABLES).fetchall():
        with suppress(sqlite3.DatabaseError):
            rows = db.execute("SELECT name FROM pragma_table_info(?) ORDER BY cid", (table,))
            found[table] = [column for (column,) in rows]
    return found


_NO_SUCH = re.compile(r"no such (table|column|function): (?:\w+\.)?([^\s:]+)")
_NEAR = re.compile(r'near "(.*)": syntax error', re.DOTALL)
_TOKEN = re.compile(r'unrecognized token: "(.*)"', re.DOTALL)
_ONLY_READ = (
    "a query can only read, with SELECT: INSERT, UPDATE, DELETE, ATTACH and PRAGMA are refused"
)
_TOLD = {
    **dict.fromkeys(("readonly", "query_only", "not authorized", "denied"), _ONLY_READ),
    "one statement at a time": (
        "a query is one statement; leave out what stands behind the semicolon"
    ),
    "number of bindings": "a query has no parameters; write the value in place of ? or :name",
}
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
) -> QueryError | StoreError:
    """Return what was wrong with a query, where, and what may have been meant."""
    text = str(error)
    if text == "interrupted":
        raise KeyboardInterrupt
    if "not a database" in text:
        return StoreRefused(f"{path}: no SQLite file; choose another --store")
    if isinstance(error, sqlite3.DatabaseError) and is_damage(error):
        return to_store_error(path, error)
    if text == "malformed JSON":
        return QueryError(
            f"{path}: a value that is read as JSON is none; in a damaged store that may be"
            " link_lists.targets, pages.headers or pages.request; json_valid() finds it"
        )
    for words, told in _TOLD.items():
        if words in text:
            return QueryError(told)
    missing = _NO_SUCH.search(text)
    if missing and db is not None:
        near = _nearest(missing[1], missing[2], sql, db)
        return QueryError(f"{text}{near}{_caret(sql, _word(sql, missing[2]))}")
    wrong = _NEAR.search(text)
    if wrong and db is not None:
        return QueryError(text + _syntax(sql, wrong[1], db))
    if text == "incomplete input":
        end = len(sql.rstrip())
        return QueryError(f"the SQL ends too early: something is still open{_caret(sql, end)}")
    token = _TOKEN.fullmatch(text)
    if token:
        return QueryError(f"{text}{_caret(sql, sql.find(token[1]))}")
    if text.startswith("ambiguous column name: "):
        column = text.rpartition(" ")[2]
        hint = "; name its table too, as in pages.title"
        return QueryError(f"{text}{hint}{_caret(sql, _word(sql, column))}")
    of_the_sql = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_ERROR
    return QueryError(text if of_the_sql else f"{path}: {text}")


def _nearest(kind: str, name: str, sql: str, db: sqlite3.Connection) -> str:
    """Return what is named nearly so; of columns, first those of the tables in the query."""
    known = names(db)
    if kind == "table":
        near = difflib.get_close_matches(name, known, 1, 0.5)
        return f"; did you mean {near[0]}?" if near else f"; there are: {', '.join(known)}"
    if kind == "function":
        functions = {row[0] for row in db.execute("SELECT name FROM pragma_function_list")}
        near = difflib.get_close_matches(name.lower(), sorted(functions), 1, 0.6)
        return f"; did you mean {near[0]}?" if near else ""
    asked = {table: columns for table, columns in known.items() if _word(sql, table) >= 0}
    for tables, least in ((asked, 0.6), (known, 0.99), (asked, 0.5), (known, 0.6)):
        every = [column for columns in tables.values() for column in columns]
        near = difflib.get_close_matches(name, every, 1, least)
        if near:
            having = [table for table, columns in tables.items() if near[0] in columns][:5]
            return f"; did you mean {near[0]} (of {', '.join(having)})?"
    if not asked:
        return '; see the columns with: crawler query "SELECT name, sql FROM sqlite_master"'
    return "".join(f"; {table} has: {', '.join(columns)}" for table, columns in asked.items())


def _syntax(sql: str, token: str, db: sqlite3.Connection) -> str:
    """Return what the word at or before a syntax error may have been meant for, and show it."""
    at = _place(sql, token, db)
    before = re.search(r"([A-Za-z_]+)\W*$", sql[: max(at, 0)])
    words = [(before[1], before.start())] if before else []
    for word, start in [*words, (token, at)]:
        near = difflib.get_close_matches(word.upper(), WORDS, 1, 0.7)
        if near and word.upper() not in WORDS:
            return f"; did you mean {near[0]}?{_caret(sql, start)}"
    comma = "; the comma before it is one too many" if sql[:at].rstrip().endswith(",") else ""
    return comma + _caret(sql, at)


def _place(sql: str, token: str, db: sqlite3.Connection) -> int:
    """Return where the syntax error is: the first token with which SQLite says the same."""
    for found in re.finditer(re.escape(token), sql):
        try:
            db.execute(f"EXPLAIN {sql[: found.end()]}")
        except (sqlite3.Error, sqlite3.Warning) as error:
            if str(error) == f'near "{token}": syntax error':
                return found.start()
    return sql.find(token)


def _word(sql: str, word: str) -> int:
    """Return where a word stands outside of quoted text, -1 if it does not."""
    bare = re.sub(r"'[^']*'", lambda quoted: " " * len(quoted[0]), sql)
    found = re.search(rf"(?<!\w){re.escape(word)}(?!\w)", bare, re.IGNORECASE)
    return found.start() if found else -1


def _caret(sql: str, at: int) -> str:
    """Show the line of the SQL, and a caret below the place."""
    if at < 0:
        return ""
    start = sql.rfind("\n", 0, at) + 1
    line = sql[start:].partition("\n")[0]
    return f"\n  {line}\n  {' ' * (at - start)}^"
