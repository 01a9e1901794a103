"""SQL that both stores understand, run on PostgreSQL: what differs is the spelling of parameters.

What stands beside the hot path (cookies, revisits, traps) is written once, with `?` and
`json_each(?)`; functions of the crawl's schema have the names that SQLite has.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import asyncpg

_MARK = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|\?(\d*)|:([a-z_]+)\b(?<!::)")
_NUL = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")


def clean(value: Any) -> Any:
    """Return a value as PostgreSQL takes it: NUL, which no text of it holds, becomes U+FFFD."""
    if isinstance(value, str):
        if "\0" in value:
            value = value.replace("\0", "\ufffd")
        if "\\u0000" in value and value[:1] in "[{":  # JSON
            value = _NUL.sub(r"\1\\ufffd", value)
    return value


def cleaned(rows: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
    """Return rows as PostgreSQL takes them; looked at column by column, as NUL is rare."""
    for side in zip(*rows, strict=True):
        if has_nul("".join([value for value in side if isinstance(value, str)])):
            return [tuple(map(clean, row)) for row in rows]
    return list(rows)


def has_nul(text: str) -> bool:
    """Return whether a text has a NUL, as it is or as JSON writes it."""
    return "\0" in text or ("\\" in text and "\\u0000" in text)


@lru_cache(maxsize=512)
def numbered(sql: str) -> str:
    """Return a statement with `$1` for `?`, and its JSON parameters as text."""
    count = 0

    def mark(found: re.Match[str]) -> str:
        nonlocal count
        if not found[0].startswith("?"):
            return found[0]
        count += 1
        return f"${found[1] or count}"

    text = _MARK.sub(mark, sql)
    return re.sub(r"json_each\((\$\d+)\)", r"json_each(\1::text)", text)


def literal(value: float | None) -> str:
    """Return a number, or nothing, as SQL."""
    return "NULL" if value is None else repr(value)


def inlined(sql: str, values: Sequence[Any]) -> tuple[str, list[Any]]:
    """Return a statement with its numbers in it, and the texts that are left as parameters.

    Of a number that is a parameter PostgreSQL must guess the type, in a sum of two it cannot.
    """
    kept: list[Any] = []
    places: dict[int, str] = {}
    count = 0

    def mark(found: re.Match[str]) -> str:
        nonlocal count
        if not found[0].startswith("?"):
            return found[0]
        count += 1
        place = int(found[1] or count) - 1
        if place not in places:
            value = values[place]
            if value is None or isinstance(value, (int, float)):
                places[place] = literal(value)
            else:
                kept.append(clean(value))
                places[place] = f"${len(kept)}"
        return places[place]

    text = _MARK.sub(mark, sql)
    return re.sub(r"json_each\((\$\d+)\)", r"json_each(\1::text)", text), kept


class PostgresStatements:
    """A transaction under the names that the shared code uses for a connection of aiosqlite."""

    def __init__(self, db: asyncpg.Connection) -> None:
        self.db = db

    async def execute_fetchall(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a statement, and return its rows."""
        text, kept = inlined(sql, values)
        return [tuple(row) for row in await self.db.fetch(text, *kept)]

    async def execute(self, sql: str, values: Sequence[Any] = ()) -> None:
        """Run a statement."""
        await self.execute_fetchall(sql, values)

    async def executemany(self, sql: str, rows: Iterable[Sequence[Any]]) -> None:
        """Run a statement for each row."""
        taken = cleaned(list(rows))
        if taken:
            await self.db.executemany(numbered(sql), taken)


# SQLite takes a condition with a CROSS JOIN, by which it keeps the order.
_CROSS = re.compile(r"\bCROSS JOIN ((?:(?!\bJOIN\b)[\s\S])*?\bON\b)", re.IGNORECASE)
_MATCHES = re.compile(r"('(?:[^']|'')*')|\b(NOT\s+)?(REGEXP|GLOB)\b", re.IGNORECASE)
_OPERATORS = {
    ("regexp", False): "~",
    ("regexp", True): "!~",
    ("glob", False): "~@",
    ("glob", True): "!~@",
}


def spelled(sql: str) -> str:
    """Return a query of SQLite as PostgreSQL spells it: CROSS JOIN … ON, REGEXP and GLOB."""
    sql = _CROSS.sub(r"JOIN \1", sql)
    lower = sql.lower()
    if "regexp" not in lower and "glob" not in lower:
        return sql
    return _MATCHES.sub(lambda m: m[1] or _OPERATORS[m[3].lower(), bool(m[2])], sql)
