"""The bytes of a sitemap, piece by piece: unpacked, and as the text of XML.

Sitemaps in the wild are packed twice, cut off, and in any encoding. Each stage is a generator:
memory stays flat. What cannot be read is told by the name of a refusal, never passed over.
"""

import codecs
import re
import zlib
from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from crawler.parse.charset import encoding_of
from crawler.parse.encodings import to_text

Refuse = Callable[[str], None]
"""Takes the name of a refusal, once for each."""
CUT_OFF = "sitemap_cut_off"
"""A sitemap ends before its end: packed data that is cut or damaged, a limit, an open tag."""
PREAMBLE = 1024 * 1024
"""What a server may write before the root of a sitemap: what is longer hides it."""

_CHUNK = 64 * 1024
_WRAPPINGS = 3  # gzip within gzip within gzip: servers do send it twice
_GZIP = b"\x1f\x8b"
# Where XML begins behind whatever a server wrote before it; a comment may hold the same.
_START = re.compile(
    r"<!--.*?(?:-->|\Z)|(<(?:\?xml\s|(?:[\w.-]+:)?(?:urlset|sitemapindex|rss|rdf|feed)[\s>:]))",
    re.IGNORECASE | re.DOTALL,
)


def unpacked(body: bytes, refuse: Refuse) -> Iterator[bytes]:
    """Return `body` in pieces, out of gzip wherever it is in it; nothing of gzip that is damaged.

    Its checksum comes last: where that is wrong, any of the addresses before it may be.
    """
    if body.startswith(_GZIP) and not _is_sound(body):
        refuse(CUT_OFF)
        return iter(())
    chunks: Iterator[bytes] = (body[at : at + _CHUNK] for at in range(0, max(len(body), 1), _CHUNK))
    for _ in range(_WRAPPINGS):
        first = next(chunks, b"")
        chunks = chain((first,), chunks)
        if not first.startswith(_GZIP):
            break
        chunks = _inflated(chunks, refuse)
    return chunks


def _is_sound(body: bytes) -> bool:
    """Return whether gzip can be read to where it ends, or is cut off."""
    inflater, rest = zlib.decompressobj(31), body
    while rest:
        try:
            inflater.decompress(rest, _CHUNK)
        except zlib.error:
            return False
        if inflater.eof:  # what follows may be padding; another member is read when its turn comes
            return True
        rest = inflater.unconsumed_tail
    return True


def _inflated(chunks: Iterable[bytes], refuse: Refuse) -> Iterator[bytes]:
    """Decompress gzip, of any number of members, piece by piece, as far as it is whole."""
    inflater, inside = zlib.decompressobj(31), False
    for chunk in chunks:
        while chunk:
            try:
                piece = inflater.decompress(chunk, _CHUNK)
            except zlib.error:
                if inside:  # else it is what follows the last member (RFC 1952 2.2)
                    refuse(CUT_OFF)
                return
            inside = True
            if piece:
                yield piece
            chunk = inflater.unconsumed_tail
            if inflater.eof:
                chunk, inflater, inside = inflater.unused_data, zlib.decompressobj(31), False
    if inside:
        refuse(CUT_OFF)


def limited(chunks: Iterable[bytes], most: int, refuse: Refuse) -> Iterator[bytes]:
    """Return the first `most` bytes of `chunks`."""
    left = most
    for chunk in chunks:
        if len(chunk) > left:
            refuse(CUT_OFF)
            yield chunk[:left]
            return
        yield chunk
        left -= len(chunk)


def xml(first: bytes, rest: Iterable[bytes]) -> Iterator[str]:
    """Return the text of XML from its declaration or its first element on, piece by piece.

    What cannot be decoded becomes U+FFFD.
    """
    name = encoding_of(first, "application/xml")
    if name == "utf-8":
        pieces = codecs.iterdecode(chain((first,), rest), "utf-8-sig", "replace")
    else:
        text = to_text(b"".join(chain((first,), rest)), name).removeprefix("\ufeff")
        pieces = (text[at : at + _CHUNK] for at in range(0, len(text), _CHUNK))
    yield from _from_start(pieces)


def _from_start(pieces: Iterable[str]) -> Iterator[str]:
    """Yield XML without what a server wrote before it, warnings of up to `PREAMBLE` characters."""
    pieces = iter(pieces)
    held = ""
    for piece in pieces:
        held += piece
        known = next((found.start() for found in _START.finditer(held) if found[1]), None)
        if known is not None or len(held) > PREAMBLE:
            held = held[_first(held) if known is None else known :]
            break
    else:
        held = held[_first(held) :]
    yield held
    yield from pieces


def _first(text: str) -> int:
    """Return where the first "<" stands, which is all that an unknown document tells."""
    at = text.find("<")
    return at if at >= 0 else len(text)
