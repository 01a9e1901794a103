"""The tokens of XML as it is found in sitemaps and feeds: tags, and the text before each.

A parser of XML ends at the first error, or recovers by dropping what it does not understand: one
"--" in a comment, and libxml2 leaves out every reference behind it, so that "?a=1&amp;b=2" becomes
another URL. Here an error costs what it stands in, and no more.
References are decoded; what nobody defines, or is no character of XML, becomes U+FFFD.
"""

import re
from collections.abc import Iterable, Iterator
from html.entities import html5
from typing import NamedTuple

from crawler.sitemap.repair import CUT_OFF, Refuse

_LONGEST = 1024 * 1024  # characters of one token
_ATTRIBUTES = r"""[^<>"']*+(?:"[^"<]*+"[^<>"']*+|'[^'<]*+'[^<>"']*+)*+"""
_TAG = re.compile(rf"([^<]*+)<(/?)([^\s/<>\"'=!?&;]++)({_ATTRIBUTES})>")
_NAME = re.compile(r"<(/?)([^\s/<>\"'=!?&;]++)")
_ATTRIBUTE = re.compile(
    r"""(?<![^\s/=<>"'])([^\s/=<>"']++)\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'<>]++))"""
)
# A document has one: what begins a second ends the search, or each would be one to the end.
_DECLARATION = re.compile(
    r"""<!(?:DOCTYPE(?=[\s\[])[^\[<>"']*+(?:"[^"]*+"[^\[<>"']*+|'[^']*+'[^\[<>"']*+)*+
        (?:\[(?:[^\]"'<]++|"[^"]*+"|'[^']*+'|<!--(?:[^-<]++|-(?!->)|<(?!!DOCTYPE))*+-->
            |<(?!!DOCTYPE|!--))*+\]\s*+)?+>
        |(?!DOCTYPE[\s\[])[^>]*+>)""",
    re.VERBOSE | re.IGNORECASE,
)
_REFERENCE = re.compile(r"&(?:#([0-9]++)|#[xX]([0-9a-fA-F]++)|([A-Za-z][A-Za-z0-9]*+));")
_ENDS = {"<!--": "-->", "<![CDATA[": "]]>", "<?": "?>"}


class Token(NamedTuple):
    """A tag, its name in lower case, and the text before it; a text alone has no name."""

    text: str
    name: str = ""
    ends: bool = False
    attributes: str = ""
    empty: bool = False
    broken: bool = False


def tokens(chunks: Iterable[str], refuse: Refuse) -> Iterator[Token]:
    """Yield the tokens of XML that comes in pieces; `sitemap_cut_off` where it ends inside one."""
    source, held, at, more = iter(chunks), "", 0, True
    while True:
        tag = _TAG.match(held, at)
        if tag is not None:
            at = tag.end()
            attributes = tag[4]
            yield Token(
                decoded(tag[1]), tag[3].lower(), bool(tag[2]), attributes, attributes[-1:] == "/"
            )
            continue
        token, after = _special(held, at, last=not more)
        if token is not None:
            at = after
            yield token
        elif more and len(held) - at <= _LONGEST:
            piece = next(source, None)
            more = piece is not None
            held, at = held[at:] + (piece or ""), 0
        else:
            if len(held) > at:
                yield Token(decoded(held[at:].partition("<")[0]))
                refuse(CUT_OFF)
            return


def _special(held: str, at: int, *, last: bool) -> tuple[Token | None, int]:
    """Return what is no well-formed tag, and where it ends; None if more must be read first."""
    start = held.find("<", at)
    if start < 0:
        return _text(held, at, len(held), last=last)
    before = decoded(held[at:start])
    for mark, end in _ENDS.items():
        if held.startswith(mark, start):
            stop = held.find(end, start + len(mark))
            inside = held[start + len(mark) : stop] if mark == "<![CDATA[" else ""
            return (Token(before + inside), stop + len(end)) if stop >= 0 else (None, at)
    if not last and len(held) - start < 16:  # the mark itself may be cut
        return None, at
    if held.startswith("<!", start):
        found = _DECLARATION.match(held, start)
        stop = held.find(">", start) if last and found is None else -1
        after = found.end() if found is not None else stop + 1
        return (Token(before), after) if after else (None, at)
    return _broken(held, start, before, at, last=last)


def _broken(held: str, start: int, before: str, at: int, *, last: bool) -> tuple[Token | None, int]:
    """Return a tag that lacks its end or a quote; a "<" that begins none is text."""
    name = _NAME.match(held, start)
    if name is None:
        return Token(before + "<"), start + 1
    # A quote may hold ">", but no "<" (XML 1.0, 2.4): one of those before the end shows the lack.
    following = held.find("<", name.end())
    if following < 0 and not last:
        return None, at
    limit = following if following >= 0 else len(held)
    after = held.find(">", name.end(), limit) + 1 or following
    if after < 0:
        return None, at
    return Token(before, name[2].lower(), bool(name[1]), "", False, True), after


def _text(held: str, at: int, end: int, *, last: bool) -> tuple[Token | None, int]:
    """Return text without a tag behind it; the end may be a part of a reference."""
    if not last:
        end = max(at, end - 40)
        mark = held.rfind("&", max(at, end - 40), end)
        end = mark if mark >= 0 else end
    return (Token(decoded(held[at:end])), end) if end > at else (None, at)


def attributes_of(text: str) -> dict[str, str]:
    """Return a tag's attributes by name, references decoded; the first of a name counts."""
    found: dict[str, str] = {}
    for name, double, single, bare in _ATTRIBUTE.findall(text):
        found.setdefault(name, decoded(double or single or bare))
    return found


def decoded(text: str) -> str:
    """Return text with its references decoded; "&" alone, the commonest mistake, is itself."""
    return _REFERENCE.sub(_character, text) if "&" in text else text


def _character(reference: re.Match[str]) -> str:
    """Return the character of a reference: XML's own and, as feeds use them, those of HTML."""
    decimal, hexadecimal, name = reference.groups()
    if name:
        return html5.get(f"{name};", "\ufffd")
    digits = (decimal or hexadecimal).lstrip("0") or "0"
    number = int(digits, 10 if decimal else 16) if len(digits) < 8 else 0
    is_xml = number in (9, 10, 13) or 32 <= number < 0xD800 or 0xE000 <= number < 0xFFFE
    return chr(number) if is_xml or 0x10000 <= number <= 0x10FFFF else "\ufffd"
