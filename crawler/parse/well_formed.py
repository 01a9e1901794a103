"""A document in XML as far as it is well-formed: browsers stop at the first error in it.

What stands behind the error nobody sees, and it may be anything
(https://www.w3.org/TR/xml/#dt-fatal); expat finds it. Entities that the document declares itself
are written out where they are plain text.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from crawler.lazy_regex import lazy

_WINDOW = 1 << 17  # bytes that expat takes at once: it holds the GIL
_DECLARED = lazy(r"""<!ENTITY\s+([^\s%&;'">]+)\s+(?:"([^"<&%]{0,1000})"|'([^'<&%]{0,1000})')\s*>""")
_SUBSET = lazy(r"<!DOCTYPE[^\[>]*\[", re.IGNORECASE)
_MOST_GROWTH = 1 << 16  # characters by which entities may make a document longer


class WellFormed(NamedTuple):
    """The part of a document before its first error; and what that is, None if there is none."""

    text: str
    error: str | None


@lru_cache(maxsize=2)  # title and links, text and forms of one page each ask
def well_formed(text: str) -> WellFormed:
    """Return a document as far as it is well-formed, its own entities written out."""
    from xml.parsers import expat  # most crawls never need it

    parser = expat.ParserCreate("utf-8")
    data = text.encode("utf-8", "replace")
    try:
        for at in range(0, len(data), _WINDOW):
            parser.Parse(data[at : at + _WINDOW], False)
        parser.Parse(b"", True)
    except expat.ExpatError as error:
        name = expat.ErrorString(error.code)
        why = f"line {error.lineno}, column {error.offset + 1}: {name}"
        if name not in _AT_THE_END:
            before = data[: max(0, parser.ErrorByteIndex)].decode("utf-8", "ignore")
            return WellFormed(_with_entities(_cut(before, text)), why)
        return WellFormed(_with_entities(text), why)
    return WellFormed(_with_entities(text), None)


# What is cut off by the end of the document is there as far as it goes.
_AT_THE_END = ("no element found", "unclosed token", "unclosed CDATA section")


def _cut(before: str, text: str) -> str:
    """Return what of a document a browser shows that has its first error behind `before`.

    A tag that has one is none, and the text before it counts unless it is an end tag. Of text that
    has an error in itself nothing is shown, nor what stands behind the root.
    """
    at = before.rfind("<")
    if at > before.rfind(">"):
        before = before[:at]
        shown = not text.startswith("</", at)
    else:
        shown = _LESS.match(text, len(before)) is not None
    return before if shown else before[: before.rfind(">") + 1]


_LESS = lazy(r"<[^\w:/!?]")  # which is no tag


def _with_entities(text: str) -> str:
    """Write out the entities that a document declares itself, as long as it grows but little."""
    subset = _SUBSET.search(text, 0, 4096)
    end = text.find("]", subset.end()) if subset else -1
    if subset is None or end < 0:
        return text
    found = _DECLARED.findall(text, subset.end(), end)
    own = {name: double or single for name, double, single in reversed(found)}
    grown = sum(text.count(f"&{name};") * len(value) for name, value in own.items())
    if not own or grown > _MOST_GROWTH:
        return text
    names = "|".join(map(re.escape, own))
    return text[:end] + re.sub(f"&({names});", lambda match: own[match[1]], text[end:])
