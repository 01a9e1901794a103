"""Heads of answers that the parser refuses and browsers read: mended, and read once more.

aiohttp's parser (llhttp) is strict where its own leniency has no switch. So it comes first, and
only what it refuses is looked at here: a page whose head is in order pays one call. What is mended
is what Chromium's `HttpResponseHeaders` and RFC 9112 take; what would leave the end of the body in
doubt stays an error (two different lengths, one that is no number), and so does NUL.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

from aiohttp import BaseConnector, ClientPayloadError
from aiohttp.client_proto import ResponseHandler
from aiohttp.helpers import _EXC_SENTINEL as _NONE
from aiohttp.helpers import set_exception
from aiohttp.http_exceptions import HttpProcessingError, TransferEncodingError
from msgspec import Struct

from crawler.http.lf_chunks import LfChunks, ends_in_lf
from crawler.http.pool import unread_on
from crawler.lazy_regex import lazy
from crawler.web.refusal import Refusal

_STATUS = lazy(rb"[ \t]*(?:HTTP/?(\d+)?(?:\.(\d+))?|ICY)[ \t]+(\d{3})(?!\d)[ \t]*(.*)", re.I)
_TOKEN = lazy(rb"[\w!#$%&'*+\-.^`|~]+", re.ASCII)
_JUNK = 4  # bytes before the status line that Chromium steps over ("kHttpStatusLineLookahead")
_LONGEST = 1 << 20  # bytes of a head, many times what the parser takes
_INTERIM = frozenset({100, *range(102, 200)})  # other answers follow these
_DIGITS = lazy(rb"\d+")
_OF_A_FIELD = lazy("Content-Length|Transfer-Encoding|.*header")  # how llhttp names its errors

Note = Callable[[Refusal], object]


class Mended(Struct, frozen=True):
    """An answer as the parser reads it: nothing while its head is not all there.

    `is_last`: its connection is not to be used again, as bytes stood behind it, or as it gives a
    length beside chunks. `left_out` says why for each line that is not in it.
    """

    data: bytes = b""
    body_at: int = 0
    is_last: bool = False
    left_out: tuple[Refusal, ...] = ()


def mend(data: bytes, *, has_body: bool) -> Mended | None:
    """Return what the bytes of an answer are to a browser; None if they are no answer to it.

    `has_body`: the answer is one to GET, and not to HEAD, which has none whatever it says.
    """
    done: list[bytes] = []
    left_out: list[Refusal] = []
    while True:
        head, end, body = _split(data)
        lines = re.split(rb"\r*\n", head)
        found = _STATUS.fullmatch(lines[0].rstrip())
        if found is None:
            is_over = end or (len(lines) > 1 and len(head) > _JUNK + 5)
            return None if is_over or not _may_begin(head) else Mended()
        if not end:
            return Mended() if len(data) < _LONGEST else None
        code = int(found[3])
        fields = _fields(lines[1:], left_out)
        if fields is None:
            return None
        minor = found[1] != b"1" or found[2] != b"0"
        done.append(b"HTTP/1.%d %b %b\r\n" % (minor, found[3], found[4] or b""))
        done.append(b"".join(line + b"\r\n" for line in [*fields, b""]))
        if not 100 <= code < 200 or code == 101:
            break
        data = body
    length = _length(fields) if has_body and code not in (204, 304) else 0
    kept = body if length is None else body[:length]
    if len(body) > len(kept):
        left_out.append(Refusal.BODY_UNEXPECTED)
    is_last = len(body) > len(kept) or Refusal.LENGTH_BESIDE_CHUNKS in left_out
    heads = b"".join(done)
    return Mended(heads + kept, len(heads), is_last, tuple(left_out))


def _may_begin(head: bytes) -> bool:
    """Return whether bytes without a line end may become a status line."""
    start = head[: _JUNK + 5].upper().lstrip()
    return len(head) < _JUNK + 5 or b"HTTP" in start or start.startswith(b"ICY")


def _split(data: bytes) -> tuple[bytes, bytes, bytes]:
    """Return a head, the empty line that ends it (b"" if there is none yet), and what follows."""
    begin = data[: _JUNK + 5].upper().find(b"HTTP")
    data = data[begin:] if 0 < begin <= _JUNK else data.lstrip(b"\r\n")
    found = re.search(rb"\r*\n\r*\n", data)
    if found is None:
        return data, b"", b""
    return data[: found.start()], found[0], data[found.end() :]


def _fields(lines: list[bytes], left_out: list[Refusal]) -> list[bytes] | None:
    """Return the header lines that are ones; None where two lengths differ."""
    kept: list[bytes] = []
    lengths: set[bytes] = set()
    transfer: list[bytes] = []
    for line in lines:
        if line[:1] in (b" ", b"\t"):
            if kept:  # obs-fold; before the first header it is to be dropped (RFC 9112 2.2)
                kept[-1] += b" " + line.strip(b" \t")
            continue
        name, colon, value = line.partition(b":")
        name = name.strip(b" \t")
        if b"\0" in line:
            return None
        if not colon or not _TOKEN.fullmatch(name):
            left_out.append(Refusal.HEADER_UNREADABLE)
            continue
        lower = name.lower()
        if lower == b"content-length":
            lengths |= {one.strip(b" \t") for one in value.split(b",")}
            continue
        if lower == b"transfer-encoding":
            transfer.append(value)
            continue
        kept.append(name + b":" + value)
    if transfer:  # it overrides a length; whoever sent both may mean an attack (RFC 9112 6.3)
        left_out.extend([Refusal.LENGTH_BESIDE_CHUNKS] if lengths else [])
        return [*kept, b"Transfer-Encoding: " + b", ".join(_codings(transfer))]
    if len(lengths) > 1:
        return None
    return [*kept, *(b"Content-Length: " + one for one in lengths)]


def _codings(values: list[bytes]) -> list[bytes]:
    """Return the codings of a transfer, with chunks over the others as browsers read them.

    Several lines are one list, whose empty elements count for nothing (RFC 9110 5.6.1.2).
    """
    named = [one for value in values for part in value.split(b",") if (one := part.strip(b" \t"))]
    return sorted(named, key=lambda one: one.lower() == b"chunked")


def _hides_chunks(message: Any) -> bool:
    """Return whether there are chunks that the parser does not see, as it wants them named last."""
    said = () if message.chunked else message.headers.getall("Transfer-Encoding", ())
    return any(part.strip(" \t").lower() == "chunked" for one in said for part in one.split(","))


def _length(fields: list[bytes]) -> int | None:
    """Return the length that a mended head gives; None where the end of the body says itself."""
    name, _, value = fields[-1].partition(b": ") if fields else (b"", b"", b"")
    is_length = name == b"Content-Length" and _DIGITS.fullmatch(value) is not None
    return int(value.lstrip(b"0") or 0) if is_length else None


class _Parser:
    """The parser of one answer until its head is through; then it steps aside."""

    def __init__(
        self, strict: Any, again: Callable[[], Any], protocol: Protocol, has_body: bool
    ) -> None:
        self._strict, self._again, self._protocol = strict, again, protocol
        self._has_body = has_body
        self._head, self._heads = b"", 0
        self._error: HttpProcessingError | None = None
        self.pause_reading = strict.pause_reading

    def feed_data(self, data: bytes) -> Any:
        """Feed the strict parser, and a new one with what is mended where that refuses."""
        if self._error is not None:
            return self._mend(data, self._error)
        try:
            found = self._strict.feed_data(data)
        except HttpProcessingError as error:
            self._error = error
            return self._mend(data, error)
        if found[0] and _hides_chunks(found[0][-1][0]):
            return self._mend(data, TransferEncodingError("chunked is not named last"))
        self._heads += len(found[0])
        if found[0] and found[0][-1][0].code not in _INTERIM:
            self._protocol.aside(self._strict)
            if found[0][0][0].chunked and self._has_body:
                self._look_at_chunks(found[0][-1][1], self._head + data)
            return self._protocol.first_of(found)
        if len(self._head) < _LONGEST:
            self._head += data
        return found

    def _mend(self, data: bytes, error: HttpProcessingError) -> Any:
        """Return what the parser makes of the mended answer; nothing while more is to come."""
        self._head += data
        mended = mend(self._head, has_body=self._has_body)
        if mended is None:
            raise error
        if not mended.data:
            return (), False, b""
        parser = self._again()
        self._protocol.aside(parser)
        found = parser.feed_data(mended.data[: mended.body_at])
        if body := mended.data[mended.body_at :]:
            self._feed_body(parser, found[0][-1], body)
        for reason in mended.left_out:
            self._protocol.note(reason)
        if mended.is_last:
            self._protocol.force_close()
        return self._protocol.first_of(found)

    def _look_at_chunks(self, payload: Any, data: bytes) -> None:
        """Wait for the line of the first chunk, where the strict parser has not seen its end."""
        for _ in range(self._heads):
            data = _split(data)[2]
        if ends_in_lf(data) is None:
            waiting = _FirstLine(self._strict, payload, self._protocol, data, len(data))
            self._protocol.aside(waiting)

    def _feed_body(self, parser: Any, answer: tuple[Any, Any], body: bytes) -> None:
        """Feed the first part of a body, whose chunk lines may end in LF if it has chunks."""
        message, payload = answer
        if message.chunked:
            parser = _FirstLine(parser, payload, self._protocol, b"", 0)
            self._protocol.aside(parser)
        try:
            if parser.feed_data(body)[0]:  # another answer stands behind it
                self._protocol.refuse_rest()
        except HttpProcessingError as error:
            if not self._protocol.is_behind(payload, error):
                raise

    def feed_eof(self) -> Any:
        """End the answer with its connection; one that was refused stays refused."""
        if self._error is None:
            return self._strict.feed_eof()
        self._protocol.set_exception(self._error)
        return None


class _FirstLine:
    """The parser of a body until the line of its first chunk is there."""

    def __init__(
        self, strict: Any, payload: Any, protocol: Protocol, seen: bytes, fed: int
    ) -> None:
        """`fed` of the bytes `seen` are known to the strict parser."""
        self._strict, self._payload, self._protocol = strict, payload, protocol
        self._seen, self._fed = seen, fed
        self.pause_reading = strict.pause_reading

    def feed_data(self, data: bytes) -> Any:
        """Feed the parser for such lines, or the strict one; nothing while more is to come."""
        self._seen += data
        is_lf = ends_in_lf(self._seen)
        if is_lf is None:
            return (), False, b""
        parser: Any = LfChunks(self._payload, self._protocol.refuse_rest) if is_lf else self._strict
        self._protocol.aside(parser)
        return parser.feed_data(self._seen if is_lf else self._seen[self._fed :])

    def feed_eof(self) -> Any:
        """End the answer with its connection: it has no chunk."""
        return self._strict.feed_eof()


class Protocol(ResponseHandler):
    """A connection whose answers are read leniently, and only where one was asked for.

    Bytes that come behind an answer would be the answer to the next request, whatever it asks:
    the connection is closed at once, and is used again only where nothing waits to be read.
    """

    def __init__(self, loop: Any, note: Note) -> None:
        super().__init__(loop)
        self.note = note

    def set_response_params(self, **options: Any) -> None:
        """Begin an answer."""
        super().set_response_params(**options)
        strict = self._parser
        if strict is None or self._tail or self._upgraded:
            return
        self._payload = None  # that of the answer before
        has_body = not options.get("skip_payload", False)
        again = partial(self._new, options)
        lenient: Any = _Parser(strict, again, self, has_body)
        self._parser = lenient

    def set_exception(self, exc: BaseException, exc_cause: BaseException = _NONE) -> None:
        """Pass it on to who reads the body: the parser forgets it where what comes is no chunk."""
        body = self._payload
        if body is not None and isinstance(exc, HttpProcessingError):
            if self.is_behind(body, exc):
                return
            set_exception(body, ClientPayloadError(f"{type(exc).__name__}: {exc}"), exc)
        super().set_exception(exc, exc_cause)

    def is_behind(self, body: Any, error: HttpProcessingError) -> bool:
        """Return whether an error stands behind a body; it is whole then, and told and the last.

        A field within a body is one of its trailer: the last chunk is through.
        """
        if body.is_eof():
            self.refuse_rest()
            return True
        if not _OF_A_FIELD.match(error.message):
            return False
        body.feed_eof()
        self.note(Refusal.HEADER_UNREADABLE)
        self.force_close()
        return True

    def data_received(self, data: bytes) -> None:
        """Take bytes of the answer that is awaited; any others end the connection."""
        if data and self._is_over():
            self.refuse_rest()
            if self.transport is not None:
                self.transport.close()
            return
        super().data_received(data)

    def connection_lost(self, exc: BaseException | None) -> None:
        """End the answer with its connection; a reset cuts a body short that has no other end.

        "Considered complete unless an error was indicated by the underlying connection" (RFC 9112
        section 8); aiohttp would take it for whole.
        """
        body = self._payload
        if isinstance(exc, ConnectionResetError) and body is not None and not body.is_eof():
            set_exception(body, ClientPayloadError(f"the connection broke: {exc}"), exc)
        super().connection_lost(exc)

    def is_connected(self) -> bool:
        """Return whether the connection is open and, between two answers, nothing was sent on it.

        As Chromium's `IsConnectedAndIdle`: what waits to be read, an end included, rules it out.
        """
        if not super().is_connected():
            return False
        if not self._is_over():
            return True
        if self._has_begun_another() or (waiting := unread_on(self.transport)) == "bytes":
            self.note(Refusal.BODY_UNEXPECTED)
            return False
        return waiting is None

    def first_of(self, found: Any) -> Any:
        """Return what the parser found without the answers behind the first, which none awaits."""
        messages = found[0]
        ends = [n for n, (head, _) in enumerate(messages) if head.code not in _INTERIM]
        if len(messages) > ends[0] + 1:
            self.refuse_rest()
            return messages[: ends[0] + 1], found[1], found[2]
        return found

    def refuse_rest(self) -> None:
        """Count bytes behind an answer, and do not use the connection again."""
        self.note(Refusal.BODY_UNEXPECTED)
        self.force_close()

    def _is_over(self) -> bool:
        """Return whether the answer is there to its end, and no other was asked for."""
        body = self._payload
        if body is None or self._upgraded or self._payload_parser is not None:
            return False
        return body.is_eof() and not isinstance(self._parser, _Parser)

    def _has_begun_another(self) -> bool:
        """Return whether the parser stands within the head of an answer nobody asked for."""
        try:
            begun = self._parser is not None and self._parser.feed_eof() is not None
        except HttpProcessingError:  # half a head: there is one
            return True
        return begun

    def _new(self, options: dict[str, Any]) -> Any:
        super().set_response_params(**options)
        return self._parser

    def aside(self, parser: Any) -> None:
        """Take the parser itself: the head is through."""
        self._parser = parser


def make_lenient(connector: BaseConnector, note: Note) -> None:
    """Let the connections of a connector read answers as browsers do."""
    factory: Any = partial(Protocol, loop=connector._loop, note=note)
    connector._factory = factory
