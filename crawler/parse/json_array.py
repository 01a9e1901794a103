"""The values of an array of JSON, one after the other, of a file of any size.

Each is read by the scanner of `json`, which says where it ends. Where it meets the end of what was
read so far, more is read.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import IO, Any

from crawler.parse.json_text import refuse_constant

_PIECE = 1 << 20
_BLANK = re.compile(r"[ \t\n\r]*")
_BLANKS = ("", " ", "\t", "\n", "\r")
_CUT = 16  # characters at the end that may be half of a number, a name or an escape
_SHOWN = 40
_scan = json.JSONDecoder(parse_constant=refuse_constant).raw_decode


def values_of(file: IO[bytes], at: str | None) -> Iterator[Any]:
    """Yield the values of the array that `at` names (`data.items`), or of the first of objects.

    ValueError where there is none, or where the file is no JSON, behind the values before that.
    """
    text = _Text(file)
    depth = text.open_first() if at is None else text.open_at(at)
    for _ in text.entries("]"):
        yield text.value()
    for _ in range(depth):
        text.leave()
    if text.mark():
        raise text.error("more stands behind its end")


class _Text:
    """The text of a file, and a place in it."""

    def __init__(self, file: IO[bytes]) -> None:
        head = file.read(4)
        file.seek(0)
        self._file = file
        self._decoder = codecs.getincrementaldecoder(json.detect_encoding(head))()
        self._text, self._at, self._is_over = "", 0, False

    def mark(self) -> str:
        """Return the next character that is no blank, "" at the end."""
        while (mark := self._text[self._at : self._at + 1]) in _BLANKS:
            if mark:
                self._at = _BLANK.match(self._text, self._at).end()  # type: ignore[union-attr]
            elif self._is_over:
                return ""
            else:
                self._more()
        return mark

    def value(self) -> Any:
        """Return the next value, and go behind it."""
        self.mark()
        while True:
            try:
                value, end = _scan(self._text, self._at)
            except json.JSONDecodeError as error:
                cut = error.msg.startswith("Unterminated") or len(self._text) - error.pos < _CUT
                if self._is_over or not cut:
                    self._at = error.pos
                    raise self.error(error.msg) from None
            else:
                if end + 2 < len(self._text) or self._is_over:  # else a number may go on: "e+"
                    self._at = end
                    return value
            self._more()

    def entries(self, end: str) -> Iterator[None]:
        """Stand before each entry of what was opened, and at last behind its end."""
        mark = "," if self.mark() != end else end
        while mark == ",":
            yield
            if (mark := self.mark()) == ",":
                self._at += 1
        if mark != end:
            raise self.error(f"Expecting ',' or {end!r}")
        self._at += 1

    def open_at(self, path: str) -> int:
        """Go into the array at a path of keys; return how many objects it stands in."""
        names = path.split(".") if path else []
        for name in names:
            if not self._enter(name):
                raise ValueError(f"there is nothing at {path!r}")
        if self.mark() != "[":
            raise ValueError(f"what stands at {path!r} is no array")
        self._take("[")
        return len(names)

    def open_first(self) -> int:
        """Go into the whole, if it is an array, or the first array of objects in its objects."""
        if self.mark() == "[":
            self._take("[")
            return 0
        depth = self._found()
        if not depth:
            raise ValueError("there is no array of objects; name another with at=")
        return depth - 1

    def leave(self) -> None:
        """Go behind the object around a value that was read."""
        while self.mark() != "}":
            self._take(",")
            self._key()
            self.value()
        self._at += 1

    def error(self, why: str) -> ValueError:
        """Return the error of what stands here."""
        return ValueError(f"{why}, at {self._text[self._at : self._at + _SHOWN]!r}")

    def _enter(self, name: str) -> bool:
        """Go to the value of a key; return whether there is one."""
        if self.mark() == "{":
            for _ in self._members():
                if self._key() == name:
                    return True
                self.value()
        return False

    def _found(self) -> int:
        """Go into the first array of objects; return its depth in objects, and 1; 0 for none."""
        if self.mark() == "[":
            self._take("[")
            if self.mark() == "{":
                return 1
            for _ in self.entries("]"):
                self.value()
        elif self.mark() == "{":
            for _ in self._members():
                self._key()
                if depth := self._found():
                    return depth + 1
        else:
            self.value()
        return 0

    def _members(self) -> Iterator[None]:
        self._take("{")
        return self.entries("}")

    def _key(self) -> Any:
        if self.mark() != '"':
            raise self.error("Expecting a name")
        key = self.value()
        self._take(":")
        return key

    def _take(self, mark: str) -> None:
        if self.mark() != mark:
            raise self.error(f"Expecting {mark!r}")
        self._at += 1

    def _more(self) -> None:
        """Read more: as much again as is left, so that no text is scanned over and over."""
        left = self._text[self._at :]
        piece = self._file.read(max(_PIECE, len(left)))
        self._text, self._at = left + self._decoder.decode(piece, not piece), 0
        self._is_over = not piece
