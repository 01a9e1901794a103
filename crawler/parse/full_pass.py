"""What a page says: its links with their texts and relations, image sets, refreshes, encoding.

The full pass, for whoever wants more than `ScrapedPage.links`, which comes from the fast pass
(`scan`). Bytes or text in, values out; nothing raises, everything is linear.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from html import unescape
from typing import NamedTuple

from crawler import urls
from crawler.parse import mime
from crawler.parse.apart import Apart
from crawler.parse.charset import decode, encoding_of
from crawler.parse.encodings import encode_query
from crawler.parse.image_set import ImageCandidate, srcset
from crawler.parse.refreshes import Refresh, refresh_of, soonest
from crawler.parse.sparse_pass import Unsure, sparse_tags
from crawler.parse.tokenizer import Tag, attributes_of, tags

__all__ = [
    "ATTRIBUTES",
    "DEFAULT_TAGS",
    "Document",
    "ImageCandidate",
    "Link",
    "Refresh",
    "document",
    "encoding_of",
    "links",
    "meta_refresh",
    "refresh_of",
    "srcset",
]

ATTRIBUTES: Mapping[str, tuple[str, ...]] = {
    "a": ("href", "xlink:href"),
    "area": ("href",),
    "audio": ("src",),
    "blockquote": ("cite",),
    "body": ("background",),
    "button": ("formaction",),
    "del": ("cite",),
    "embed": ("src",),
    "form": ("action",),
    "frame": ("src",),
    "iframe": ("src",),
    "image": ("href", "xlink:href"),
    "img": ("src", "srcset", "longdesc"),
    "input": ("src", "formaction"),
    "ins": ("cite",),
    "link": ("href", "imagesrcset"),
    "object": ("data",),
    "q": ("cite",),
    "script": ("src",),
    "source": ("src", "srcset"),
    "track": ("src",),
    "use": ("href", "xlink:href"),
    "video": ("src", "poster"),
}
"""The attributes of HTML (and SVG) elements that hold a URL, or several (`srcset`)."""

DEFAULT_TAGS = ("a", "area", "frame", "iframe", "img", "link", "source")
"""The elements whose links `links` gives unless told otherwise."""

_DRAWN = frozenset(("a", "image", "use"))  # those that are elements of SVG, too
_SPACES = re.compile("[\t\n\f\r ]+")
_UNVOUCHED = frozenset(("nofollow", "ugc", "sponsored"))
_LISTS = frozenset(("ping", "archive"))  # URLs with white space between them
_EMPTY_IS_NONE = frozenset(("src", "data", "poster", "background", "action", "formaction", "cite"))


@dataclass(frozen=True, slots=True)
class Link:
    """One link of a page, in the order of the document.

    `url` is canonical. `text` is what a reader sees of it (of `area` and `img` the `alt`), white
    space collapsed. `rel` holds the relation types in lower case, one space between them.
    """

    url: str
    text: str = ""
    rel: str = ""
    tag: str = "a"
    attribute: str = "href"
    hreflang: str = ""
    type: str = ""

    @property
    def rels(self) -> tuple[str, ...]:
        """The relation types, like `("noopener", "nofollow")`."""
        return tuple(self.rel.split(" ")) if self.rel else ()

    @property
    def nofollow(self) -> bool:
        """Whether the page does not vouch for it: rel=nofollow, ugc or sponsored."""
        return not _UNVOUCHED.isdisjoint(self.rels)


class Document(NamedTuple):
    """What the full pass finds on one page."""

    base: str
    """The URL that references resolve against: `<base href>`, else the page's own."""
    links: list[Link]
    refresh: Refresh | None

    def related(self, rel: str) -> list[Link]:
        """Return the links of a relation type: `canonical`, `next`, `alternate` …"""
        return [link for link in self.links if rel in link.rels]

    @property
    def canonical(self) -> str | None:
        """The URL that the page calls its canonical one, None if it names none."""
        found = (link.url for link in self.related("canonical") if link.tag == "link")
        return next(found, None)


def links(
    body: bytes | str,
    url: str,
    content_type: str | None = None,
    *,
    tags: Iterable[str] | Mapping[str, Iterable[str]] = DEFAULT_TAGS,
) -> list[Link]:
    """Return the http(s) links of the page `body` that was found at `url`, in document order.

    `content_type` is the value of the HTTP header. `tags` names the elements to look at, or maps
    them to their attributes (`ATTRIBUTES` has those of HTML). References are resolved against
    `<base href>`, their queries written in the encoding of the page, fragments dropped.
    """
    return document(body, url, content_type, tags=tags).links


def meta_refresh(body: bytes | str, url: str, content_type: str | None = None) -> Refresh | None:
    """Return the refresh of the page `body` at `url` that comes about: `(delay, url)`, or None.

    A `str` without any `<meta` is taken as the value of a `content` attribute.
    """
    if isinstance(body, str) and "<meta" not in body.lower():
        return refresh_of(body, url)
    return document(body, url, content_type, tags=()).refresh


def document(
    body: bytes | str,
    url: str,
    content_type: str | None = None,
    *,
    tags: Iterable[str] | Mapping[str, Iterable[str]] = DEFAULT_TAGS,
    encoding: str = "utf-8",
    xml: bool | None = None,
) -> Document:
    """Return links, base and refresh of a page in one pass; `encoding` is that of a `str`.

    `xml` says whether it is XHTML; unless told, `content_type` and the bytes tell.
    """
    if isinstance(body, bytes):
        if xml is None:
            xml = mime.is_xhtml(mime.computed(content_type, body), body)
        body, encoding = decode(body, content_type, xml=xml)
    found = outline(body, url, tags=tags, encoding=encoding, xml=bool(xml))
    return Document(found.base, list(found.links()), found.refresh)


class Outline:
    """The elements of a page with references that are not resolved yet.

    200,000 links as values of their own are more than a crawl may hold at once, and more than the
    garbage collector may look through; here each is one string.
    """

    __slots__ = ("_raw", "_resolve", "base", "refresh")

    def __init__(self, raw: list[str], resolve: _Resolver, refresh: Refresh | None) -> None:
        self._raw, self._resolve = raw, resolve
        self.base, self.refresh = resolve.base, refresh

    @property
    def canonical(self) -> str | None:
        """The URL that the page calls its canonical one; ask before `links`."""
        named = (
            raw for raw in self._raw if raw.startswith("link\0") and "canonical" in raw.lower()
        )
        found = (
            link.url
            for raw in named
            for link in _links(raw, self._resolve)
            if "canonical" in link.rels
        )
        return next(found, None)

    def links(self) -> Iterator[Link]:
        """Yield the links in document order, once: what was read is let go on the way."""
        self._raw.reverse()
        while self._raw:
            yield from _links(self._raw.pop(), self._resolve)


def outline(
    text: str,
    url: str,
    *,
    tags: Iterable[str] | Mapping[str, Iterable[str]] = DEFAULT_TAGS,
    encoding: str = "utf-8",
    xml: bool = False,
) -> Outline:
    """Read a page as `document` does, and leave its references to be resolved bit by bit."""
    raw, base, refreshes = _read(text, _wanted(tags), xml=xml)
    joined = urls.join(url, base) if base is not None else url
    if joined is None or joined.startswith(("data:", "javascript:")):
        joined = url
    return Outline(raw, _Resolver(joined, encoding), _first(refreshes, url, joined, encoding))


def _wanted(tags: Iterable[str] | Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    if isinstance(tags, Mapping):
        return {name.lower(): tuple(attributes) for name, attributes in tags.items()}
    return {name.lower(): ATTRIBUTES.get(name.lower(), ("href", "src")) for name in tags}


class _Resolver:
    """References of one page to canonical URLs; the same reference is joined once."""

    def __init__(self, base: str, encoding: str) -> None:
        self.base, self._encoding = base, encoding
        self._known: dict[str, str | None] = {}

    def __call__(self, reference: str) -> str | None:
        known = self._known
        if reference not in known:
            if len(known) >= _REMEMBERED:
                known.clear()
            known[reference] = urls.parse(encode_query(reference, self._encoding), self.base)
        return known[reference]


_REMEMBERED = 5_000  # references of a page: those that come back do so soon


def _links(raw: str, resolve: _Resolver) -> Iterator[Link]:
    """Yield a link for each reference of an element that leads to an http(s) URL."""
    tag, rel, hreflang, kind, *values, text = raw.split("\0")
    text, rel = " ".join(unescape(text).split()), " ".join(_SPACES.split(rel.lower())).strip(" ")
    for attribute, value in zip(values[::2], values[1::2], strict=True):
        for reference in _references(attribute, value):
            url = resolve(reference)
            if url is not None:
                yield Link(url, text, rel, tag, attribute, hreflang, kind)


def _references(attribute: str, value: str) -> Iterable[str]:
    """Return the references of an attribute that holds one, or several: `data-srcset`, `ping`."""
    if attribute.endswith("srcset"):
        return srcset(value)
    return value.split() if attribute in _LISTS else (value,)


def _read(
    text: str, wanted: Mapping[str, tuple[str, ...]], *, xml: bool
) -> tuple[list[str], str | None, list[tuple[str, bool]]]:
    """Return the elements with references, the first `<base href>` and the meta refreshes.

    Of each of these is told whether the base stands before it, and so holds for it.
    """
    if not xml:
        with suppress(Unsure):
            return _gathered(sparse_tags(text, wanted), wanted)
    return _gathered(tags(text, xml=xml), wanted, xml=xml)


def _gathered(
    every: Iterable[Tag], wanted: Mapping[str, tuple[str, ...]], *, xml: bool = False
) -> tuple[list[str], str | None, list[tuple[str, bool]]]:
    """Return the same from the tags of a page, of which only the wanted ones are needed."""
    found: list[str] = []
    base: str | None = None
    refreshes: list[tuple[str, bool]] = []
    anchor: int | None = None  # where the link stands that is open
    pieces: list[str] = []
    apart = Apart(xml=xml)
    plain = wanted.get("a", ()) in (("href",), ("href", "xlink:href"))
    for tag in every:
        name = tag.name
        apart.take(tag)
        if anchor is not None:
            pieces.append(tag.before)
            if name in ("a", ""):  # a second one closes the first
                found[anchor] += "".join(pieces).replace("\0", "")
                anchor = None
                pieces.clear()
        if tag.ends or apart.inert:
            continue
        if name in wanted and (not tag.foreign or (tag.foreign == "svg" and name in _DRAWN)):
            if plain and name == "a" and (link := _PLAIN_LINK.fullmatch(tag.attributes)):
                raw: str | None = f"a\0\0\0\0href\0{link[1]}\0"
            else:
                attributes = attributes_of(tag.attributes, xml=xml)
                raw = _element(name, attributes, _named(wanted[name], attributes, tag.foreign))
                if apart and name == "link" and "canonical" in attributes.get("rel", "").lower():
                    raw = None  # with scripts on there is no such element
            if raw is not None:
                anchor = len(found) if name == "a" else anchor
                found.append(raw)
        if tag.foreign or apart:
            continue
        if name == "base" and base is None:
            base = attributes_of(tag.attributes, xml=xml).get("href")
        elif name == "meta":
            attributes = attributes_of(tag.attributes)
            if attributes.get("http-equiv", "").lower() == "refresh":
                refreshes.append((attributes.get("content", ""), base is not None))
    return found, base, refreshes


# The attributes of a link that has nothing but its reference to tell, as most have.
_OTHERS = r"""(?:[\t\n\f\r ]++(?!(?:href|hreflang|rel|type)=)[a-z][a-z-]*+="[^"]*+")*+"""
_PLAIN_LINK = re.compile(rf"""{_OTHERS}[\t\n\f\r ]++href="([^"&\0]++)"{_OTHERS}[\t\n\f\r ]*+""")


def _named(wanted: tuple[str, ...], attributes: dict[str, str], foreign: str) -> tuple[str, ...]:
    """Return which of the wanted attributes count: `xlink:href` in SVG alone, and without `href`.

    https://svgwg.org/svg2-draft/linking.html#XLinkRefAttrs
    """
    if "xlink:href" not in wanted or (foreign == "svg" and "href" not in attributes):
        return wanted
    return tuple(name for name in wanted if name != "xlink:href")


def _element(name: str, attributes: dict[str, str], wanted: tuple[str, ...]) -> str | None:
    """Return the element if it has a reference; an empty `src` or `action` is none, nor a `link`.

    One string of its tag, rel, hreflang, type, the names and values of its references in turn, and
    its text, which of a link is yet to come. What joins them is in no attribute (see `decoded`).
    """
    values: list[str] = []
    for key in wanted:
        value = attributes.get(key)
        if value is None:
            continue
        if value.strip() or (value if name == "link" else key not in _EMPTY_IS_NONE):
            values += (key, value)
    if not values:
        return None
    alt = attributes.get("alt", "") if name in ("area", "img") else ""
    about = (attributes.get(key, "") for key in ("rel", "hreflang", "type"))
    return "\0".join((name, *about, *values, alt.replace("&", "&amp;")))


def _first(refreshes: list[tuple[str, bool]], url: str, base: str, encoding: str) -> Refresh | None:
    return soonest(
        refresh_of(content, url, base if based else url, encoding) for content, based in refreshes
    )
