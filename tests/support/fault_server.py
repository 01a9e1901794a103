"""A server that does everything wrong on purpose: raw sockets, with or without TLS.

A script gets a `Wire` after the head of a request has come; what it sends is sent as it stands.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from typing import NamedTuple, Self


class Hit(NamedTuple):
    """A request as it came."""

    method: str
    target: str
    headers: dict[str, str]
    connection: int


class Wire:
    """One request's way back."""

    def __init__(
        self, server: "FaultServer", reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.server, self.reader, self.writer = server, reader, writer
        self.hit: Hit
        self.keep = False

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def drip(self, data: bytes, seconds: float) -> None:
        """Send one byte after the other."""
        for byte in data:
            await self.send(bytes([byte]))
            await asyncio.sleep(seconds)

    async def hang(self) -> None:
        """Say nothing until the server stops."""
        await self.server.stopping.wait()

    def reset(self) -> None:
        """End the connection with RST: no lingering."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Script = Callable[[Wire], Awaitable[None]]


def page(
    body: bytes = b"<title>Fine</title>", head: bytes = b"", status: bytes = b"200 OK"
) -> bytes:
    """An answer without a fault."""
    length = b"Content-Length: %d\r\n" % len(body)
    return (
        b"HTTP/1.1 " + status + b"\r\nContent-Type: text/html\r\n" + head + length + b"\r\n" + body
    )


def says(data: bytes, *, keep: bool = False) -> Script:
    """Send these bytes, then close (or wait for the next request)."""

    async def script(wire: Wire) -> None:
        await wire.send(data)
        wire.keep = keep

    return script


class FaultServer:
    """Plays scripts by path: `async with FaultServer() as server: server.at("/x", script)`."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._scripts: dict[str, Script] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.connections = 0
        self.hits: list[Hit] = []
        self.stopping = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.stopping.set()
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    def at(self, path: str, script: Script | bytes) -> str:
        """Play a script (or send bytes) at a path, query included; give its URL."""
        self._scripts[path] = says(script) if isinstance(script, bytes) else script
        return self.url(path)

    def url(self, path: str = "/") -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}{path}"

    def count(self, path: str) -> int:
        return sum(hit.target == path for hit in self.hits)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        number = self.connections
        try:
            while await self._answer(Wire(self, reader, writer), number):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client is gone, or the test is over
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _answer(self, wire: Wire, number: int) -> bool:
        head = (await wire.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        wire.hit = Hit(method, target, headers, number)
        self.hits.append(wire.hit)
        if length := int(headers.get("content-length", 0)):
            await wire.reader.readexactly(length)
        script = self._scripts.get(target) or self._scripts.get("*")
        await (script or says(page(status=b"404 Not Found"), keep=True))(wire)
        return wire.keep
