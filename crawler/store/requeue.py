"""What is done to a store between two runs: queue failures again, queue pages that are due.

Every function claims the store, so that no crawl is running into it, and is one transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from crawler import urls
from crawler.store import lock
from crawler.store.address import StoreAddress
from crawler.store.claimed import Again, ClaimedStore, claimed
from crawler.web import outcome
from crawler.web.request import (
    EARLY,
    FIRST,
    RENEWAL,
    REVISIT,
    Candidate,
    Todo,
    url_hash,
)

_UNDER_WAY = "SELECT 1 FROM todo WHERE again > 0 LIMIT 1"
_CHECKED = (
    "coalesce((SELECT checked_at FROM revisits WHERE revisits.page_id = p.page_id), fetched_at)"
)
_SOONER = (
    "INSERT INTO revisits VALUES (?, ?, 86400, ?, 1, 0) ON CONFLICT (page_id) DO UPDATE SET"
    " due_at = CASE WHEN revisits.due_at < excluded.due_at THEN revisits.due_at"
    " ELSE excluded.due_at END"
)


def retry(store: StoreAddress, where: str = "", *, lock_timeout: float = lock.TIMEOUT) -> int:
    """Queue again what ended without a page and fulfils `where`; return its number.

    `where` is SQL over the columns of `pages` and `host`. The row of a failure stays until the
    next visit takes its place. QueryError for SQL that does not parse.
    """
    with claimed(store, lock_timeout=lock_timeout) as db:
        again = outcome.names("requeued")
        return _queue(db, f"outcome IN ({again}) AND ({where or 'true'})")


def recrawl(
    store: StoreAddress,
    now: str,
    where: str = "",
    *,
    every: float = 86400.0,
    all_: bool = False,
    lock_timeout: float = lock.TIMEOUT,
) -> int:
    """Queue the pages that are due at `now` (ISO 8601, UTC) again; return how many are queued yet.

    Of many the first are, and the crawl queues the rest as it comes to them; 0 if none is due.

    A page is due `every` seconds after its first visit, later by what its visits found. The
    request carries the page's validators, so that the server may answer 304 (RFC 9110 13.1).

    A recrawl begins here, and ends with the run that leaves nothing of it. Until then it is gone
    on with: `all_` are the pages that it has not visited yet.
    """
    due = (
        "coalesce((SELECT due_at FROM revisits WHERE revisits.page_id = p.page_id),"
        f" strftime('%Y-%m-%dT%H:%M:%fZ', fetched_at, '+{int(every)} seconds'))"
    )
    with claimed(store, lock_timeout=lock_timeout) as db:
        began = _began(db)
        condition = f"{due} <= '{now}'"
        if all_:
            condition = f"{_CHECKED} < '{began}'" if began else "true"
        chosen = (
            f"outcome IN ({outcome.names('recrawled')}) AND {condition} AND ({where or 'true'})"
        )
        return _begun(db, now, db.queue_revisits(chosen))


def under_way(store: StoreAddress, *, lock_timeout: float = lock.TIMEOUT) -> tuple[str | None, int]:
    """Return when the recrawl began that is not finished yet, and how many requests are queued.

    A time is ISO 8601 in UTC, None where the last recrawl is finished. One that was killed after
    all of it had been stored ends here.
    """
    with claimed(store, lock_timeout=lock_timeout) as db:
        began = _began(db)
        [queued] = db.execute("SELECT count(*) FROM todo").fetchone()
        if not queued and db.execute(_UNDER_WAY).fetchone() is None:
            db.unmark("recrawl")
        return began, queued


def _began(db: ClaimedStore) -> str | None:
    found = db.execute("SELECT value FROM crawl WHERE key = 'recrawl'").fetchone()
    return str(found[0]) if found else None


def _begun(db: ClaimedStore, now: str, number: int) -> int:
    """Remember when the recrawl began that `number` requests were queued for; return the number."""
    if number:
        db.mark("recrawl", now, first=True)
    return number


def bring_forward(store: StoreAddress, changed: Iterable[tuple[str, str]], now: str) -> int:
    """Make pages due that a sitemap or feed says changed (URL, ISO time); return their number."""
    number = 0
    with claimed(store) as db:
        for url, at in changed:
            rows = db.execute(
                "SELECT page_id, fetched_at FROM pages WHERE url = ? AND fetched_at < ?", (url, at)
            ).fetchall()
            for page_id, fetched_at in rows:
                db.execute(_SOONER, (page_id, fetched_at, now))
                number += 1
    return number


def add_new(store: StoreAddress, found: Iterable[str], now: str) -> int:
    """Queue canonical URLs never seen, of hosts that pages are stored of; return their number.

    They belong to the recrawl that begins `now` (ISO 8601, UTC), or is under way.
    """
    with claimed(store) as db:
        hosts = dict(db.execute("SELECT name, host_id FROM hosts WHERE pages > 0"))
        wanted: dict[tuple[int, int], str] = {}
        for url in found:
            host_id = hosts.get(urls.host_of(url))
            if host_id:
                wanted[host_id, url_hash(url)] = url
        new = db.unseen(list(wanted))
        db.queue([_todo(key, url, 1, EARLY, again=REVISIT) for key, url in wanted.items()
                  if key in new])  # fmt: skip
        return _begun(db, now, len(new))


def add_excluded(db: ClaimedStore) -> int:
    """Queue again what was queued when `links.exclude` came to refuse it; return its number."""
    return _queue(db, "outcome = 'trapped' AND error = 'excluded'")


def add_found(db: ClaimedStore, found: Sequence[tuple[Candidate, int | None]]) -> int:
    """Queue candidates never seen, each with the page it was found on; return their number."""
    hosts = db.host_ids(candidate.host for candidate, _ in found)
    wanted: dict[tuple[int, int], tuple[Candidate, int | None]] = {}
    for candidate, parent in found:
        wanted.setdefault((hosts[candidate.host], candidate.url_hash), (candidate, parent))
    new = db.unseen(list(wanted))
    rows = []
    for key, (candidate, parent) in wanted.items():
        if key in new:
            todo = _todo(key, candidate.url, candidate.depth, candidate.rank)
            given = candidate.callback, candidate.extra
            rows.append(todo._replace(parent_id=parent, callback=given[0], extra=given[1]))
    db.queue(rows)
    return len(rows)


def _todo(key: tuple[int, int], url: str, depth: int, rank: int, again: int = FIRST) -> Todo:
    return Todo(key[0], rank, 0, key[1], url, depth, 0, 0.0, None, None, None, again)


def _queue(db: ClaimedStore, where: str) -> int:
    """Queue the requests of the pages that fulfil a condition again, and return their number."""
    stored = outcome.names("stored")
    number = f"CASE WHEN outcome IN ({stored}) THEN {RENEWAL} ELSE {FIRST} END"
    return db.queue_pages(Again(where, number, "NULL"))
