"""Chunks whose lines end in LF alone (RFC 9112 7.1 wants CR LF): read as Chromium reads them.

llhttp takes LF alone in a head and has no switch for chunks. Which kind a body has shows in the
line of its first chunk, so only that is looked at, and a body with CR LF goes to the strict parser.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from aiohttp.http_exceptions import TransferEncodingError

from crawler.lazy_regex import lazy

LONGEST = 16_384  # bytes of a line, Chromium's `kMaxLineBufLen`
_SIZE = lazy(rb"([0-9A-Fa-f]{1,16})[ ]*(?:;.*)?", re.DOTALL)  # Chromium's `ParseChunkSize`


def ends_in_lf(data: bytes) -> bool | None:
    """Return whether the first line of a chunked body is a size that LF alone ends.

    None while that line is not all there.
    """
    end = data.find(b"\n")
    if end < 0:
        return None if len(data) <= LONGEST else False
    return data[end - 1 : end] != b"\r" and _SIZE.fullmatch(data[:end]) is not None


class LfChunks:
    """A parser of one chunked body, for `payload`; `note_rest` is called where more comes."""

    def __init__(self, payload: Any, note_rest: Callable[[], object]) -> None:
        self._payload, self._note_rest = payload, note_rest
        self._line = b""
        self._left = 0  # bytes of the chunk that are still to come
        self._state = self._size
        self.is_over = False

    def pause_reading(self) -> None:
        """Do nothing: what is there is decoded at once, and the protocol stops the transport."""

    def feed_data(self, data: bytes) -> tuple[tuple[()], bool, bytes]:
        """Decode a part of the body; TransferEncodingError for what is no chunk."""
        while data and not self.is_over:
            if self._left:
                part, data = data[: self._left], data[self._left :]
                self._left -= len(part)
                self._payload.feed_data(part)
                continue
            line, end, data = data.partition(b"\n")
            self._line += line
            if len(self._line) > LONGEST:
                raise TransferEncodingError("a chunk line is too long")
            if end:
                line, self._line = self._line.removesuffix(b"\r"), b""
                self._state(line)
        if data:
            self._note_rest()
        return (), False, b""

    def feed_eof(self) -> None:
        """End the body with its connection; before its last chunk that is an error."""
        if not self.is_over:
            raise TransferEncodingError("Not enough data to satisfy transfer length header.")

    def _size(self, line: bytes) -> None:
        found = _SIZE.fullmatch(line)
        if found is None:
            raise TransferEncodingError(f"no chunk size: {line[:40]!r}")
        self._left = int(found[1], 16)
        self._state = self._behind if self._left else self._trailer

    def _behind(self, line: bytes) -> None:
        if line:
            raise TransferEncodingError(f"a chunk is longer than its size: {line[:40]!r}")
        self._state = self._size

    def _trailer(self, line: bytes) -> None:
        if not line:
            self.is_over = True
            self._payload.feed_eof()
