"""What a browser told of pages, as rows in the commit of the pages, and back from them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict

import zstandard

from crawler.store.rows import clean, to_json
from crawler.store.statements import Statements
from crawler.web.download_stream import address_of
from crawler.web.need_note import NeedNote
from crawler.web.rendered import PageFile, Xhr
from crawler.web.visit import Visit

TABLES = ("rendered_pages", "xhr_answers", "rendered_files")
"""What belongs to a page, and goes with it."""

_PAGE = "INSERT INTO rendered_pages VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
_XHR = "INSERT INTO xhr_answers VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
_FILE = "INSERT INTO rendered_files VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
_NEED = (
    "INSERT INTO rendering_needs VALUES (?, ?, ?, ?) ON CONFLICT (pattern) DO UPDATE SET"
    " renders = excluded.renders, agreed = excluded.agreed, reason = excluded.reason"
)


async def insert(db: Statements, ended: Sequence[tuple[int, Visit]]) -> None:
    """Store what is known of the rendered pages among these, and what was learnt of patterns."""
    needs = [visit.need for _, visit in ended if visit.need is not None]
    notes = [(n.pattern, int(n.renders), n.agreed, n.reason) for n in needs]
    if notes:
        await db.executemany(_NEED, notes)
    pages = [
        (page_id, visit.response.rendered)
        for page_id, visit in ended
        if visit.stored and visit.response is not None and visit.response.rendered is not None
    ]
    for page_id, rendered in pages:
        errors = to_json([clean(error) for error in rendered.errors])
        found = to_json([asdict(finding) for finding in rendered.findings])
        told = (rendered.browser, rendered.seconds, rendered.requests, rendered.why, errors, found)
        await db.execute(_PAGE, (page_id, *told))
        if rendered.xhr:
            await db.executemany(_XHR, _xhr_rows(page_id, rendered.xhr))
        if rendered.files:
            await db.executemany(_FILE, [_file_row(page_id, file) for file in rendered.files])


def _xhr_rows(page_id: int, answers: Iterable[Xhr]) -> list[tuple[object, ...]]:
    pack = zstandard.ZstdCompressor(level=1).compress
    return [
        (page_id, number, clean(url), status, pack(body))
        for number, (url, status, body) in enumerate(answers)
    ]


def _file_row(page_id: int, file: PageFile) -> tuple[object, ...]:
    digest = hashlib.sha256(file.data).hexdigest()
    return (page_id, file.name, file.content_type, address_of(digest), digest, len(file.data))


async def needs(db: Statements) -> list[NeedNote]:
    """Return what was learnt of patterns."""
    rows = await db.execute_fetchall("SELECT pattern, renders, agreed, reason FROM rendering_needs")
    return [NeedNote(row[0], bool(row[1]), row[2], row[3]) for row in rows]
