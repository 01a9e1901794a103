"""What pages told of traps and of near duplicates, in the commit of the pages."""

from __future__ import annotations

from collections.abc import Iterable

from crawler.links.endless import TEXTS
from crawler.store.statements import Statements
from crawler.web.pattern_note import PatternNote
from crawler.web.visit import Visit

_OVERFLOW = 1 << 63  # SQLite's integers have a sign, a hash has none
# Visits of one flush may come in another order than their pages were looked at.
_PATTERN = (
    "INSERT INTO patterns VALUES (?, ?, ?, ?, ?) ON CONFLICT (pattern) DO UPDATE SET"
    " pages = excluded.pages, known = excluded.known, repeats = excluded.repeats"
    " WHERE excluded.pages >= patterns.pages"
)

_SIMHASH = (
    "INSERT INTO simhashes VALUES (?, ?)"
    " ON CONFLICT (page_id) DO UPDATE SET simhash = excluded.simhash"
)
_TEXT = (
    "INSERT INTO pattern_texts VALUES (?, ?, ?, ?)"
    " ON CONFLICT (key, slot) DO UPDATE SET text = excluded.text, page = excluded.page"
)


async def insert(db: Statements, ended: Iterable[tuple[int, Visit]]) -> None:
    """Store the simhashes of new texts, and the patterns that turned out to be endless."""
    hashes, patterns, notes = [], [], []
    for page_id, visit in ended:
        if visit.simhash is not None:
            hashes.append((page_id, _signed(visit.simhash)))
        if visit.pattern is not None:
            notes.append(visit.pattern)
        if visit.endless is not None:
            patterns.append((visit.endless, visit.todo.url))
    if hashes:
        await db.executemany(_SIMHASH, hashes)
    if patterns:
        await db.executemany("INSERT INTO endless VALUES (?, ?) ON CONFLICT DO NOTHING", patterns)
    if notes:
        await _insert_notes(db, notes)
    if patterns:
        await db.execute(
            "DELETE FROM pattern_texts WHERE key IN"
            " (SELECT key FROM patterns JOIN endless USING (pattern))"
        )


async def _insert_notes(db: Statements, notes: list[PatternNote]) -> None:
    """Store where patterns stand, and their new texts, each in the place of the oldest one."""
    keys = {note.pattern: _signed(note.key) for note in notes}
    counts = [(n.pattern, keys[n.pattern], n.pages, n.known, n.repeats) for n in notes]
    await db.executemany(_PATTERN, counts)
    texts = [
        (keys[note.pattern], (note.known - behind) % TEXTS, _signed(new), note.page)
        for note in notes
        for behind, new in enumerate(reversed(note.new), start=1)
    ]
    if texts:
        await db.executemany(_TEXT, texts)


def _signed(number: int) -> int:
    return number - 2 * _OVERFLOW * (number >= _OVERFLOW)


async def simhashes(db: Statements, limit: int) -> list[tuple[int, str]]:
    """Return the last simhashes and the URLs of their pages, the oldest first."""
    rows = list(
        await db.execute_fetchall(
            "SELECT simhash, url FROM simhashes JOIN pages USING (page_id)"
            " WHERE duplicate_of IS NULL ORDER BY page_id DESC LIMIT ?",
            (limit,),
        )
    )
    return [(number % (2 * _OVERFLOW), url) for number, url in reversed(rows)]


async def near_texts(db: Statements, limit: int) -> list[tuple[int, str, int, str | None]]:
    """Return the last pages with a simhash: page id, URL, simhash, and what they are marked as."""
    rows = await db.execute_fetchall(
        "SELECT page_id, url, simhash, duplicate_of FROM simhashes JOIN pages USING (page_id)"
        " ORDER BY page_id DESC LIMIT ?",
        (limit,),
    )
    return [(page, url, number % (2 * _OVERFLOW), mark) for page, url, number, mark in rows]


async def endless(db: Statements) -> list[str]:
    """Return the patterns that are closed."""
    return [pattern for (pattern,) in await db.execute_fetchall("SELECT pattern FROM endless")]


async def patterns(
    db: Statements, limit: int, most_texts: int
) -> list[tuple[PatternNote, dict[int, int]]]:
    """Return where the largest patterns stand, the smallest first, with the texts of each.

    Texts lead to their pages, the oldest first; beyond `most_texts` the smaller have none.
    """
    rows = await db.execute_fetchall(
        "SELECT pattern, key, pages, known, repeats FROM patterns"
        " WHERE pattern NOT IN (SELECT pattern FROM endless) ORDER BY pages DESC LIMIT ?",
        (limit,),
    )
    found = []
    for pattern, key, pages, known, repeats in rows:
        texts = await _texts(db, key, known) if known and most_texts > 0 else {}
        most_texts -= len(texts)
        found.append((PatternNote(pattern, pages, known, repeats), texts))
    return found[::-1]


async def _texts(db: Statements, key: int, known: int) -> dict[int, int]:
    rows = await db.execute_fetchall(
        "SELECT text, page FROM pattern_texts WHERE key = ?1 AND slot < ?2"
        " ORDER BY (slot - ?2 % ?3 + ?3) % ?3",
        (key, known, TEXTS),
    )
    return {text % (2 * _OVERFLOW): page for text, page in rows}
