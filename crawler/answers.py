"""Reading the body of an answer: decoded as it comes, and never more of it than allowed."""

from __future__ import annotations

from aiohttp import ClientResponse, hdrs

from crawler.coding import Decoder
from crawler.errors import BodyTooLarge


async def read(answer: ClientResponse, cap: int, *, cut: bool = False) -> tuple[bytes, int]:
    """Give the decoded body and its size on the wire; the connection goes back to its pool.

    BodyTooLarge past `cap` bytes of either, unless `cut` says to leave the rest unread. BadCoding
    where the body does not decode.
    """
    coding = answer.headers.get(hdrs.CONTENT_ENCODING)
    length = answer.content_length
    if not cut and length is not None and length > cap and answer.method != "HEAD":
        raise BodyTooLarge(f"Content-Length {length:,} is over the cap of {cap:,} bytes")
    if coding is None and not cut and length is not None:
        data = await answer.content.read()  # no more than that can come
        return data, len(data)
    decoder = Decoder(coding, cap, cut=cut) if coding and answer.method != "HEAD" else None
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
    whole = pieces[0] if len(pieces) == 1 else b"".join(pieces)
    return whole[:cap] if cut else whole, wire
