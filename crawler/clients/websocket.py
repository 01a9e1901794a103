"""WebSocket: messages over a connection that comes back, kept in a queue that never grows."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from ssl import SSLContext
from typing import Any, Self

import aiohttp
from aiohttp import ClientWebSocketResponse, WSMsgType

from crawler.clients.retrying import Sleep
from crawler.clients.transport import Transport
from crawler.config.layers import Config
from crawler.errors import FetchError, SocketClosed, UsageError
from crawler.http.fetcher import Fetcher
from crawler.parse import json_text
from crawler.web.request import Request

FINISHED = frozenset({1000})
"""Close codes after which a server has said all (RFC 6455 7.4.1)."""

# What coming back does not mend, by IANA's registry of close codes:
#   1002 protocol error · 1003 unsupported data · 1007 data that is not of its type · 1008 against
#   the policy · 1009 too large · 1010 an extension is missing · 3000 unauthorized · 3003 forbidden
#   4000 to 4999 what the application means by it, which only its client knows
# Everything else passes: 1001 going away, 1005 and 1006 no word, 1011 an error of the server's,
# 1012 restart, 1013 try again later, 1014 bad gateway, 1015 TLS, 3008 timeout.
_REFUSED = frozenset({1002, 1003, 1007, 1008, 1009, 1010, 3000, 3003, *range(4000, 5000)})
_GOODBYE = 0.5  # seconds that a server gets to answer our closing handshake
_QUOTED = 120  # characters that an error quotes of a server's reason


def is_lasting(code: int | None) -> bool:
    """Return whether a close code says that opening again would end in the same way."""
    return code in _REFUSED


_opening: ContextVar[object] = ContextVar("_opening", default=None)
"""The connection whose `opened` is running: what it calls must not wait for its own end."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """When a lost connection is opened again: `tries` in a row, from `first` seconds, doubling.

    Half of each wait is spread at random; a message that arrives makes the next one short again.
    Only a connection that held for `steady` seconds sets the count back: a server that says one
    thing and goes away would else be asked for ever.
    """

    tries: int = 8
    first: float = 0.5
    longest: float = 60.0
    sleep: Sleep = asyncio.sleep
    steady: float = 60.0

    def wait(self, attempts: int) -> float | None:
        """Return the seconds to wait after `attempts` failures in a row, None to give up."""
        if attempts > self.tries:
            return None
        whole: float = min(self.longest, self.first * 2.0 ** (attempts - 1))
        return whole / 2 + whole / 2 * random.random()


@dataclass(frozen=True, slots=True)
class Message:
    """One message: text or bytes, the Unix time at which it came, and in a crawl its request."""

    data: str | bytes
    at: float
    request: Request | None = None

    def json(self) -> Any:
        """Return the message parsed as JSON; ValueError with its beginning where it is none."""
        try:
            data = self.data
            return json_text.read(data if isinstance(data, bytes) else data.encode())
        except (ValueError, RecursionError) as error:
            raise ValueError(f"the message is no JSON ({error}): {self.data[:80]!r}") from None


class WebSocket:
    """A WebSocket client; iterate over its messages.

        async with WebSocket("wss://example.com/feed") as socket:
            await socket.send_json({"subscribe": "all"})
            async for message in socket:
                print(message.json())

    A connection that breaks is opened again (`backoff`, None: never); `opened` is called after
    each opening and is the place to subscribe, `url` may be a function that gives the URL of each.
    The iteration ends when the server closes with 1000, and raises SocketClosed when it closes for
    a reason that coming back does not mend (docs/clients.md), or `backoff` gives up. What `opened`
    or `url` raises ends it as well, and is raised here. `opened` can send, but not receive.
    At most `queue` messages wait to be read: a slow reader slows the server down, nothing is
    dropped. A ping goes out every `ping` seconds; a server that answers none is lost.
    """

    def __init__(
        self,
        url: str | Callable[[], str],
        *,
        headers: Mapping[str, str] | None = None,
        opened: Callable[[WebSocket], Awaitable[object]] | None = None,
        backoff: Backoff | None = Backoff(),
        ping: float | None = 20.0,
        queue: int = 1000,
        largest: int = 4 << 20,
        ssl: SSLContext | None = None,
        config: Config | None = None,
    ) -> None:
        self._url, self._headers, self._opened = url, headers, opened
        self._backoff, self._ping, self._largest = backoff, ping, largest
        self._caller: Transport | None = Transport(config, ssl=ssl)
        self._dial: Callable[[str], Awaitable[ClientWebSocketResponse]] = self._call
        self._messages: asyncio.Queue[Message | SocketClosed | None] = asyncio.Queue(queue)
        self._failure: BaseException | None = None
        self._reason = ""
        self._wire: ClientWebSocketResponse | None = None
        self._ready = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None
        self._ended = False
        self._greeted: ClientWebSocketResponse | None = None
        self.connections = 0

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as undo:
            if self._caller is not None:
                await undo.enter_async_context(self._caller)
            wire = await self._connect()
            undo.pop_all()
        self._reader = asyncio.create_task(self._read(wire))
        self._reader.add_done_callback(self._over)
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._reader is not None
        self._reader.cancel()
        await asyncio.gather(self._reader, return_exceptions=True)
        if self._wire is not None:
            await _goodbye(self._wire)
        if self._caller is not None:
            await self._caller.__aexit__(*exc)

    @classmethod
    def over(cls, fetcher: Fetcher, request: Request, *, queue: int) -> Self:
        """Return a socket over a crawl's own fetcher; it is not opened again when it is lost."""
        socket = cls(request.url, backoff=None, queue=queue)
        socket._caller = None
        socket._dial = lambda url: fetcher.connect(request, largest=socket._largest)
        return socket

    async def _call(self, url: str) -> ClientWebSocketResponse:
        assert self._caller is not None
        return await self._caller.connect(url, headers=self._headers, largest=self._largest)

    # ------------------------------------------------------------ sending

    async def send(self, data: str | bytes) -> None:
        """Send a message; waits while the connection is being opened again.

        SocketClosed once it is not opened again, and in `opened` where it broke meanwhile.
        """
        while True:
            await self._ready.wait()
            if self._ended or self._wire is None:
                raise SocketClosed(f"{self._shown}: closed, nothing can be sent")
            try:
                if isinstance(data, str):
                    return await self._wire.send_str(data)
                return await self._wire.send_bytes(data)
            except (ConnectionError, aiohttp.ClientError):
                if self._is_opening():
                    raise SocketClosed(f"{self._shown}: lost while it was being opened") from None
                self._ready.clear()  # the reader notices as well, and opens it again

    async def send_json(self, value: Any) -> None:
        """Send a value as JSON text."""
        await self.send(json.dumps(value, ensure_ascii=False, separators=(",", ":")))

    # ------------------------------------------------------------ receiving

    async def __aiter__(self) -> AsyncIterator[Message]:
        while (message := await self.receive()) is not None:
            yield message

    @property
    def waiting(self) -> bool:
        """Whether `receive` has something to give at once."""
        return not self._messages.empty() or self._ended

    async def receive(self) -> Message | None:
        """Return the next message, None after a normal end; SocketClosed after any other."""
        if self._is_opening():
            raise UsageError("`opened` cannot receive: nothing is read until it has returned")
        if self._ended and self._messages.empty():
            found = None
        else:
            found = await self._messages.get()
        if found is None and self._failure is not None:
            raise self._failure
        if isinstance(found, SocketClosed):
            raise found
        return found

    async def receive_json(self) -> Any:
        """Return the next message as JSON; SocketClosed where none comes any more."""
        message = await self.receive()
        if message is None:
            raise SocketClosed(f"{self._shown}: the server has said all", 1000)
        return message.json()

    # ------------------------------------------------------------ the connection

    async def _connect(self) -> ClientWebSocketResponse:
        url = self._url() if callable(self._url) else self._url
        self._shown, self._reason = url, ""
        wire = await self._dial(url)
        self._wire = wire
        self.connections += 1
        self._ready.set()
        if self._opened is not None:
            await self._greet(wire)
        return wire

    async def _greet(self, wire: ClientWebSocketResponse) -> None:
        """Call `opened`; what it raises closes the connection."""
        assert self._opened is not None
        token = _opening.set(wire)
        self._greeted = wire
        try:
            async with AsyncExitStack() as undo:
                undo.push_async_callback(_goodbye, wire)
                await self._opened(self)
                undo.pop_all()
        finally:
            self._greeted = None
            _opening.reset(token)

    def _is_opening(self) -> bool:
        """Return whether the caller is `opened`, or a task that it waits for."""
        return self._greeted is not None and _opening.get() is self._greeted

    def _over(self, reader: asyncio.Task[None]) -> None:
        """Keep what ended the reader, and wake who waits for a message that does not come."""
        if not reader.cancelled() and (failure := reader.exception()) is not None:
            self._failure = failure
            if self._messages.empty():
                self._messages.put_nowait(None)

    async def _read(self, wire: ClientWebSocketResponse) -> None:
        """Put messages into the queue, over one connection after the other, until the end."""
        try:
            end = await self._read_all(wire)
        finally:
            self._ended = True
            self._ready.set()
        await self._messages.put(end)

    async def _read_all(self, wire: ClientWebSocketResponse | None) -> SocketClosed | None:
        attempts = losses = 0
        while True:
            if wire is not None:
                began = time.monotonic()
                if await self._drain(wire):
                    attempts = 0
                if self._backoff and time.monotonic() - began >= self._backoff.steady:
                    attempts = losses = 0
            code = wire.close_code if wire is not None else None
            if code in FINISHED:
                return None
            attempts, losses = attempts + 1, losses + 1
            wait = self._backoff.wait(attempts) if self._backoff else None
            if self._backoff and losses > self._backoff.tries:
                wait = None
            if self._backoff is None or wait is None or is_lasting(code):
                why = f": {self._reason!r:.{_QUOTED}}" if self._reason else ""
                return SocketClosed(f"{self._shown}: closed with {code or 'no word'}{why}", code)
            self._ready.clear()
            await self._backoff.sleep(wait)
            wire = await self._reconnect()

    async def _reconnect(self) -> ClientWebSocketResponse | None:
        try:
            return await self._connect()
        except (FetchError, SocketClosed):  # also one that breaks while `opened` sends
            return None

    async def _drain(self, wire: ClientWebSocketResponse) -> bool:
        """Take the messages of one connection; return whether any came.

        Silence counts only while we listen: aiohttp's own heartbeat would cut a server off whose
        pong waits behind messages that a slow reader has not taken.
        """
        patience = 2 * self._ping if self._ping else None
        pinging = asyncio.create_task(_keep_pinging(wire, self._ping))
        came = False
        try:
            while True:
                received = await wire.receive(patience)
                if received.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                    self._reason = received.extra or "" if received.type is WSMsgType.CLOSE else ""
                    return came
                came = True
                await self._messages.put(Message(received.data, time.time()))
        except TimeoutError:
            await _goodbye(wire)
            return came
        finally:
            pinging.cancel()


async def _keep_pinging(wire: ClientWebSocketResponse, seconds: float | None) -> None:
    while seconds and not wire.closed:
        await asyncio.sleep(seconds)
        with suppress(ConnectionError, aiohttp.ClientError):  # the reader hears of it as well
            await wire.ping()


async def _goodbye(wire: ClientWebSocketResponse) -> None:
    """Close; a server that goes on talking instead of saying goodbye is cut off."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_GOODBYE):
            await wire.close()
