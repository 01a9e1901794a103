"""Adding rows beside a crawl, for callers that are not asynchronous: no lease, no claim."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, TypeVar

from crawler.store.address import DatabaseAddress
from crawler.store.postgres.connection import Connection
from crawler.store.postgres.schema import migrate
from crawler.store.postgres.thread import LoopThread

if TYPE_CHECKING:
    import asyncpg

T = TypeVar("T")


class Appender:
    """A connection that inserts what no crawl writes."""

    def __init__(self, address: DatabaseAddress) -> None:
        """Connect, and bring the schema to this version."""
        self._thread = LoopThread()
        self._connection = Connection(address, patience=5.0)
        with ExitStack() as undo:
            undo.callback(self.close)
            self._thread.wait(self._connection.open())
            self._thread.wait(migrate(self._connection))
            undo.pop_all()

    def run(self, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
        """Run a transaction, which may be run twice."""
        return self._thread.wait(self._connection.run(work))

    def close(self) -> None:
        """Close the connection."""
        try:
            self._thread.wait(self._connection.close())
        finally:
            self._thread.close()
