"""What is meant by some of what Python says, where its words do not name the way out."""

from __future__ import annotations

import difflib
import re
import sys

from crawler.lazy_regex import lazy

_WAYS: tuple[tuple[str, str], ...] = (
    (r"'coroutine' object", "is an `await` missing?"),
    (r"can't be used in 'await'|object can't be awaited", "it is there at once: leave out `await`"),
    (r"asyncio\.run\(\) cannot be called", "make the method `async def`, and `await` it"),
    (r"'await' outside (async )?function", "make the method `async def`"),
    (r"'yield from' inside async", "write `for each in …: yield each`"),
    (r"'NoneType' object", "what is before it found nothing: give a default, as in .get('')"),
    (
        r"'ScrapedPage' object is not subscriptable",
        "write page.title, page.css(…)",
    ),
    (r"'Selector(List)?' object has no attribute 'text'", "write .css('h1::text').get()"),
    (r"mutable default .* use default_factory", "write field(default_factory=list)"),
    (r"No module named 'scrapy'", "docs/from-scrapy.md says what its parts are called here"),
)
"""What an error says, as a regular expression, and the way out."""

_NAMELESS = lazy(r"'ScrapedPage' object has no attribute '(\w+)'")
_NO_IMPORT = lazy(
    r"(?:cannot import name|module 'crawler' has no attribute) '(\w+)'(?: from 'crawler'|$)"
)
_NOT_DEFINED = lazy(r"NameError: name '(\w+)' is not defined")


def with_way_out(line: str) -> str:
    """Return what was raised in one line, with the way out behind it where one is known."""
    way = next((way for words, way in _WAYS if re.search(words, line)), None) or _nearest(line)
    return f"{line}; {way}" if way else line


def _nearest(line: str) -> str:
    """Return which name of ours was meant; empty where there is none near."""
    from crawler.web.page import ScrapedPage

    found = _NO_IMPORT.search(line)
    names = list(sys.modules["crawler"].__all__)  # which stands above this room
    if (missing := _NOT_DEFINED.search(line)) and missing[1] in names:
        return f"write: from crawler import {missing[1]}"
    if found is None:
        found = _NAMELESS.search(line)
        names = [name for name in dir(ScrapedPage) if not name.startswith("_")]
    alike = {name.lower(): name for name in names}
    near = difflib.get_close_matches(found[1].lower(), alike, n=1) if found else []
    return f"did you mean {alike[near[0]]!r}?" if near else ""
