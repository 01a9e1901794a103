"""Where a text area wraps the lines of its text, as `wrap=hard` sends it.

The standard leaves the way to the browser (https://html.spec.whatwg.org/#attr-textarea-wrap). This
one breaks as Chromium does in the font that text areas have, of which all letters are of one width:
at spaces, which hang over the end, behind hyphens and slashes, and within a longer word.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping

from crawler.lazy_regex import lazy

_COLUMNS = 20  # unless `cols` tells
_COLS = lazy(r"[\t\n\f\r ]*\+?0*([1-9][0-9]{0,8})")
# What stays together: a word up to the spaces behind it, a hyphen or slash, or one ideograph.
_PIECE = lazy(
    r"[\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff01-\uff60] *"
    r"|[^ \-/?\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff01-\uff60]*[-/?]*+(?: +|(?<=[-/?])(?!\d)|)"
    r"|[-/?]++"
)


def wrapped(text: str, attributes: Mapping[str, str]) -> str:
    """Return what a text area of these attributes sends: with line ends where it wraps hard."""
    if attributes.get("wrap", "").strip().lower() != "hard":
        return text
    found = _COLS.match(attributes.get("cols", ""))
    columns = int(found[1]) if found else _COLUMNS
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return "\r\n".join("\r\n".join(_broken(line, columns)) for line in lines)


def _broken(line: str, columns: int) -> Iterator[str]:
    """Yield a line in parts of at most so many columns; spaces at their end take none."""
    part, width = "", 0
    for piece in filter(None, _PIECE.findall(line)):
        word = piece.rstrip(" ")
        if part and width + _width(word) > columns:
            yield part
            part, width = "", 0
        # A word that is longer than a line is broken where that is full.
        for char in piece if _width(word) > columns else (piece,):
            if part and char != " " and width + _width(char.rstrip(" ")) > columns:
                yield part
                part, width = "", 0
            part += char
            width += _width(char)
    yield part


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(1 + (unicodedata.east_asian_width(char) in "WF") for char in text)
