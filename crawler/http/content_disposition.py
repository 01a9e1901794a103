"""File names from servers: what Content-Disposition says, made safe for every file system.

A name is advice from a stranger (RFC 6266 4.3): only its last path segment counts, and what would
be a device, a hidden file, a stream or a control character to some system is changed.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import unquote, unquote_to_bytes

from crawler import urls

LONGEST = 200
"""The most bytes of UTF-8 that `safe_name` gives; file systems take 255, a suffix may follow."""

_PARAM = re.compile(
    r';\s*([\w!#$&+\-^`|~.*]+)\s*=\s*(?:"((?:[^"\\]|\\.)*+)"?|([^;\s"]*))', re.ASCII
)
_BAD = re.compile(r'[\x00-\x1f\x7f-\x9f<>:"|?*\\/\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]')
# Names that Windows gives to devices, also with an extension.
_DEVICE = re.compile(
    r"(?:con|prn|aux|nul|clock\$|conin\$|conout\$|(?:com|lpt)[0-9¹²³])(?:[ .].*)?", re.IGNORECASE
)


def name_for(url: str, disposition: str | None = None, default: str = "download") -> str:
    """Return a safe file name for what a URL was answered with.

    From Content-Disposition where it names one, else from the last segment of the path, else
    `default`. Never a path, a device name, hidden, or empty.
    """
    named = disposition_name(disposition) if disposition else None
    path = urls.split(url)[1].partition("?")[0]
    last = unquote(path.rpartition("/")[2], errors="replace")
    return safe_name(named or "") or safe_name(last) or default


def disposition_name(header: str) -> str | None:
    """Return the file name of a Content-Disposition header as sent, None if there is none.

    `filename*` (RFC 8187) wins over `filename`; its charsets are UTF-8 and ISO-8859-1.
    """
    params: dict[str, str] = {}
    for name, quoted, bare in _PARAM.findall(";" + header.partition(";")[2]):
        params.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", quoted) if quoted else bare)
    extended = _extended(params.get("filename*", ""))
    return extended or _mended(params.get("filename", "")) or None


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


def _mended(value: str) -> str:
    """Read UTF-8 that the header parser took for Latin-1 or escaped, as servers send it."""
    try:
        return value.encode("utf-8", "surrogateescape").decode()
    except UnicodeDecodeError:
        return value.encode("utf-8", "surrogateescape").decode("latin-1")
