"""What runs a statement of either store: as a connection of aiosqlite does, within a transaction.

Statements beside the hot path are written once, in SQL that SQLite and PostgreSQL understand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

END_RECRAWL = (
    "DELETE FROM crawl WHERE key = 'recrawl' AND NOT EXISTS (SELECT 1 FROM todo WHERE again > 0)"
)
"""Ends a recrawl that has left nothing to do."""


class Statements(Protocol):
    """Runs statements with `?` for each parameter."""

    async def execute_fetchall(self, sql: str, values: Sequence[Any] = ..., /) -> Iterable[Any]:
        """Return the rows of a statement."""

    async def execute(self, sql: str, values: Sequence[Any] = ..., /) -> Any:
        """Run a statement."""

    async def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> Any:
        """Run a statement for each row."""
