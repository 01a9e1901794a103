"""Character references of HTML, in attributes and in text."""

from __future__ import annotations

import html
import re
from functools import lru_cache
from html.entities import html5

from crawler.parse.machine_code import MachineCode

_REFERENCE = re.compile(r"&(?:#[0-9]+;?|#[xX][0-9a-fA-F]+;?|[a-zA-Z][a-zA-Z0-9]*;?)(=?)")
# Of a control or a noncharacter, as far as one can tell.
_NUMBER = re.compile(
    r"""&\#(?:[xX]0*(0|[1-8bBeEfF]|1[0-9a-fA-F]|7[fF]|[0-9a-fA-F]*[fF](?:[dD][dDeE]|[fF][fF])
      [0-9a-fA-F])(?![0-9a-fA-F])
    | 0*([1-8]|11|1[4-9]|2\d|3[01]|127|6(?:49[789]\d|500[0-7]|553[45])|[1-9]\d{5,6})(?!\d));?""",
    re.VERBOSE,
)
_COMMON = (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&#39;", "'"), ("&nbsp;", "\xa0"))
_LONG = re.compile(r"&#([0-9]{1000,})")  # int() takes 4,300 digits
_WHITE = re.compile("\r\n|[\t\n\r]")
_LINE_FEED = re.compile(r"&(?:#(?:0*+10(?!\d)|[xX]0*+[aA](?![\da-fA-F]));?|NewLine;)")
# Whatever `html.unescape` looks at.
_ANY = MachineCode(r"&(?:\#(?:[0-9]++|[xX][0-9a-fA-F]++);?+|[^\t\n\f\ <&#;]{1,32}+;?+)")
_MARK = "\x01"
_WINDOW = 128 * 1024  # characters that one search may take without letting other threads run


def unescape(text: str) -> str:
    """Decode the character references of a text.

    Those of controls and noncharacters are kept as the standard has it, which Python drops.
    https://html.spec.whatwg.org/#numeric-character-reference-end-state
    """
    if "&" not in text:
        return text
    # What stands for these characters is part of no other reference.
    for reference, character in _COMMON:
        text = text.replace(reference, character)
    if text.count("&") == text.count("&amp;"):
        return text.replace("&amp;", "&")
    if len(text) <= _WINDOW:
        return _decoded_text(text)
    pieces, at = [], 0
    while at < len(text):
        end = text.find("&", at + _WINDOW)  # within no reference
        end = end if end >= 0 else len(text)
        pieces.append(_decoded_text(text[at:end]))
        at = end
    return "".join(pieces)


def unescape_in_lines(text: str) -> str:
    """Return the same with a blank for each reference to a line feed: lines end by markup alone."""
    return unescape(_LINE_FEED.sub(" ", text) if "&" in text else text)


def _decoded_text(text: str) -> str:
    if _MARK not in text and (marked := _ANY.replaced(f"{_MARK}$0{_MARK}", text)) is not None:
        pieces = marked.split(_MARK)
        pieces[1::2] = map(_character, pieces[1::2])
        return "".join(pieces)
    return _unescaped(text)


def _unescaped(text: str) -> str:
    if "&#" in text:
        text = _NUMBER.sub(_kept, _LONG.sub(_short, text))
    return html.unescape(text)


def _short(match: re.Match[str]) -> str:
    """Return the same reference in few digits, one of no character for one of no character."""
    return f"&#{match[1].lstrip('0')[:9] or '0'}"


_character = lru_cache(1024)(_unescaped)


def _kept(match: re.Match[str]) -> str:
    if html.unescape(match[0]):
        return match[0]
    return chr(int(match[1], 16) if match[1] else int(match[2]))


def decoded(value: str, *, xml: bool = False) -> str:
    """Decode character references by the rule for attributes: `&copy=1` stays as it is.

    U+0000 becomes U+FFFD, as in the tokenizer. In `xml` a line end or tab is a space.
    """
    if xml:
        value = _WHITE.sub(" ", value)
    if "\0" in value:
        value = value.replace("\0", "\ufffd")
    return _REFERENCE.sub(_dereference, value) if "&" in value else value


def _dereference(match: re.Match[str]) -> str:
    text = match[0]
    if text[1] == "#":
        return unescape(text)
    name, rest = (text[1:-1], "=") if match[1] else (text[1:], "")
    if name not in html5 or (rest and name[-1] != ";"):
        return text
    return html5[name] + rest
