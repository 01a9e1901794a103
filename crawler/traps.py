"""Traps: caps on the shapes of URLs, and how an endless space is told from a large one.

A space is endless when its pages say nothing new: pages whose URLs differ only in numbers, ids and
the values of a query are one *pattern*; once there are many of a pattern, their texts are
compared, and when one after the other was there before, the pattern is closed. A catalogue of a
million products is never closed, because each page says something else.
"""

from __future__ import annotations

import re
from collections import Counter, OrderedDict
from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

import xxhash

from crawler import urls
from crawler.scope import registrable_domain
from crawler.webrules import Traps as Settings

if TYPE_CHECKING:
    from crawler.simhash import Near

V = TypeVar("V")

_ROOM = 50_000  # patterns, paths and domains that are remembered
_CONTENTS = 100_000  # contents that are remembered
_TEXTS = 2_000  # texts of one pattern that are remembered
_MOST_TEXT = 1 << 18  # characters of a page that are compared
_VARIES = re.compile(r"[0-9?]")
_NUMBER = re.compile(r"[0-9]+")
# An id: long, of letters and digits. "2026-11-21" and "python3.11" are none.
_ID = re.compile(r"(?=[^/]*[0-9])(?=[^/]*[A-Za-z])[A-Za-z0-9_-]{12,}|[0-9a-fA-F]{8,}")


def shape_refusal(url: str, limits: Settings) -> str | None:
    """Give the reason for which the shape of a canonical URL is refused, None where it is fine."""
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
    """Give how often the most frequent of the texts occurs."""
    return max(Counter(text for text in texts if text).values(), default=0)


def pattern_of(url: str) -> str:
    """Give what a URL has in common with those that differ in numbers, ids and query values."""
    path, mark, query = url.partition("?")
    host, target = urls.split(path)
    parts = ["*" if _ID.fullmatch(part) else _NUMBER.sub("0", part) for part in target.split("/")]
    names = {_NUMBER.sub("0", pair.partition("=")[0]) for pair in query.split("&")}
    return host + "/".join(parts) + mark + "&".join(sorted(names))


def text_of(html: str) -> str:
    """Give roughly what a reader sees of a page, white space collapsed."""
    from crawler.tags import tags  # few crawls come across a suspect

    return " ".join(" ".join(tag.before for tag in tags(html[:_MOST_TEXT])).split())


class _Pattern:
    """How many pages of a pattern there were, their texts, and the repeats in a row."""

    __slots__ = ("pages", "repeats", "texts")

    def __init__(self) -> None:
        self.pages = self.repeats = 0
        self.texts: set[int] = set()


class Traps:
    """What is known about endless spaces; all of it bounded.

    A pattern that was closed stays so over runs; what is counted on the way there starts anew.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._patterns: OrderedDict[str, _Pattern] = OrderedDict()
        self._closed: set[str] = set()
        self._queries: OrderedDict[str, int] = OrderedDict()
        self._hosts: OrderedDict[str, set[str]] = OrderedDict()
        self._pages: Counter[int] = Counter()

    # ------------------------------------------------------------ before a URL is queued

    def shape(self, url: str) -> str | None:
        """Give the reason for which the shape of a URL is refused, None where it is fine."""
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
        """Give the reason for which a queued URL must not be fetched any more."""
        limit = self._settings.max_pages_per_host
        if limit is not None and self._pages[host_id] >= limit:
            return "host_full"
        return "endless" if self._closed and pattern_of(url) in self._closed else None

    def stored(self, host_id: int, number: int = 1) -> None:
        """Count pages of a host that are stored, or may be when their visits end."""
        if self._settings.max_pages_per_host is not None:
            self._pages[host_id] += number

    def suspects(self, url: str) -> bool:
        """Count a page, and tell whether its text should be looked at (see `compare`)."""
        if not self._settings.endless_after or not _VARIES.search(url, url.index("/", 8)):
            return False
        pattern = self._remembered(self._patterns, pattern_of(url), _Pattern())
        pattern.pages += 1
        return pattern.pages > self._settings.endless_after

    def close(self, pattern: str) -> None:
        """Refuse the URLs of a pattern that an earlier run found endless."""
        self._closed.add(pattern)

    def compare(self, url: str, html: str) -> str | None:
        """Close the pattern of a page when its text, like many before it, says nothing new.

        Give the pattern where this page closed it.
        """
        name = pattern_of(url)
        pattern = self._patterns[name]
        text = xxhash.xxh3_64_intdigest(
            _without_numbers(text_of(html), url).encode("utf-8", "replace")
        )
        pattern.repeats = pattern.repeats + 1 if text in pattern.texts else 0
        if len(pattern.texts) < _TEXTS:
            pattern.texts.add(text)
        if pattern.repeats < self._settings.endless_repeats or name in self._closed:
            return None
        self._closed.add(name)
        return name

    def _remembered(self, memory: OrderedDict[str, V], key: str, default: V) -> V:
        value = memory.setdefault(key, default)
        memory.move_to_end(key)
        if len(memory) > _ROOM:
            memory.popitem(last=False)
        return value


def _without_numbers(text: str, url: str) -> str:
    """Take out the numbers of the URL and their neighbours: pages name themselves, and the next."""
    own = {int(number) for number in _NUMBER.findall(url) if len(number) < 10}
    near = {str(number + step) for number in own for step in (-1, 0, 1)}
    return _NUMBER.sub(lambda found: "" if found[0].lstrip("0") in near else found[0], text)


class Contents:
    """Which content was seen before: byte for byte, or nearly (`traps.near` bits)."""

    def __init__(self, near: int) -> None:
        self._exact: OrderedDict[bytes, str] = OrderedDict()
        self._near: Near | None = None
        if near:
            from crawler.simhash import Near

            self._near = Near(near, _CONTENTS)

    def load(self, digest: str, url: str) -> None:
        """Remember a body that an earlier run stored, by its XXH3-128."""
        self._remember(bytes.fromhex(digest), url)

    def load_near(self, number: int, url: str) -> None:
        """Remember the simhash of a text that an earlier run stored."""
        if self._near is not None:
            self._near.add(number, url)

    def original(self, body: bytes, html: str | None, url: str) -> tuple[str | None, int | None]:
        """Give the URL of the page whose content this is; where it is new, remember it.

        The other value is the simhash of a text that was remembered.
        """
        remembered: int | None = None
        digest = xxhash.xxh3_128_digest(body)
        found = self._exact.get(digest)
        if found is None and self._near is not None and html is not None:
            from crawler.simhash import simhash

            number = simhash(text_of(html))
            found = self._near.find(number)
            if found is None or found == url:  # its own text of an earlier visit
                self._near.add(number, url)
                remembered = number
        if found is None:
            self._remember(digest, url)
        return None if found == url else found, remembered

    def _remember(self, digest: bytes, url: str) -> None:
        self._exact[digest] = url
        if len(self._exact) > _CONTENTS:
            self._exact.popitem(last=False)
