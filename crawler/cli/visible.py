"""The filter before the terminal: standard output and error while a command runs.

What a server says is untrusted, also here: a title may hold the sequences that name a window,
repaint what stands above, or turn the order of letters around. Such characters are shown as JSON
writes them (`\\u001b`); only what draws by itself takes the stream below (`raw`). Data that goes to
a pipe or a file stays exact.
"""

from __future__ import annotations

import codecs
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from crawler.errors import without_passwords
from crawler.lazy_regex import lazy

# C0 but tab and line feed, DEL, C1; what turns directions (Unicode TR9); line and paragraph
# separators; halves of surrogate pairs, which no encoding can write.
_CONTROLS = lazy(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def visible(text: str) -> str:
    """Return a text in which no character commands a terminal: such are written out."""
    return _CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def raw(stream: IO[str]) -> IO[str]:
    """Return the stream below a `Visible` one, for what draws and has made foreign text visible."""
    return stream.below if isinstance(stream, Visible) else stream


class Visible:
    """A text stream that shows control characters; messages also lose the passwords of URLs."""

    def __init__(self, below: IO[str], *, messages: bool = False) -> None:
        self.below, self._messages = below, messages
        self._bytes = _VisibleBytes(below) if below.isatty() else None

    def write(self, text: str) -> int:
        """Write a text."""
        shown = visible(text)
        self.below.write(without_passwords(shown) if self._messages else shown)
        return len(text)

    def writelines(self, lines: list[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    @property
    def buffer(self) -> Any:
        """Where bytes are written: exact, unless they would go to a terminal."""
        return self._bytes or cast(Any, self.below).buffer

    def __getattr__(self, name: str) -> Any:
        return getattr(self.below, name)


class _VisibleBytes:
    """The bytes of UTF-8 text for a terminal; other bytes are shown as U+FFFD."""

    def __init__(self, below: IO[str]) -> None:
        self._below = below
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def write(self, data: bytes) -> int:
        self._below.write(visible(self._decoder.decode(data)))
        return len(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._below, name)


_SPELLED = {"→": "->", "…": "...", "’": "'", "‘": "'", "“": '"', "”": '"', "—": "-", "·": "."}
"""How our own typography is written where an encoding has no such letter."""


def _spell(error: UnicodeError) -> tuple[str, int]:
    """Return what stands for letters that an encoding has not: our own, or as JSON writes them."""
    assert isinstance(error, UnicodeEncodeError)
    text = error.object[error.start : error.end]
    return "".join(_SPELLED.get(c) or _escaped(c) for c in text), error.end


def _escaped(char: str) -> str:
    number = ord(char)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def open_streams() -> None:
    """Make standard output and error take any text: one that is closed takes it to nowhere.

    A letter that the encoding of a console or pipe has not (cp1252, Latin-1, ASCII) is spelled.
    """
    codecs.register_error("crawlkeep.spell", _spell)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None or stream.closed:
            nowhere = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115  # as the other
            setattr(sys, name, nowhere)
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="crawlkeep.spell")


def close_streams() -> None:
    """Write what is left to be written; to a reader that has gone, nothing is.

    Raises the OSError of a full disk.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except BrokenPipeError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


@contextmanager
def guarded_terminal() -> Iterator[None]:
    """Filter standard output and error while a command runs."""
    before = sys.stdout, sys.stderr
    sys.stdout = cast(Any, Visible(raw(sys.stdout)))
    sys.stderr = cast(Any, Visible(raw(sys.stderr), messages=True))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
