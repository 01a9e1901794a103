"""Sitemaps: index and url set, plain text, RSS and Atom, each also gzipped, into entries.

By https://www.sitemaps.org/protocol.html, but lenient: what can be read is given, and what cannot
is refused by name. An address is given as it was written, or not at all: one with a character that
could not be read, a reference that nobody defines, or a tag inside it is refused. No entity of a
document is expanded, and nothing is fetched.
"""

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import chain
from typing import Literal

from crawler import urls
from crawler.parse.charset import decode
from crawler.sitemap.markup import Token, attributes_of, tokens
from crawler.sitemap.repair import CUT_OFF, PREAMBLE, Refuse, limited, unpacked, xml
from crawler.urls.userinfo import userinfo

LIMIT = 50 * 1024 * 1024
"""How many bytes are read, after decompression: the protocol's limit for one file. Its limit of
50,000 URLs is not enforced, because this one bounds the work too and real sites overstep it."""

_DEEPEST = 100  # elements within each other in one entry
_MOST_CHILDREN = 10_000  # elements within one entry; more is an attack on memory
_MARKUP = re.compile(
    rb"<(?:\?xml|!--|(?:[\w.-]+:)?(?:urlset|sitemapindex|rss|rdf|feed)\b)", re.IGNORECASE
)
# What may stand before the first "<" in UTF-8 and UTF-16: byte order marks, white space.
_BLANK = codecs.BOM_UTF8 + codecs.BOM_UTF16 + b" \t\r\n\0"
# Elements of HTML that are put into a site map by mistake: nothing in it depends on them.
_STRAY = frozenset("a b br center code div em font h1 h2 h3 hr i p pre span strong u".split())
_HTML = frozenset(("html", "head", "body"))
_ROOTS = frozenset(("urlset", "sitemapindex", "rss", "rdf", "feed"))
_ADDRESSES = frozenset(("loc", "link", "guid"))
_DATES = frozenset(("lastmod", "pubdate", "date", "updated", "modified", "published", "issued"))
_FIELDS = _ADDRESSES | _DATES | {"priority", "changefreq"}
BAD_URL = "bad_sitemap_url"
CREDENTIALS = "url_credentials"
"""An entry whose address leads to no http(s) URL, or cannot be told for sure."""
# No address holds these as they are: controls that XML forbids, what could not be decoded, and
# what is no character. They are where a URL was damaged.
_DAMAGE = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ufffd-\uffff\ud800-\udfff]")
_LINES = re.compile(r"\r\n|\r|\n")
_TWO = re.compile(r"\s(?=https?://)", re.IGNORECASE)


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
        """`lastmod` as an aware datetime, of ISO 8601 or RFC 5322; None if it is neither."""
        text = _HALF_DAY.sub(_of_24_hours, self.lastmod or "")
        if re.fullmatch(r"\d{4}(-\d\d)?", text, re.ASCII):
            text += "-01" if len(text) == 7 else "-01-01"
        for read in (datetime.fromisoformat, parsedate_to_datetime):
            try:
                date = read(text.upper())  # RFC 3339 5.6 lets "t" and "z" be small
            except (ValueError, TypeError, IndexError, OverflowError):
                continue
            return date if date.tzinfo else date.replace(tzinfo=UTC)
        return None


_HALF_DAY = re.compile(r"(\d{1,2})(:\d\d(?::\d\d(?:\.\d+)?)?)\s*([ap])\.?m\b\.?", re.I | re.ASCII)


def _of_24_hours(time: re.Match[str]) -> str:
    """Return a time of the 12-hour clock on that of 24 hours; one beyond 12 is on it already."""
    hour = int(time[1])
    if 1 <= hour <= 12:
        hour = hour % 12 + (12 if time[3] in "pP" else 0)
    return f"{hour:02}{time[2]}"


def _ignore(reason: str) -> None:
    """Ignore a refusal: nobody counts it."""


def parse(body: bytes, url: str) -> list[Entry]:
    """Return every entry of the sitemap `body` that was found at `url`. Never raises."""
    return list(stream(body, url))


def stream(body: bytes, url: str, refuse: Refuse = _ignore) -> Iterator[Entry]:
    """Yield the entries one by one, as they are read: 64 KB of work between pauses.

    `refuse` gets the name of each refusal: `bad_sitemap_url` for an entry whose address is none or
    was damaged, once `sitemap_cut_off` where the file ends before its end.
    """
    refuse = _cut_off_once(refuse)
    chunks = limited(unpacked(body, refuse), LIMIT, refuse)
    first = next(chunks, b"")
    start = first.lstrip(_BLANK)
    if start.startswith(b"<") or _MARKUP.search(first):
        yield from _xml_entries(xml(first, chunks), url, refuse)
        return
    whole = b"".join(chain((first,), chunks))
    if _MARKUP.search(whole, 0, PREAMBLE):
        yield from _xml_entries(xml(whole, ()), url, refuse)
    else:
        yield from _text_entries(decode(whole, "text/plain")[0], refuse)


def _cut_off_once(refuse: Refuse) -> Refuse:
    said: set[str] = set()

    def told(reason: str) -> None:
        if reason != CUT_OFF or reason not in said:
            said.add(reason)
            refuse(reason)

    return told


# ---------------------------------------------------------------- entries


def _text_entries(text: str, refuse: Refuse) -> Iterator[Entry]:
    for line in _LINES.split(text):
        url = None if _DAMAGE.search(line) or _TWO.search(line.strip()) else urls.parse(line)
        if url is not None:
            if userinfo(line) is not None:
                refuse(CREDENTIALS)
            yield Entry(url)
        elif line.strip():
            refuse(BAD_URL)


def _xml_entries(chunks: Iterable[str], url: str, refuse: Refuse) -> Iterator[Entry]:
    reading = _Reading(url, refuse)
    for token in tokens(chunks, refuse):
        entry = reading.take(token)
        if entry is not None:
            yield entry
        if reading.over:
            refuse(CUT_OFF)
            return
    entry = reading.end()
    if entry is not None:
        yield entry


@dataclass(slots=True)
class _Open:
    """An entry that is being read. `path` leads from it to the innermost open element."""

    name: str
    base: str
    path: list[str]
    fields: dict[str, str] = field(default_factory=dict)
    links: list[tuple[dict[str, str], str]] = field(default_factory=list)
    guids: list[str] = field(default_factory=list)
    damaged: bool = False  # an address in it cannot be told
    children: int = 0


class _Reading:
    """What is known between two tokens: the open entry, the open field of it, and its text."""

    def __init__(self, url: str, refuse: Refuse) -> None:
        self.over = False
        self._refuse = refuse
        self._bases: list[tuple[str, str]] = [("", url)]  # and the elements that set them
        self._html = False  # within an error page where a sitemap should be
        self._root = ""  # the one that is open
        self._entry: _Open | None = None
        self._field = ""
        self._text: list[str] = []
        self._whole = True
        self._attributes: dict[str, str] = {}

    def take(self, token: Token) -> Entry | None:
        """Take a token; return the entry that it ends, if it ends one that has an address."""
        if token.text and self._field:
            self._text.append(token.text)
        if not token.name:
            return None
        name = token.name.rpartition(":")[2].lower()
        if self._entry is None:
            self._outside(token, name)
            return self._closed() if self._entry is not None and token.empty else None
        if not token.ends and token.name == self._entry.path[0]:  # the last one was left open
            done = self._closed()
            self._outside(token, name)
            return done
        return self._inside(self._entry, token, name)

    def end(self) -> Entry | None:
        """Return the entry that the end of the file cut off, if its address is whole."""
        if self._root or self._entry is not None:
            self._refuse(CUT_OFF)
        if self._entry is None:
            return None
        if not self._entry.fields.keys() & _ADDRESSES and not self._entry.links:
            self._entry.damaged |= bool(self._field)
        return self._closed()

    def _outside(self, token: Token, name: str) -> None:
        if token.ends:
            self._root = "" if token.name == self._root else self._root
            if len(self._bases) > 1 and self._bases[-1][0] == token.name:
                self._bases.pop()
        elif name in _READERS and not self._html:
            base = self._xml_base(token) if "base" in token.attributes else self._bases[-1][1]
            self._entry = _Open(name, base, [token.name])
        elif name in _HTML or name in _ROOTS:
            self._html = name in _HTML
            self._root = token.name if name in _ROOTS and not token.empty else ""
        if "xml:base" in token.attributes and self._entry is None and not token.empty:
            self._bases.append((token.name, self._xml_base(token)))

    def _xml_base(self, token: Token) -> str:
        base = self._entry.base if self._entry is not None else self._bases[-1][1]
        return urls.join(base, attributes_of(token.attributes).get("xml:base", "")) or base

    def _inside(self, entry: _Open, token: Token, name: str) -> Entry | None:
        if self._field in _ADDRESSES and not (token.ends and token.name == entry.path[-1]):
            self._whole = False  # no address has a tag in it
        if name in _STRAY and token.name == name and entry.name in ("url", "sitemap"):
            return None
        if not token.ends:
            entry.children += 1
            self.over = entry.children > _MOST_CHILDREN or len(entry.path) > _DEEPEST
            if len(entry.path) == 1 and name in _FIELDS:
                self._begin(entry, token, name)
            if not token.empty:
                entry.path.append(token.name)
            elif self._field and len(entry.path) == 1:
                self._finish(entry)
        elif token.name in entry.path:
            innermost = len(entry.path) - 1 - entry.path[::-1].index(token.name)
            self._whole &= innermost == len(entry.path) - 1  # else something in it was left open
            del entry.path[innermost:]
            if len(entry.path) <= 1 and self._field:
                self._finish(entry)
            if not entry.path:
                return self._closed()
        elif token.name == self._root:
            self._root = ""
            return self._closed()
        return None

    def _begin(self, entry: _Open, token: Token, name: str) -> None:
        self._field, self._whole = name, not (token.broken and name in _ADDRESSES)
        self._text.clear()
        self._attributes = attributes_of(token.attributes) if token.attributes else {}
        if name == "link" and self._attributes.get("href"):
            base = self._xml_base(token) if "xml:base" in self._attributes else entry.base
            entry.links.append((self._attributes, base))

    def _finish(self, entry: _Open) -> None:
        """Take the text of the field that ends here; the first one of each name counts."""
        name, text = self._field, "".join(self._text).strip()
        self._field = ""
        if name in _ADDRESSES and (not self._whole or _DAMAGE.search(text)):
            entry.damaged = True
        elif text and name == "guid":
            if self._attributes.get("isPermaLink", "true").lower() == "true":
                entry.guids.append(text)
        elif text:
            entry.fields.setdefault(name, text)

    def _closed(self) -> Entry | None:
        """Return what the open entry says; one whose address cannot be told is refused."""
        entry = self._entry
        assert entry is not None
        if self._field:
            self._whole = False
            self._finish(entry)
        self._entry = None
        address, base = _READERS[entry.name](entry)
        url = None if _DAMAGE.search(address) else urls.parse(address, base)
        if url is None or not address:
            if address or entry.damaged:
                self._refuse(BAD_URL)
            return None
        if userinfo(address) is not None:
            self._refuse(CREDENTIALS)
        return self._made(entry, url)

    def _made(self, entry: _Open, url: str) -> Entry:
        fields, mapped = entry.fields, entry.name in ("url", "sitemap")
        alternates = []
        for attributes, base in entry.links if mapped else ():
            if attributes.get("hreflang"):
                damaged = _DAMAGE.search(attributes["href"])
                alternate = None if damaged else urls.parse(attributes["href"], base)
                if alternate is None:
                    self._refuse(BAD_URL)
                else:
                    alternates.append(alternate)
        return Entry(
            url,
            "sitemap" if entry.name == "sitemap" else "page",
            next((fields[name] for name in _DATES_OF[entry.name] if name in fields), None),
            _priority(fields.get("priority", "")) if mapped else None,
            (fields.get("changefreq", "").lower() or None) if mapped else None,
            tuple(alternates),
        )


def _url_address(entry: _Open) -> tuple[str, str]:
    return entry.fields.get("loc", ""), entry.base


def _item_address(entry: _Open) -> tuple[str, str]:
    """Return the address of an `item` of RSS 0.9 to 2.0: its link, or a guid that is one."""
    if "link" in entry.fields:
        return entry.fields["link"], entry.base
    found = _entry_address(entry)
    return found if found[0] or not entry.guids else (entry.guids[-1], entry.base)


def _entry_address(entry: _Open) -> tuple[str, str]:
    """Return where the Atom link to the entry's own page leads (RFC 4287 2 and 4.2.7)."""
    for attributes, base in entry.links:
        if attributes.get("rel", "alternate") == "alternate":
            return attributes["href"], base
    return "", entry.base


def _priority(text: str) -> float | None:
    number = float(text) if re.fullmatch(r"[01](?:\.\d{0,9})?|\.\d{1,9}", text, re.ASCII) else 2.0
    return number if number <= 1.0 else None


_READERS = {
    "url": _url_address,
    "sitemap": _url_address,
    "item": _item_address,
    "entry": _entry_address,
}
_DATES_OF = {
    "url": ("lastmod",),
    "sitemap": ("lastmod",),
    "item": ("pubdate", "date"),
    "entry": ("updated", "modified", "published", "issued"),  # the last ones of Atom 0.3
}
