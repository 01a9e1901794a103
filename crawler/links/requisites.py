"""What a page needs to be shown: images, styles, scripts, fonts, frames, as an archive keeps them.

Not what it links to: that is for `follow`. References stand in elements, in `<style>` and `style`,
and in style sheets themselves, which need others in turn.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from crawler import urls
from crawler.lazy_regex import lazy

if TYPE_CHECKING:
    from crawler.web.page import ScrapedPage

REQUISITE = "requisite"
"""The `kind` of a request for what a page needs."""

NESTING = 5
"""Of what a page needs, how deep others are fetched that it needs in turn (frames, imports)."""

_ELEMENTS = {
    "audio": ("src",),
    "body": ("background",),
    "embed": ("src",),
    "frame": ("src",),
    "iframe": ("src",),
    "image": ("href", "xlink:href"),
    "img": ("src", "srcset"),
    "input": ("src",),
    "link": ("href", "imagesrcset"),
    "object": ("data",),
    "script": ("src",),
    "source": ("src", "srcset"),
    "track": ("src",),
    "use": ("href", "xlink:href"),
    "video": ("src", "poster"),
}
# The links that browsers fetch to show a page (HTML standard, section 4.6.7).
_RELS = frozenset(
    ("stylesheet", "icon", "apple-touch-icon", "mask-icon", "manifest", "modulepreload", "preload")
)
_THREAD = 64 * 1024  # bytes of a body from which it is read on a thread

_STYLES = lazy(
    r"""<style\b[^>]*>(.*?)(?:</style|\Z)|\sstyle\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.I | re.DOTALL
)
_COMMENT = lazy(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
# CSS Syntax Level 3: url( ), bare or quoted, and the string of @import.
_STRING = r""""((?:[^"\\\n]|\\.)*)"|'((?:[^'\\\n]|\\.)*)'"""
_REFERENCE = lazy(
    rf"""url\(\s*(?:{_STRING}|((?:[^\s"'()\\]|\\.)*))\s*\)|@import\s*(?:{_STRING})""",
    re.I | re.DOTALL,
)
_ESCAPE = lazy(r"\\(?:([0-9a-fA-F]{1,6})[ \t\r\n\f]?|(\n)|(.))", re.DOTALL)


async def needed_by(page: ScrapedPage) -> list[str]:
    """Return the canonical URLs that a page, a frame or a style sheet needs, in their order."""
    if len(page.body) >= _THREAD:
        return await asyncio.to_thread(_needed, page)
    return _needed(page)


def _needed(page: ScrapedPage) -> list[str]:
    if page.response.is_html:
        found = [*_of_elements(page), *_of_styles(page)]
    elif page.headers.get("Content-Type", "").partition(";")[0].strip().lower() == "text/css":
        found = list(references(page.body.decode("utf-8", "replace"), page.url))
    else:
        found = []
    return [url for url in dict.fromkeys(found) if url != page.url]


def _of_elements(page: ScrapedPage) -> Iterator[str]:
    from crawler.parse import full_pass  # most crawls never need the full pass

    xml = page.response.is_xml
    read = full_pass.outline(page.html, page.url, tags=_ELEMENTS, encoding=page.encoding, xml=xml)
    for link in read.links():
        if link.tag != "link" or not _RELS.isdisjoint(link.rels):
            yield link.url


def _of_styles(page: ScrapedPage) -> Iterator[str]:
    html = page.html
    if "url(" not in html and "@import" not in html and "URL(" not in html:
        return
    from crawler.parse.references import unescape  # most crawls never need it

    for sheet, *values in _STYLES.findall(html):
        yield from references(sheet or unescape("".join(values)), page.base_url)


def references(sheet: str, base: str) -> Iterator[str]:
    """Yield the canonical URLs that a style sheet names; data: URLs and fragments are none."""
    for groups in _REFERENCE.findall(_COMMENT.sub(" ", sheet)):
        text = _ESCAPE.sub(_unescaped, "".join(groups)).strip()
        url = urls.parse(text, base) if text and not text.startswith("#") else None
        if url is not None:
            yield url


def _unescaped(escape: re.Match[str]) -> str:
    digits, newline, char = escape.groups()
    if digits is None:
        return "" if newline else char
    number = int(digits, 16)
    return chr(number) if 0 < number <= 0x10FFFF and not 0xD800 <= number < 0xE000 else "\ufffd"
