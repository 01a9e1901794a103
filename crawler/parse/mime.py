"""What a response is: its declared MIME type, and the one that its bytes show.

Parsing and sniffing by https://mimesniff.spec.whatwg.org/, several headers by "extract a MIME type"
of https://fetch.spec.whatwg.org/. Nothing here raises, whatever the bytes.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from crawler.lazy_regex import lazy

HEADER = 1445
"""Bytes of a body that are looked at: the resource header of the standard."""

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_SPACE = "\t\n\r "
_ESSENCE = lazy(rf"({_TOKEN})/({_TOKEN})[\t\n\r ]*\Z")
_NAME = lazy(rf"{_TOKEN}\Z")
_QUOTED = lazy(r'"((?:[^"\\]|\\.)*)(?:"|\\?\Z)', re.DOTALL)
_VALUE = lazy(r"[\t -~\x80-\xff]*\Z")
# A list of headers is cut at commas that stand in no quotes.
_MEMBER = lazy(r'(?:"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[^,"])*', re.DOTALL)
_XML = frozenset(("text/xml", "application/xml", "text/xsl"))  # a style sheet is one, too
_UNKNOWN = frozenset(("unknown/unknown", "application/unknown", "*/*"))


class MimeType(NamedTuple):
    """A parsed MIME type: `text/html` in lower case, and its parameters by name."""

    essence: str
    parameters: dict[str, str]

    @property
    def is_xml(self) -> bool:
        """Whether it is an XML MIME type."""
        return is_xml(self.essence)


def is_xml(essence: str) -> bool:
    """Return whether an essence is an XML MIME type."""
    return essence.endswith("+xml") or essence in _XML


def parse(text: str) -> MimeType | None:
    """Return the MIME type that a text says, None if there is none."""
    first, *rest = _pieces(text)
    found = _ESSENCE.match(first.strip(_SPACE))
    if found is None:
        return None
    parameters: dict[str, str] = {}
    for piece in rest:
        name, mark, value = piece.lstrip(_SPACE).partition("=")
        if not mark or not _NAME.match(name):
            continue
        quoted = _QUOTED.match(value)
        if quoted is not None:
            value = re.sub(r"\\(.)", r"\1", quoted[1], flags=re.DOTALL)
        else:
            value = value.rstrip(_SPACE)
            if not value:
                continue
        if _VALUE.match(value):
            parameters.setdefault(name.lower(), value)
    return MimeType(f"{found[1]}/{found[2]}".lower(), parameters)


def _pieces(text: str) -> list[str]:
    """Cut a MIME type at its semicolons, but for those within a quoted value."""
    if '"' not in text:
        return text.split(";")
    return re.findall(r'(?:(?<==)"(?:[^"\\]|\\.)*(?:"|\\?\Z)|[^;])+|(?<=;)(?=;)', text, re.DOTALL)


@lru_cache(maxsize=512)
def extract(header: str) -> MimeType | None:
    """Return what a Content-Type header says, several of them joined by commas: the last counts.

    A charset said before for the same type holds on.
    """
    found: MimeType | None = None
    charset: str | None = None
    for member in _members(header):
        one = parse(member)
        if one is None or one.essence == "*/*":
            continue
        if found is None or one.essence != found.essence:
            charset = one.parameters.get("charset")
        elif "charset" not in one.parameters and charset is not None:
            one.parameters["charset"] = charset
        found = one
    return found


def _members(header: str) -> list[str]:
    if "," not in header:
        return [header]
    return [member for member in _MEMBER.findall(header) if member]


# ---------------------------------------------------------------- what the bytes show

_BINARY = lazy(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
# The very headers that Apache once sent for files that it did not know.
_APACHE = frozenset(
    (
        "text/plain",
        "text/plain; charset=ISO-8859-1",
        "text/plain; charset=iso-8859-1",
        "text/plain; charset=UTF-8",
    )
)
# The names of the standard: as in browsers, whatever begins with one of them is markup.
_MARKUP = lazy(
    rb"[\t\n\x0c\r ]*(?:(<(?:!doctype html|html|head|script|iframe|h1|div|font|table|style|title"
    rb"|a|b|p|!--))|(<\?xml))",
    re.IGNORECASE,
)
_FEED = lazy(
    rb"(?:\xef\xbb\xbf)?(?:[\t\n\x0c\r ]++|<!--(?:[^-]++|-(?!->))*+-->|<![^>-][^>]*+>"
    rb"|<\?(?:[^?]++|\?(?!>))*+\?>)*+<(rss|feed|rdf:RDF)"
)
_RDF = (b"http://www.w3.org/1999/02/22-rdf-syntax-ns#", b"http://purl.org/rss/1.0/")
_MAGIC = (
    (lazy(rb"\x00\x00\x01\x00|\x00\x00\x02\x00"), "image/x-icon"),
    (lazy(rb"BM"), "image/bmp"),
    (lazy(rb"GIF8[79]a"), "image/gif"),
    (lazy(rb"RIFF....WEBPVP", re.DOTALL), "image/webp"),
    (lazy(rb"\x89PNG\r\n\x1a\n"), "image/png"),
    (lazy(rb"\xff\xd8\xff"), "image/jpeg"),
    (lazy(rb"FORM....AIFF", re.DOTALL), "audio/aiff"),
    (lazy(rb"ID3"), "audio/mpeg"),
    (lazy(rb"OggS\x00"), "application/ogg"),
    (lazy(rb"MThd\x00\x00\x00\x06"), "audio/midi"),
    (lazy(rb"RIFF....AVI ", re.DOTALL), "video/avi"),
    (lazy(rb"RIFF....WAVE", re.DOTALL), "audio/wave"),
    (lazy(rb"\x00..[\x00\x04\x08\x0c-\xfc]ftyp", re.DOTALL), "video/mp4"),
    (lazy(rb"\x1a\x45\xdf\xa3"), "video/webm"),
    (lazy(rb"\x1f\x8b\x08"), "application/x-gzip"),
    (lazy(rb"PK\x03\x04"), "application/zip"),
    (lazy(rb"Rar!\x1a\x07\x00"), "application/x-rar-compressed"),
)
_BOMS = (b"\xfe\xff", b"\xff\xfe", b"\xef\xbb\xbf")


def computed(header: str | None, body: bytes, *, nosniff: bool = False) -> str:
    """Return the essence of the computed MIME type of a response.

    `header` is the value of Content-Type, several of them joined by commas, None if there is none;
    `nosniff` says that X-Content-Type-Options asks not to guess.
    """
    supplied = extract(header) if header else None
    if supplied is None or supplied.essence in _UNKNOWN:
        return _identified(body[:HEADER], scriptable=not nosniff)
    if nosniff:
        return supplied.essence
    if header in _APACHE:
        return _text_or_binary(body[:HEADER])
    return _feed(body) if supplied.essence == "text/html" else supplied.essence


def _identified(head: bytes, *, scriptable: bool) -> str:
    """Return the type of bytes of which nothing is known; markup only where that is allowed."""
    if scriptable:
        markup = _MARKUP.match(head)
        if markup is not None:
            return "text/html" if markup[1] else "text/xml"
        if head.startswith(b"%PDF-"):
            return "application/pdf"
    if head.startswith(b"%!PS-Adobe-"):
        return "application/postscript"
    if head.startswith(_BOMS):
        return "text/plain"
    magic = next((kind for pattern, kind in _MAGIC if pattern.match(head)), None)
    return magic or _text_or_binary(head)


def _text_or_binary(head: bytes) -> str:
    if head.startswith(_BOMS) or not _BINARY.search(head):
        return "text/plain"
    return "application/octet-stream"


def _feed(body: bytes) -> str:
    """Return the type of what is declared to be HTML and may be a feed."""
    found = _FEED.match(body, 0, HEADER)
    if found is None:
        return "text/html"
    if found[1] == b"rdf:RDF":
        is_rss = all(name in body[:HEADER] for name in _RDF)
        return "application/rss+xml" if is_rss else "text/html"
    return "application/rss+xml" if found[1] == b"rss" else "application/atom+xml"


_XHTML = lazy(
    rb"""(?:\xef\xbb\xbf|\xff\xfe|\xfe\xff)?(?:[\t\n\r ]++|<!--(?:[^-]++|-(?!->))*+-->
        |<\?(?:[^?]++|\?(?!>))*+\?>|<!DOCTYPE(?:[^\[>"']++|"[^"]*+"|'[^']*+'|\[[^\]]*+\])*+>)*+
        <(?:html[\t\n\r ][^>]*?xmlns|([\w.-]++):html[\t\n\r ][^>]*?xmlns:\1)
        [\t\n\r ]*=[\t\n\r ]*["']http://www\.w3\.org/1999/xhtml["']""",
    re.VERBOSE,
)


@lru_cache(maxsize=256)
def is_text(essence: str) -> bool:
    """Return whether a type is one of text, so that an encoding means something."""
    kind, _, name = essence.partition("/")
    name = name.removeprefix("x-")
    return kind == "text" or name.endswith(("+xml", "+json")) or name in _TEXTS


_TEXTS = frozenset(
    "xml json javascript ecmascript ndjson jsonlines yaml toml sql graphql sh csv".split()
)
"""Subtypes of text that stand elsewhere than under text/ (application/json)."""


def is_xhtml(essence: str, body: bytes) -> bool:
    """Return whether a response is a page in XML: by its type, or by the namespace of its root.

    As in browsers, XML of a type of its own (`application/vnd.google-earth.kml+xml`) is a file.
    """
    if essence == "application/xhtml+xml":
        return True
    if essence not in _XML:
        return False
    return _XHTML.match(body[: 4 * HEADER].replace(b"\0", b"")) is not None  # UTF-16, too
