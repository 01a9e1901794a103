"""Streams: the messages of a WebSocket, committed in batches like the items of pages.

A batch is a visit. It ends its row of `todo`, and a new row takes its place in the same commit: the
same request, with the cursor and the count of messages so far. Between two batches the open socket
is parked here, its queue bounded; after a restart it is opened anew, from the committed cursor.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from yarl import URL

from crawler import urls
from crawler.callbacks import Collector
from crawler.clients.websocket import FINISHED, Message, WebSocket
from crawler.errors import FetchError, SocketClosed
from crawler.fetcher import Fetcher
from crawler.page import Outcome, Visit
from crawler.request import Candidate, Request, Todo

_TOGETHER = 0.25  # seconds that a batch waits for more messages after its first


@dataclass(slots=True)
class Batch:
    """Messages that came together, and why there are no more: `end` None while there may be."""

    messages: list[Message]
    end: SocketClosed | None = None
    finished: bool = False
    stopped: bool = False


class Streams:
    """The open sockets of a crawl, by request."""

    def __init__(
        self, fetcher: Fetcher, collector: Collector, stopping: asyncio.Event, *, queue: int = 1000
    ) -> None:
        self._fetcher, self._collector, self._stopping = fetcher, collector, stopping
        self._queue = queue
        self._parked: dict[tuple[int, int], WebSocket] = {}

    async def visit(self, todo: Todo, request: Request) -> Visit | None:
        """Give the next batch of a stream, None when the crawl was stopped before one came.

        FetchError where the socket does not open, or breaks before its first message.
        """
        key = (todo.host_id, todo.url_hash)
        options = dict(request.options or {})
        started = time.time()
        socket = self._parked.pop(key, None) or await self._open(request, options)
        parked = False
        try:
            batch = await self._receive(socket, options)
            if not batch.messages and batch.end is not None:
                raise FetchError(str(batch.end), Outcome.CONNECT_ERROR)
            if not batch.messages and not batch.finished:
                return None  # stopped: the row stays in todo as it is
            visit = Visit(todo, Outcome.OK, started, 101)
            try:
                finished = await self._take(visit, request, batch, options)
            except FetchError as error:  # what the messages before it gave stays
                visit.outcome, visit.error, finished = Outcome(error.outcome), str(error), True
            if not finished:
                visit.candidates.append(_onward(todo, request, options))
                if batch.end is None:
                    self._parked[key], parked = socket, True
            return visit
        finally:
            if not parked:
                await socket.__aexit__(None, None, None)

    async def close(self) -> None:
        """Close every parked socket."""
        while self._parked:
            await self._parked.popitem()[1].__aexit__(None, None, None)

    async def _open(self, request: Request, options: Mapping[str, Any]) -> WebSocket:
        at, param = options.get("at"), options.get("resume")
        if param and at is not None:
            known = URL(request.url, encoded=True).update_query({param: str(at)})
            request = request.replace(url=str(known))
        socket = WebSocket.over(self._fetcher, request, queue=self._queue)
        await socket.__aenter__()
        if options.get("opened"):
            greeting = await self._collector.ask(options["opened"], at)
            if greeting is not None:
                await socket.send_json(greeting)
        return socket

    async def _receive(self, socket: WebSocket, options: Mapping[str, Any]) -> Batch:
        """Wait for a message, take what comes soon after it, and note how it ended."""
        batch = Batch([])
        most = options.get("batch", 500)
        if "until" in options:
            most = min(most, options["until"] - options.get("seen", 0))
        left = options["until_at"] - time.time() if "until_at" in options else None
        deadline: float | None = None if left is None else max(left, 0.0)
        try:
            while len(batch.messages) < most:
                message = await self._next(socket, deadline)
                if message is _NOTHING:
                    batch.finished = left is not None and time.time() >= options["until_at"]
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

    async def _next(self, socket: WebSocket, seconds: float | None) -> Message | object | None:
        """Give a message, None at the end of all, _NOTHING when time is up or the crawl stops."""
        if socket.waiting:
            return await socket.receive()
        receiving = asyncio.ensure_future(socket.receive())
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait(
                (receiving, stopping), timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if receiving.done():
                return receiving.result()
            return _NOTHING
        finally:
            for task in (receiving, stopping):
                task.cancel()
            await asyncio.gather(receiving, stopping, return_exceptions=True)

    async def _take(
        self, visit: Visit, request: Request, batch: Batch, options: dict[str, Any]
    ) -> bool:
        """Hand the messages to the spider; bring cursor and count up to date. True at the end."""
        name, method = request.callback_name or "parse", options.get("until_method")
        for message in batch.messages:
            known = replace(message, request=request)
            await self._collector.hear(visit, name, known)
            options["seen"] = options.get("seen", 0) + 1
            if options.get("cursor"):
                options["at"] = await self._collector.ask(options["cursor"], known)
            if method and await self._collector.ask(method, known):
                return True
        if "until" in options and options["seen"] >= options["until"]:
            return True
        return batch.finished


_NOTHING = object()


def _onward(todo: Todo, request: Request, options: Mapping[str, Any]) -> Candidate:
    """Give the row that takes this one's place: same request, same rank, further on."""
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
