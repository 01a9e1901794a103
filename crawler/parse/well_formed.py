"""A document in XML as far as it is well-formed: browsers stop at the first error in it.

What stands behind the error nobody sees, and it may be anything
(https://www.w3.org/TR/xml/#dt-fatal); expat finds it. Entities that the document declares itself
are written out where they are plain text, and attributes that it gives where a tag has none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from html import escape
from html.entities import html5
from typing import NamedTuple

from crawler.lazy_regex import lazy

_WINDOW = 1 << 17  # bytes that expat takes at once: it holds the GIL
_MOST_GROWTH = 1 << 16  # characters by which entities may make a document longer


class WellFormed(NamedTuple):
    """The part of a document before its first error; and what that is, None if there is none.

    `left_out` is what its document type gives and is not in the text, as it would be too long.
    """

    text: str
    error: str | None
    left_out: str | None = None


@lru_cache(maxsize=2)  # title and links, text and forms of one page each ask
def well_formed(text: str) -> WellFormed:
    """Return a document as far as it is well-formed, its own entities and attributes in it."""
    from xml.parsers import expat  # most crawls never need it

    parser = expat.ParserCreate("utf-8")
    unbound = _unbound(text)
    data = text.encode("utf-8", "replace")
    own: dict[str, str] = {}  # the entities that the document declares
    if "<!ENTITY" in text:

        def declare(name: str, is_parameter: bool, value: str | None, *_: str | None) -> None:
            if value is not None and not is_parameter:
                own.setdefault(name, value)

        parser.EntityDeclHandler = declare
    given = _Defaults(data, own)
    if "<!ATTLIST" in text:
        parser.AttlistDeclHandler = given.declare
        parser.specified_attributes = True
    if unbound or "<!ATTLIST" in text:

        def start(name: str, attributes: dict[str, str]) -> None:
            at = parser.CurrentByteIndex
            if not unbound.isdisjoint(key.partition(":")[0] for key in attributes if ":" in key):
                raise _UnboundPrefix(at, parser.CurrentLineNumber, parser.CurrentColumnNumber)
            given.start(name, attributes, at)

        parser.StartElementHandler = start
    try:
        for at in range(0, len(data), _WINDOW):
            parser.Parse(data[at : at + _WINDOW], False)
        parser.Parse(b"", True)
    except (expat.ExpatError, _UnboundPrefix) as error:
        if isinstance(error, _UnboundPrefix):
            name, (index, line, column) = "unbound prefix", error.args
        else:
            name, index = expat.ErrorString(error.code), parser.ErrorByteIndex
            line, column = error.lineno, error.offset
            if data.startswith(_NO_CHARACTER, index):
                name = "bytes that are none of its encoding, or no character of XML"
        why = f"line {line}, column {column + 1}: {name}"
        if name == _CUT_CDATA:
            index = data.rfind(b"<![CDATA[")
        if name in _AT_THE_END and not data.startswith(b"<!", index):
            return given.told(text, why)
        before = data[: max(0, index)].decode("utf-8", "ignore")
        return given.told(_cut(before, text), why)
    return given.told(text, None)


class _Defaults:
    """Attributes that a document type gives to tags without them; none if they are too large."""

    def __init__(self, data: bytes, entities: Mapping[str, str]) -> None:
        self._data, self._entities = data, entities
        self._declared: dict[str, dict[str, str]] = {}  # by element and attribute
        self._known: set[tuple[str, str]] = set()
        self._missing: list[tuple[int, str]] = []  # each with the byte behind the name of a tag
        self._room = _MOST_GROWTH

    def declare(self, name: str, attribute: str, _: str, value: str | None, __: int) -> None:
        """Take a declaration; of several the first one binds."""
        if value is not None and (name, attribute) not in self._known:
            self._declared.setdefault(name, {})[attribute] = value
        self._known.add((name, attribute))

    def start(self, name: str, attributes: dict[str, str], at: int) -> None:
        """Take a tag that begins at byte `at`."""
        own = self._declared.get(name)
        tag = f"<{name}".encode()
        if not own or not self._data.startswith(tag, at):  # it stands in an entity
            return
        for key, value in own.items():
            if key in attributes:
                continue
            written = f' {key}="{escape(value)}"'
            self._missing.append((at + len(tag), written))
            self._room -= len(written)
            if self._room < 0:
                self._declared.clear()
                self._missing.clear()
                return

    def told(self, text: str, error: str | None) -> WellFormed:
        """Return what the document begins with, with all that it declares itself."""
        whole = _with_entities(self.written(text), self._entities)
        kinds = ["attributes"] * (self._room < 0) + ["entities"] * (whole is None)
        left_out = f"its own {' and '.join(kinds)}: over {_MOST_GROWTH:,} characters"
        kept = whole if whole is not None else self.written(text)
        return WellFormed(kept, error, left_out if kinds else None)

    def written(self, text: str) -> str:
        """Return what the document begins with, the attributes in its tags."""
        pieces: list[str] = []
        at = since = 0
        for end, written in self._missing:
            behind = at + len(self._data[since:end].decode())
            if behind > len(text):
                break
            pieces += (text[at:behind], written)
            at, since = behind, end
        return "".join((*pieces, text[at:]))


class _UnboundPrefix(Exception):
    """An attribute has a prefix that stands for nothing: its byte, line and column."""


def _unbound(text: str) -> set[str]:
    """Return the prefixes, of attributes perhaps, that nothing in a document declares."""
    found = set(_PREFIX.findall(text)) if ":" in text else set()
    return found - set(_BOUND.findall(text)) - {"xml", "xmlns"} if found else found


_PREFIX = lazy(r"""(?<=[\s"'])([\w.-]++):[\w.-]++\s*+=""")
_BOUND = lazy(r"xmlns:([\w.-]++)")
_NO_CHARACTER = "\uffff".encode()  # see `charset.decode`
# What is cut off by the end of the document is there as far as it goes.
_CUT_CDATA = "unclosed CDATA section"  # but for this, and a comment
_AT_THE_END = ("no element found", "unclosed token", _CUT_CDATA)


def _cut(before: str, text: str) -> str:
    """Return what of a document a browser shows that has its first error behind `before`.

    Text that has one, or stands before a tag that does, is not shown, unless a "<" ends it.
    """
    at = before.rfind("<")
    if at > before.rfind(">"):
        before = before[:at]
    return before if _LESS.match(text, len(before)) else before[: before.rfind(">") + 1]


_LESS = lazy(r"<[^\w:/!?]")  # which is no tag


def _with_entities(text: str, own: Mapping[str, str]) -> str | None:
    """Write out the entities that a document declares itself; None if it would grow too much.

    Of all others only those of HTML are there, where its document type names them
    (https://html.spec.whatwg.org/#parsing-xhtml-documents); the numbers of control characters stand
    for themselves.
    """
    if "&" not in text:
        return text
    if "&#" in text and "<![CDATA[" not in text:  # which HTML has for those of windows-1252
        text = _CONTROL.sub(lambda match: chr(int(match[2], 16 if match[1] else 10)), text)
    if "<!DOCTYPE" not in text:  # then any but those of XML is an error
        return text
    known = html5 if _KNOWN_TYPE.search(text, 0, 4096) else _OF_XML
    room = _MOST_GROWTH

    def written(match: re.Match[str]) -> str:
        nonlocal room
        name = match[1]
        if name is None:
            return match[0]
        value = own.get(name)
        if value is None or name in _OF_XML:
            return match[0] if f"{name};" in known else ""
        room -= len(value)
        # It may stand in an attribute, where markup may not.
        return (
            value if "<" in value or room < 0 else value.replace('"', "&#34;").replace("'", "&#39;")
        )

    for _ in range(_NESTED if own else 1):
        text, before = _ENTITY.sub(written, text), text
        if room < 0:
            return None
        if text == before:
            break
    return text


_NESTED = 16  # entities within each other that are written out
_OF_XML = dict.fromkeys(("amp;", "lt;", "gt;", "quot;", "apos;"), "")
_KNOWN_TYPE = lazy(
    r"""<!DOCTYPE\s+[^\s>]+\s+PUBLIC\s+["']-//(?:W3C//DTD\ (?:XHTML\ (?:
    1\.0\ (?:Transitional|Strict|Frameset) | 1\.1(?:\ plus\ MathML\ 2\.0(?:\ plus\ SVG\ 1\.1)?)?
    | Basic\ 1\.0) | MathML\ 2\.0) | WAPFORUM//DTD\ XHTML\ Mobile\ 1\.[012])//EN["']""",
    re.VERBOSE,
)
_CONTROL = lazy(r"&#(?:(x)0*(?=[89][0-9a-fA-F];)|0*(?=1[2-5]\d;)(?!12[0-7]))([0-9a-fA-F]+);")
_ENTITY = lazy(
    r"<!\[CDATA\[(?:[^\]]++|\](?!\]>))*+|<!(?:--(?:[^-]++|-(?!->))*+|ENTITY[^>]*+)"
    r"|<\?(?:[^?]++|\?(?!>))*+|&([^\s&;#][^\s&;]*+);"
)
