"""One end of the channel between the owner and a process: messages over a socket pair.

What is said in one turn of the event loop goes out in one write.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any, cast

import msgspec
from msgspec import Struct

from crawler.processes.messages import LENGTH, pack

_HEAD = LENGTH.size


def first_message(channel: socket.socket, decoder: msgspec.msgpack.Decoder[Any]) -> Any:
    """Return the first message that comes, before there is a loop; None where the end comes."""
    data = b""
    size = _HEAD
    while len(data) < size:
        more = channel.recv(size - len(data))
        if not more:
            return None
        data += more
        if len(data) == _HEAD:
            size = _HEAD + LENGTH.unpack(data)[0]
    return decoder.decode(data[_HEAD:])


class Channel(asyncio.Protocol):
    """Sends messages, and calls `hear` with each that comes and `ended` once with the end."""

    def __init__(
        self,
        decoder: msgspec.msgpack.Decoder[Any],
        hear: Callable[[Any], None],
        ended: Callable[[], None],
    ) -> None:
        self._decoder, self._hear, self._ended = decoder, hear, ended
        self._transport: asyncio.WriteTransport | None = None
        self._received = bytearray()
        self._waiting: list[bytes] = []
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport (asyncio)."""
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's is no subclass

    def connection_lost(self, exc: Exception | None) -> None:
        """Hear of the end (asyncio)."""
        self._transport = None
        self._ended()

    def data_received(self, data: bytes) -> None:
        """Take what came, and hand over each message that is whole (asyncio)."""
        received = self._received
        received += data
        at, size = 0, len(received)
        with memoryview(received) as view:
            while size - at >= _HEAD:
                end = at + _HEAD + LENGTH.unpack_from(view, at)[0]
                if end > size:
                    break
                message = self._decoder.decode(view[at + _HEAD : end])
                at = end
                self._hear(message)
        if at:
            del received[:at]

    def send(self, message: Struct) -> None:
        """Send a message, at the end of this turn of the loop."""
        self.write(pack(message))

    def write(self, data: bytes) -> None:
        """Send a message that is packed already."""
        if not self._waiting:
            self._loop.call_soon(self.flush)
        self._waiting.append(data)

    def flush(self) -> None:
        """Write what waits."""
        waiting, self._waiting = self._waiting, []
        if self._transport is not None and waiting:
            self._transport.write(waiting[0] if len(waiting) == 1 else b"".join(waiting))

    def close(self) -> None:
        """Write what waits, and close."""
        self.flush()
        if self._transport is not None:
            self._transport.close()
