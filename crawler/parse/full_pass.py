"""What a page says: its links with their texts and relations, image sets, refreshes, encoding.

The full pass, for whoever wants more than `ScrapedPage.links`, which comes from `fast_pass`.
Bytes or text in, values out; nothing raises, everything is linear.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from crawler import urls
from crawler.parse import mime
from crawler.parse.charset import decode, encoding_of
from crawler.parse.elements import elements_of
from crawler.parse.encodings import encode_query
from crawler.parse.image_set import ImageCandidate, srcset
from crawler.parse.references import unescape
from crawler.parse.refreshes import Refresh, refresh_of, soonest

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

_SPACES = re.compile("[\t\n\f\r ]+")
_UNVOUCHED = frozenset(("nofollow", "ugc", "sponsored"))
_LISTS = frozenset(("ping", "archive"))  # URLs with white space between them


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


class Reference(NamedTuple):
    """A reference of an element, as it is written, its query in the encoding of the page."""

    text: str
    tag: str
    rels: list[str]

    @property
    def nofollow(self) -> bool:
        """Whether the page does not vouch for it."""
        return not _UNVOUCHED.isdisjoint(self.rels)


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

    def references(self) -> Iterator[str | Reference]:
        """Yield the references in document order, once: what was read is let go on the way.

        Of a plain link nothing but its reference, without its fragment. Most pages repeat
        themselves: of each thousand, those that are the same come once.
        """
        encoding = self._resolve.encoding
        self._raw.reverse()
        while self._raw:
            some = self._raw[: -_TOGETHER - 1 : -1]
            del self._raw[-_TOGETHER:]
            for raw in dict.fromkeys([r if "\0" in r else r.partition("#")[0] for r in some]):
                if "\0" in raw:
                    tag, rel, _, _, *values, _ = raw.split("\0")
                    rels = _SPACES.split(rel.lower())
                    for _, reference in _references(values):
                        yield Reference(encode_query(reference, encoding), tag, rels)
                else:
                    yield raw if encoding == "utf-8" else encode_query(raw, encoding)

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
    texts: bool = True,
) -> Outline:
    """Read a page as `document` does, and leave its references to be resolved bit by bit.

    Without `texts` no link has one.
    """
    found = elements_of(text, _wanted(tags), xml=xml, texts=texts)
    base = found.base
    joined = urls.join(url, base) if base is not None else url
    if joined is None or joined.startswith(("data:", "javascript:")):
        joined = url
    refresh = _first(found.refreshes, url, joined, encoding)
    return Outline(found.found, _Resolver(joined, encoding), refresh)


def _wanted(tags: Iterable[str] | Mapping[str, Iterable[str]]) -> dict[str, tuple[str, ...]]:
    if isinstance(tags, Mapping):
        return {name.lower(): tuple(attributes) for name, attributes in tags.items()}
    return {name.lower(): ATTRIBUTES.get(name.lower(), ("href", "src")) for name in tags}


class _Resolver:
    """References of one page to canonical URLs; the same reference is joined once."""

    def __init__(self, base: str, encoding: str) -> None:
        self.base, self.encoding = base, encoding
        self._known: dict[str, str | None] = {}
        canonical = urls.parse(base)
        # Of another kind, like "about:blank", is whatever the standard says.
        self._parse = urls.BaseURL(canonical).parse if canonical else self._of_another_kind

    def _of_another_kind(self, reference: str) -> str | None:
        return urls.parse(reference, self.base)

    def __call__(self, reference: str) -> str | None:
        known = self._known
        if reference not in known:
            if len(known) >= _REMEMBERED:
                known.clear()
            known[reference] = self._parse(encode_query(reference, self.encoding))
        return known[reference]


_TOGETHER = 1_000  # elements: a tenth of a millisecond
_REMEMBERED = 5_000  # references of a page: those that come back do so soon


def _links(raw: str, resolve: _Resolver) -> Iterator[Link]:
    """Yield a link for each reference of an element that leads to an http(s) URL."""
    if "\0" not in raw:
        url = resolve(raw)
        if url is not None:
            yield Link(url)
        return
    tag, rel, hreflang, kind, *values, text = raw.split("\0")
    text, rel = " ".join(unescape(text).split()), " ".join(_SPACES.split(rel.lower())).strip(" ")
    for attribute, reference in _references(values):
        url = resolve(reference)
        if url is not None:
            yield Link(url, text, rel, tag, attribute, hreflang, kind)


def _references(values: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the references of attributes, which hold one, or several: `data-srcset`, `ping`."""
    for attribute, value in zip(values[::2], values[1::2], strict=True):
        if attribute.endswith("srcset"):
            for candidate in srcset(value):
                yield attribute, candidate.url
        elif attribute in _LISTS:
            for reference in value.split():
                yield attribute, reference
        elif not value.startswith("data:"):
            yield attribute, value


def _first(refreshes: list[tuple[str, bool]], url: str, base: str, encoding: str) -> Refresh | None:
    return soonest(
        refresh_of(content, url, base if based else url, encoding) for content, based in refreshes
    )
