"""Reading the body of an answer: decoded as it comes, and never more of it than allowed."""

from __future__ import annotations

import ssl

from aiohttp import ClientPayloadError, ClientResponse, hdrs

from crawler.errors import BadCoding, BodyTooLarge
from crawler.http.content_encoding import Decoder, codings_of


async def read(answer: ClientResponse, cap: int, *, cut: bool = False) -> tuple[bytes, int]:
    """Return the decoded body and its size on the wire; the connection goes back to its pool.

    BodyTooLarge past `cap` bytes of either, unless `cut` says to leave the rest unread. BadCoding
    where the body does not decode. ClientPayloadError where it may not be whole.
    The body of what is no success (3xx, 4xx, 5xx) is given as it came where it does not decode,
    or would be over the cap only then:
    what such an answer says is its status and its Location.
    """
    length = answer.content_length
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
        self._channel = _channel(answer) if answer.content_length is None else None

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
