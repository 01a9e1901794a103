"""Rows as they are committed, until the crawl ends; and again from where it stopped.

In a file an id is never given twice and rises with the commits (docs/schema.md), so that "what came
since" is "what has a higher id". Over PostgreSQL workers commit in whatever order: there a position
has the ids that were given as ranges, and what lies between them may still come. What a later visit
changes in place keeps its id, and is not given again.
"""

from __future__ import annotations

import csv
import errno
import io
import os
import select
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import accumulate, islice
from pathlib import Path
from typing import Protocol

from crawler.errors import StoreClaimed, UsageError
from crawler.export import choice as choices
from crawler.export import formats
from crawler.export.choice import Choice
from crawler.export.formats import WriteOptions
from crawler.export.position import GrowingFile, Position, place_of
from crawler.inspect.commits import Commits, commits_of
from crawler.inspect.query import Reader, Rows
from crawler.store.address import StoreAddress
from crawler.store.claim import Claim

FORMATS = ("jsonl", "csv")
_ROWS = 500  # of a batch: a reader that is slow must not hold a snapshot, or the log grows
_READ = 2  # milliseconds between two looks at what a reader has taken
_TURN = 0.1  # seconds between two looks for a commit: a store tells no other process of one


class Sink(Protocol):
    """Where rows go. `begins` tells whether a header is due, `position` how far they went.

    `path` is the file to which they are added, None for a pipe.
    """

    begins: bool
    path: Path | None
    position: Position

    def add(self, rows: list[bytes], ids: list[int]) -> None:
        """Take a batch of rows; the header goes with the first."""

    def settle(self, number: int) -> None:
        """Take that no row is to come any more with an id up to this one."""


def follow(
    reader: Reader, kind: str, choice: Choice, sink: Sink, wish: WriteOptions, *, live: bool = True
) -> int:
    """Send the rows that came since the sink's position, and return their number.

    `live` goes on until no crawl is running into the store.
    """
    what = sink.position.what
    if kind not in FORMATS or " " in what.strip() or what == "links":
        raise UsageError("only pages or an item type are followed, as jsonl or csv")
    number, feed, commits = 0, _Feed(reader, what, kind, choice, wish), commits_of(reader)
    while True:
        running = live and is_crawling(reader)  # asked first: what it still commits is met below
        seen, settled = commits.state(), feed.settled(sink, commits)
        while found := feed.next(sink):
            number += found
            wish.tick(number)
        sink.settle(settled)
        if not running:
            return number
        while is_crawling(reader) and commits.state() == seen:
            time.sleep(_TURN)


def is_crawling(reader: Reader) -> bool:
    """Return whether a crawl that lives writes into the store."""
    last = reader.query("SELECT state, pid FROM runs ORDER BY run_id DESC LIMIT 1").rows
    return any(state == "running" and reader.runs_on(pid) for state, pid in list(last))


class _Feed:
    """The batches of an export."""

    def __init__(
        self, reader: Reader, what: str, kind: str, choice: Choice, wish: WriteOptions
    ) -> None:
        self._reader, self._what, self._kind, self._wish = reader, what, kind, wish
        self._choice = choice
        self._columns: tuple[str, ...] = ()

    def settled(self, sink: Sink, commits: Commits) -> int:
        """Return the id up to which what is not committed now will never be; 0 in a file."""
        if sink.position.beyond is None or (self._what != "pages" and not self._is_there()):
            return 0
        return commits.settled(self._what)

    def next(self, sink: Sink) -> int:
        """Return the next batch, and the number of its rows."""
        if self._what != "pages" and not self._is_there():
            return 0
        chosen, id_name = choices.with_id(self._reader, self._what, self._choice)
        position = sink.position
        chosen = replace(chosen, after=position.last, beyond=position.beyond or (), limit=_ROWS)
        rows, typed = choices.select(self._reader, self._what, chosen)
        batch = list(islice(rows.rows, _ROWS))
        if not batch:
            return 0
        if self._kind == "csv":
            self._refuse_other_columns(sink, rows.columns)
        wish = replace(typed, safe=self._wish.safe, bom=self._wish.bom, header=sink.begins)
        written = []
        for row in batch:
            out = io.BytesIO()
            formats.STREAMS[self._kind](Rows(rows.columns, iter([row])), out, wish)
            written.append(out.getvalue())
            wish.header = False
        place = rows.columns.index(id_name)
        sink.add(written, [row[place] for row in batch])
        return len(batch)

    def _refuse_other_columns(self, sink: Sink, columns: tuple[str, ...]) -> None:
        if not self._columns and sink.path is not None and not sink.begins:
            with sink.path.open(encoding="utf-8-sig", newline="") as file:
                self._columns = tuple(next(csv.reader(file), ()))
        if self._columns not in ((), columns):
            raise UsageError(
                f"{self._what} has other columns than it had, which CSV cannot show; follow it as"
                " jsonl, or choose with --fields"
            )
        self._columns = columns

    def _is_there(self) -> bool:
        """Return whether the item type is there; a crawl may be about to make it."""
        sql = "SELECT 1 FROM item_types WHERE name = ?"
        return bool(list(self._reader.query(sql, (self._what,)).rows)) or not is_crawling(
            self._reader
        )


class Pipe:
    """Standard output; of a pipe, the position follows what its reader took out of it.

    A reader that ends, however it ends, leaves the rest in the pipe: those rows are given again.
    One that may die between reading a row and keeping it says itself where it was (`--after`).
    """

    def __init__(self, position: Position, place: Path | None, out: int) -> None:
        """Write to the open file `out`; `place` keeps the position, None for nowhere."""
        self.begins, self.position, self._place, self._out = True, position, place, out
        self.path: Path | None = None
        is_pipe = sys.platform == "linux" and stat.S_ISFIFO(os.fstat(out).st_mode)
        self._watched = place is not None and is_pipe

    def add(self, rows: list[bytes], ids: list[int]) -> None:
        """Write a batch and wait until it was read; BrokenPipeError where the reader is gone."""
        data = memoryview(b"".join(rows))
        taken = 0
        try:
            while taken < len(data):
                taken += os.write(self._out, data[taken:])
            if self._watched:
                self._drain()
        finally:
            taken -= self._unread()
            given = sum(end <= taken for end in accumulate(map(len, rows)))
            if given:
                self.position = self.position.given(ids[:given])
                if self._place is not None:
                    self.position.keep(self._place)
        self.begins = False

    def settle(self, number: int) -> None:
        """Take that no row is to come any more with an id up to this one."""
        self.position = self.position.settled(number)

    def _drain(self) -> None:
        """Wait until the pipe is empty; BrokenPipeError when nobody is there to empty it."""
        if sys.platform == "win32":  # where nothing is watched
            return
        gone = select.poll()
        gone.register(self._out, 0)  # of a pipe's end that writes: POLLERR when no one reads
        while self._unread():
            if gone.poll(_READ):
                raise BrokenPipeError(errno.EPIPE, "the reader is gone")

    def _unread(self) -> int:
        """Return the bytes in the pipe (pipe(7), FIONREAD); 0 where it cannot be asked."""
        if sys.platform == "win32" or not self._watched:
            return 0
        import fcntl
        import termios

        return int.from_bytes(fcntl.ioctl(self._out, termios.FIONREAD, bytes(4)), sys.byteorder)


@contextmanager
def open_sink(
    store: StoreAddress, what: str, output: Path, name: str | None, after: int | None = None
) -> Iterator[Sink]:
    """Open what rows go to, at the position where the last export of that name stopped.

    UsageError where another one of that name is at it.
    """
    piped, ordered = str(output) == "-", isinstance(store, Path)
    if after is not None and not ordered:
        raise UsageError(
            "--after goes with a file: over PostgreSQL rows are committed in another order than"
            " that of their ids; --since-last NAME goes on where the last export stopped"
        )
    if piped and name is None:
        begin = Position(what, after or 0, beyond=None if ordered else ())
        yield Pipe(begin, None, sys.stdout.fileno())
        return
    if after is not None:
        raise UsageError("--after says where to begin; the position of a file or name does, too")
    place = place_of(store, name, output)
    place.parent.mkdir(parents=True, exist_ok=True)
    claim = Claim(place)
    try:
        claim.take()
    except StoreClaimed:
        raise UsageError(f"{place}: another export is at it; give another --since-last") from None
    try:
        position = Position.read(place, what, ordered=ordered)
        yield (
            Pipe(position, place, sys.stdout.fileno())
            if piped
            else GrowingFile(output, place, position)
        )
    finally:
        claim.release()
