"""The DevTools protocol over the pipe of a browser: JSON, each message ended by a zero byte.

All that a tab needs of a browser is in `DevToolsSession`: ask (`send`), listen (`on`), and know
when the other side has gone (`gone`). Nothing here ends a wait: who asks sets a limit.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

Listener = Callable[[dict[str, Any]], object]


class DevToolsError(Exception):
    """What was asked did not happen: the browser refuses, or the tab or the browser has gone."""


class DevToolsMessage(msgspec.Struct, omit_defaults=True):
    """A message of either side, its contents as they came: most of them nobody asks for."""

    id: int = 0
    sessionId: str = ""  # as the protocol has it
    method: str = ""
    params: msgspec.Raw = msgspec.Raw()
    result: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()


_decode = msgspec.json.Decoder(DevToolsMessage).decode
encode = msgspec.json.Encoder().encode


def decode(text: bytes) -> DevToolsMessage:
    """Return a message; half a UTF-16 pair, which scripts may write, becomes a question mark."""
    try:
        return _decode(text)
    except msgspec.DecodeError:
        told = json.dumps(json.loads(text), ensure_ascii=False)
        return _decode(told.encode("utf-8", "replace"))


def content_of(raw: msgspec.Raw) -> dict[str, Any]:
    """Return what a part of a message says."""
    found: dict[str, Any] = msgspec.json.decode(raw) if raw else {}
    return found


class Hearer(Protocol):
    """What takes the messages of one session."""

    def take(self, message: DevToolsMessage) -> None:
        """Take one."""

    def end(self) -> None:
        """Hear that there will be no more."""


class DevTools(asyncio.Protocol):
    """The connection to one browser: `root` is the conversation with itself.

    Invariant: each question is answered once, at the latest when the connection ends.
    """

    def __init__(self) -> None:
        self._pieces: list[bytes] = []  # of a message that came in part
        self._written: list[bytes] = []
        self._last = 0
        self._sessions: dict[str, Hearer] = {}
        self._transport: asyncio.WriteTransport | None = None
        self.root = self.session("")
        self.root.on("Target.detachedFromTarget", self.detached)

    def number(self) -> int:
        """Return the number of the next question: no two sessions have one in common."""
        self._last += 1
        return self._last

    def writes_to(self, transport: asyncio.WriteTransport) -> None:
        """Send by a transport from now on."""
        self._transport = transport

    def session(self, number: str) -> DevToolsSession:
        """Return the conversation with a target to which we are attached."""
        made = DevToolsSession(self, number)
        self.lead(number, made)
        return made

    def lead(self, number: str, hearer: Hearer) -> None:
        """Lead the messages of a session to a hearer."""
        self._sessions[number] = hearer

    def forget(self, number: str) -> None:
        """Lead the messages of a session nowhere."""
        self._sessions.pop(number, None)

    async def attached(self, target: str) -> DevToolsSession:
        """Return a new session with a target."""
        told = await self.root.send("Target.attachToTarget", {"targetId": target, "flatten": True})
        return self.session(told["sessionId"])

    def write(self, message: dict[str, Any]) -> None:
        """Send a message; DevToolsError if nobody is there."""
        if self._transport is None or self._transport.is_closing():
            raise DevToolsError("the browser has gone")
        if (
            not self._written
        ):  # what is asked at once goes out at once: each write wakes the browser
            asyncio.get_running_loop().call_soon(self._flush)
        self._written += (encode(message), b"\0")

    def _flush(self) -> None:
        text = b"".join(self._written)
        self._written.clear()
        if self._transport is not None:
            self._transport.write(text)

    def close(self) -> None:
        """End the connection."""
        if self._transport is not None:
            self._transport.close()
        for session in [*self._sessions.values()]:
            session.end()
        self._sessions.clear()

    def detached(self, event: dict[str, Any]) -> None:
        """Note that a session has ended, of which the one that it came from tells."""
        session = self._sessions.pop(event["sessionId"], None)
        if session is not None:
            session.end()

    # ------------------------------------------------------------ what asyncio calls

    def data_received(self, data: bytes) -> None:
        """Take what came; a message may come in pieces."""
        *whole, rest = data.split(b"\0")
        for text in whole:
            if self._pieces:
                text = b"".join((*self._pieces, text))
                self._pieces.clear()
            message = decode(text)
            session = self._sessions.get(message.sessionId)
            if session is not None:
                session.take(message)
        if rest:
            self._pieces.append(rest)

    def connection_lost(self, error: Exception | None) -> None:
        """Let everybody know that the browser has gone."""
        self.close()


class DevToolsSession:
    """One conversation: with the browser, or with a target of it."""

    def __init__(self, devtools: DevTools, number: str) -> None:
        self._devtools, self.number = devtools, number
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._listeners: dict[str, Listener] = {}
        self.gone = asyncio.Event()

    def on(self, method: str, listener: Listener) -> None:
        """Call a function with each event of a kind."""
        self._listeners[method] = listener

    def off(self, method: str) -> None:
        """Listen to a kind of event no more."""
        self._listeners.pop(method, None)

    async def send(self, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what is answered; DevToolsError if the browser refuses or is not there."""
        if self.gone.is_set():
            raise DevToolsError(f"{method}: the tab or the browser has gone")
        number = self.post(method, params)
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            return await answer
        finally:
            self._waiting.pop(number, None)

    def post(self, method: str, params: dict[str, Any] | None = None) -> int:
        """Ask without waiting for the answer; return the number of the question."""
        number = self._devtools.number()
        message: dict[str, Any] = {"id": number, "method": method, "params": params or {}}
        if self.number:
            message["sessionId"] = self.number
        self._devtools.write(message)
        return number

    def take(self, message: DevToolsMessage) -> None:
        """Take a message of this session."""
        if not message.id:
            listener = self._listeners.get(message.method)
            if listener is not None:
                listener(content_of(message.params))
        else:
            answer = self._waiting.get(message.id)
            if answer is None or answer.done():
                return
            if message.error:
                answer.set_exception(DevToolsError(content_of(message.error)["message"]))
            else:
                answer.set_result(content_of(message.result))

    def end(self) -> None:
        """End: the other side has gone, and what was asked has no answer."""
        self.gone.set()
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(DevToolsError("the tab or the browser has gone"))
