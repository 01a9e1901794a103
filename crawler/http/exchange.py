"""One exchange with a server: the request on its way, its deadline, the body that comes back.

A body is decoded as it comes, and never more of it is read than allowed.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Awaitable, Mapping
from types import TracebackType
from typing import Any

from aiohttp import ClientPayloadError, ClientRequest, ClientResponse, ClientSession, hdrs

from crawler import urls
from crawler.errors import BadCoding, BodyTooLarge
from crawler.http.content_encoding import Decoder, codings_of
from crawler.http.set_cookie import joined
from crawler.lazy_regex import lazy
from crawler.web.request import Request

_EXPECTED = 1.0  # seconds that a body waits for "100 Continue", as curl has it
_GRAIN = 0.001  # seconds; a loop's timer may ring that much too early
# Another protocol, a part, what a cache has: RFC 9110 7.8, 15.3.7, 15.4.5.
_ON_REQUEST = frozenset({*range(100, 200), 206, 304})
_FROM_START = lazy(r"bytes[\t ]+0-([0-9]{1,18})/([0-9]{1,18})", re.IGNORECASE)


class CookieRequest(ClientRequest):
    """A request that sends cookies as the jar gives them: aiohttp would quote and sort them."""

    def update_cookies(self, cookies: Any) -> None:
        """Write the Cookie header."""
        if cookies:
            by_hand = "; ".join(self.headers.getall(hdrs.COOKIE, ()))
            self.headers[hdrs.COOKIE] = joined(by_hand, cookies)

    def update_expect_continue(self, expect: bool = False) -> None:
        """Wait for "100 Continue" a while only: many servers never say it (RFC 9110 10.1.1)."""
        super().update_expect_continue(expect)
        if self._continue is not None:
            self.loop.call_later(_EXPECTED, _go_on, self._continue)


def _go_on(waiting: asyncio.Future[bool]) -> None:
    if not waiting.done():
        waiting.set_result(True)


def is_plain(request: Request) -> bool:
    """Return whether a GET needs no more than the session's own settings, and open headers."""
    return (
        request.method == "GET"
        and request.first_url is None
        and request.cookies is None
        and request.session is None
        and request.data is None
        and request.json is None
        and request.files is None
        and request.timeout is None
        and request.proxy is None
        and (request.headers is None or all(type(v) is str for v in request.headers.values()))
    )


def send(
    session: ClientSession, method: str, url: str, options: Mapping[str, Any]
) -> Awaitable[ClientResponse]:
    """Return the request on its way; it is no coroutine, as that would be one more to resume."""
    return session.request(method, urls.wire(url), allow_redirects=False, **options)


def length_of(answer: ClientResponse) -> int | None:
    """Return the Content-Length; zeros before it are none of the 4,300 digits that int() takes."""
    said = answer.headers.get(hdrs.CONTENT_LENGTH)
    return None if said is None else int(said.lstrip("0") or 0)


def _refuse_unasked(answer: ClientResponse) -> None:
    """Raise ClientPayloadError for an answer that only a request of another kind may get.

    A part of a page would be taken for all of it, and 304 for a page that nobody has.
    """
    status, sent = answer.status, answer.request_info.headers
    if status == 206:
        place = answer.headers.get(hdrs.CONTENT_RANGE, "").strip()
        if not place or hdrs.RANGE in sent or _is_all(place):
            return
        raise ClientPayloadError(f"a part ({place:.60}), which was not asked for")
    if status == 304 and (hdrs.IF_NONE_MATCH in sent or hdrs.IF_MODIFIED_SINCE in sent):
        return
    raise ClientPayloadError(f"{status} {answer.reason:.60}, which was not asked for")


def _is_all(place: str) -> bool:
    """Return whether a Content-Range is that of all there is (RFC 9110 14.4)."""
    found = _FROM_START.fullmatch(place)
    return found is not None and int(found[1]) + 1 == int(found[2])


async def read(answer: ClientResponse, cap: int, *, cut: bool = False) -> tuple[bytes, int]:
    """Return the decoded body and its size on the wire; the connection goes back to its pool.

    BodyTooLarge past `cap` bytes of either, unless `cut` says to leave the rest unread. BadCoding
    where the body does not decode. ClientPayloadError where it may not be whole, or is an answer to
    what was not asked.
    The body of what is no success (3xx, 4xx, 5xx) is given as it came where it does not decode,
    or would be over the cap only then:
    what such an answer says is its status and its Location.
    """
    if answer.status in _ON_REQUEST:
        _refuse_unasked(answer)
    length = length_of(answer)
    if not cut and length is not None and length > cap and answer.method != "HEAD":
        raise BodyTooLarge(f"Content-Length {length:,} is over the cap of {cap:,} bytes")
    if hdrs.CONTENT_ENCODING not in answer.headers:
        if not cut and length is not None:
            data = await answer.content.read()  # no more than that can come
            return data, len(data)
        if answer.headers.get(hdrs.TRANSFER_ENCODING, "chunked") == "chunked":  # nearly always
            return await _read_on(answer, cap, None, cut)
    if answer.status < 300 and answer.method != "HEAD":
        return await _read_on(answer, cap, _decoder(answer, cap, cut), cut)
    raw, size = await _read_on(answer, cap, None, cut)
    try:
        decoder = _decoder(answer, cap, cut) if raw else None
        if decoder is None:
            return raw, size
        data = decoder.feed(raw)
        if not cut:  # otherwise the rest may be unread
            decoder.finish()
    except (BadCoding, BodyTooLarge):
        return raw, size
    return data[:cap] if cut else data, size


def _decoder(answer: ClientResponse, cap: int, cut: bool) -> Decoder | None:
    codings = codings_of(answer.headers)
    return Decoder(", ".join(codings), cap, cut=cut) if codings else None


async def _read_on(
    answer: ClientResponse, cap: int, decoder: Decoder | None, cut: bool
) -> tuple[bytes, int]:
    """Return the body, decoded as it comes, and its size on the wire."""
    ending = TlsBodyEnd(answer)
    pieces: list[bytes] = []
    wire = kept = 0
    readany = answer.content.readany
    while data := await readany():
        wire += len(data)
        if decoder is not None:
            data = decoder.feed(data)
        pieces.append(data)
        kept += len(data)
        if kept > cap or wire > cap or (cut and kept == cap):
            if not cut:
                raise BodyTooLarge(f"over the cap of {cap:,} bytes")
            answer.close()
            break
    else:
        if decoder is not None:
            decoder.finish()
        if wire:
            ending.check()
    whole = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    return whole[:cap] if cut else whole, wire


class TlsBodyEnd:
    """The end of a body that only the end of its TLS connection ends; made before it is read."""

    def __init__(self, answer: ClientResponse) -> None:
        self._channel = _channel(answer) if length_of(answer) is None else None

    def check(self) -> None:
        """Raise ClientPayloadError where the other side did not say that this is all."""
        if self._channel is not None and not _was_closed(self._channel):
            raise ClientPayloadError("TLS ended without close_notify: bytes may be missing")


def _channel(answer: ClientResponse) -> ssl.SSLObject | None:
    """Return the TLS channel of an answer that only the end of its connection ends."""
    connection = answer.connection
    if connection is None or connection.transport is None:
        return None
    if hdrs.TRANSFER_ENCODING in answer.headers:
        return None
    found: ssl.SSLObject | None = connection.transport.get_extra_info("ssl_object")
    return found


def _was_closed(channel: ssl.SSLObject) -> bool:
    """Return whether the other side said that this is all (RFC 9112 section 9.8)."""
    try:
        channel.read(1)
    except ssl.SSLZeroReturnError:
        return True
    except ssl.SSLError:  # it would still wait for something, or was broken off
        return False
    return False


class Deadline:
    """At most `seconds` for every `with` block; then TimeoutError is raised in it.

    One deadline for many tries at once: a timer of its own for each, as aiohttp's total time-out
    has it, costs a tenth of a small GET. All have the same time, so they end in the order in which
    they began: one timer, set for the oldest, serves them all.

    A task may be in one block at a time. Cancelling from outside wins, as in `asyncio.timeout`.
    """

    __slots__ = ("_began", "_late", "_loop", "_timer", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        # Task → when it began, and how often it was asked to end before; in order of beginning.
        self._began: dict[asyncio.Task[Any], tuple[float, int]] = {}
        self._late: dict[asyncio.Task[Any], int] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def __enter__(self) -> None:
        loop = self._loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        assert task is not None
        self._began[task] = (loop.time(), task.cancelling())
        if self._timer is None:
            self._timer = loop.call_later(self.seconds, self._cut_off)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        task = asyncio.current_task(self._loop)
        assert task is not None
        if self._began.pop(task, None) is None:
            asked = self._late.pop(task)
            if task.uncancel() <= asked and kind is asyncio.CancelledError:
                raise TimeoutError(f"no end after {self.seconds:g} s") from error

    def close(self) -> None:
        """Stop the timer; nobody is in a block any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _cut_off(self) -> None:
        """Cancel what is late, and set the timer for what is then the oldest."""
        loop, self._timer = asyncio.get_running_loop(), None
        while self._began:
            task, (began, asked) = next(iter(self._began.items()))
            left = began + self.seconds - loop.time()
            if left > _GRAIN:
                self._timer = loop.call_later(left, self._cut_off)
                return
            del self._began[task]
            self._late[task] = asked
            task.cancel()
