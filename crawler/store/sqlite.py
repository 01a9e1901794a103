"""The store on one SQLite file.

WAL, one writer connection, one transaction a flush. aiosqlite queues statements, not
transactions, so exactly one task, the committer, may call `commit`. Each step of a flush is one
call to the writer's thread over all its rows (docs/decisions/0003-flush.md has what was measured).
"""

from __future__ import annotations

import logging
import math
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import aiosqlite

from crawler.errors import StoreRefused
from crawler.store import (
    Batch,
    Committed,
    CookieRow,
    CrawlState,
    HostRow,
    Retention,
    RobotsRow,
    cookies,
    damage,
    fingerprints,
    lock,
    rendered,
)
from crawler.store.address import StoreFile, make_private
from crawler.store.claim import Claim
from crawler.store.contract import CUT_SHORT
from crawler.store.flush import HOSTS, Flush
from crawler.store.rows import (
    iso,
)
from crawler.store.schema import migrate
from crawler.store.sqlite_errors import to_store_error
from crawler.store.statements import END_RECRAWL
from crawler.store.steering import SteeredSqlite
from crawler.store.wal import WalFile
from crawler.version import __version__
from crawler.web.need_note import NeedNote
from crawler.web.outcome import names
from crawler.web.pattern_note import PatternNote
from crawler.web.request import Todo

T = TypeVar("T")
_WAL_PAGES = 12_000  # 48 MB: what many flushes change is copied into the file once
_CACHE = (16_000, 64_000)  # KB of the file in memory: at first, and with millions of URLs
_AGAIN = "SELECT host_id FROM todo WHERE again > 0"
_PER_URL = 1 / 24  # KB: what seen and todo take for a URL is 150 bytes, and not all of it is busy


# Its debug lines print the values of every statement: cookies, and the bodies of pages.
logging.getLogger("aiosqlite").setLevel(logging.INFO)


class SqliteStore(SteeredSqlite):
    """A crawl's durable state in one file (see `store.Store`)."""

    shared = False

    def __init__(
        self,
        path: str | Path,
        *,
        durable: str,
        keep: Retention,
        lock_timeout: float = lock.TIMEOUT,
    ) -> None:
        self.path = Path(path)
        self.durable = durable
        self._keep = keep
        self._claim = Claim(self.path)
        self._file = StoreFile(self.path)
        self._log = WalFile(self.path)
        self._lock_timeout, self._stops_waiting = lock_timeout, False
        self._cache = 0  # KB
        self._db: aiosqlite.Connection
        self._flush: Flush

    async def open(self) -> CrawlState:
        """Claim and open the file, migrating it where needed; StoreError says why not."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreRefused(f"{self.path}: {error.strerror}; choose another --store") from None
        self._claim.take()
        async with AsyncExitStack() as undo:
            undo.push_async_callback(self.close)
            with suppress(OSError):  # SQLite says it better
                make_private(self.path)
            with self._named_errors():
                self._db = await aiosqlite.connect(
                    self.path, isolation_level=None, timeout=lock.MOMENT
                )
                state = await self._prepare()
            self._file.note()
            undo.pop_all()
        return state

    async def _prepare(self) -> CrawlState:
        db = self._db

        async def made() -> None:
            await db.execute_fetchall(
                f"PRAGMA synchronous = {'FULL' if self.durable == 'full' else 'NORMAL'}"
            )
            await migrate(db, self.path)

        await self._unlocked(made)
        await db.execute_fetchall(f"PRAGMA wal_autocheckpoint = {_WAL_PAGES}")
        await db.execute_fetchall("PRAGMA journal_size_limit = 67108864")
        await db.execute_fetchall("PRAGMA temp_store = MEMORY")
        values = dict(await self._all("SELECT key, value FROM crawl"))
        for key in ("next_seq", "next_page_id", "pages"):
            damage.whole(values, key, 1, self.path)
        self._flush = Flush(db, self._keep)
        await self._flush.load(values)
        await self._fit_cache()
        [(pending,)] = await self._all(
            "SELECT coalesce(sum(pending), 0) FROM hosts WHERE pending > 0"
        )
        [(runs,)] = await self._all("SELECT count(*) FROM runs")
        [(again,)] = await self._all("SELECT count(*) FROM todo WHERE again > 0")
        scope = damage.scope(values.get("scope"), self.path)
        [(items,)] = await self._all(
            "SELECT coalesce(sum(value), 0) FROM counters WHERE name = 'items.stored'"
        )
        last = await self._all("SELECT state, ended_at FROM runs ORDER BY run_id DESC LIMIT 1")
        state, ended = last[0] if last else ("finished", None)
        return CrawlState(
            values.get("spider"),
            bool(values.get("seeded")),
            pending,
            values.get("pages", 0),
            runs,
            scope,
            values.get("arguments"),
            again,
            values.get("state"),
            items,
            self._asked_until(state, ended),
            state in CUT_SHORT,
        )

    def _asked_until(self, state: str, ended: Any) -> float:
        """Return until when a host may have been asked of which no commit tells.

        A run that finished has committed all its starts. One that was interrupted may have cut
        some off, up to its end; one that was killed has told of no end, but promised to start none
        after a certain time. Without its word it may have died just now.
        """
        if state == "finished":
            return 0.0
        with suppress(TypeError, ValueError):  # a damaged time is none
            if state in ("interrupted", "stopped", "failed"):
                return min(time.time(), datetime.fromisoformat(ended).timestamp())
        return min(time.time(), self._claim.left_at or math.inf)

    async def close(self) -> None:
        """Close the file and give up the claim."""
        try:
            if hasattr(self, "_db"):
                with self._named_errors():
                    if self._file.missing:
                        await self._complete_moved()
                    await self._db.close()
        finally:
            self._claim.release()

    async def _complete_moved(self) -> None:
        """Bring the log into a file that was moved away: SQLite leaves the two apart."""
        with suppress(sqlite3.DatabaseError):  # what was wrong before is told already
            [(busy, *_)] = await self._db.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
            if not busy:
                self._file.remove_rest()

    async def _all(self, sql: str, values: Sequence[Any] = ()) -> list[Any]:
        with self._named_errors():
            return list(await self._unlocked(lambda: self._db.execute_fetchall(sql, values)))

    # ------------------------------------------------------------ runs

    async def begin_run(self, spider: str, settings: str, arguments: str | None = None) -> int:
        """Record that a run starts, close what a killed one left open, and return its id."""
        async with self._transaction():
            now = iso(time.time())
            items = await self._flush.highest_items()
            await self._db.execute(
                "UPDATE runs SET state = 'killed', ended_at = ? WHERE state = 'running'", (now,)
            )
            await self._db.execute("INSERT OR IGNORE INTO crawl VALUES ('spider', ?)", (spider,))
            if arguments is not None:
                sql = "INSERT OR REPLACE INTO crawl VALUES ('arguments', ?)"
                await self._db.execute(sql, (arguments,))
            cursor = await self._db.execute(
                "INSERT INTO runs (spider, started_at, state, pid, version, settings, items)"
                " VALUES (?, ?, 'running', ?, ?, ?, ?)",
                (spider, now, os.getpid(), __version__, settings, items),
            )
        self._flush.run_id = cursor.lastrowid or 0
        return self._flush.run_id

    async def end_run(self, state: str, reason: str | None, seconds: float = 0.0) -> bool:
        """Record how the run ended, and with it a recrawl of which nothing is left."""
        self._file.check()
        if state == "failed":  # maybe of a lock, which was waited for already
            self.stop_waiting()
        async with self._transaction():
            await self._db.execute(
                "UPDATE runs SET ended_at = ?, state = ?, reason = ?, seconds = ? WHERE run_id = ?",
                (iso(time.time()), state, reason, seconds, self._flush.run_id),
            )
            await self._flush.ticks.end(self._db, self._flush.run_id)
            if state == "finished":
                await self._db.execute(END_RECRAWL)
        return True

    # ------------------------------------------------------------ the flush

    async def commit(self, batch: Batch) -> Committed:
        """Store everything in `batch` in one transaction."""
        async with self._transaction():
            committed = await self._flush.write(batch)
        with self._named_errors():
            await self._log.shrink(self._db)
            await self._fit_cache()
        self._file.check()
        return committed

    def stop_waiting(self) -> None:
        """End a wait for another program's lock, now and from now on, with StoreLocked."""
        self._stops_waiting = True

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[None]:
        """Write, once nobody else does; what fails leaves nothing, in the file or in memory."""
        with self._named_errors():
            await self._unlocked(lambda: self._db.execute("BEGIN IMMEDIATE"))
            committed = False
            try:
                yield
                await self._db.execute("COMMIT")
                committed = True
            finally:
                if not committed:
                    if self._db.in_transaction:
                        await self._db.execute("ROLLBACK")
                    await self._flush.forget()

    async def _unlocked(self, action: Callable[[], Awaitable[T]]) -> T:
        wait = lock.LockWait(self.path, self._lock_timeout, lambda: self._stops_waiting)
        return await lock.awaited(action, wait)

    def promise(self, until: float) -> None:
        """Note at once, outside of commits, that no host is asked after `until` (Unix time)."""
        self._claim.promise(until)

    async def check(self) -> None:
        """Raise StoreGone if the file that is open is no longer the one at this path."""
        self._file.check()

    async def _fit_cache(self) -> None:
        """Let the cache grow with the URLs known: a flush touches their tables everywhere.

        Not at once, because a cache fills up with whatever goes through it, and a crawl of bodies
        would do no better for it.
        """
        least, most = _CACHE
        fitting = int(min(max(least, self._flush.known * _PER_URL), most))
        if fitting > 1.2 * self._cache:
            self._cache = fitting
            await self._db.execute_fetchall(f"PRAGMA cache_size = -{fitting}")

    # ------------------------------------------------------------ reading back

    async def hosts(self, after: int, limit: int, *, again: bool = False) -> list[HostRow]:
        """Return up to `limit` hosts with pending requests and an id above `after`, by id."""
        only = f" AND host_id IN ({_AGAIN})" if again else ""
        rows = await self._all(
            f"{HOSTS} WHERE pending > 0 AND host_id > ?{only} ORDER BY host_id LIMIT ?",
            (after, limit),
        )
        return [damage.host_row(row) for row in rows]

    async def queue(self, host_id: int, after: tuple[int, int], limit: int) -> list[Todo]:
        """Return up to `limit` rows of one host's todo behind the key `after`, in order."""
        rows = await self._all(
            f"SELECT {', '.join(Todo._fields)} FROM todo WHERE host_id = ? AND (rank, seq) > (?, ?)"
            " ORDER BY rank, seq LIMIT ?",
            (host_id, *after, limit),
        )
        return [Todo(*row) for row in rows]

    async def host_pages(self) -> list[tuple[int, int]]:
        """Return how many pages are stored of each host that has any."""
        return await self._all("SELECT host_id, pages FROM hosts WHERE pages > 0")

    async def contents(self, limit: int) -> list[tuple[str, str]]:
        """Return the content hashes of the last stored pages, and their URLs, the oldest first."""
        rows = await self._all(
            "SELECT content_hash, url FROM pages WHERE content_hash IS NOT NULL"
            f" AND outcome IN ({names('stored')}) AND duplicate_of IS NULL"
            " ORDER BY page_id DESC LIMIT ?",
            (limit,),
        )
        return rows[::-1]

    async def simhashes(self, limit: int) -> list[tuple[int, str]]:
        """Return the simhashes of the last new texts, and their URLs, the oldest first."""
        with self._named_errors():
            return await fingerprints.simhashes(self._db, limit)

    async def near_texts(self, limit: int) -> list[tuple[int, str, int, str | None]]:
        """Return the last pages with a simhash: page id, URL, simhash, `duplicate_of`."""
        with self._named_errors():
            return await fingerprints.near_texts(self._db, limit)

    async def mark_duplicates(self, marks: Sequence[tuple[int, str | None]]) -> None:
        """Set `duplicate_of` of pages, by their ids, all at once."""
        sql = "UPDATE pages SET duplicate_of = ? WHERE page_id = ?"
        async with self._transaction():
            await self._db.executemany(sql, [(mark, page_id) for page_id, mark in marks])

    async def endless(self) -> list[str]:
        """Return the patterns of URLs that were found endless."""
        with self._named_errors():
            return await fingerprints.endless(self._db)

    async def patterns(
        self, limit: int, most_texts: int
    ) -> list[tuple[PatternNote, dict[int, int]]]:
        """Return where the largest patterns of URLs stand, the smallest first, with their texts."""
        with self._named_errors():
            return await fingerprints.patterns(self._db, limit, most_texts)

    async def needs(self) -> list[NeedNote]:
        """Return what was learnt of patterns of URLs: whether their pages need a browser."""
        with self._named_errors():
            return await rendered.needs(self._db)

    async def seed_redirects(self) -> list[str]:
        """Return the URLs to which seeds have redirected."""
        sql = "SELECT redirect_to FROM pages WHERE redirect_to IS NOT NULL AND depth = 0"
        return [url for (url,) in await self._all(sql)]

    async def cookies(self) -> list[CookieRow]:
        """Return every stored cookie."""
        with self._named_errors():
            return await cookies.read(self._db)

    async def robots(self, host_id: int) -> RobotsRow | None:
        """Return a host's robots.txt, None if it was never fetched."""
        rows = await self._all(
            f"SELECT {', '.join(RobotsRow._fields)} FROM robots WHERE host_id = ?", (host_id,)
        )
        return RobotsRow(*rows[0]) if rows else None

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        """Turn what SQLite says into a StoreError that names the file and the way out."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise to_store_error(self.path, error) from error
