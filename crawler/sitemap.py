"""Sitemaps: index and url set, plain text, RSS and Atom, each also gzipped, into entries.

By https://www.sitemaps.org/protocol.html, but lenient: what can be read is given, and what
cannot is left out. No entity is expanded, and nothing is fetched.
"""

import codecs
import contextlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import chain
from typing import Literal, cast

from lxml import etree

from crawler import urls
from crawler.charset import decode
from crawler.sitemap_bytes import escaped, limited, unpacked, xml

LIMIT = 50 * 1024 * 1024
"""How many bytes are read, after decompression: the protocol's limit for one file. Its limit of
50,000 URLs is not enforced, because this one bounds the work too and real sites overstep it."""

_MOST_CHILDREN = 10_000  # elements within one entry; more is an attack on memory
_MARKUP = re.compile(rb"<(?:\?xml|!--|[a-z]+:?(?:urlset|sitemapindex|rss|rdf|feed)\b)", re.I)
# What may stand before the first "<" in UTF-8 and UTF-16: byte order marks, white space.
_BLANK = codecs.BOM_UTF8 + codecs.BOM_UTF16 + b" \t\r\n\0"
_Events = Iterator[tuple[str, etree._Element]]
_ADDRESSES = frozenset(("loc", "link", "guid"))
_HTML = frozenset(("html", "head", "body"))


@dataclass(frozen=True, slots=True)
class Entry:
    """One URL of a sitemap: a page, or another sitemap. Text is as written, but trimmed."""

    url: str
    kind: Literal["page", "sitemap"] = "page"
    lastmod: str | None = None
    priority: float | None = None
    changefreq: str | None = None
    alternates: tuple[str, ...] = ()
    """The same page in other languages."""

    @property
    def modified(self) -> datetime | None:
        """`lastmod` as an aware datetime, of ISO 8601 or RFC 5322; None where it is neither."""
        text = self.lastmod or ""
        if re.fullmatch(r"\d{4}(-\d\d)?", text, re.ASCII):
            text += "-01" if len(text) == 7 else "-01-01"
        for read in (datetime.fromisoformat, parsedate_to_datetime):
            try:
                date = read(text.upper())  # RFC 3339 5.6 lets "t" and "z" be small
            except (ValueError, TypeError, IndexError, OverflowError):
                continue
            return date if date.tzinfo else date.replace(tzinfo=UTC)
        return None


def parse(body: bytes, url: str) -> list[Entry]:
    """Give every entry of the sitemap `body` that was found at `url`. Never raises."""
    return list(stream(body, url))


def stream(body: bytes, url: str) -> Iterator[Entry]:
    """Give the entries one by one, as they are read: 64 KB of work between pauses."""
    chunks = limited(unpacked(body), LIMIT)
    first = next(chunks, b"")
    start = first.lstrip(_BLANK)
    if start.startswith(b"<") or _MARKUP.search(first):
        yield from _xml_entries(escaped(xml(first, chunks)), url)
    else:
        text, _ = decode(b"".join(chain((first,), chunks)), "text/plain")
        yield from _text_entries(text)


# ---------------------------------------------------------------- entries


def _text_entries(text: str) -> Iterator[Entry]:
    for line in text.splitlines():
        url = urls.parse(line)
        if url is not None:
            yield Entry(url)


def _xml_entries(chunks: Iterable[bytes], url: str) -> Iterator[Entry]:
    parser = etree.XMLPullParser(
        events=("start", "end"),
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        recover=True,
        remove_comments=True,
        remove_pis=True,
    )
    reading = _Reading(url)
    for chunk in chunks:
        try:
            parser.feed(chunk)
        except etree.LxmlError:
            break
        yield from reading.entries(parser, whole=True)
        if reading.over:
            return
    with contextlib.suppress(etree.LxmlError):
        parser.close()
    yield from reading.entries(parser, whole=False)


class _Reading:
    """What is known between two pieces of a file: how deep in an entry its end was."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.over = False
        self._depth = 0
        self._children = 0
        self._addressed = False

    def entries(self, parser: etree.XMLPullParser, *, whole: bool) -> Iterator[Entry]:
        """Give the entries that ended since the last call.

        Not `whole`: the parser has closed what was open, and an address may be cut short.
        """
        for event, element in cast(_Events, parser.read_events()):
            name = _name(element)
            if event == "start":
                self._start(name)
                if self.over:
                    return
            elif name in _READERS:
                self._depth -= 1
                if self._depth == 0 and (whole or self._addressed):
                    yield from _READERS[name](element, self.url)
            elif name in _ADDRESSES and whole:
                self._addressed = True
            if event == "end" and self._depth == 0:
                _forget(element)

    def _start(self, name: str) -> None:
        if name in _READERS:
            self._depth += 1
            if self._depth == 1:
                self._children, self._addressed = 0, False
        self._children += 1
        # An error page where a sitemap should be, or an attack.
        self.over = name in _HTML if self._depth == 0 else self._children > _MOST_CHILDREN


def _name(element: etree._Element | None) -> str:
    """Give the local name in lower case; namespaces are written wrong too often to ask for."""
    tag = None if element is None else element.tag
    return tag.rpartition("}")[2].rpartition(":")[2].lower() if isinstance(tag, str) else ""


def _forget(element: etree._Element) -> None:
    """Free an element that was read, and all before it: memory stays flat."""
    element.clear()
    parent = element.getparent()
    if parent is not None:
        while parent[0] is not element:
            del parent[0]


def _text(element: etree._Element) -> str:
    return "".join(cast("Iterator[str]", element.itertext())).strip()


def _fields(element: etree._Element) -> dict[str, str]:
    """Give the text of the children that have one, by name; the first of each name counts."""
    fields: dict[str, str] = {}
    for child in element:
        name = _name(child)
        text = _text(child) if name else ""  # an entity or the like has no name, nor a text
        if text:
            fields.setdefault(name, text)
    return fields


def _url_entry(element: etree._Element, base: str) -> Iterator[Entry]:
    fields = _fields(element)
    url = urls.parse(fields.get("loc", ""), base) if "loc" in fields else None
    if url is None:
        return
    alternates = (
        urls.parse(child.get("href") or "", base)
        for child in element
        if _name(child) == "link" and child.get("hreflang") and child.get("href")
    )
    yield Entry(
        url,
        "sitemap" if _name(element) == "sitemap" else "page",
        fields.get("lastmod"),
        _priority(fields.get("priority", "")),
        fields.get("changefreq", "").lower() or None,
        tuple(alternate for alternate in alternates if alternate is not None),
    )


def _item_entry(element: etree._Element, base: str) -> Iterator[Entry]:
    """Read an `item` of RSS 0.9 to 2.0: its link, or a guid that is one."""
    fields = _fields(element)
    link = fields.get("link")
    if link is None:
        link = next(_links(element, base), None)
    if link is None:
        for child in element:
            if _name(child) == "guid" and child.get("isPermaLink", "true").lower() == "true":
                link = _text(child)
    url = urls.parse(link, base) if link else None
    if url is not None:
        yield Entry(url, lastmod=fields.get("pubdate") or fields.get("date"))


def _atom_entry(element: etree._Element, base: str) -> Iterator[Entry]:
    """Read an `entry` of Atom 1.0, or 0.3 with its other names for the dates."""
    link = next(_links(element, base), None)
    url = urls.parse(link, base) if link else None
    if url is not None:
        fields = _fields(element)
        dates = (fields.get(name) for name in ("updated", "modified", "published", "issued"))
        yield Entry(url, lastmod=next(filter(None, dates), None))


def _links(element: etree._Element, base: str) -> Iterator[str]:
    """Give where each Atom link to the entry's own page leads (RFC 4287 2 and 4.2.7)."""
    for child in element:
        href = child.get("href")
        if _name(child) == "link" and href and child.get("rel", "alternate") == "alternate":
            yield urls.join(urls.join(base, child.base or "") or base, href) or ""


def _priority(text: str) -> float | None:
    number = float(text) if re.fullmatch(r"[01](?:\.\d{0,9})?|\.\d{1,9}", text, re.ASCII) else 2.0
    return number if number <= 1.0 else None


_READERS = {
    "url": _url_entry,
    "sitemap": _url_entry,
    "item": _item_entry,
    "entry": _atom_entry,
}
