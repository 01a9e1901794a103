"""Later visits to a page: what changed, what it was before, and when to come again.

A page keeps its row and its id. The row tells of the last visit that got an answer; what a visit
replaces goes to `page_versions`, what it found to `changes`. A failure of a page that was there
leaves all as it was: the page is not gone because a server had a bad day.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import zstandard

from crawler.config.revisit import RevisitSettings
from crawler.store import Retention, rendered
from crawler.store.rows import clean, content_hash_of, iso, to_json, unpack
from crawler.store.statements import Statements
from crawler.web.download_stream import is_stream
from crawler.web.outcome import Outcome, having
from crawler.web.request import NEEDED, feed_of
from crawler.web.visit import Visit

_GONE, STORED = having("gone"), having("stored")
_NEWS = ("changed", "touched", "gone", "redirected")  # of which the version before is kept
_LEFT = ("gone", "redirected")  # after which a page gives no items any more
_PARTS_OF_FEEDS = frozenset((Outcome.RECORDS, Outcome.RECORD_ERROR))
_WITH_ITEMS = STORED | _PARTS_OF_FEEDS
_LARGE = 1 << 17  # bytes of bodies whose texts take over 3 ms to compare
_PARTS = ("bodies", "link_lists", "texts", "simhashes", "page_usages", "files")
_TABLES = (*_PARTS, *rendered.TABLES, "pages")
_IDS = "(SELECT CAST(value AS BIGINT) FROM json_each(?))"
_URLS = "(SELECT value FROM json_each(?))"
_CHECK = (
    "INSERT INTO revisits VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (page_id) DO UPDATE SET"
    " checked_at = excluded.checked_at, every = excluded.every, due_at = excluded.due_at,"
    " visits = excluded.visits, changes = excluded.changes"
)


class KnownPage(NamedTuple):
    """The row of a page that was visited before."""

    page_id: int
    host_id: int
    url_hash: int
    url: str
    status: int | None
    outcome: str
    title: str | None
    content_hash: str | None
    fetched_at: str
    first_at: str | None
    content_type: str | None
    sha256: str | None = None  # of its file, where it is a download


class RevisitedPage(NamedTuple):
    """A visit to a page that was known, and what kind of change it found, None for none."""

    was: KnownPage
    visit: Visit
    kind: str | None
    digest: str | None

    @property
    def stays(self) -> bool:
        """Whether the row of the page stays: nothing of it changed, or nobody knows."""
        return self.visit.outcome is Outcome.NOT_MODIFIED or self.kind == "failed"


class RowPlan(NamedTuple):
    """Which visits become rows under which ids, and what they take the place of."""

    rows: list[tuple[int, Visit]]
    kept: list[tuple[int, Visit]]  # visits that leave the row of their page as it is
    replaced: list[int]  # pages whose earlier items make room for those that they give now
    gone: list[int]  # pages that are no longer there, whose items are marked
    left: list[KnownPage]  # the rows that make room
    first_at: dict[int, str]  # when pages whose rows make room were first visited
    failed: list[tuple[int, str]]  # pages that failed once more, and when they had before


def interval(every: float, changed: bool, bounds: RevisitSettings) -> float:
    """Return the seconds to the next visit: half after a change, half as much again after none."""
    return min(bounds.most, max(bounds.least, every / 2 if changed else every * 1.5))


def turns(pairs: Sequence[tuple[int, Visit]]) -> Iterator[list[tuple[int, Visit]]]:
    """Yield the visits in lists without two to one page, those to one page in their order.

    What a visit is compared with is what the one before it has left, also within one flush.
    """
    left = list(pairs)
    while left:
        now: dict[tuple[int, int], tuple[int, Visit]] = {}
        later = []
        for pair in left:
            todo = pair[1].todo
            if now.setdefault((todo.host_id, todo.url_hash), pair) is not pair:
                later.append(pair)
        yield list(now.values())
        left = later


async def compare(
    db: Statements,
    run_id: int,
    pairs: Sequence[tuple[int, Visit]],
    keep: Retention,
) -> RowPlan:
    """Write down what changed since the visits before; called inside the commit's transaction.

    The same few statements however many visits there are. No two of them are to one page.
    """
    known = await _known(db, [visit.todo.url for _, visit in pairs if not is_stream(visit)])
    new, found = [], []
    for page_id, visit in pairs:
        was = known.get((visit.todo.host_id, visit.todo.url_hash))
        if was is None or is_stream(visit):  # each batch of messages is a row of its own
            new.append((page_id, visit))
        else:
            found.append((was, visit))
    again = await _compared(db, found)
    await _insert_changes(db, run_id, new, again)
    failed = await _insert_checks(db, again, keep.revisit)
    replaced = [each for each in again if not each.stays]
    await _touch(db, [each for each in again if each.visit.outcome is Outcome.NOT_MODIFIED])
    await _replace(db, replaced, keep.versions)
    return RowPlan(
        rows=[*new, *((each.was.page_id, each.visit) for each in replaced)],
        kept=[(each.was.page_id, each.visit) for each in again if each.stays],
        replaced=[each.was.page_id for each in replaced if each.visit.outcome in _WITH_ITEMS],
        gone=[
            *(each.was.page_id for each in again if each.kind in _LEFT),
            *await _left_over(db, [visit for _, visit in pairs]),
        ],
        left=[each.was for each in replaced],
        first_at={e.was.page_id: e.was.first_at or e.was.fetched_at for e in replaced},
        failed=failed,
    )


async def _known(db: Statements, urls: list[str]) -> dict[tuple[int, int], KnownPage]:
    """Return the last row of each request to one of the URLs."""
    rows = await db.execute_fetchall(
        f"SELECT {', '.join(KnownPage._fields[:-1])},"
        " (SELECT sha256 FROM files WHERE files.page_id = pages.page_id) FROM pages"
        f" WHERE url IN {_URLS} ORDER BY page_id",
        (to_json(urls),),
    )
    return {(row[1], row[2]): KnownPage(*row) for row in rows}


async def _left_over(db: Statements, visits: Iterable[Visit]) -> list[int]:
    """Return the parts that feeds had beyond those of today: their records are gone.

    They are older than their feed, whose last part is among the visits.
    """
    found: list[int] = []
    for visit in visits:
        if visit.outcome is not Outcome.RECORDS or any(c.needed for c in visit.candidates):
            continue
        todo, feed = visit.todo, feed_of(visit.todo)
        if todo.again != NEEDED:  # one part, once more
            continue
        rows = await db.execute_fetchall(
            "SELECT page_id, request FROM pages WHERE url = ? AND host_id = ?"
            f" AND outcome IN ('{Outcome.RECORDS}', '{Outcome.RECORD_ERROR}')"
            " AND fetched_at < (SELECT max(fetched_at) FROM pages WHERE url = ? AND host_id = ?"
            " AND url_hash = ?)",
            (todo.url, todo.host_id, todo.url, todo.host_id, feed),
        )
        found += [page_id for page_id, said in rows if feed_of(todo._replace(extra=said)) == feed]
    return found


# ---------------------------------------------------------------- what a visit found


async def _compared(db: Statements, found: list[tuple[KnownPage, Visit]]) -> list[RevisitedPage]:
    """Return what kind of change each visit found."""
    again = []
    for was, visit in found:
        digest = digest_of(visit)
        again.append(RevisitedPage(was, visit, _kind(was, visit, digest), digest))
    unsure = [each for each in again if each.kind == "changed" and _is_html(each.visit)]
    if not unsure:
        return again
    ids = to_json([each.was.page_id for each in unsure])
    sql = f"SELECT page_id, body FROM bodies WHERE page_id IN {_IDS}"
    bodies: dict[int, bytes] = {row[0]: row[1] for row in await db.execute_fetchall(sql, (ids,))}
    large = sum(map(len, bodies.values())) > _LARGE
    same = await asyncio.to_thread(_alike, unsure, bodies) if large else _alike(unsure, bodies)
    return [e._replace(kind="touched") if e.was.page_id in same else e for e in again]


def _kind(was: KnownPage, visit: Visit, digest: str | None) -> str | None:
    """Return what kind of change a visit found, None for none, where texts are not compared."""
    before, now = was.outcome in STORED, visit.stored
    if visit.outcome is Outcome.NOT_MODIFIED:
        return None
    if before and now:
        return None if _digest_before(was) == digest else "changed"
    if now:
        return "back" if was.first_at is not None else "new"
    if not before:
        return None
    if visit.outcome is Outcome.REDIRECT:
        return "redirected"
    return "gone" if visit.outcome in _GONE else "failed"


def digest_of(visit: Visit) -> str | None:
    """Return what tells the content of a visit: the sha256 of a file, else the hash of the body."""
    return content_hash_of(visit) if visit.file is None else visit.file.sha256


def _digest_before(was: KnownPage) -> str | None:
    return was.content_hash if was.sha256 is None else was.sha256


def _is_html(visit: Visit) -> bool:
    return visit.response is not None and visit.response.is_html


def _alike(unsure: Iterable[RevisitedPage], bodies: dict[int, bytes]) -> set[int]:
    """Return the ids of pages whose reader sees the same as before; none without its old body."""
    from crawler.parse.comparison import is_same  # slow to import, and for changed pages alone

    same = set()
    for was, visit, *_ in unsure:
        body, response = bodies.get(was.page_id), visit.response
        if body is None or response is None:
            continue
        try:
            old = unpack(body)
        except zstandard.ZstdError:
            continue  # a damaged body: what replaces it is news
        if is_same(response.body, old, response.headers.get("Content-Type")):
            same.add(was.page_id)
    return same


# ---------------------------------------------------------------- what is written


async def _touch(db: Statements, same: list[RevisitedPage]) -> None:
    """Write when pages that are as they were were looked at; their run is the one that has them."""
    rows = [(iso(visit.at), was.first_at or was.fetched_at, was.page_id) for was, visit, *_ in same]
    if rows:
        await db.executemany(
            "UPDATE pages SET fetched_at = ?, first_at = ? WHERE page_id = ?", rows
        )


async def _replace(db: Statements, replaced: list[RevisitedPage], versions: int) -> None:
    """Move the rows of pages out of the way, into `page_versions` where they are news."""
    if not replaced:
        return
    news = to_json([each.was.page_id for each in replaced if each.kind in _NEWS])
    if versions and news != "[]":
        await db.execute(
            "INSERT INTO page_versions SELECT p.page_id, (SELECT coalesce(max(version), 0) + 1 FROM"
            " page_versions AS v WHERE v.page_id = p.page_id), p.run_id, p.fetched_at, status,"
            " outcome, title, coalesce(f.sha256, content_hash), p.size, body FROM pages AS p"
            " LEFT JOIN bodies AS b ON b.page_id = p.page_id"
            f" LEFT JOIN files AS f ON f.page_id = p.page_id WHERE p.page_id IN {_IDS}",
            (news,),
        )
        await db.execute(
            f"DELETE FROM page_versions WHERE page_id IN {_IDS} AND version <= (SELECT max(version)"
            " FROM page_versions AS v WHERE v.page_id = page_versions.page_id) - ?",
            (news, versions),
        )
    ids = to_json([each.was.page_id for each in replaced])
    for table in _TABLES:
        await db.execute(f"DELETE FROM {table} WHERE page_id IN {_IDS}", (ids,))


async def _insert_changes(
    db: Statements, run_id: int, new: list[tuple[int, Visit]], again: list[RevisitedPage]
) -> None:
    rows = [
        _change(page_id, run_id, visit, ("new", digest_of(visit)))
        for page_id, visit in new
        if visit.stored
    ]
    for was, visit, kind, digest in again:
        if kind is not None:
            rows.append(_change(was.page_id, run_id, visit, (kind, digest), was))
    if rows:
        await db.executemany(
            "INSERT INTO changes (page_id, url, run_id, at, kind, status_before, status,"
            " outcome_before, outcome, title_before, title, hash_before, hash, redirect_to)"
            f" VALUES ({', '.join('?' * 14)})",
            rows,
        )


def _change(
    page_id: int,
    run_id: int,
    visit: Visit,
    found: tuple[str, str | None],
    was: KnownPage | None = None,
) -> tuple[Any, ...]:
    kind, digest = found
    before = (was.status, was.outcome, was.title, _digest_before(was)) if was else (None,) * 4
    return (
        *(page_id, visit.todo.url, run_id, iso(visit.at), kind),
        *(before[0], visit.status, before[1], str(visit.outcome), before[2], clean(visit.title)),
        *(before[3], digest, visit.redirect_to),
    )


async def _insert_checks(
    db: Statements, again: list[RevisitedPage], bounds: RevisitSettings
) -> list[tuple[int, str]]:
    """Write when each page is due again; return those that failed as before, and when that was."""
    if not again:
        return []
    ids = to_json([each.was.page_id for each in again])
    found = await db.execute_fetchall(
        f"SELECT page_id, every, visits, changes, checked_at FROM revisits WHERE page_id IN {_IDS}",
        (ids,),
    )
    known = {row[0]: row[1:] for row in found}
    now = time.time()
    rows, failed = [], []
    for was, visit, kind, _ in again:
        changed = kind not in (None, "touched", "failed")
        first = (bounds.first, 1, 0, was.fetched_at)
        every, visits, changes, checked_at = known.get(was.page_id, first)
        if kind == "failed" and checked_at != was.fetched_at:
            failed.append((was.page_id, checked_at))
        elif not visit.stored and was.outcome not in STORED:
            failed.append((was.page_id, was.fetched_at))
        every = interval(every, changed, bounds)
        row = (was.page_id, iso(visit.at), every, iso(now + every), visits + 1, changes + changed)
        rows.append(row)
    await db.executemany(_CHECK, rows)
    return failed
