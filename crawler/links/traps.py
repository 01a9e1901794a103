"""Traps: caps on the shapes of URLs, and how an endless space is told from a large one.

A space is endless when its pages say nothing new: pages whose URLs differ only in numbers, ids and
the values of a query are one *pattern*; once there are many of a pattern, their texts are
compared (see `endless`), and when one after the other was there before, the pattern is closed. A
catalogue of a million products is never closed, because each page says something else.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

import xxhash

from crawler import urls
from crawler.config.traps import TrapsSettings
from crawler.lazy_regex import lazy
from crawler.links import endless
from crawler.links.blocks import Blocks
from crawler.links.endless import ID, STRIDE, Pattern, RecentPatterns
from crawler.parse.words import words_of
from crawler.urls.scope import registrable_domain
from crawler.web.pattern_note import PatternNote
from crawler.web.refusal import Refusal
from crawler.web.request import RENEWAL, Todo

if TYPE_CHECKING:
    from crawler.links.simhash import NearDuplicates

V = TypeVar("V")

ROOM = 50_000
"""Patterns, paths and domains that are remembered, of each so many."""
_CONTENTS = 100_000  # contents that are remembered
_MOST_TEXT = 1 << 18  # characters of a page that are compared
_NOTED = 64  # pages of a pattern after which its count is stored, while it is below the limit
_VARIES = lazy(r"[0-9?]")
_NUMBER = lazy(r"[0-9]+")
_IDS = lazy(rf"/(?:{ID})(?=/|\Z)")


def shape_refusal(url: str, limits: TrapsSettings) -> Refusal | None:
    """Return the reason for which the shape of a canonical URL is refused, if it is."""
    if len(url) > limits.max_url:
        return Refusal.URL_TOO_LONG
    path, _, query = url[url.index("/", 8) + 1 :].partition("?")
    if path.count("/") > limits.max_repeats:
        segments = path.split("/")
        if len(segments) > limits.max_segments:
            return Refusal.TOO_MANY_SEGMENTS
        if _most(segment for segment in segments if not segment.isdecimal()) > limits.max_repeats:
            return Refusal.REPEATED_SEGMENTS
    if query.count("&") >= limits.max_repeats:
        pairs = query.split("&")
        if len(pairs) > limits.max_parameters:
            return Refusal.TOO_MANY_PARAMETERS
        if _most(pairs) > limits.max_repeats:
            return Refusal.REPEATED_PARAMETERS
    return None


def _most(texts: Iterable[str]) -> int:
    """Return how often the most frequent of the texts occurs."""
    return max(Counter(text for text in texts if text).values(), default=0)


def pattern_of(url: str) -> str:
    """Return what a URL has in common with those that differ in numbers, ids and query values."""
    path, mark, query = url.partition("?")
    at = path.index("/", 8)
    path = path[:at] + _NUMBER.sub("0", _IDS.sub("/*", path[at:]))
    if not mark:
        return path
    names = {_NUMBER.sub("0", pair.partition("=")[0]) for pair in query.split("&")}
    return f"{path}?{'&'.join(sorted(names))}"


def folder_of(url: str) -> str:
    """Return the pattern of a URL without its last segment: what lies side by side is alike."""
    place, mark, query = pattern_of(url).partition("?")
    return place[: place.rindex("/") + 1] + mark + query


class Traps:
    """What is known about endless spaces; all of it bounded.

    What is counted on the way to closing a pattern is kept over runs, too (see `noted`, `resume`).
    """

    def __init__(self, settings: TrapsSettings) -> None:
        self._settings = settings
        self.blocks = Blocks()
        self._patterns: OrderedDict[str, Pattern] = OrderedDict()
        self._heard = RecentPatterns()
        self._sure = settings.endless_repeats + STRIDE
        self._closed: set[str] = set()
        self._queries: OrderedDict[str, int] = OrderedDict()
        self._hosts: OrderedDict[str, set[str]] = OrderedDict()
        self._pages: Counter[int] = Counter()  # that are stored, by host
        self._begun: dict[int, set[tuple[int, int]]] = {}  # and requests that may become pages

    # ------------------------------------------------------------ before a URL is queued

    def refusal_of(self, url: str) -> Refusal | None:
        """Return the reason for which a URL must not be queued, by its shape or its pattern."""
        return shape_refusal(url, self._settings) or self._endless(url)

    def _endless(self, url: str) -> Refusal | None:
        if self.blocks.any and self.blocks.bars(url):
            return Refusal.BLOCKED
        return Refusal.ENDLESS if self._closed and pattern_of(url) in self._closed else None

    def offer(self, url: str, *, over_hosts: bool = False) -> Refusal | None:
        """Take note of a URL that is to be queued; return the reason where it must not be.

        `over_hosts`: the crawl goes to hosts that no seed names, of which a domain has only so
        many.
        """
        if (self._closed or self.blocks.any) and (now := self._endless(url)):  # since it was judged
            return now
        hosts, name = None, urls.hostname_of(url) if over_hosts else ""
        if name.count(".") > 1:  # not the domain itself, or nearly
            hosts = self._remembered(self._hosts, registrable_domain(name), set[str]())
            if name not in hosts and len(hosts) >= self._settings.max_hosts_per_domain:
                return Refusal.TOO_MANY_HOSTS
        limit = self._settings.max_queries
        if limit is not None and "?" in url:
            path = url.partition("?")[0]
            number = self._remembered(self._queries, path, 0)
            if number >= limit:
                return Refusal.TOO_MANY_QUERIES
            self._queries[path] = number + 1
        if hosts is not None:
            hosts.add(name)
        return None

    # ------------------------------------------------------------ when its turn comes

    def bar(self, host_id: int, url: str) -> Refusal | None:
        """Return the reason for which a queued URL must not be fetched any more."""
        limit = self._settings.max_pages_per_host
        if limit is not None and self._pages[host_id] + len(self._begun.get(host_id, ())) >= limit:
            return Refusal.HOST_FULL
        return self._endless(url) if self._closed or self.blocks.any else None

    def begin(self, todo: Todo) -> None:
        """Count a request that starts: it may become one more page of its host."""
        if self._settings.max_pages_per_host is not None and todo.again != RENEWAL:
            self._begun.setdefault(todo.host_id, set()).add(todo.key)

    def end(self, todo: Todo, *, stored: bool) -> None:
        """Count how a request ended, whether it had begun or not."""
        begun = self._begun.get(todo.host_id, ())
        if begun and todo.key in begun:
            begun.discard(todo.key)
            self._pages[todo.host_id] += stored

    def restore(self, host_id: int, pages: int) -> None:
        """Count the pages of a host that earlier runs have stored."""
        self._pages[host_id] += pages

    def suspects(self, url: str) -> bool:
        """Count a page, and return whether it should be looked at (see `compare`)."""
        after = self._settings.endless_after
        if not after or not _VARIES.search(url, url.index("/", 8)):
            return False
        pattern = self._pattern(pattern_of(url))
        pattern.pages += 1
        return pattern.due() if pattern.pages > after else pattern.pages % _NOTED == 0

    def compare(self, url: str, html: str) -> str | None:
        """Close the pattern of a page when its text, like many before it, says nothing new.

        Return the pattern where this page closed it.
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

    def hear(self, url: str, title: int | None, text: int | None) -> tuple[str | None, PatternNote]:
        """Do what `compare` does with what it takes of a page; also return what to store."""
        name = pattern_of(url)
        pattern = self._pattern(name)
        if name in self._closed or pattern.pages <= self._settings.endless_after:
            return None, PatternNote(name, pattern.pages, pattern.known, pattern.repeats)
        before, page = len(pattern.said), endless.page_id(url)
        new = pattern.hear(title, text, page, self._sure)
        self._heard.grew(name, pattern, before)
        if pattern.repeats >= self._settings.endless_repeats:
            self.close(name)
            return name, PatternNote(name, pattern.pages, 0, 0)
        return None, PatternNote(name, pattern.pages, pattern.known, pattern.repeats, new, page)

    def reopen(self, pattern: str) -> bool:
        """Take the URLs of a pattern again, and count it anew; return whether it was closed."""
        was = pattern in self._closed
        self._closed.discard(pattern)
        self._patterns.pop(pattern, None)
        return was

    def close(self, pattern: str) -> None:
        """Refuse the URLs of a pattern from now on."""
        self._closed.add(pattern)
        self._heard.drop(pattern)

    def resume(self, note: PatternNote, texts: dict[int, int]) -> None:
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


def near_number(html: str) -> int:
    """Return the simhash of a page."""
    from crawler.links.simhash import simhash

    return simhash(words_of(html[:_MOST_TEXT]))


class SeenContents:
    """Which content was seen before: byte for byte, or nearly (`traps.near` bits).

    `every`: texts that are not new have their simhash told, too (see `duplicates.settled`).
    """

    def __init__(self, near: int, *, every: bool = False) -> None:
        self._every = every
        self._exact: OrderedDict[bytes, str] = OrderedDict()
        self._near: NearDuplicates | None = None
        if near:
            from crawler.links.simhash import NearDuplicates

            self._near = NearDuplicates(near, _CONTENTS)

    def load(self, digest: str, url: str) -> None:
        """Remember a body that an earlier run stored, by its XXH3-128."""
        self._remember(bytes.fromhex(digest), url)

    def load_near(self, number: int, url: str) -> None:
        """Remember the simhash of a text that an earlier run stored."""
        if self._near is not None:
            self._near.add(number, url)

    def original(self, body: bytes, html: str | None, url: str) -> tuple[str | None, int | None]:
        """Return the URL of the page whose content this is; where it is new, remember it.

        The other value is the simhash of a text that was remembered, or of `every` one.
        """
        number = None
        digest = xxhash.xxh3_128_digest(body)
        asked = self._every or digest not in self._exact
        if asked and html is not None and self._near is not None:
            number = near_number(html)
        return self.find(digest, number, url)

    def find(self, digest: bytes, number: int | None, url: str) -> tuple[str | None, int | None]:
        """Return the same for the XXH3-128 of a body and, where near ones count, its simhash."""
        remembered: int | None = None
        found = self._exact.get(digest)
        if (found is None or self._every) and self._near is not None and number is not None:
            if found is None:
                found = self._near.find(number)
                if found is None:
                    self._near.add(number, url)
            if found is None or found == url or self._every:  # its own text of an earlier visit
                remembered = number
        if found is None:
            self._remember(digest, url)
        return None if found == url else found, remembered

    def _remember(self, digest: bytes, url: str) -> None:
        self._exact[digest] = url
        if len(self._exact) > _CONTENTS:
            self._exact.popitem(last=False)
