"""The bytes of a sitemap, piece by piece: unpacked, and as XML that a parser can take.

Sitemaps in the wild are packed twice, cut off, in any encoding, and hold characters and
ampersands that XML does not allow. Each stage is a generator: memory stays flat.
"""

import codecs
import re
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain

from crawler.charset import encoding_of
from crawler.encodings import to_text

_CHUNK = 64 * 1024
_WRAPPINGS = 3  # gzip within gzip within gzip: servers do send it twice
_GZIP = b"\x1f\x8b"
_LONGEST_TAG = 1024 * 1024  # a parser keeps it whole, at forty times its size
_CONTROLS = bytes(byte for byte in range(32) if byte not in b"\t\n\r")  # not allowed in XML


def unpacked(body: bytes) -> Iterator[bytes]:
    """Give `body` in pieces, out of gzip wherever it is in it."""
    chunks: Iterator[bytes] = (body[at : at + _CHUNK] for at in range(0, max(len(body), 1), _CHUNK))
    for _ in range(_WRAPPINGS):
        first = next(chunks, b"")
        chunks = chain((first,), chunks)
        if not first.startswith(_GZIP):
            break
        chunks = _inflated(chunks)
    return chunks


def _inflated(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Decompress gzip, of any number of members, piece by piece, as far as it is whole."""
    inflater = zlib.decompressobj(31)
    for chunk in chunks:
        while chunk:
            try:
                piece = inflater.decompress(chunk, _CHUNK)
            except zlib.error:
                return
            if piece:
                yield piece
            chunk = inflater.unconsumed_tail
            if inflater.eof:
                chunk, inflater = inflater.unused_data, zlib.decompressobj(31)


def limited(chunks: Iterable[bytes], most: int) -> Iterator[bytes]:
    """Give the first `most` bytes of `chunks`."""
    left = most
    for chunk in chunks:
        yield chunk[:left]
        left -= len(chunk)
        if left <= 0:
            return


def xml(first: bytes, rest: Iterable[bytes]) -> Iterator[bytes]:
    """Give XML as UTF-8 from its first "<" on, without characters that XML does not allow."""
    name = encoding_of(first, "application/xml")
    if name == "utf-8":
        pieces = codecs.iterdecode(chain((first,), rest), "utf-8-sig", "replace")
    else:
        text = to_text(b"".join(chain((first,), rest)), name)
        pieces = (text[at : at + _CHUNK] for at in range(0, len(text), _CHUNK))
    started, unclosed = False, 0
    for piece in pieces:
        data = piece.encode("utf-8", "replace").translate(None, _CONTROLS)
        if not started:
            data = data[data.find(b"<") :] if b"<" in data else b""
            started = bool(data)
        end = data.rfind(b">")
        unclosed = unclosed + len(data) if end < 0 else len(data) - end
        if unclosed > _LONGEST_TAG:
            return
        yield data


_OPEN, _CLOSE = b"<![CDATA[", b"]]>"
_BARE = re.compile(rb"&(?!(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{0,31});)", re.I | re.ASCII)


def escaped(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Write "&" as "&amp;" where it starts no reference and is not within CDATA.

    An XML parser would drop it with the word behind it: "?a=1&b=2" is the commonest mistake.
    """
    held, within = b"", False
    for chunk in chain(chunks, (b"",)):
        data, held = held + chunk, b""
        while data:
            mark = _CLOSE if within else _OPEN
            at = data.find(mark)
            if at >= 0:
                piece, data = data[:at], data[at:]
            else:
                # The end may be the start of a mark or of a reference: it waits for more.
                keep = 40 if chunk else 0
                piece, data, held = data[: len(data) - keep], b"", data[len(data) - keep :]
                tail = piece.rfind(b"&", len(piece) - 40) if chunk and not within else -1
                if tail >= 0:
                    piece, held = piece[:tail], piece[tail:] + held
            yield piece if within else _BARE.sub(b"&amp;", piece)
            if data:
                yield mark
                data, within = data[len(mark) :], not within
