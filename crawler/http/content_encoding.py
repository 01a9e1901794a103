"""Content codings (RFC 9110 section 8.4): gzip, deflate, br, zstd, capped while they unpack.

Every decoder gives at most a piece of output at a time, so a bomb stops at the cap and not in
memory. A body that ends before its coding does is broken, not short. Nothing here does I/O.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

import brotli
from multidict import CIMultiDict, CIMultiDictProxy

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from crawler.errors import BadCoding, BodyTooLarge

ACCEPT = "gzip, deflate, br, zstd"
_PIECE = 256 * 1024  # output taken at a time
_SLICE = 16 * 1024  # bytes of a body in br that are given to its decoder at a time
_KEPT = 1 << 20  # and those that are kept until its end
_LAYERS = 3  # codings applied one over the other; real servers use one
_WINDOW_LOG = 23  # 8 MB, the largest window that RFC 9659 allows the coding zstd


class _Decoder(Protocol):
    def pieces(self, data: bytes) -> Iterator[bytes]:
        """Yield what `data` unpacks to, a piece at a time."""

    @property
    def ended(self) -> bool:
        """Whether the coding is at an end of its own, or nothing has come yet."""


class _Gzip:
    """gzip, with any number of members; what follows the last one is padding (RFC 1952)."""

    def __init__(self) -> None:
        self._object = zlib.decompressobj(31)
        self._begun = self._over = False
        self._held = b""  # the first byte of what may be a further member

    @property
    def ended(self) -> bool:
        return not self._begun or self._over or self._object.eof

    def pieces(self, data: bytes) -> Iterator[bytes]:
        data, self._held = self._held + data, b""
        while data and not self._over:
            if self._object.eof:
                data = data.lstrip(b"\0")
                if not self._next_member(data):
                    return
            self._begun = True
            yield self._object.decompress(data, _PIECE)
            data = self._object.unconsumed_tail
            while not data and not self._object.eof:
                piece = self._object.decompress(b"", _PIECE)
                if not piece:
                    break
                yield piece
            if self._object.eof:
                data = self._object.unused_data

    def _next_member(self, data: bytes) -> bool:
        """Begin the next member if that is what `data` is."""
        if data in (b"", b"\x1f"):
            self._held = data
            return False
        self._over = not data.startswith(b"\x1f\x8b")
        if not self._over:
            self._object = zlib.decompressobj(31)
        return not self._over


class _Deflate:
    """deflate with its zlib header, or without, as some servers send it."""

    def __init__(self) -> None:
        self._object: zlib._Decompress | None = None
        self._held = b""

    @property
    def ended(self) -> bool:
        return (self._object.eof if self._object is not None else False) or (
            self._object is None and not self._held
        )

    def pieces(self, data: bytes) -> Iterator[bytes]:
        if self._object is None:
            self._held = data = self._held + data
            if len(data) < 2:
                return
            self._object = zlib.decompressobj(15 if _has_zlib_header(data) else -15)
        while not self._object.eof:
            piece = self._object.decompress(data, _PIECE)
            data = self._object.unconsumed_tail
            yield piece
            if not data and not piece:
                return


def _has_zlib_header(data: bytes) -> bool:
    """Return whether two bytes are a zlib header (RFC 1950 section 2.2)."""
    return data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0


class _Brotli:
    """br (RFC 7932); what follows its end is left out, as browsers leave it.

    Its decoder fails where that comes in one slice with the end, and what it made of the slice is
    lost. Such a body is unpacked once more from what is kept of it, that slice byte by byte.
    """

    def __init__(self) -> None:
        self._object = brotli.Decompressor()
        self._kept: list[bytes] | None = []
        self._given = self._taken = 0  # bytes of output, and of input

    @property
    def ended(self) -> bool:
        return not self._taken or bool(self._object.is_finished())

    def pieces(self, data: bytes) -> Iterator[bytes]:
        for at in range(0, len(data), _SLICE):
            if self._object.is_finished():
                return
            yield from self._slice(data[at : at + _SLICE])

    def _slice(self, data: bytes) -> Iterator[bytes]:
        self._taken += len(data)
        if self._kept is not None:
            self._kept.append(data)
            self._kept = self._kept if self._taken <= _KEPT else None
        try:
            for piece in self._unpacked(data):
                self._given += len(piece)
                yield piece
        except brotli.error:
            if self._kept is None:
                raise
            yield from self._again(self._kept)

    def _unpacked(self, data: bytes) -> Iterator[bytes]:
        piece = self._object.process(data, output_buffer_limit=_PIECE)
        # Ready for more input does not mean that all output is out: ask until nothing comes.
        while piece or not (self._object.is_finished() or self._object.can_accept_more_data()):
            yield piece
            piece = self._object.process(b"", output_buffer_limit=_PIECE)

    def _again(self, kept: list[bytes]) -> Iterator[bytes]:
        """Yield what has not been given yet, up to the end; fail where no end comes before."""
        self._object, known = brotli.Decompressor(), self._given
        *before, last = kept
        for data in (*before, *(last[at : at + 1] for at in range(len(last)))):
            for piece in self._unpacked(data):
                if len(piece) > known:
                    yield piece[known:]
                known = max(0, known - len(piece))
            if self._object.is_finished():
                return


class _Zstd:
    """zstd with any number of frames (RFC 8878)."""

    def __init__(self) -> None:
        self._object = self._frame()
        self._begun = False

    @staticmethod
    def _frame() -> zstd.ZstdDecompressor:
        return zstd.ZstdDecompressor(
            options={zstd.DecompressionParameter.window_log_max: _WINDOW_LOG}
        )

    @property
    def ended(self) -> bool:
        return not self._begun or self._object.eof

    def pieces(self, data: bytes) -> Iterator[bytes]:
        while True:
            if self._object.eof:
                if not data:
                    return
                self._object = self._frame()
            self._begun = True
            yield self._object.decompress(data, _PIECE)
            if self._object.eof:
                data = self._object.unused_data
            elif self._object.needs_input:
                return
            else:
                data = b""


_DECODERS: dict[str, Callable[[], _Decoder]] = {
    "gzip": _Gzip,
    "x-gzip": _Gzip,
    "deflate": _Deflate,
    "br": _Brotli,
    "zstd": _Zstd,
}


# Codings of IANA's registry that are not undone here: their bytes are no body to be stored as one.
_UNDECODED = frozenset({"aes128gcm", "compress", "dcb", "dcz", "exi", "pack200-gzip", "x-compress"})

# Files that are coded themselves: servers label them with the coding that is part of the file.
_CODED_FILES: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "gzip": (
        frozenset({"gz", "tgz", "taz", "svgz", "emz", "wmz", "vgz", "gzip", "crate"}),
        frozenset(
            {
                *("application/gzip", "application/x-gzip", "application/x-gunzip"),
                *(
                    "application/gzipped",
                    "application/gzip-compressed",
                    "application/x-gtar-compressed",
                ),
                *("application/x-compressed", "application/x-compressed-tar", "application/x-tgz"),
                *("gzip/document", "multipart/x-gzip"),
            }
        ),
    ),
    "br": (frozenset({"br"}), frozenset({"application/x-brotli", "application/brotli"})),
    "zstd": (frozenset({"zst", "zstd", "tzst"}), frozenset({"application/zstd"})),
    "deflate": (frozenset({"zz", "zlib"}), frozenset({"application/zlib"})),
}


def codings_of(headers: CIMultiDict[str] | CIMultiDictProxy[str]) -> list[str]:
    """Return the codings of an answer in the order in which they were applied, as Decoder does.

    Several lines are one list (RFC 9110 5.3). Those of the transfer came last. BadCoding for one
    that cannot be undone.
    """
    return [*of_content(headers), *of_transfer(headers)]


def of_content(headers: CIMultiDict[str] | CIMultiDictProxy[str]) -> list[str]:
    """Return the codings of the content alone."""
    return _known(", ".join(headers.getall("Content-Encoding", ())))


def of_transfer(headers: CIMultiDict[str] | CIMultiDictProxy[str]) -> list[str]:
    """Return the codings of the transfer that the client leaves in place: all but chunked."""
    return _known(", ".join(headers.getall("Transfer-Encoding", ())))


def _known(header: str) -> list[str]:
    """Return the codings that a header names and that are to be undone.

    `identity` is none, and neither is a token that nobody knows (utf-8, none, aws-chunked):
    browsers step over it, since what stands there is no coding but a mistake.
    """
    names = [name.strip(" \t").lower() for name in header.split(",")]
    for name in names:
        if name in _UNDECODED:
            raise BadCoding(f"Content-Encoding {name!r} cannot be undone")
    return [name for name in names if name in _DECODERS]


def transfer_codings(codings: list[str], media_type: str, name: str) -> list[str]:
    """Return those of the codings that are no part of the file itself, to be undone on saving it.

    A .tar.gz, by the name of the file or its media type, is labelled `gzip` by many servers. As
    browsers do, the file is stored as it was sent: it is what its name and its digest speak of.
    """
    first = codings[0].removeprefix("x-") if codings else ""
    extensions, media_types = _CODED_FILES.get(first, (frozenset[str](), frozenset[str]()))
    is_own = name.rpartition(".")[2].lower() in extensions or media_type.lower() in media_types
    return codings[1:] if is_own else codings


class Decoder:
    """Undoes the codings of one body, in the order in which they were applied.

    `feed` gives decoded bytes; BodyTooLarge past `cap` bytes in all (or, with `cut`, no more),
    BadCoding for one that does not decode, or is known and cannot be undone. `finish` says
    BadCoding where the body ended before its coding did.
    """

    def __init__(self, header: str, cap: int, *, cut: bool = False) -> None:
        names = _known(header)
        if len(names) > _LAYERS:
            raise BadCoding(f"{len(names)} content codings one over the other; at most {_LAYERS}")
        self._layers = [_DECODERS[name]() for name in reversed(names)]
        self._cap, self._cut = cap, cut
        self._size = 0

    def feed(self, data: bytes) -> bytes:
        """Return what `data` decodes to; nothing once the cap is passed."""
        if self._size > self._cap:
            return b""
        out: list[bytes] = []
        try:
            for piece in self._through(data, self._layers):
                self._size += len(piece)
                out.append(piece)
                if self._size > self._cap:
                    break
        except (zlib.error, brotli.error, zstd.ZstdError, EOFError, ValueError) as error:
            raise BadCoding(f"the body does not decode: {error}") from None
        if self._size > self._cap and not self._cut:
            raise BodyTooLarge(f"over {self._cap:,} bytes after decompression")
        return b"".join(out)

    def finish(self) -> None:
        """Check that every coding came to its end."""
        if not all(layer.ended for layer in self._layers):
            raise BadCoding("the body ends before its content coding does")

    def _through(self, data: bytes, layers: list[_Decoder]) -> Iterator[bytes]:
        if not layers:
            yield data
            return
        for piece in layers[0].pieces(data):
            yield from self._through(piece, layers[1:])
