"""What is done to a store between two runs: queue failures again, queue pages that are due.

Every function claims the file, so that no crawl is running into it, and is one transaction.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from crawler import outcome, urls
from crawler.errors import QueryError, StoreRefused
from crawler.request import url_hash
from crawler.store.causes import named
from crawler.store.claim import Claim
from crawler.storefile import StoreFile

_PARSED = outcome.having("stored") - outcome.having("error")  # others: 304 would leave them so
_VALIDATORS = {"etag": "If-None-Match", "last-modified": "If-Modified-Since"}


class Claimed(sqlite3.Connection):
    """A connection to a store that is claimed, within a transaction."""

    file: StoreFile

    def step(self) -> None:
        """Commit what was done, and begin the next transaction; StoreGone if the file is gone."""
        self.execute("COMMIT")
        self.file.check()
        self.execute("BEGIN IMMEDIATE")

    def leave(self) -> None:
        """Give up what is not committed, and close; a file that was moved away is made complete."""
        if self.in_transaction:
            self.execute("ROLLBACK")
        with suppress(sqlite3.DatabaseError):  # what was wrong before is told already
            if self.file.missing:
                [(busy, *_)] = self.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                if not busy:
                    self.file.remove_rest()
        self.close()


@contextmanager
def claimed(path: Path) -> Iterator[Claimed]:
    """Give a connection that alone writes; all of the block is one transaction."""
    if not path.is_file():
        raise StoreRefused(f"{path}: there is no such store; crawl into it first")
    claim = Claim(path)
    claim.take()
    try:
        db = sqlite3.connect(path, isolation_level=None, timeout=60, factory=Claimed)
        db.file = StoreFile(path)
        try:
            db.execute("BEGIN IMMEDIATE")
            db.file.note()
            yield db
            db.execute("COMMIT")
            db.file.check()
        except sqlite3.DatabaseError as error:
            raise named(path, error) from error
        finally:
            db.leave()
    finally:
        claim.release()


def retry(path: Path, where: str = "") -> int:
    """Queue again what ended without a page and fulfils `where`; give its number.

    `where` is SQL over the columns of `pages` and `host`. The row of a failure stays until the
    next visit takes its place. QueryError for SQL that does not parse.
    """
    with claimed(path) as db:
        again = outcome.names("requeued")
        rows = _chosen(db, f"outcome IN ({again}) AND ({where or 'true'})")
        return _queue(db, rows, conditional=False)


def recrawl(
    path: Path, now: str, where: str = "", *, every: float = 86400.0, all_: bool = False
) -> int:
    """Queue the pages that are due at `now` (ISO 8601, UTC) again, and give their number.

    A page is due `every` seconds after its first visit, later by what its visits found. The
    request carries the page's validators, so that the server may answer 304 (RFC 9110 13.1).
    """
    due = (
        "coalesce((SELECT due_at FROM revisits WHERE revisits.page_id = p.page_id),"
        f" strftime('%Y-%m-%dT%H:%M:%fZ', fetched_at, '+{int(every)} seconds'))"
    )
    condition = "true" if all_ else f"{due} <= '{now}'"
    with claimed(path) as db:
        rows = _chosen(
            db,
            f"outcome IN ({outcome.names('recrawled')}) AND {condition} AND ({where or 'true'})",
        )
        return _queue(db, rows, conditional=True)


def bring_forward(path: Path, changed: Iterable[tuple[str, str]], now: str) -> int:
    """Make pages due that a sitemap or feed says changed (URL, ISO time); give their number."""
    number = 0
    with claimed(path) as db:
        for url, at in changed:
            rows = db.execute(
                "SELECT page_id FROM pages WHERE url = ? AND fetched_at < ?", (url, at)
            ).fetchall()
            for (page_id,) in rows:
                db.execute(
                    "INSERT INTO revisits VALUES (?1, ?2, 86400, ?2, 1, 0)"
                    " ON CONFLICT DO UPDATE SET due_at = min(due_at, excluded.due_at)",
                    (page_id, now),
                )
                number += 1
    return number


def add_new(path: Path, found: Iterable[str]) -> int:
    """Queue canonical URLs never seen, of hosts that pages are stored of; give their number."""
    with claimed(path) as db:
        hosts = dict(db.execute("SELECT name, host_id FROM hosts WHERE pages > 0"))
        seq = int(dict(db.execute("SELECT key, value FROM crawl")).get("next_seq", 1))
        new: dict[tuple[int, int], str] = {}
        for url in found:
            host_id = hosts.get(urls.host_of(url))
            key = (host_id or 0, url_hash(url))
            if host_id and db.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", key).rowcount:
                new[key] = url
        for (host_id, digest), url in new.items():
            db.execute(
                "INSERT INTO todo (host_id, rank, seq, url_hash, url, depth)"
                " VALUES (?, 1, ?, ?, ?, 1)",
                (host_id, seq, digest, url),
            )
            db.execute("UPDATE hosts SET pending = pending + 1 WHERE host_id = ?", (host_id,))
            seq += 1
        db.execute("INSERT OR REPLACE INTO crawl (key, value) VALUES ('next_seq', ?)", (seq,))
    return len(new)


def _chosen(db: sqlite3.Connection, where: str) -> list[tuple[Any, ...]]:
    try:
        return db.execute(
            "SELECT p.page_id, p.host_id, p.url_hash, p.url, p.depth, p.parent_id, p.callback,"
            " p.request, p.headers, p.outcome, p.requested_url"
            " FROM pages AS p JOIN (SELECT host_id, name AS host FROM hosts) USING (host_id)"
            f" WHERE {where} AND NOT EXISTS (SELECT 1 FROM todo WHERE todo.host_id = p.host_id"
            " AND todo.url_hash = p.url_hash) ORDER BY p.page_id"
        ).fetchall()
    except sqlite3.OperationalError as error:
        raise QueryError(f"--where: {error}; see the columns in docs/schema.md") from None


def _queue(db: sqlite3.Connection, rows: list[tuple[Any, ...]], *, conditional: bool) -> int:
    """Put pages back into `todo`, a copy of one URL once."""
    values = dict(db.execute("SELECT key, value FROM crawl"))
    seq = int(values.get("next_seq", 1))
    pending: dict[int, int] = {}
    todo = {}
    for _, host_id, digest, url, depth, parent, callback, request, headers, ended, _ in rows:
        extra = json.loads(request) if request else {}
        extra.pop("hops", None)
        old = {k: v for k, v in (extra.pop("headers", None) or {}).items()
               if k not in _VALIDATORS.values()}  # fmt: skip
        if conditional and ended in _PARSED:
            old |= _validators(headers)
        if old:
            extra["headers"] = old
        key = (host_id, digest)
        if key not in todo:
            pending[host_id] = pending.get(host_id, 0) + 1
            text = json.dumps(extra) if extra else None
            todo[key] = (host_id, depth, seq, digest, url, depth, parent, callback, text)
            seq += 1
    db.executemany(
        "INSERT INTO todo (host_id, rank, seq, url_hash, url, depth, parent_id, callback, extra)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        todo.values(),
    )
    db.executemany(
        "UPDATE hosts SET pending = pending + ? WHERE host_id = ?",
        [(number, host_id) for host_id, number in pending.items()],
    )
    marks = [("next_seq", seq), ("revisits", 1)]
    db.executemany("INSERT OR REPLACE INTO crawl (key, value) VALUES (?, ?)", marks if todo else [])
    return len(todo)


def _validators(headers: str | None) -> dict[str, str]:
    found = {name.lower(): value for name, value in json.loads(headers or "{}").items()}
    return {asks: found[name] for name, asks in _VALIDATORS.items() if found.get(name)}
