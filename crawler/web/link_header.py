"""The Link header (RFC 8288): what a response is related to, parsed as appendix B says."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from msgspec import Struct, field

from crawler import urls
from crawler.lazy_regex import lazy

_SPACE = " \t"
_NAME = lazy(r"[^\s=;,]*")
_QUOTED = lazy(r'"((?:[^"\\]|\\.)*+)("|\Z)', re.DOTALL)
_BARE = lazy(r"[^;,]*")


class WebLink(Struct, frozen=True):
    """One link: its canonical target, its relation types in lower case, its other parameters."""

    target: str
    rels: tuple[str, ...]
    params: Mapping[str, str] = field(default_factory=dict)


def parse_links(values: str | Iterable[str], base: str) -> list[WebLink]:
    """Return the http(s) links of one or several Link header values, in order.

    Targets are resolved against `base`. A link with an `anchor` speaks of another resource and is
    left out (RFC 8288 3.2 lets one ignore it), as is a target that is no http(s) URL. What cannot
    be read ends its own header value only. Linear in the length of the values.
    """
    found = []
    for value in [values] if isinstance(values, str) else values:
        for target, params in _read(value):
            url = urls.parse(target, base)
            if url is not None and "anchor" not in params:
                rels = tuple(params.pop("rel", "").lower().split())
                found.append(WebLink(url, rels, params))
    return found


def link_to(rel: str, values: str | Iterable[str], base: str) -> str | None:
    """Return the target of the first link of a relation type, like `next`."""
    links = parse_links(values, base)
    return next((link.target for link in links if rel.lower() in link.rels), None)


def _read(text: str) -> Iterable[tuple[str, dict[str, str]]]:
    """Yield (target reference, parameters) of each link-value; the first of equal names counts."""
    at = 0
    while True:
        at = _skip(text, at, _SPACE + ",")
        end = text.find(">", at)
        if at >= len(text) or text[at] != "<" or end < 0:
            return
        target = text[at + 1 : end]
        at, params = _params(text, end + 1)
        yield target, params


def _params(text: str, at: int) -> tuple[int, dict[str, str]]:
    params: dict[str, str] = {}
    while True:
        at = _skip(text, at, _SPACE)
        if at >= len(text) or text[at] != ";":
            return _to_comma(text, at), params
        at = _skip(text, at + 1, _SPACE)
        name = _NAME.match(text, at)
        assert name is not None  # it also matches nothing
        at, value = _value(text, _skip(text, name.end(), _SPACE))
        if name[0]:
            params.setdefault(name[0].lower(), value)


def _value(text: str, at: int) -> tuple[int, str]:
    """Return what stands behind the `=`, and where it ends; a name without one has the value ""."""
    if at >= len(text) or text[at] != "=":
        return at, ""
    at = _skip(text, at + 1, _SPACE)
    quoted = _QUOTED.match(text, at)
    if quoted is not None:
        return quoted.end(), re.sub(r"\\(.)", r"\1", quoted[1])
    bare = _BARE.match(text, at)
    assert bare is not None
    return bare.end(), bare[0].strip(_SPACE)


def _skip(text: str, at: int, chars: str) -> int:
    while at < len(text) and text[at] in chars:
        at += 1
    return at


def _to_comma(text: str, at: int) -> int:
    comma = text.find(",", at)
    return len(text) if comma < 0 else comma + 1
