"""Stores that are read on threads: a query may take its time, the event loop does not wait for it.

Each thread has a connection of its own to each store. A store that was moved aside and made anew
under its name is opened anew.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote, urlencode

from crawler.errors import CrawlerError, QueryError, StoreError
from crawler.inspect.query import Reader
from crawler.inspect.queue_counts import QueueCounts
from crawler.markup import Html, el
from crawler.store import damage
from crawler.store.address import DatabaseAddress, StoreAddress

T = TypeVar("T")
LIMIT = 1.0  # seconds that a part may take
MOST_WAIT = 30.0
_THREADS = 4
_WRITTEN = {"sql", "saved", "where"}  # parameters that are SQL which somebody wrote
_WAY = "find it under SQL or with `crawler query`, set it right, or start over with --fresh"


class Look:
    """One look at a store: a reader, the address of the crawl, and what the URL asks for."""

    def __init__(
        self, source: ShownStore, reader: Reader, params: Mapping[str, str], now: float
    ) -> None:
        self.source, self.reader, self.params, self.now = source, reader, params, now
        self.base = f"/{quote(source.name, safe='')}"

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        return list(self.reader.query(sql, values).rows)

    def one(self, sql: str, *values: Any) -> Any:
        """Return the first value of the first row; None if there is none."""
        for row in self.reader.query(sql, values).rows:
            return row[0]
        return None

    @property
    def many_hosts(self) -> str:
        """What stands behind FROM where all hosts are looked at."""
        return self.reader.many_hosts(self.source.queues)

    def href(self, view: str, /, **params: Any) -> str:
        """Return the address of a view; parameters that are None or "" are left out."""
        said = {key.rstrip("_"): value for key, value in params.items() if value not in (None, "")}
        return f"{self.base}/{view}" + (f"?{urlencode(said)}" if said else "")

    def again(self, view: str, /, **changes: Any) -> str:
        """Return the address of a view with what this one asks for, but for `changes`."""
        return self.href(view, **{**self.params, **changes})

    def sql(self, text: str) -> Html:
        """Return the link to the SQL behind a figure."""
        return el("a", "SQL", href=self.href("sql", sql=text))


class Looked(NamedTuple):
    """What a look gave, or why it gave nothing, and how long it took."""

    value: Any
    error: CrawlerError | None
    seconds: float


@dataclass
class ShownStore:
    """A store that is shown, under the name that its addresses begin with."""

    name: str
    path: StoreAddress
    version: int = 0
    """Counts the moments at which somebody's commit was seen."""
    queues: QueueCounts = field(default_factory=QueueCounts)
    _seen: Any = field(default=None, repr=False)

    def changed(self, reader: Reader) -> bool:
        """Return whether anybody has committed since the last call, for one and the same reader."""
        version = reader.moved()
        moved = bool(version != self._seen)
        self._seen = version
        return moved


class OpenReader(NamedTuple):
    """A reader, the file that it reads, and the lock of whoever reads with it."""

    reader: Reader
    file: Any
    busy: threading.Lock


class Readers(threading.local):
    """The readers of one thread, by store; `everyone` has those of all threads."""

    def __init__(self, everyone: list[OpenReader]) -> None:
        self.open: dict[str, OpenReader] = {}
        self._everyone = everyone

    def of(self, path: StoreAddress) -> OpenReader:
        """Return the reader of a store, opened anew where the file is another one."""
        key = str(path)
        found = self.open.get(key)
        stat = None if isinstance(path, DatabaseAddress) or not path.exists() else path.stat()
        file = (stat.st_dev, stat.st_ino) if stat else None
        if found is not None and found.file == file:
            return found
        self.drop(path)
        made = self.open[key] = OpenReader(Reader(path), file, threading.Lock())
        self._everyone.append(made)
        return made

    def drop(self, path: StoreAddress) -> None:
        """Close the reader of a store, so that the next look connects anew."""
        found = self.open.pop(str(path), None)
        if found is not None:
            self._everyone.remove(found)
            found.reader.__exit__()


class Library:
    """All stores that are shown, and the threads that read them."""

    def __init__(self, stores: Mapping[str, StoreAddress]) -> None:
        self.sources = {name: ShownStore(name, path) for name, path in stores.items()}
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="reader")
        self._own = ThreadPoolExecutor(2, thread_name_prefix="sql")  # for SQL of people
        self._watch = ThreadPoolExecutor(1, thread_name_prefix="watch")
        self._open: list[OpenReader] = []
        self._readers = Readers(self._open)
        self._closed = False

    async def look(
        self,
        source: ShownStore,
        act: Callable[[Look], T],
        params: Mapping[str, str] | None = None,
        *,
        limit: float = LIMIT,
    ) -> Looked:
        """Run a function over a store on a thread, `limit` seconds at most.

        Where a parameter is SQL, it reads nothing that is secret, and holds up no other look.
        ConnectionError once the page ends: a viewer who is still there gets nothing more.
        """
        if self._closed:
            raise ConnectionError("the page has ended")
        given = dict(params or {})
        own = not _WRITTEN.isdisjoint(given)
        pool = self._own if own else self._pool
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(pool, self._look, source, act, given, limit, own)

    def _look(
        self,
        source: ShownStore,
        act: Callable[[Look], T],
        params: Mapping[str, str],
        limit: float,
        own: bool,
    ) -> Looked:
        began = time.perf_counter()
        try:
            reader, _, busy = self._readers.of(source.path)
            if own:
                reader.guard("cookies")
            # A look reads and shows values of the store: what it raises is what they are.
            shown = damage.told(source.path, "a value that is shown here", _WAY)
            with busy, shown, reader.limited(limit):
                value = act(Look(source, reader, params, time.time()))
        except CrawlerError as error:
            if isinstance(error, StoreError):  # the connection may be lost
                self._readers.drop(source.path)
            return Looked(None, error, time.perf_counter() - began)
        except OSError as error:
            told = QueryError(f"{source.path}: {error.strerror}")
            return Looked(None, told, time.perf_counter() - began)
        return Looked(value, None, time.perf_counter() - began)

    async def moved(self, source: ShownStore) -> bool:
        """Return whether anything was committed since the last call."""
        if self._closed:
            return False
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._watch, self._moved, source)

    def _moved(self, source: ShownStore) -> bool:
        try:
            reader, _, busy = self._readers.of(source.path)
            with busy:
                return source.changed(reader)
        except (CrawlerError, OSError):
            self._readers.drop(source.path)
            return False

    def close(self) -> None:
        """Let the threads end; what they still do is not waited for."""
        self._closed = True
        for pool in (self._pool, self._own, self._watch):
            pool.shutdown(wait=False, cancel_futures=True)
        for reader, file, busy in self._open:  # a file is closed with the thread that opened it
            if file is None and busy.acquire(blocking=False):
                reader.__exit__()


def names_of(paths: Sequence[StoreAddress]) -> Iterator[tuple[str, StoreAddress]]:
    """Yield each store with a name of its own, made of the name of its file or schema."""
    taken: set[str] = set()
    for path in paths:
        stem = path.name.removesuffix(".db") or "crawl"
        name, number = stem, 1
        while name in taken or name in ("assets", "metrics", "healthz", "readyz", "login"):
            number += 1
            name = f"{stem}-{number}"
        taken.add(name)
        yield name, path
