"""Feeds of any size: a file that is downloaded once, and its records, committed part by part.

    feed → the file and its row → part 0 → part 1 → … → the last part

A part is a request of its own, for which nothing is sent: it says how many records come before it.
Its visit ends its row of `todo`, and in the same commit the row of the next part takes its place.
So each record is stored exactly once, whenever the crawl is killed, and a run that goes on begins
behind the last part that was committed. Memory is that of one part. A file is open while its feed
is read, so that no record is read twice but after a restart, or where many feeds are read at once.
"""

from __future__ import annotations

import asyncio
import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import IO, Any

from crawler import urls
from crawler.clients.file_store import FileStore
from crawler.errors import FetchError, UsageError
from crawler.spider.collector import Collector
from crawler.spider.signatures import PARSE_RECORD
from crawler.web import record_types
from crawler.web.download_stream import FEED, RECORDS, StoredFile
from crawler.web.error_place import error_line
from crawler.web.outcome import Outcome
from crawler.web.records import RecordFeed
from crawler.web.request import (
    FIRST,
    HIGHEST,
    NEEDED,
    Candidate,
    Request,
    Todo,
    from_todo,
    rank_of,
)
from crawler.web.request import url_hash as hash_of
from crawler.web.stats import VISITING
from crawler.web.visit import Visit

_PART = 1000  # records of a part
_BYTES = 8 << 20  # of the file, behind which a part ends before it has so many
_OPEN = 64  # files; a process may have about a thousand, and connections are some of them
_TURN = 0.005  # seconds between two looks at the event loop
_KEPT = ("name", "content_type", "sha256", "size")


class OpenFeed:
    """A feed's file that is being read: `done` records are read of it."""

    def __init__(self, file: IO[bytes], feed: RecordFeed) -> None:
        self.file, self.done, self.over = file, 0, False
        self.refuse: record_types.Refuse = _nobody
        self._found = feed.read(file, None, lambda *told: self.refuse(*told))

    def take(self, most: int) -> Iterator[dict[str, Any]]:
        """Yield the next records, at most so many, and fewer of many bytes."""
        begin = self.file.tell()
        for record in islice(self._found, most):
            self.done += 1
            yield record
            if self.file.tell() - begin > _BYTES:
                return
            most -= 1
        self.over = most > 0

    def close(self) -> None:
        """Let go of the file."""
        self._found.close()
        self.file.close()


def _nobody(*_: object) -> None:
    """Hear of a record that an earlier part has refused."""


class FeedParts:
    """Downloads feeds, and reads their parts for the spider."""

    def __init__(
        self,
        files: FileStore,
        collector: Collector,
        *,
        order: str,
        room: Callable[[], int | None],
    ) -> None:
        """`room` tells how many more items the run may have, None for any number."""
        self._files, self._collector, self._order = files, collector, order
        self._room = room
        self._open: dict[tuple[int, int], OpenFeed] = {}

    async def visit(self, todo: Todo, request: Request) -> Visit:
        """Download a feed; its first part is a request that its visit leads to."""
        visit = await self._files.fetch(todo, request)
        file = visit.file
        if file is None:
            return visit
        behind = (request.options or {}).get("behind") if todo.again == FIRST else None
        if behind is not None and behind["file"]["sha256"] != file.sha256:
            text = (
                f"the feed has changed since {behind['done']:,} of its records were stored, and the"
                " file that they stood in is gone; read it anew: crawler recrawl"
            )
            raise FetchError(text, Outcome.BAD_FILE, final=True)
        options = behind or {
            "file": {name: getattr(file, name) for name in _KEPT},
            "feed": todo.url_hash,
            "part": 0,
            "done": 0,
        }
        visit.candidates.append(self._part(todo, request, options))
        return visit

    async def read(self, visit: Visit) -> None:
        """Read one part into its visit, and let it lead to the next one, if there is one."""
        todo = visit.todo
        request = from_todo(todo, 0)
        options = dict(request.options or {})
        visit.outcome, key = Outcome.RECORDS, (todo.host_id, options["feed"])
        opened = None
        if key not in self._open and not self._path_of(options).is_file():
            visit.candidates.append(self._again(todo, request, options))
            return
        try:
            opened = await self._opened(key, request, options)
            await self._deliver(visit, opened, request, options)
        except OSError as error:
            visit.fail(Outcome.RECORD_ERROR, f"the file of the feed: {error.strerror or error}")
        except (ValueError, UsageError) as error:  # the feed is broken from here on
            visit.fail(Outcome.RECORD_ERROR, str(error))
            if opened is not None:
                opened.over = True
        visit.state_marks += self._collector.spider.crawl.mark()  # what it raises ends the crawl
        if opened is None:
            return
        following = options | {"part": options["part"] + 1, "done": opened.done}
        visit.todo = todo._replace(extra=_with(request, options | {"end": opened.done}))
        if todo.again == NEEDED and not opened.over:
            visit.candidates.append(self._part(todo, request, following))
            if len(self._open) <= _OPEN:
                return
        self._open.pop(key).close()

    async def _opened(
        self, key: tuple[int, int], request: Request, options: Mapping[str, Any]
    ) -> OpenFeed:
        """Return the feed behind the records that are done."""
        known = self._open.get(key)
        if known is not None and known.done == options["done"]:
            return known
        if known is not None:
            self._open.pop(key).close()
        spider: Any = self._collector.spider
        feed = RecordFeed(
            request.url,
            options["file"]["content_type"],
            getattr(spider, "at", None),
            getattr(spider, "format", None),
            getattr(spider, "delimiter", None),
            options["done"],
        )
        opened = self._open[key] = OpenFeed(self._path_of(options).open("rb"), feed)
        pause = _Pause()
        while opened.done < options["done"]:
            for _ in opened.take(options["done"] - opened.done):
                await pause.after()
            if opened.over:
                break
        return opened

    async def _deliver(
        self, visit: Visit, opened: OpenFeed, request: Request, options: Mapping[str, Any]
    ) -> None:
        """Call the spider with each record of a part; one for which it raises is refused alone."""
        file, collector = self._file(visit, request, options), self._collector
        opened.refuse = record_types.refuse_for(visit, request.url)
        kind = getattr(collector.spider, "record_type", None)
        most = options["end"] - options["done"] if "end" in options else _PART
        found: Iterator[Any] = opened.take(most)
        if kind is not None:
            found = record_types.typed(found, kind, opened.refuse)
        running, pause = collector.spider.crawl, _Pause()
        name, room = request.callback_name or PARSE_RECORD, self._room()
        running.calling += 1
        token = VISITING.set(visit)  # to whose commit `self.stats.count` belongs
        try:
            for record in found:
                known = len(visit.problems)
                rest = collector.begin(visit, name, record, file, **request.args)
                error = rest if rest is None or isinstance(rest, str) else await rest
                if error is not None:
                    _fail(visit, record, error, told=len(visit.problems) > known)
                if visit.stop is not None or (room is not None and len(visit.items) >= room):
                    break
                await pause.after()
        finally:
            VISITING.reset(token)
            running.calling -= 1
            opened.refuse = _nobody

    def _file(self, visit: Visit, request: Request, options: Mapping[str, Any]) -> StoredFile:
        path, kept = self._path_of(options), options["file"]
        return StoredFile(url=request.url, path=path, request=request, visit=visit, **kept)

    def _path_of(self, options: Mapping[str, Any]) -> Path:
        return self._files.path_of(options["file"]["sha256"])

    def _part(self, todo: Todo, request: Request, options: Mapping[str, Any]) -> Candidate:
        """Return the row of a part: of the feed's host and depth, before all else that waits."""
        number = f"{options['feed']} {options['part']}".encode()
        return Candidate(
            urls.host_of(todo.url),
            hash_of(todo.url, RECORDS, number),
            todo.url,
            todo.depth,
            rank_of(HIGHEST, todo.depth, self._order),
            request.callback_name or PARSE_RECORD,
            _with(request, options),
            force=True,
            needed=True,
        )

    def _again(self, todo: Todo, request: Request, options: Mapping[str, Any]) -> Candidate:
        """Return the row of a feed whose file is on another machine, or was removed."""
        return Candidate(
            urls.host_of(todo.url),
            options["feed"],
            todo.url,
            todo.depth,
            rank_of(0, todo.depth, self._order),
            request.callback_name,
            _with(request, {"behind": dict(options)}, FEED),
            force=True,
        )

    def close(self) -> None:
        """Let go of the files of feeds that are not read to their end."""
        for opened in self._open.values():
            opened.close()
        self._open.clear()


def _with(request: Request, options: Mapping[str, Any], kind: str = RECORDS) -> str | None:
    """Return what the row of a part carries: what the callback needs, and nothing to be sent."""
    return Request(
        request.url,
        kind=kind,
        options=options,
        meta=request.meta,
        args=request.args,
        errback=request.errback,
    ).extra()


def _fail(visit: Visit, record: Any, error: str, *, told: bool) -> None:
    """Keep a record for which the callback raised among the problems, with the error's line."""
    if visit.outcome is Outcome.RECORDS:
        visit.fail(Outcome.RECORD_ERROR, error)
    if not told:
        line = error_line(error) or error.strip().rpartition("\n")[2]
        if dataclasses.is_dataclass(record):
            record = dataclasses.asdict(record)  # type: ignore[arg-type]  # no class, an object
        record_types.refuse_for(visit, visit.todo.url)("record", line, record)


class _Pause:
    """Lets other tasks run while a part is read, a moment after each turn."""

    def __init__(self) -> None:
        self._until = time.perf_counter() + _TURN

    async def after(self) -> None:
        """Pause, if a turn is over."""
        if time.perf_counter() > self._until:
            await asyncio.sleep(0)
            self._until = time.perf_counter() + _TURN
