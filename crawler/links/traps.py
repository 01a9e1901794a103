"""Traps: caps on the shapes of URLs, and how an endless space is told from a large one.

A space is endless when its pages say nothing new: pages whose URLs differ only in numbers, ids and
the values of a query are one *pattern*; once there are many of a pattern, their texts are
compared (see `endless`), and when one after the other was there before, the pattern is closed. A
catalogue of a million products is never closed, because each page says something else.
"""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

import xxhash

from crawler import urls
from crawler.config.links import Traps as Settings
from crawler.links import endless
from crawler.links.endless import ID, STRIDE, Heard, Pattern
from crawler.parse.words import words_of
from crawler.urls.scope import registrable_domain
from crawler.web.pattern_note import Note

if TYPE_CHECKING:
    from crawler.links.simhash import Near

V = TypeVar("V")

ROOM = 50_000
"""Patterns, paths and domains that are remembered, of each so many."""
_CONTENTS = 100_000  # contents that are remembered
_MOST_TEXT = 1 << 18  # characters of a page that are compared
_NOTED = 64  # pages of a pattern after which its count is stored, while it is below the limit
_VARIES = re.compile(r"[0-9?]")
_NUMBER = re.compile(r"[0-9]+")
_SHORTEST_ID = 8  # characters


def shape_refusal(url: str, limits: Settings) -> str | None:
    """Return reason for which the shape of a canonical URL is refused, None where it is fine."""
    if len(url) > limits.max_url:
        return "url_too_long"
    path, _, query = url[url.index("/", 8) + 1 :].partition("?")
    if path.count("/") > limits.max_repeats:
        segments = path.split("/")
        if len(segments) > limits.max_segments:
            return "too_many_segments"
        if _most(segment for segment in segments if not segment.isdecimal()) > limits.max_repeats:
            return "repeated_segments"
    if query.count("&") >= limits.max_repeats:
        pairs = query.split("&")
        if len(pairs) > limits.max_parameters:
            return "too_many_parameters"
        if _most(pairs) > limits.max_repeats:
            return "repeated_parameters"
    return None


def _most(texts: Iterable[str]) -> int:
    """Return how often the most frequent of the texts occurs."""
    return max(Counter(text for text in texts if text).values(), default=0)


def pattern_of(url: str) -> str:
    """Return what a URL has in common with those that differ in numbers, ids and query values."""
    path, mark, query = url.partition("?")
    host, target = urls.split(path)
    parts = [
        "*" if len(part) >= _SHORTEST_ID and ID.fullmatch(part) else part
        for part in target.split("/")
    ]
    path = host + _NUMBER.sub("0", "/".join(parts))
    if not mark:
        return path
    names = {_NUMBER.sub("0", pair.partition("=")[0]) for pair in query.split("&")}
    return f"{path}?{'&'.join(sorted(names))}"


class Traps:
    """What is known about endless spaces; all of it bounded.

    What is counted on the way to closing a pattern is kept over runs, too (see `noted`, `resume`).
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._patterns: OrderedDict[str, Pattern] = OrderedDict()
        self._heard = Heard()
        self._sure = settings.endless_repeats + STRIDE
        self._closed: set[str] = set()
        self._queries: OrderedDict[str, int] = OrderedDict()
        self._hosts: OrderedDict[str, set[str]] = OrderedDict()
        self._pages: Counter[int] = Counter()

    # ------------------------------------------------------------ before a URL is queued

    def shape(self, url: str) -> str | None:
        """Return the reason for which the shape of a URL is refused, None where it is fine."""
        return shape_refusal(url, self._settings)

    def crowded(self, url: str) -> str | None:
        """Refuse the hosts of a domain that has too many of them; count those that are new."""
        name = urls.hostname_of(url)
        if name.count(".") < 2:  # the domain itself, or nearly
            return None
        hosts = self._remembered(self._hosts, registrable_domain(name), set[str]())
        if name not in hosts:
            if len(hosts) >= self._settings.max_hosts_per_domain:
                return "too_many_hosts"
            hosts.add(name)
        return None

    def offer(self, url: str) -> str | None:
        """Count a URL that may be queued; give the reason for which it must not be."""
        if self._closed and pattern_of(url) in self._closed:
            return "endless"
        limit = self._settings.max_queries
        if limit is not None and "?" in url:
            path = url.partition("?")[0]
            number = self._remembered(self._queries, path, 0)
            if number >= limit:
                return "too_many_queries"
            self._queries[path] = number + 1
        return None

    # ------------------------------------------------------------ when its turn comes

    def bar(self, host_id: int, url: str) -> str | None:
        """Return the reason for which a queued URL must not be fetched any more."""
        limit = self._settings.max_pages_per_host
        if limit is not None and self._pages[host_id] >= limit:
            return "host_full"
        return "endless" if self._closed and pattern_of(url) in self._closed else None

    def stored(self, host_id: int, number: int = 1) -> None:
        """Count pages of a host that are stored, or may be when their visits end."""
        if self._settings.max_pages_per_host is not None:
            self._pages[host_id] += number

    def suspects(self, url: str) -> bool:
        """Count a page, and tell whether it should be looked at (see `compare`)."""
        after = self._settings.endless_after
        if not after or not _VARIES.search(url, url.index("/", 8)):
            return False
        pattern = self._pattern(pattern_of(url))
        pattern.pages += 1
        return pattern.due() if pattern.pages > after else pattern.pages % _NOTED == 0

    def compare(self, url: str, html: str) -> str | None:
        """Close the pattern of a page when its text, like many before it, says nothing new.

        Give the pattern where this page closed it.
        """
        title = endless.title_of(url, html)
        text = endless.text_of(url, html) if self.asks(url, title) else None
        return self.hear(url, title, text)[0]

    def asks(self, url: str, title: int | None) -> bool:
        """Return whether the text of a page is asked for, given its `endless.title_of`."""
        pattern = self._pattern(pattern_of(url))
        if pattern.pages <= self._settings.endless_after:
            return False
        return title is None or pattern.new <= self._sure or title in pattern.said

    def hear(self, url: str, title: int | None, text: int | None) -> tuple[str | None, Note]:
        """Do what `compare` does with what it takes of a page; also return what to store."""
        name = pattern_of(url)
        pattern = self._pattern(name)
        if name in self._closed or pattern.pages <= self._settings.endless_after:
            return None, Note(name, pattern.pages, pattern.known, pattern.repeats)
        before, page = len(pattern.said), endless.page_id(url)
        new = pattern.hear(title, text, page, self._sure)
        self._heard.grew(name, pattern, before)
        if pattern.repeats >= self._settings.endless_repeats:
            self.close(name)
            return name, Note(name, pattern.pages, 0, 0)
        return None, Note(name, pattern.pages, pattern.known, pattern.repeats, new, page)

    def close(self, pattern: str) -> None:
        """Refuse the URLs of a pattern from now on."""
        self._closed.add(pattern)
        self._heard.drop(pattern)

    def resume(self, note: Note, texts: dict[int, int]) -> None:
        """Take up where an earlier run left a pattern; its texts come in the order of their age."""
        if note.pattern in self._closed or len(texts) > self._heard.room:
            texts = {}
        pattern = Pattern(note.pages, *((note.known, note.repeats) if texts else (0, 0)))
        self._patterns[note.pattern] = pattern
        if texts:
            pattern.said = texts
            self._heard.grew(note.pattern, pattern, 0)

    def _pattern(self, name: str) -> Pattern:
        found = self._patterns.get(name)
        if found is not None:
            self._patterns.move_to_end(name)
            return found
        found = self._patterns[name] = Pattern()
        if len(self._patterns) > ROOM:
            self._heard.drop(self._patterns.popitem(last=False)[0])
        return found

    def _remembered(self, memory: OrderedDict[str, V], key: str, default: V) -> V:
        value = memory.setdefault(key, default)
        memory.move_to_end(key)
        if len(memory) > ROOM:
            memory.popitem(last=False)
        return value


class Contents:
    """Which content was seen before: byte for byte, or nearly (`traps.near` bits)."""

    def __init__(self, near: int) -> None:
        self._exact: OrderedDict[bytes, str] = OrderedDict()
        self._near: Near | None = None
        if near:
            from crawler.links.simhash import Near

            self._near = Near(near, _CONTENTS)

    def load(self, digest: str, url: str) -> None:
        """Remember a body that an earlier run stored, by its XXH3-128."""
        self._remember(bytes.fromhex(digest), url)

    def load_near(self, number: int, url: str) -> None:
        """Remember the simhash of a text that an earlier run stored."""
        if self._near is not None:
            self._near.add(number, url)

    def original(self, body: bytes, html: str | None, url: str) -> tuple[str | None, int | None]:
        """Return the URL of the page whose content this is; where it is new, remember it.

        The other value is the simhash of a text that was remembered.
        """
        remembered: int | None = None
        digest = xxhash.xxh3_128_digest(body)
        found = self._exact.get(digest)
        if found is None and self._near is not None and html is not None:
            from crawler.links.simhash import simhash

            number = simhash(words_of(html[:_MOST_TEXT]))
            found = self._near.find(number)
            if found is None:
                self._near.add(number, url)
            if found is None or found == url:  # its own text of an earlier visit
                remembered = number
        if found is None:
            self._remember(digest, url)
        return None if found == url else found, remembered

    def _remember(self, digest: bytes, url: str) -> None:
        self._exact[digest] = url
        if len(self._exact) > _CONTENTS:
            self._exact.popitem(last=False)
