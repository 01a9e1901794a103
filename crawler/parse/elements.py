"""The elements of a page that hold references, its base and its refreshes, from its tags.

By the sparse pass, and where that cannot tell by the whole tokenizer: both find the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache

from crawler.parse.apart import Apart
from crawler.parse.references import decoded
from crawler.parse.sparse_pass import PLAIN_LINK, Unsure, sparse_tags
from crawler.parse.tokenizer import Tag, attributes_of, tags

_DRAWN = frozenset(("a", "image", "use"))  # those that are elements of SVG, too
_EMPTY_IS_NONE = frozenset(("src", "data", "poster", "background", "action", "formaction", "cite"))
_JOINT = "\0"  # stands between the parts of an element
_REMEMBERED = 5_000  # elements: those that come back do so soon
_SHORT = 500  # characters of the attributes of one that is remembered
_PLAIN_LINK = re.compile(PLAIN_LINK)


def elements_of(
    text: str, wanted: Mapping[str, tuple[str, ...]], *, xml: bool, texts: bool = True
) -> Elements:
    """Return what the tags of a page say: by the sparse pass, else by the whole tokenizer."""
    if not xml:
        with suppress(Unsure):
            return _sparsely(text, wanted, texts=texts)
    found = Elements(wanted, xml=xml, texts=texts)
    for tag in tags(text, xml=xml):
        found.take(tag)
    return found


def _sparsely(text: str, wanted: Mapping[str, tuple[str, ...]], *, texts: bool) -> Elements:
    """Return the same by the sparse pass, or raise Unsure."""
    found = Elements(wanted, texts=texts)
    add, inert = found.found.append, False
    for tag in sparse_tags(text, frozenset(wanted), plain=found.plain, texts=texts):
        if isinstance(tag, str):
            if not inert:
                add(decoded(tag) if "&" in tag else tag)
            continue
        name, attributes, inside = tag
        if name:
            found.take(Tag("", name.lstrip("/"), name[0] == "/", attributes))
            found.end_link(inside)
            inert = found.apart.inert
        elif not inert:
            add(f"{_plain(decoded(attributes))}{inside.replace(_JOINT, '')}")
    return found


def _plain(href: str) -> str:
    """Return a link with nothing but its reference, and the text that is yet to come."""
    return f"a\0\0\0\0href\0{href}\0"


class Elements:
    """The elements with references, the first `<base href>` and the meta refreshes, tag by tag.

    An element is one string (see `_element`), and of a plain link without text only its reference.
    Of a refresh is told whether the base stands before it, and so holds for it.
    """

    def __init__(
        self, wanted: Mapping[str, tuple[str, ...]], *, xml: bool = False, texts: bool = True
    ) -> None:
        self.found: list[str] = []
        self.base: str | None = None
        self.refreshes: list[tuple[str, bool]] = []
        self.apart = Apart(xml=xml)
        self.plain = wanted.get("a", ()) in (("href",), ("href", "xlink:href"))
        self._wanted, self._xml, self._texts = wanted, xml, texts
        self._anchor: int | None = None  # where the link stands that is open
        self._pieces: list[str] = []

    def take(self, tag: Tag) -> None:
        """Take the next tag."""
        name, apart = tag.name, self.apart
        apart.take(tag)
        if self._anchor is not None:
            self._pieces.append(tag.before)
            if name in ("a", ""):  # a second one closes the first
                self.end_link("".join(self._pieces))
                self._pieces.clear()
        if tag.ends or apart.inert:
            return
        if name in self._wanted and (not tag.foreign or (tag.foreign == "svg" and name in _DRAWN)):
            self._add(tag)
        if tag.foreign or apart:
            return
        if name == "base" and self.base is None:
            self.base = attributes_of(tag.attributes, xml=self._xml).get("href")
        elif name == "meta" and "http-equiv" in tag.attributes.lower():
            attributes = attributes_of(tag.attributes)
            if attributes.get("http-equiv", "").lower() == "refresh":
                self.refreshes.append((attributes.get("content", ""), self.base is not None))

    def end_link(self, text: str) -> None:
        """Add the text to the link that is open, if one is, and close it."""
        if self._anchor is not None:
            self.found[self._anchor] += text.replace(_JOINT, "")
            self._anchor = None

    def _add(self, tag: Tag) -> None:
        name, texts = tag.name, self._texts
        plain = self.plain and name == "a" and _PLAIN_LINK.fullmatch(tag.attributes)
        if plain:
            href = decoded(plain[1])
            element: str | None = _plain(href) if texts else href
        else:
            element = _element(
                name, tag.attributes, self._wanted[name], tag.foreign, self._xml, bool(self.apart)
            )
        if element is not None:
            if name == "a" and texts:
                self._anchor = len(self.found)
            self.found.append(element)


def _named(wanted: tuple[str, ...], attributes: dict[str, str], foreign: str) -> tuple[str, ...]:
    """Return which of the wanted attributes count: `xlink:href` in SVG alone, and without `href`.

    https://svgwg.org/svg2-draft/linking.html#XLinkRefAttrs
    """
    if "xlink:href" not in wanted or (foreign == "svg" and "href" not in attributes):
        return wanted
    return tuple(name for name in wanted if name != "xlink:href")


def _read_element(
    name: str, told: str, wanted: tuple[str, ...], foreign: str, xml: bool, apart: bool
) -> str | None:
    """Return the element if it has a reference; an empty `src` or `action` is none, nor a `link`.

    One string of its tag, rel, hreflang, type, the names and values of its references in turn, and
    its text, which of a link is yet to come. What joins them is in no attribute (see `decoded`).
    """
    attributes = attributes_of(told, xml=xml)
    values: list[str] = []
    for key in _named(wanted, attributes, foreign):
        value = attributes.get(key)
        if value is None:
            continue
        if value.strip() or (value if name == "link" else key not in _EMPTY_IS_NONE):
            values += (key, value)
    if not values:
        return None
    if apart and name == "link" and "canonical" in attributes.get("rel", "").lower():
        return None  # with scripts on there is no such element
    alt = attributes.get("alt", "") if name in ("area", "img") else ""
    about = (attributes.get(key, "") for key in ("rel", "hreflang", "type"))
    return "\0".join((name, *about, *values, alt.replace("&", "&amp;")))


_remembered_element = lru_cache(maxsize=_REMEMBERED)(_read_element)


def _element(
    name: str, told: str, wanted: tuple[str, ...], foreign: str, xml: bool, apart: bool
) -> str | None:
    """Return the same, once for what the pages of a site repeat: their navigation."""
    read = _remembered_element if len(told) <= _SHORT else _read_element
    return read(name, told, wanted, foreign, xml, apart)
