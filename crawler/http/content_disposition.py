"""File names from servers: what Content-Disposition says, made safe for every file system.

A name is advice from a stranger (RFC 6266 4.3): only its last path segment counts, and what would
be a device, a hidden file, a stream or a control character to some system is changed.
"""

from __future__ import annotations

import re
import unicodedata
from email.errors import HeaderParseError
from email.header import decode_header
from mimetypes import MimeTypes
from urllib.parse import unquote, unquote_to_bytes

from crawler import urls
from crawler.lazy_regex import lazy

_WORD = lazy(r"=\?[^?\s]+\?[bBqQ]\?[^?\s]*\?=")
_BETWEEN = lazy(r"(?<=\?=)[ \t]+(?==\?)")  # white space between two words (RFC 2047 6.2)
_EXTENSION = lazy(r"[^.]\.[A-Za-z0-9_~-]{1,16}\Z")
_TYPES = MimeTypes()  # Python's own table: what the system has differs from one to the next
_OFFICE = "application/vnd.openxmlformats-officedocument."
_EXTENSIONS = {
    f"{_OFFICE}wordprocessingml.document": ".docx",
    f"{_OFFICE}spreadsheetml.sheet": ".xlsx",
    f"{_OFFICE}presentationml.presentation": ".pptx",
    "application/gzip": ".gz",
    "application/rss+xml": ".rss",
    "application/xml": ".xml",
    "application/x-7z-compressed": ".7z",
    "application/x-gzip": ".gz",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "text/html": ".html",
    "text/javascript": ".js",
    "text/markdown": ".md",
    "text/plain": ".txt",
    "text/xml": ".xml",
}
LONGEST = 200
"""The most bytes of UTF-8 that `safe_name` gives; file systems take 255, a suffix may follow."""

_PARAM = lazy(r';\s*([\w!#$&+\-^`|~.*]+)\s*=\s*(?:"((?:[^"\\]|\\.)*+)"?|([^;]*))', re.ASCII)
_BAD = lazy(r'[\x00-\x1f\x7f-\x9f<>:"|?*\\/\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]')
# Names that Windows gives to devices, also with an extension.
_DEVICE = lazy(
    r"(?:con|prn|aux|nul|clock\$|conin\$|conout\$|(?:com|lpt)[0-9¹²³])(?:[ .].*)?", re.IGNORECASE
)


def name_for(
    url: str,
    disposition: str | None = None,
    default: str = "download",
    *,
    content_type: str = "",
) -> str:
    """Return a safe file name for what a URL was answered with.

    From Content-Disposition where it names one, else from the last segment of the path, else
    `default`; one without an extension gets that of its media type, where that says what it is.
    Never a path, a device name, hidden, or empty.
    """
    named = disposition_name(disposition) if disposition else None
    path = urls.split(url)[1].partition("?")[0]
    last = unquote(path.rpartition("/")[2], errors="replace")
    name = safe_name(named or "") or safe_name(last) or default
    return name if _EXTENSION.search(name) else safe_name(name + extension_of(content_type))


def extension_of(content_type: str) -> str:
    """Return the extension of a media type, like ".pdf"; "" for one that tells nothing."""
    essence = content_type.partition(";")[0].strip().lower()
    if essence in ("application/octet-stream", "application/x-download", "application/download"):
        return ""
    return _EXTENSIONS.get(essence) or _TYPES.guess_extension(essence) or ""


def disposition_name(header: str) -> str | None:
    """Return the file name of a Content-Disposition header as sent, None if there is none.

    `filename*` (RFC 8187) wins over `filename`; its charsets are UTF-8 and ISO-8859-1. As browsers
    do, a name without quotes goes on to the next ";", and one in words of RFC 2047 is decoded.
    """
    params: dict[str, str] = {}
    kind, _, rest = header.partition(";")
    for name, quoted, bare in _PARAM.findall(";" + (header if "=" in kind else rest)):
        said = re.sub(r"\\(.)", r"\1", quoted) if quoted else bare.strip(" \t")
        params.setdefault(name.lower(), said)
    extended = _extended(params.get("filename*", ""))
    return extended or _words(header_text(params.get("filename", ""))) or None


def safe_name(name: str) -> str:
    """Make a name safe in every directory of every system; "" where nothing is left of it."""
    text = unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode())
    text = text.replace("\\", "/").rpartition("/")[2]
    text = _BAD.sub("_", text).strip(". ")  # Windows drops them at the end; a first dot hides
    if not text.strip("_ ."):
        return ""
    if _DEVICE.fullmatch(text):
        text = "_" + text
    return _shortened(text)


def _shortened(text: str) -> str:
    """Cut a name to LONGEST bytes, its extension kept."""
    if len(text.encode()) <= LONGEST:
        return text
    stem, dot, extension = text.rpartition(".")
    end = (dot + extension).encode() if stem and len(extension.encode()) <= 16 else b""
    stem = stem if end else text
    return (stem.encode()[: LONGEST - len(end)] + end).decode("utf-8", "ignore")


def _extended(value: str) -> str | None:
    charset, _, rest = value.partition("'")
    _, quote, encoded = rest.partition("'")
    if not quote or charset.lower() not in ("utf-8", "iso-8859-1"):
        return None
    try:
        return unquote_to_bytes(encoded).decode(charset)
    except UnicodeDecodeError:
        return None


def _words(value: str) -> str:
    """Decode the encoded words of RFC 2047; a text that has none, or broken ones, stays."""
    return _WORD.sub(_decoded, _BETWEEN.sub("", value)) if "=?" in value else value


def _decoded(word: re.Match[str]) -> str:
    try:
        [(text, charset)] = decode_header(word[0])
        return text.decode(charset or "ascii") if isinstance(text, bytes) else text
    except (LookupError, ValueError, HeaderParseError):
        return word[0]


def header_text(value: str) -> str:
    """Read UTF-8 that the header parser took for Latin-1 or escaped, as servers send it."""
    try:
        return value.encode("utf-8", "surrogateescape").decode()
    except UnicodeDecodeError:
        return value.encode("utf-8", "surrogateescape").decode("latin-1")
