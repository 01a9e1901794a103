"""The `srcset` attribute: image candidates by the HTML standard's own parser.

https://html.spec.whatwg.org/multipage/images.html#parsing-a-srcset-attribute
"""

from __future__ import annotations

import math
import re

from crawler.lazy_regex import lazy

_SPACE = "\t\n\f\r "
_BEFORE = lazy(r"[\t\n\f\r ,]*+")
_URL = lazy(r"[^\t\n\f\r ]++")
_SPACES = lazy(r"[\t\n\f\r ]*+")
# Commas within parentheses do not end a candidate; parentheses that stay open reach to the end.
_DESCRIPTORS = lazy(r"((?:[^,(]++|\([^)]*+(?:\)|\Z))*+),?")
_DESCRIPTOR = lazy(r"(?:[^\t\n\f\r (]++|\([^)]*+(?:\)|\Z))++")
_INTEGER = lazy(r"[0-9]+", re.ASCII)
_FLOAT = lazy(r"-?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?", re.ASCII)


class ImageCandidate(str):
    """The URL of one candidate, as written, that also knows its descriptors."""

    __slots__ = ("density", "height", "width")

    density: float | None
    """Pixels of the image for each CSS pixel (`2x`); None where there is no such descriptor."""
    height: int | None
    """Pixels (`200h`); only ever given together with a width."""
    width: int | None
    """Pixels (`400w`)."""

    def __new__(
        cls,
        url: str,
        *,
        width: int | None = None,
        density: float | None = None,
        height: int | None = None,
    ) -> ImageCandidate:
        """Take the URL as written, and the values of its descriptors."""
        self = super().__new__(cls, url)
        self.width, self.density, self.height = width, density, height
        return self

    @property
    def url(self) -> str:
        """The URL as a plain string."""
        return str(self)


def srcset(text: str) -> list[ImageCandidate]:
    """Return the image candidates of a `srcset` in order, without those with wrong descriptors.

    Never raises; linear in the length of the text.
    """
    found = []
    at, end = _past(_BEFORE, text, 0), len(text)
    while at < end:
        stop = _past(_URL, text, at)
        url, descriptors = text[at:stop], ""
        if url.endswith(","):
            url, at = url.rstrip(","), stop
        else:
            match = _DESCRIPTORS.match(text, _past(_SPACES, text, stop))
            assert match is not None  # it also matches nothing
            descriptors, at = match[1], match.end()
        candidate = _candidate(url, _DESCRIPTOR.findall(descriptors))
        if candidate is not None:
            found.append(candidate)
        at = _past(_BEFORE, text, at)
    return found


def _past(pattern: re.Pattern[str], text: str, at: int) -> int:
    match = pattern.match(text, at)
    return match.end() if match else at


def _candidate(url: str, descriptors: list[str]) -> ImageCandidate | None:
    """Read the descriptors of one candidate; None if one of them is wrong."""
    width = density = height = None
    for text in descriptors:
        value, kind = text[:-1], text[-1]
        if kind == "w" and _INTEGER.fullmatch(value) and width is None and density is None:
            width = _whole(value)
            wrong = width == 0
        elif kind == "x" and _FLOAT.fullmatch(value) and width is density is height is None:
            density = float(value)
            wrong = density < 0 or math.isinf(density)
        elif kind == "h" and _INTEGER.fullmatch(value) and height is None and density is None:
            height = _whole(value)
            wrong = height == 0
        else:
            wrong = True
        if wrong:
            return None
    if height is not None and width is None:
        return None
    return ImageCandidate(url, width=width, density=density, height=height)


def _whole(digits: str) -> int:
    # int() refuses over 4,300 digits; no image is that wide.
    return int(digits) if len(digits) < 19 else 10**18
