"""JSON from bytes (RFC 8259): in the encoding that it has, and strictly.

NaN and Infinity are no JSON, whatever Python takes: a number that no other reader takes is refused
here, and not three programs later.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

import msgspec

from crawler.parse import mime
from crawler.parse.encodings import name_of, to_text

_UTF8 = (None, "utf-8")


def read(body: bytes, content_type: str | None = None) -> Any:
    """Return the value of a JSON text; ValueError where it is none.

    A byte order mark says the encoding, else the charset of the Content-Type, else it is UTF-8, or
    UTF-16 or UTF-32 where the zeros among the first bytes show it (RFC 4627 section 3).
    """
    charset = _charset(content_type) if content_type and "charset" in content_type.lower() else None
    if charset in _UTF8:
        try:
            return msgspec.json.decode(body)  # what it takes, it reads as json does, sooner
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
    return json.loads(_text(body, charset), parse_constant=refuse_constant)


def _charset(content_type: str) -> str | None:
    found = mime.extract(content_type)
    return name_of(found.parameters.get("charset", "")) if found is not None else None


def _text(body: bytes, charset: str | None) -> str:
    shown = json.detect_encoding(body)
    if charset in _UTF8 or shown != "utf-8":
        return body.decode(shown)
    assert charset is not None
    return to_text(body, charset)


def refuse_constant(constant: str) -> NoReturn:
    """Raise ValueError for NaN and Infinity."""
    raise ValueError(f"{constant} is no JSON (RFC 8259 section 6)")
