"""The door: the proxy on loopback through which alone a browser reaches anything.

One listener for each session, so that its port says whose cookies, proxies and TLS settings hold.
A tunnel (CONNECT) leads to one address, which was checked; of what is not encrypted each request
is read, and a connection carries one: bytes that nobody looked at never pass.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import Counter
from collections.abc import Callable
from urllib.parse import urlsplit

from crawler.browser.dial import Connection, Dialler
from crawler.errors import AddressRefused, FetchError

_HEAD = 256 * 1024  # bytes of a request's head: cookies and URLs may be long
_PIECE = 64 * 1024
_FAILURES = 1000  # places of which it is remembered why they could not be had
_HOP = frozenset(
    {b"connection", b"proxy-connection", b"keep-alive", b"proxy-authorization", b"te", b"upgrade"}
)
_REFUSED = b"HTTP/1.1 %b\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"

Place = tuple[str, int]


class Door:
    """One listener. `failures` says why a place could not be had, for who asked for it."""

    def __init__(
        self,
        dialler: Dialler,
        *,
        refused: Callable[[], None] = lambda: None,
        certificate: ssl.SSLContext | None = None,
    ) -> None:
        """`refused` is called for each connection that the address guard does not allow.

        `certificate` is shown to the browser for hosts whose own one is for us to judge.
        """
        self._dialler, self._refused, self._certificate = dialler, refused, certificate
        self.failures: dict[Place, FetchError] = {}
        self.asked: Counter[Place] = Counter()
        self.port = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listen on a port of loopback."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_HEAD)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Listen no more, and cut what is open."""
        if self._server is not None:
            self._server.close()
        for task in [*self._tasks]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._pass(reader, writer)
        except (OSError, ValueError, EOFError, asyncio.LimitOverrunError):
            pass  # one side has gone, or says what is no HTTP
        except asyncio.CancelledError:
            if self._server is not None and self._server.is_serving():
                raise
        finally:
            self._tasks.discard(task)
            _shut(writer)

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read the one request of a connection, and lead it on."""
        line, head = await _head_of(reader)
        method, target, _ = line.split(b" ", 2)
        if method == b"CONNECT":
            await self._tunnel(target.decode("ascii"), reader, writer)
            return
        parts = urlsplit(target.decode("ascii"))
        if parts.scheme != "http" or not parts.hostname:
            writer.write(_REFUSED % b"400 Bad Request")
            return
        place = (parts.hostname, parts.port or 80)
        path = target[len(b"http://") + len(parts.netloc) :]
        path = path if path.startswith(b"/") else b"/" + path
        try:
            self.asked[place] += 1
            route = self._dialler.route(place[0], target.decode("ascii"))
            onward, whole = await self._dialler.open_plain(*place, route)
        except FetchError as error:  # no answer: what one would say would be the page's to read
            self._fail(place, error)
            return
        more = self._dialler.authorization(route) if whole and route is not None else b""
        await _exchange(method, target if whole else path, head, more, (reader, writer), onward)

    async def _tunnel(
        self, target: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        name, _, port = target.rpartition(":")
        place = (name.strip("[]"), int(port))
        judged = self._certificate is not None and self._dialler.vouches(place[0])
        try:
            self.asked[place] += 1
            onward = await self._dialler.open(*place, secure=judged)
        except FetchError as error:
            self._fail(place, error)
            writer.write(_REFUSED % b"502 Bad Gateway")
            return
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        if judged and self._certificate is not None:
            try:
                await writer.start_tls(self._certificate)
                line, head = await _head_of(reader)
                method, path, _ = line.split(b" ", 2)
                await _exchange(method, path, head, b"", (reader, writer), onward)
            finally:
                _shut(onward[1])
            return
        await _splice((reader, writer), onward)

    def _fail(self, place: Place, error: FetchError) -> None:
        if isinstance(error, AddressRefused):
            self._refused()
        if len(self.failures) >= _FAILURES:
            self.failures.clear()
        self.failures[place] = error


async def _head_of(reader: asyncio.StreamReader) -> tuple[bytes, list[bytes]]:
    """Return the first line and the header lines of a message."""
    text = await reader.readuntil(b"\r\n\r\n")
    line, *head = text[:-4].split(b"\r\n")
    return line, head


async def _exchange(
    method: bytes,
    target: bytes,
    head: list[bytes],
    more: bytes,
    here: Connection,
    there: Connection,
) -> None:
    """Send one request, and give back what is answered until the connection ends."""
    try:
        kept = [line for line in head if line.partition(b":")[0].strip().lower() not in _HOP]
        lines = [b"%b %b HTTP/1.1" % (method, target), *kept, b"Connection: close"]
        there[1].write(b"\r\n".join(lines) + b"\r\n" + more + b"\r\n")
        sending = asyncio.ensure_future(_pump(here[0], there[1]))
        try:
            await _answer(there[0], here[1])
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
    finally:
        _shut(there[1])


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass an answer back, and tell the browser that nothing follows on this connection."""
    try:
        text = await reader.readuntil(b"\r\n\r\n")
        while text[9:10] == b"1" and text[9:12] != b"101":  # interim
            text = await reader.readuntil(b"\r\n\r\n")
        line, *head = text[:-4].split(b"\r\n")
        kept = [one for one in head if one.partition(b":")[0].strip().lower() not in _HOP]
        writer.write(b"\r\n".join([line, *kept, b"Connection: close"]) + b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:  # a head as only a browser reads it
        writer.write(error.partial)
    except asyncio.LimitOverrunError:
        pass
    await _pump(reader, writer)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_PIECE):
        writer.write(data)
        await writer.drain()


async def _splice(here: Connection, there: Connection) -> None:
    """Lead bytes both ways until one side ends."""
    ways = [
        asyncio.ensure_future(_pump(here[0], there[1])),
        asyncio.ensure_future(_pump(there[0], here[1])),
    ]
    try:
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for way in ways:
            way.cancel()
        await asyncio.gather(*ways, return_exceptions=True)
        _shut(there[1])


def _shut(writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(RuntimeError):  # the loop is closed
        writer.close()
