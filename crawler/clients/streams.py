"""Streams: the messages of a WebSocket, committed in batches like the items of pages.

A batch is a visit. It ends its row of `todo`, and a new row takes its place in the same commit: the
same request, with the cursor and the count of messages so far. Meanwhile the socket stays open and
gathers the next batch, its queue bounded; after a restart it is opened anew, from the committed
cursor.

A lost socket is opened again by the rules for a page that failed: later each time, and at most
`fetch.retries` times in a row, whatever it said before. The count begins anew only where a
connection brought its cursor further, or was steady. What a server says again after an opening is
known by its text, and left out.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import xxhash
from yarl import URL

from crawler import urls
from crawler.clients.websocket import FINISHED, Message, WebSocket, is_lasting
from crawler.errors import FetchError, SocketClosed
from crawler.http.fetcher import Fetcher
from crawler.http.sessions import HandshakeRedirected
from crawler.politeness import retry
from crawler.spider.collector import Collector
from crawler.web.outcome import Outcome
from crawler.web.refusal import Refusal
from crawler.web.request import Candidate, Request, Todo
from crawler.web.visit import Visit

_TOGETHER = 0.25  # seconds that a batch waits for more messages after its first
_STEADY = 60.0  # seconds after which a connection was no failure, however it ends
_KNOWN = 256  # messages that are remembered, to know them when they come again


@dataclass(slots=True)
class MessageBatch:
    """Messages that came together, and why there are no more: `end` None while there may be."""

    messages: list[Message]
    end: SocketClosed | None = None
    finished: bool = False


@dataclass(slots=True)
class Feed:
    """A socket and the batch that it gathers; before it is open there is no socket.

    `known` are the messages of earlier connections that may come again at the beginning of this
    one; `at` is the cursor with which it was opened, at `since` on the clock of the event loop.
    """

    gathering: asyncio.Task[MessageBatch]
    at: Any = None
    known: Counter[str] = field(default_factory=Counter)
    socket: WebSocket | None = None
    since: float | None = None

    @property
    def is_steady(self) -> bool:
        """Whether the connection was open for so long that its loss is no failure."""
        now = asyncio.get_running_loop().time()
        return self.since is not None and now - self.since >= _STEADY


class Streams:
    """The open sockets of a crawl, by request; at most `most`, the others stand in line.

    While it waits, a stream holds neither a worker nor a slot of its host: its row is parked, and
    `ready` is called with it once there is something to take.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        collector: Collector,
        ready: Callable[[Todo], None],
        *,
        most: int,
        retries: int,
        first: float,
        queue: int = 1000,
    ) -> None:
        """`retries` openings in a row follow a loss, the first after `first` seconds."""
        self._fetcher, self._collector, self._ready = fetcher, collector, ready
        self._retries, self._first = retries, first
        self._most, self._queue = most, queue
        self._feeds: dict[tuple[int, int], Feed] = {}
        self._line: deque[Todo] = deque()

    async def visit(self, todo: Todo, request: Request) -> Visit | None:
        """Return the next batch of a stream; None while there is none: `ready` will tell.

        FetchError where the socket does not open, or breaks before its first message.
        """
        key = (todo.host_id, todo.url_hash)
        options = dict(request.options or {})
        feed = self._feeds.get(key)
        if feed is None:
            if len(self._feeds) >= self._most:
                self._line.append(todo)
                return None
            opening = asyncio.create_task(self._open(key, request, options))
            known = Counter[str](options.get("known", ()))
            feed = self._feeds[key] = Feed(opening, options.get("at"), known)
        if not feed.gathering.done():
            feed.gathering.add_done_callback(lambda _: self._ready(todo))
            return None
        goes_on = False
        try:
            try:
                batch = feed.gathering.result()
            except HandshakeRedirected as redirected:
                answer = redirected.response
                return Visit(todo, Outcome.REDIRECT, answer.started, answer.status, answer)
            if not batch.messages and batch.end is not None and not feed.is_steady:
                raise _named(batch.end)
            visit = Visit(todo, Outcome.OK, time.time(), 101)
            try:
                finished = await self._take(visit, request, feed, options)
            except FetchError as error:  # what the messages before it gave stays
                visit.outcome, visit.error, finished = Outcome(error.outcome), str(error), True
            if not finished and batch.end is not None:
                finished = not self._may_reopen(visit, feed, options, batch.end)
            if not finished:
                visit.candidates.append(_onward(todo, request, options))
                if batch.end is None and feed.socket is not None:
                    feed.gathering = asyncio.create_task(_receive(feed.socket, options))
                    goes_on = True
            return visit
        finally:
            if not goes_on:
                await self._end(key)

    def _may_reopen(
        self, visit: Visit, feed: Feed, options: dict[str, Any], end: SocketClosed
    ) -> bool:
        """Return whether a lost stream is opened again, and when; its visit says why not."""
        failure = _named(end)
        if options.get("at") != feed.at or feed.is_steady:
            options["lost"] = 0
        lost = options.get("lost", 0)
        wait = retry.wait(
            Outcome(failure.outcome),
            lost,
            status=None,
            asked=None,
            retries=self._retries,
            first=self._first,
            jitter=random.random(),
        )
        if failure.final or wait is None:
            visit.outcome, visit.error = Outcome(failure.outcome), str(failure)
            return False
        if not options.get("cursor"):
            visit.refuse(Refusal.STREAM_LOST_WITHOUT_CURSOR)
        options["lost"], options["not_before"] = lost + 1, time.time() + wait
        return True

    async def drop(self, todo: Todo) -> None:
        """Close the socket of a request that may not go on, where it has one."""
        if (key := (todo.host_id, todo.url_hash)) in self._feeds:
            await self._end(key)

    async def _end(self, key: tuple[int, int]) -> None:
        """Close a socket, and let the next stream in line have its place."""
        feed = self._feeds.pop(key)
        feed.gathering.cancel()
        await asyncio.gather(feed.gathering, return_exceptions=True)
        if feed.socket is not None:
            await feed.socket.__aexit__(None, None, None)
        if self._line:
            self._ready(self._line.popleft())

    async def close(self) -> None:
        """Close every socket; what it has gathered comes again after the committed cursor."""
        self._line.clear()
        for key in list(self._feeds):
            await self._end(key)

    async def _open(
        self, key: tuple[int, int], request: Request, options: Mapping[str, Any]
    ) -> MessageBatch:
        """Open a socket at the cursor, and gather its first batch."""
        await asyncio.sleep(max(0.0, options.get("not_before", 0.0) - time.time()))
        at, param = options.get("at"), options.get("resume")
        if param and at is not None:
            known = URL(request.url, encoded=True).update_query({param: str(at)})
            request = request.replace(url=str(known))
        socket = WebSocket.over(self._fetcher, request, queue=self._queue)
        await socket.__aenter__()
        feed = self._feeds[key]
        feed.socket, feed.since = socket, asyncio.get_running_loop().time()
        greeting = None
        if options.get("opened"):
            greeting = await self._collector.ask(options["opened"], at)
        try:
            if isinstance(greeting, str | bytes):
                await socket.send(greeting)
            elif greeting is not None:
                await socket.send_json(greeting)
        except SocketClosed as end:
            return MessageBatch([], end)
        return await _receive(socket, options)

    async def _take(
        self, visit: Visit, request: Request, feed: Feed, options: dict[str, Any]
    ) -> bool:
        """Hand the messages to the spider; bring cursor and count up to date. True at the end."""
        name, method = request.callback_name or "parse", options.get("until_method")
        batch = feed.gathering.result()
        known = deque(options.get("known", ()), maxlen=_KNOWN)
        for message in batch.messages:
            mark = _mark(message)
            if _came_before(feed, mark):
                visit.refuse(Refusal.MESSAGE_REPEATED)
                continue
            known.append(mark)
            heard = replace(message, request=request)
            await self._collector.deliver(visit, name, heard)
            options["seen"] = options.get("seen", 0) + 1
            if options.get("cursor"):
                options["at"] = await self._collector.ask(options["cursor"], heard)
            if method and await self._collector.ask(method, heard):
                return True
        options["known"] = list(known)
        if "until" in options and options.get("seen", 0) >= options["until"]:
            return True
        return batch.finished


def _named(end: SocketClosed) -> FetchError:
    """Return the error that a closed socket is, final where opening it again mends nothing."""
    lasting = is_lasting(end.code)
    outcome = Outcome.PROTOCOL_ERROR if lasting else Outcome.CONNECT_ERROR
    return FetchError(str(end), outcome, final=lasting)


def _mark(message: Message) -> str:
    """Return what tells a message from others: a digest of its text or bytes."""
    data = message.data
    return xxhash.xxh3_64_hexdigest(data.encode() if isinstance(data, str) else data)


def _came_before(feed: Feed, mark: str) -> bool:
    """Return whether a message is one of those that a server says again after an opening.

    Each counts as often as it came; the first that is new ends it: from there on the same text
    is a message of its own, like the second of two equal prices.
    """
    if feed.known[mark] <= 0:
        feed.known.clear()
        return False
    feed.known[mark] -= 1
    return True


async def _receive(socket: WebSocket, options: Mapping[str, Any]) -> MessageBatch:
    """Wait for a message, take what comes soon after it, and note how it ended."""
    batch = MessageBatch([])
    most = options.get("batch", 500)
    if "until" in options:
        most = min(most, options["until"] - options.get("seen", 0))
    until_at: float | None = options.get("until_at")
    deadline = None if until_at is None else max(until_at - time.time(), 0.0)
    try:
        while len(batch.messages) < most:
            message = await _next(socket, deadline)
            if message is _NOTHING:
                batch.finished = not batch.messages or _is_over(until_at)
                return batch
            if message is None:
                batch.finished = True
                return batch
            batch.messages.append(message)  # type: ignore[arg-type]
            deadline = _TOGETHER
    except SocketClosed as end:
        batch.end = end
        batch.finished = end.code in FINISHED
    return batch


def _is_over(until_at: float | None) -> bool:
    return until_at is not None and time.time() >= until_at


async def _next(socket: WebSocket, seconds: float | None) -> Message | object | None:
    """Return a message, None at the end of the stream, _NOTHING when time is up."""
    if socket.waiting:
        return await socket.receive()
    receiving = asyncio.ensure_future(socket.receive())
    try:
        await asyncio.wait((receiving,), timeout=seconds)
        return receiving.result() if receiving.done() else _NOTHING
    finally:
        receiving.cancel()
        await asyncio.gather(receiving, return_exceptions=True)


_NOTHING = object()


def _onward(todo: Todo, request: Request, options: Mapping[str, Any]) -> Candidate:
    """Return the row that takes this one's place: same request, same rank, further on."""
    if options.get("not_before", 0.0) <= time.time():
        options = {name: value for name, value in options.items() if name != "not_before"}
    following = request.replace(options=options)
    return Candidate(
        urls.host_of(todo.url),
        todo.url_hash,
        todo.url,
        todo.depth,
        todo.rank,
        todo.callback,
        following.extra(),
        force=True,
    )
