"""Cookies: one row each, changed in the flush that holds the visits that changed them."""

from __future__ import annotations

from collections.abc import Sequence

from crawler.store import CookieRow
from crawler.store.rows import to_json
from crawler.store.statements import Statements

_KEY = "(session, domain, path, name)"
_PUT = """
INSERT INTO cookies
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?)
WHERE true ON CONFLICT (session, domain, path, name) DO UPDATE SET cookie = excluded.cookie
"""
_DROP = f"""
DELETE FROM cookies WHERE {_KEY} IN
    (SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?))
"""


async def write(db: Statements, rows: Sequence[CookieRow]) -> None:
    """Put or drop each row, within the transaction that is open."""
    kept = [row for row in rows if row.cookie is not None]
    gone = [row[:4] for row in rows if row.cookie is None]
    if gone:
        await db.execute(_DROP, (to_json(gone),))
    if kept:
        await db.execute(_PUT, (to_json(kept),))


async def read(db: Statements) -> list[CookieRow]:
    """Return every cookie."""
    rows = await db.execute_fetchall("SELECT session, domain, path, name, cookie FROM cookies")
    return [CookieRow(*row) for row in rows]
