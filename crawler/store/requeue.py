"""What is done to a store between two runs: queue failures again, queue pages that are due.

Every function claims the file, so that no crawl is running into it, and is one transaction.
"""

from __future__ import annotations

import functools
import json
import re
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from crawler import urls
from crawler.errors import QueryError, StoreDamaged, StoreRefused
from crawler.store import lock
from crawler.store.address import StoreFile
from crawler.store.claim import Claim
from crawler.store.damage import whole
from crawler.store.schema import migrate_now
from crawler.store.sql_functions import Functions
from crawler.store.sqlite_errors import to_store_error
from crawler.web import outcome
from crawler.web.request import EARLY, FIRST, RENEWAL, REVISIT, Candidate, url_hash

_PARSED = ", ".join(  # others: 304 would leave them so
    f"'{one}'" for one in sorted(outcome.having("stored") - outcome.having("error"))
)
END_RECRAWL = (
    "DELETE FROM crawl WHERE key = 'recrawl' AND NOT EXISTS (SELECT 1 FROM todo WHERE again > 0)"
)
_CHECKED = (
    "coalesce((SELECT checked_at FROM revisits WHERE revisits.page_id = p.page_id), fetched_at)"
)
_VALIDATORS = {"etag": "If-None-Match", "last-modified": "If-Modified-Since"}


class ClaimedStore(sqlite3.Connection):
    """A connection to a store that is claimed, within a transaction."""

    file: StoreFile
    lock_timeout = lock.TIMEOUT

    def begin(self) -> None:
        """Begin a transaction that writes, once nobody else has one; StoreLocked after a while."""
        wait = lock.LockWait(self.file.path, self.lock_timeout)
        lock.tried(lambda: self.execute("BEGIN IMMEDIATE"), wait)

    def step(self) -> None:
        """Commit what was done, and begin the next transaction; StoreGone if the file is gone."""
        self.execute("COMMIT")
        self.file.check()
        self.begin()

    def leave(self) -> None:
        """Roll back, and close; a file that was moved away is made complete."""
        if self.in_transaction:
            self.execute("ROLLBACK")
        with suppress(sqlite3.DatabaseError):  # what was wrong before is told already
            if self.file.missing:
                [(busy, *_)] = self.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                if not busy:
                    self.file.remove_rest()
        self.close()


@contextmanager
def claimed(path: Path, *, lock_timeout: float = lock.TIMEOUT) -> Iterator[ClaimedStore]:
    """Return a connection that alone writes; all of the block is one transaction.

    Another program's lock is waited for: `lock_timeout` seconds, then StoreLocked.
    """
    if not path.is_file():
        raise StoreRefused(f"{path}: there is no such store; crawl into it first")
    claim = Claim(path)
    claim.take()
    try:
        db = sqlite3.connect(path, isolation_level=None, timeout=lock.MOMENT, factory=ClaimedStore)
        db.file, db.lock_timeout = StoreFile(path), lock_timeout
        Functions(db)
        try:
            lock.tried(lambda: migrate_now(db, path), lock.LockWait(path, lock_timeout))
            db.begin()
            db.file.note()
            yield db
            db.execute("COMMIT")
            db.file.check()
        except sqlite3.DatabaseError as error:
            raise to_store_error(path, error) from error
        finally:
            db.leave()
    finally:
        claim.release()


def retry(path: Path, where: str = "", *, lock_timeout: float = lock.TIMEOUT) -> int:
    """Queue again what ended without a page and fulfils `where`; return its number.

    `where` is SQL over the columns of `pages` and `host`. The row of a failure stays until the
    next visit takes its place. QueryError for SQL that does not parse.
    """
    with claimed(path, lock_timeout=lock_timeout) as db:
        again = outcome.names("requeued")
        condition = f"outcome IN ({again}) AND ({where or 'true'})"
        return _queue(db, condition, conditional=False)


def recrawl(
    path: Path,
    now: str,
    where: str = "",
    *,
    every: float = 86400.0,
    all_: bool = False,
    lock_timeout: float = lock.TIMEOUT,
) -> int:
    """Queue the pages that are due at `now` (ISO 8601, UTC) again, and return their number.

    A page is due `every` seconds after its first visit, later by what its visits found. The
    request carries the page's validators, so that the server may answer 304 (RFC 9110 13.1).

    A recrawl begins here, and ends with the run that leaves nothing of it. Until then it is gone
    on with: `all_` are the pages that it has not visited yet.
    """
    due = (
        "coalesce((SELECT due_at FROM revisits WHERE revisits.page_id = p.page_id),"
        f" strftime('%Y-%m-%dT%H:%M:%fZ', fetched_at, '+{int(every)} seconds'))"
    )
    with claimed(path, lock_timeout=lock_timeout) as db:
        began = _began(db)
        condition = f"{due} <= '{now}'"
        if all_:
            condition = f"{_CHECKED} < '{began}'" if began else "true"
        chosen = (
            f"outcome IN ({outcome.names('recrawled')}) AND {condition} AND ({where or 'true'})"
        )
        return _begun(db, now, _queue(db, chosen, conditional=True))


def under_way(path: Path, *, lock_timeout: float = lock.TIMEOUT) -> tuple[str | None, int]:
    """Return when the recrawl began that is not finished yet, and how many requests are queued.

    A time is ISO 8601 in UTC, None where the last recrawl is finished. One that was killed after
    all of it had been stored ends here.
    """
    with claimed(path, lock_timeout=lock_timeout) as db:
        began = _began(db)
        [queued] = db.execute("SELECT count(*) FROM todo").fetchone()
        if not queued:
            db.execute(END_RECRAWL)
        return began, queued


def _began(db: sqlite3.Connection) -> str | None:
    found = db.execute("SELECT value FROM crawl WHERE key = 'recrawl'").fetchone()
    return str(found[0]) if found else None


def _begun(db: sqlite3.Connection, now: str, number: int) -> int:
    """Remember when the recrawl began that `number` requests were queued for; return the number."""
    if number:
        db.execute("INSERT OR IGNORE INTO crawl (key, value) VALUES ('recrawl', ?)", (now,))
    return number


def bring_forward(path: Path, changed: Iterable[tuple[str, str]], now: str) -> int:
    """Make pages due that a sitemap or feed says changed (URL, ISO time); return their number."""
    number = 0
    with claimed(path) as db:
        for url, at in changed:
            rows = db.execute(
                "SELECT page_id, fetched_at FROM pages WHERE url = ? AND fetched_at < ?", (url, at)
            ).fetchall()
            for page_id, fetched_at in rows:
                db.execute(
                    "INSERT INTO revisits VALUES (?, ?, 86400, ?, 1, 0)"
                    " ON CONFLICT DO UPDATE SET due_at = min(due_at, excluded.due_at)",
                    (page_id, fetched_at, now),
                )
                number += 1
    return number


def add_new(path: Path, found: Iterable[str], now: str) -> int:
    """Queue canonical URLs never seen, of hosts that pages are stored of; return their number.

    They belong to the recrawl that begins `now` (ISO 8601, UTC), or is under way.
    """
    with claimed(path) as db:
        hosts = dict(db.execute("SELECT name, host_id FROM hosts WHERE pages > 0"))
        seq = whole(dict(db.execute("SELECT key, value FROM crawl")), "next_seq", 1, path)
        new: dict[tuple[int, int], str] = {}
        for url in found:
            host_id = hosts.get(urls.host_of(url))
            key = (host_id or 0, url_hash(url))
            if host_id and db.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", key).rowcount:
                new[key] = url
        for (host_id, digest), url in new.items():
            db.execute(
                "INSERT INTO todo (host_id, rank, seq, url_hash, url, depth, again)"
                " VALUES (?, ?, ?, ?, ?, 1, ?)",
                (host_id, EARLY, seq, digest, url, REVISIT),
            )
            db.execute("UPDATE hosts SET pending = pending + 1 WHERE host_id = ?", (host_id,))
            seq += 1
        db.execute("INSERT OR REPLACE INTO crawl (key, value) VALUES ('next_seq', ?)", (seq,))
        return _begun(db, now, len(new))


def add_excluded(db: ClaimedStore) -> int:
    """Queue again what was queued when `links.exclude` came to refuse it; return its number."""
    return _queue(db, "outcome = 'trapped' AND error = 'excluded'", conditional=False)


def add_found(db: ClaimedStore, found: Sequence[tuple[Candidate, int | None]]) -> int:
    """Queue candidates never seen, each with the page it was found on; return their number."""
    names = {(candidate.host,) for candidate, _ in found}
    db.executemany("INSERT OR IGNORE INTO hosts (name) VALUES (?)", sorted(names))
    hosts = dict(db.execute("SELECT name, host_id FROM hosts"))
    seq = first = int(dict(db.execute("SELECT key, value FROM crawl")).get("next_seq", 1))
    for candidate, parent in found:
        key = (hosts[candidate.host], candidate.url_hash)
        if not db.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", key).rowcount:
            continue
        _, digest, url, depth, rank, callback, extra, *_ = candidate
        db.execute(
            "INSERT INTO todo (host_id, rank, seq, url_hash, url, depth, parent_id, callback,"
            " extra) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (key[0], rank, seq, digest, url, depth, parent, callback, extra),
        )
        db.execute("UPDATE hosts SET pending = pending + 1 WHERE host_id = ?", (key[0],))
        seq += 1
    db.execute("INSERT OR REPLACE INTO crawl (key, value) VALUES ('next_seq', ?)", (seq,))
    return seq - first


def _queue(db: ClaimedStore, where: str, *, conditional: bool) -> int:
    """Put the pages that fulfil a condition back into `todo`, and give their number.

    Of each request the last row is taken, and none that is queued. `conditional`: for a recrawl,
    whose requests come first and carry the validators. No row passes through Python's memory, so
    that millions of them need no more of it than one.
    """
    values = dict(db.execute("SELECT key, value FROM crawl"))
    seq = whole(values, "next_seq", 1, db.file.path)
    try:
        db.execute(_CHOSEN.format(where=where))
    except sqlite3.OperationalError as error:
        raise QueryError(f"--where: {error}; see the columns in docs/schema.md") from None
    damaged: list[tuple[int, str]] = []
    db.create_function("extra", 3, functools.partial(_extra_of, damaged), deterministic=True)
    stored = outcome.names("stored")
    asks = f"CASE WHEN outcome IN ({_PARSED}) THEN headers END" if conditional else "NULL"
    try:
        number = db.execute(
            _QUEUE.format(
                again=f"CASE WHEN outcome IN ({stored}) THEN {RENEWAL}"
                f" ELSE {REVISIT if conditional else FIRST} END",
                asks=asks,
            ),
            (seq,),
        ).rowcount
    except sqlite3.OperationalError as error:
        if not damaged:
            raise
        page_id, said = damaged[0]
        raise StoreDamaged(
            f"{db.file.path}: the request of page_id {page_id} in pages is damaged ({said:.100});"
            f' leave it out: --where "page_id <> {page_id}"'
        ) from error
    if number:
        db.execute(_PENDING)
        marks = [("next_seq", seq + number), ("revisits", 1)]
        db.executemany("INSERT OR REPLACE INTO crawl (key, value) VALUES (?, ?)", marks)
    db.execute("DROP TABLE temp.chosen")
    return number


_CHOSEN = (
    "CREATE TEMP TABLE chosen AS SELECT p.page_id, p.host_id"
    " FROM pages AS p JOIN (SELECT host_id, name AS host FROM hosts) USING (host_id)"
    " WHERE {where} AND (p.host_id, p.url_hash) NOT IN (SELECT host_id, url_hash FROM todo)"
    " AND NOT EXISTS (SELECT 1 FROM pages AS later"
    " WHERE later.url = p.url AND later.page_id > p.page_id"
    " AND later.url_hash = p.url_hash) ORDER BY p.page_id"
)
# The rowid of `chosen` counts its rows from 1.
_QUEUE = (
    "INSERT INTO todo (host_id, rank, seq, url_hash, url, depth, parent_id, callback, extra, again)"
    f" SELECT host_id, iif(again = {FIRST}, 0, {EARLY}), seq, url_hash, url, depth, parent_id,"
    " callback, iif(request IS NULL AND asks IS NULL, NULL, extra(page_id, request, asks)), again"
    " FROM (SELECT p.*, chosen.rowid + ? - 1 AS seq, {again} AS again, {asks} AS asks"
    " FROM chosen CROSS JOIN pages AS p USING (page_id))"
)
_PENDING = (
    "UPDATE hosts SET pending = pending + d.number FROM (SELECT host_id, count(*) AS number"
    " FROM chosen GROUP BY host_id) AS d WHERE hosts.host_id = d.host_id"
)


def _extra_of(
    damaged: list[tuple[int, str]], page_id: int, request: str | None, headers: str | None
) -> str | None:
    """Return the extra of a page's request; `damaged` hears why it cannot."""
    try:
        return _extra(request, headers)
    except (ValueError, TypeError, AttributeError) as error:
        damaged.append((page_id, str(error)))
        raise


def _extra(request: str | None, headers: str | None) -> str | None:
    """Return what a request carried, as if it were the first; with the validators of `headers`."""
    found = _validators(headers or "")
    if not request:  # nearly all: their strings of JSON stay as they are
        told = ", ".join(f'"{name}": {value}' for name, value in found.items())
        return f'{{"headers": {{{told}}}}}' if told else None
    extra = json.loads(request)
    extra.pop("hops", None)
    old = {k: v for k, v in (extra.pop("headers", None) or {}).items()
           if k not in _VALIDATORS.values()}  # fmt: skip
    old |= {name: json.loads(value) for name, value in found.items()}
    if old:
        extra["headers"] = old
    return json.dumps(extra) if extra else None


# A name in a JSON object with the string that it names. Within a string both quotes of such a name
# have a backslash. (re.IGNORECASE would take four times as long.)
_VALIDATOR = re.compile(
    r'"([eE][tT][aA][gG]|[lL][aA][sS][tT]-[mM][oO][dD][iI][fF][iI][eE][dD])"'
    r'\s*+:\s*+("(?:[^"\\]|\\.)++")'
)


def _validators(headers: str) -> dict[str, str]:
    """Return what asks for changes only, by the headers of a page (JSON): name → string of JSON."""
    if not isinstance(headers, str):
        return {}  # damaged headers prove nothing: the page is fetched whole, which mends them
    found = {name.lower(): value for name, value in _VALIDATOR.findall(headers)}
    return {asks: found[name] for name, asks in _VALIDATORS.items() if name in found}
