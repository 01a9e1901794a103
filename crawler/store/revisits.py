"""Later visits to a page: what changed, what it was before, and when to come again.

A page keeps its row and its id. The row tells of the last visit that got an answer; what a visit
replaces goes to `page_versions`, what it found to `changes`. A failure of a page that was there
leaves all as it was: the page is not gone because a server had a bad day.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import aiosqlite
import zstandard

from crawler.charset import decode
from crawler.config import Revisit
from crawler.outcome import Outcome, having
from crawler.page import Visit
from crawler.readable import text_of
from crawler.store import Keep
from crawler.store.rows import content_hash_of, iso, to_json, unpack

_GONE, _PRESENT = having("gone"), having("stored")


class Known(NamedTuple):
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


class Settled(NamedTuple):
    """Which visits become rows under which ids, and what they take the place of."""

    rows: list[tuple[int, Visit]]
    replaced: list[int]  # pages whose earlier items go
    first_at: dict[int, str]
    pages: int  # stored pages that were counted before
    kept: list[tuple[int, Visit]]  # visits that leave the row of their page as it is


def interval(every: float, changed: bool, bounds: Revisit) -> float:
    """Give the seconds until the next visit: half after a change, half as much again after none."""
    return min(bounds.most, max(bounds.least, every / 2 if changed else every * 1.5))


async def settle(
    db: aiosqlite.Connection,
    run_id: int,
    pairs: Sequence[tuple[int, Visit]],
    keep: Keep,
) -> Settled:
    """Write down what changed since the visits before; called inside the commit's transaction."""
    known = await _known(db, [visit.todo.url for _, visit in pairs])
    settled = Settled([], [], {}, 0, [])
    changes, checks, counted = [], [], 0
    for page_id, visit in pairs:
        was = known.pop((visit.todo.host_id, visit.todo.url_hash), None)
        if was is None:
            settled.rows.append((page_id, visit))
            if visit.stored:
                changes.append(_change(page_id, run_id, visit, "new", None))
            continue
        kind = await _kind(db, was, visit)
        if kind is not None:
            changes.append(_change(was.page_id, run_id, visit, kind, was))
        checks.append((was.page_id, iso(visit.at), kind not in (None, "touched", "failed")))
        if visit.outcome is Outcome.NOT_MODIFIED:
            await _touch(db, was, run_id, visit)
        elif kind != "failed":
            counted += was.outcome in _PRESENT
            await _replace(db, was, kind, keep.versions)
            settled.rows.append((was.page_id, visit))
            settled.first_at[was.page_id] = was.first_at or was.fetched_at
            if visit.stored:
                settled.replaced.append(was.page_id)
            continue
        settled.kept.append((was.page_id, visit))
    await _insert_changes(db, changes)
    await _insert_checks(db, checks, keep.revisit)
    return settled._replace(pages=counted)


async def note_first(db: aiosqlite.Connection, first_at: dict[int, str]) -> None:
    """Write when pages that were replaced had first been visited."""
    rows = [(at, page_id) for page_id, at in first_at.items()]
    await db.executemany("UPDATE pages SET first_at = ? WHERE page_id = ?", rows)


async def _known(db: aiosqlite.Connection, urls: list[str]) -> dict[tuple[int, int], Known]:
    rows = await db.execute_fetchall(
        f"SELECT {', '.join(Known._fields)} FROM pages"
        " WHERE url IN (SELECT value FROM json_each(?)) ORDER BY page_id",
        (to_json(urls),),
    )
    return {(row[1], row[2]): Known(*row) for row in rows}


async def _kind(db: aiosqlite.Connection, was: Known, visit: Visit) -> str | None:
    """Give what kind of change a visit found, None for none."""
    before, now = was.outcome in _PRESENT, visit.stored
    if visit.outcome is Outcome.NOT_MODIFIED:
        return None
    if before and now:
        if was.content_hash == content_hash_of(visit):
            return None
        return "touched" if await _same_text(db, was, visit) else "changed"
    if now:
        return "back" if was.first_at is not None else "new"
    if not before:
        return None
    if visit.outcome is Outcome.REDIRECT:
        return "redirected"
    return "gone" if visit.outcome in _GONE else "failed"


async def _same_text(db: aiosqlite.Connection, was: Known, visit: Visit) -> bool:
    """Tell whether a reader sees the same as before; no when the old body was not kept."""
    rows = list(
        await db.execute_fetchall("SELECT body FROM bodies WHERE page_id = ?", (was.page_id,))
    )
    if not rows or visit.response is None or not visit.response.is_html:
        return False
    try:
        old = unpack(rows[0][0])
    except zstandard.ZstdError:
        return False  # a damaged body: what replaces it is news
    kind = visit.response.headers.get("Content-Type")
    return text_of(decode(old, kind)[0]) == text_of(decode(visit.response.body, kind)[0])


async def _touch(db: aiosqlite.Connection, was: Known, run_id: int, visit: Visit) -> None:
    await db.execute(
        "UPDATE pages SET fetched_at = ?, run_id = ?, first_at = ? WHERE page_id = ?",
        (iso(visit.at), run_id, was.first_at or was.fetched_at, was.page_id),
    )


async def _replace(db: aiosqlite.Connection, was: Known, kind: str | None, versions: int) -> None:
    """Move a page's row out of the way, into `page_versions` where it is news."""
    page_id = was.page_id
    if kind in ("changed", "touched", "gone", "redirected") and versions:
        await db.execute(
            "INSERT INTO page_versions SELECT page_id, (SELECT coalesce(max(version), 0) + 1 FROM"
            " page_versions WHERE page_id = ?1), run_id, fetched_at, status, outcome, title,"
            " content_hash, size, body FROM pages LEFT JOIN bodies USING (page_id)"
            " WHERE page_id = ?1",
            (page_id,),
        )
        await db.execute(
            "DELETE FROM page_versions WHERE page_id = ?1 AND version <= (SELECT max(version)"
            " FROM page_versions WHERE page_id = ?1) - ?2",
            (page_id, versions),
        )
    for table in ("bodies", "link_lists", "texts", "simhashes", "pages"):
        await db.execute(f"DELETE FROM {table} WHERE page_id = ?", (page_id,))


def _change(
    page_id: int, run_id: int, visit: Visit, kind: str, was: Known | None
) -> tuple[Any, ...]:
    before = (was.status, was.outcome, was.title, was.content_hash) if was else (None,) * 4
    return (
        *(page_id, visit.todo.url, run_id, iso(visit.at), kind),
        *(before[0], visit.status, before[1], str(visit.outcome), before[2], visit.title),
        *(before[3], content_hash_of(visit), visit.redirect_to),
    )


async def _insert_changes(db: aiosqlite.Connection, changes: list[tuple[Any, ...]]) -> None:
    await db.executemany(
        "INSERT INTO changes (page_id, url, run_id, at, kind, status_before, status,"
        " outcome_before, outcome, title_before, title, hash_before, hash, redirect_to)"
        f" VALUES ({', '.join('?' * 14)})",
        changes,
    )


async def _insert_checks(
    db: aiosqlite.Connection, checks: list[tuple[int, str, bool]], bounds: Revisit
) -> None:
    """Write when each page is due again."""
    ids = to_json([page_id for page_id, _, _ in checks])
    found = await db.execute_fetchall(
        "SELECT page_id, every, visits, changes FROM revisits"
        " WHERE page_id IN (SELECT value FROM json_each(?))",
        (ids,),
    )
    known = {row[0]: row[1:] for row in found}
    now = time.time()
    rows = []
    for page_id, at, changed in checks:
        every, visits, changes = known.get(page_id, (bounds.first, 1, 0))
        every = interval(every, changed, bounds)
        rows.append((page_id, at, every, iso(now + every), visits + 1, changes + changed))
    await db.executemany("INSERT OR REPLACE INTO revisits VALUES (?, ?, ?, ?, ?, ?)", rows)
