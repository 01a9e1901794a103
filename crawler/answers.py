"""Reading the body of an answer: decoded as it comes, and never more of it than allowed."""

from __future__ import annotations

import ssl

from aiohttp import ClientPayloadError, ClientResponse, hdrs

from crawler.coding import Decoder
from crawler.errors import BodyTooLarge


async def read(answer: ClientResponse, cap: int, *, cut: bool = False) -> tuple[bytes, int]:
    """Give the decoded body and its size on the wire; the connection goes back to its pool.

    BodyTooLarge past `cap` bytes of either, unless `cut` says to leave the rest unread. BadCoding
    where the body does not decode. ClientPayloadError where it may not be whole.
    """
    coding = answer.headers.get(hdrs.CONTENT_ENCODING)
    length = answer.content_length
    if not cut and length is not None and length > cap and answer.method != "HEAD":
        raise BodyTooLarge(f"Content-Length {length:,} is over the cap of {cap:,} bytes")
    if coding is None and not cut and length is not None:
        data = await answer.content.read()  # no more than that can come
        return data, len(data)
    decoder = Decoder(coding, cap, cut=cut) if coding and answer.method != "HEAD" else None
    channel = _channel(answer) if length is None else None
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
        if channel is not None and wire and not _was_closed(channel):
            raise ClientPayloadError("TLS ended without close_notify: bytes may be missing")
    whole = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    return whole[:cap] if cut else whole, wire


def _channel(answer: ClientResponse) -> ssl.SSLObject | None:
    """Give the TLS channel of an answer that only the end of its connection ends."""
    connection = answer.connection
    if connection is None or connection.transport is None:
        return None
    if hdrs.TRANSFER_ENCODING in answer.headers:
        return None
    found: ssl.SSLObject | None = connection.transport.get_extra_info("ssl_object")
    return found


def _was_closed(channel: ssl.SSLObject) -> bool:
    """Tell whether the other side said that this is all (RFC 9112 section 9.8)."""
    try:
        channel.read(1)
    except ssl.SSLZeroReturnError:
        return True
    except ssl.SSLError:  # it would still wait for something, or was broken off
        return False
    return False
