"""What a page asks of robots beside robots.txt: meta robots, X-Robots-Tag, and whom they mean.

As documented by Google (https://developers.google.com/search/docs/crawling-indexing/robots-meta-tag):
what is said to everyone and what is said to our agent add up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from crawler.lazy_regex import lazy

WORDS = lazy(r"[,\s]+")
"""What stands between the directives of one value."""
_AGENT = lazy(r"\s*([^\s,:]+)\s*:\s*(.*)", re.DOTALL)
_VALUED = frozenset(
    ("unavailable_after", "max-snippet", "max-image-preview", "max-video-preview", "notranslate")
)


class Directives(NamedTuple):
    """Whether the links of a page are not to be followed, and the page not to be indexed."""

    nofollow: bool = False
    noindex: bool = False


NONE = Directives()


def token_of(agent: str) -> str:
    """Return the product token of a user agent, in lower case: "Keeper/1.0 (…)" → "keeper"."""
    words = agent.partition("/")[0].split(None, 1)
    return words[0].lower() if words else ""


def directives(metas: Iterable[tuple[str, str]], headers: Iterable[str], token: str) -> Directives:
    """Return what the meta tags (name, content) and X-Robots-Tag values say to our token."""
    words: set[str] = set()
    for name, content in metas:
        if name.strip() in ("robots", token):  # what a site asks is heeded in spite of spaces
            words.update(WORDS.split(content.lower()))
    for value in headers:
        words.update(header_words(value, token))
    if words.isdisjoint(("nofollow", "noindex", "none")):
        return NONE
    return Directives(
        not words.isdisjoint(("nofollow", "none")), not words.isdisjoint(("noindex", "none"))
    )


def header_words(value: str, token: str) -> Iterable[str]:
    """Yield the words of one header value that are meant for us.

    "otherbot: noindex, nofollow": an agent's name holds for the rest of the value, or until the
    next name.
    """
    heard = True
    for part in value.lower().split(","):
        named = _AGENT.fullmatch(part)
        if named and named[1] not in _VALUED:
            heard, part = named[1] in (token, "robots", "*"), named[2]
        if heard:
            yield from part.split()
