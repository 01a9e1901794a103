"""One connection to PostgreSQL: made again when it is lost, and as safe behind a pooler.

Everything runs in a transaction that begins with `SET LOCAL`: a pooler in transaction mode gives
each transaction another session. Statements have names only where no pooler stands between.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from crawler.errors import StoreError, StoreFull, StoreLocked, StoreRefused
from crawler.store.address import DatabaseAddress

if TYPE_CHECKING:
    import asyncpg

T = TypeVar("T")
log = logging.getLogger(__name__)

TIMEOUT = 60.0  # seconds that one statement may take: a connection that is dead says nothing
_PAUSE = 0.25  # seconds between two tries to connect
_TOLD_AFTER = 5.0
# Of long texts, such as lists of links: a fifth of the CPU that pglz takes, the usual way.
_COMPRESSES = "; SET LOCAL default_toast_compression TO lz4"
AGAIN = ("40001", "40P01", "55P03")
"""Serialization failure, deadlock, lock not available: the same transaction is run once more."""
_NOT_YET = ("57P03", "53300", "08")  # starting or stopping, too many connections, connection lost


def asyncpg_module() -> Any:
    """Return asyncpg; StoreRefused says how to get it where it is missing."""
    try:
        import asyncpg
    except ImportError:
        raise StoreRefused("PostgreSQL needs asyncpg: pip install 'crawlkeep[postgres]'") from None
    return asyncpg


def server_errors() -> tuple[type[Exception], ...]:
    """Return what the server, the driver or the connection raises."""
    asyncpg = asyncpg_module()
    driver = (asyncpg.InterfaceError, asyncpg.InternalClientError)
    return (asyncpg.PostgresError, *driver, OSError, TimeoutError)


def is_lost(error: BaseException) -> bool:
    """Return whether an error says that the connection, not the statement, is at fault."""
    asyncpg = asyncpg_module()
    if isinstance(
        error, (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError)
    ):
        return not isinstance(error, asyncpg.DataError)
    state = getattr(error, "sqlstate", None) or ""
    return state.startswith(("08", "57P")) or state == "53300"


def to_store_error(address: DatabaseAddress, error: BaseException) -> StoreError:
    """Return the StoreError for what PostgreSQL or asyncpg says, with the way out."""
    said = (str(error).splitlines() or [type(error).__name__])[0]
    state = getattr(error, "sqlstate", None) or ""
    if state.startswith("28"):
        return StoreRefused(f"{address}: {said}; give the user and PGPASSWORD, or ~/.pgpass")
    if state == "3D000":
        return StoreRefused(f"{address}: {said}; make it: createdb NAME")
    if state == "42501":
        return StoreRefused(f"{address}: {said}; GRANT CREATE ON DATABASE to this user")
    if state == "53100":
        return StoreFull(f"{address}: the server's disk is full; what was committed is safe")
    if state == "55P03":
        return StoreLocked(f"{address}: locked by another session; see: crawler doctor")
    if is_lost(error):
        return StoreError(f"{address}: no connection ({said}); run the same command again")
    return StoreError(f"{address}: {said}")


class Connection:
    """A connection of one task at a time, to one crawl's schema."""

    def __init__(
        self, address: DatabaseAddress, *, patience: float = 60.0, timeout: float = TIMEOUT
    ) -> None:
        """`patience`: seconds for which a server that does not answer is asked again.

        `timeout`: seconds that one statement may take.
        """
        self.address = address
        self._patience, self._timeout = patience, timeout
        self._db: asyncpg.Connection | None = None
        self.pooled = False
        self._compresses = ""
        self.ended = False
        self.lock = asyncio.Lock()

    @property
    def begin(self) -> str:
        """What every transaction begins with."""
        path = f'BEGIN; SET LOCAL search_path TO "{self.address.crawl}", pg_catalog'
        return path + self._compresses

    def stop_waiting(self) -> None:
        """Wait no more for a server that does not answer."""
        self.ended = True

    async def open(self) -> None:
        """Connect, waiting for a server that starts; StoreError says why not."""
        began, told = time.monotonic(), False
        while True:
            try:
                self._db = await self._connect()
                return
            except server_errors() as error:
                waited = time.monotonic() - began
                patient = is_lost(error) and waited < self._patience and not self.ended
                if not patient:
                    raise to_store_error(self.address, error) from error
                if waited > _TOLD_AFTER and not told:
                    told = True
                    log.warning("%s: no connection yet; still trying", self.address)
            await asyncio.sleep(_PAUSE)

    async def _connect(self) -> asyncpg.Connection:
        asyncpg = asyncpg_module()
        options: dict[str, Any] = {"dsn": self.address.dsn, "command_timeout": self._timeout}
        if self.pooled:
            options["statement_cache_size"] = 0
        db = await asyncpg.connect(**options, timeout=10)
        if not self.pooled:
            session = await _session(db)
            if session is not None and session["lz4"]:
                self._compresses = _COMPRESSES
            # A pooler gives a number of its own for the session.
            if session is None or session["pid"] != db.get_server_pid():
                self.pooled = True
                db.terminate()
                db = await self._connect()
        return db

    async def close(self) -> None:
        """Close it; a transaction that is open is rolled back by the server."""
        db, self._db = self._db, None
        if db is not None:
            with suppress(*server_errors()):
                await db.close(timeout=2)
            db.terminate()

    async def reopen(self) -> None:
        """Drop what is left of a lost connection, and connect again."""
        db, self._db = self._db, None
        if db is not None:
            db.terminate()
        await self.open()

    @asynccontextmanager
    async def transaction(self, first: str = "") -> AsyncIterator[asyncpg.Connection]:
        """Run the block in a transaction; `first` is a statement that goes with its beginning.

        Errors are those of asyncpg; whoever calls says which of them are tried again.
        """
        db = self._db
        if db is None or db.is_closed():
            raise ConnectionError("the connection is closed")
        committed = False
        try:
            await db.execute(f"{self.begin}; {first}" if first else self.begin)
            yield db
            await db.execute("COMMIT")
            committed = True
        finally:
            if not committed and not db.is_closed():
                with suppress(*server_errors()):
                    await db.execute("ROLLBACK")

    async def run(self, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
        """Run a transaction that may be run twice, until it came through; StoreError otherwise.

        Cancelling waits for its end: half-way through, the connection would be good for nothing.
        """
        turn = asyncio.ensure_future(self._through(work))
        try:
            return await asyncio.shield(turn)
        except asyncio.CancelledError:
            await asyncio.wait([turn])
            if not turn.cancelled():
                turn.exception()  # whoever cancels has a reason of its own
            raise

    async def _through(self, work: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
        began = time.monotonic()
        while True:
            try:
                async with self.lock, self.transaction() as db:
                    return await work(db)
            except server_errors() as error:
                await self.mend(error, began)

    async def mend(self, error: BaseException, began: float) -> None:
        """Let what failed be tried again, or raise: connect anew, or wait for others."""
        late = time.monotonic() - began > self._patience
        if is_lost(error) and not late:
            async with self.lock:
                await self.reopen()
        elif getattr(error, "sqlstate", None) in AGAIN and not late:
            await asyncio.sleep(0.02)
        else:
            raise to_store_error(self.address, error) from error


async def _session(db: asyncpg.Connection) -> Any:
    """Return the number of the server's process, and whether it has LZ4.

    None where a pooler has given somebody else's session.
    """
    try:
        return await db.fetchrow(
            "SELECT pg_backend_pid() AS pid, 'lz4' = ANY (enumvals) AS lz4 FROM pg_settings"
            " WHERE name = 'default_toast_compression'"
        )
    except asyncpg_module().DuplicatePreparedStatementError:
        return None
