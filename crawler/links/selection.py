"""Which URLs a word stands for that somebody gave: all, those of a host, of a pattern, or one.

""                              all of the crawl
busy.example, https://a.b:81    a host, by name (any scheme) or in full
shop.example/trap/              all below it; the same as shop.example/trap/*
*.example.com/login*            a pattern: each * is any text
https://shop.example/a?b=1      one URL, canonical
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import Self

from msgspec import Struct

from crawler import urls
from crawler.errors import UsageError

CRAWL, HOST, PATTERN, URL = "crawl", "host", "pattern", "url"
_PROBES = ("http://a.example/", "https://b.test:81/x/y?z=1")


class Selection(Struct, frozen=True, dict=True):
    """URLs by host, pattern or name; `text` is as it was given."""

    text: str
    kind: str
    globs: tuple[str, ...]
    """Patterns of the whole URL, in which only `*` is special."""

    @classmethod
    def parse(cls, given: str) -> Self:
        """Read what was given; UsageError for what is no URL, host or pattern."""
        text = given.strip()
        if not text:
            return cls("", CRAWL, ("*",))
        if text in ("*", "%"):
            return cls(text, PATTERN, ("*",))
        scheme, mark, rest = text.partition("://")
        if mark and scheme not in ("http", "https", "*"):
            raise UsageError(f"{text}: only http and https are crawled; give a host, or a URL")
        name, slash, path = (rest if mark else text).partition("/")
        if not name or re.search(r"[\s\"'<>%]", name):
            raise UsageError(f"{text}: no host, pattern or URL; give one like example.com/trap/*")
        if mark and scheme != "*" and slash and "*" not in text:
            url = urls.parse(text)
            if url is None:
                raise UsageError(f"{text}: no URL; give one like https://example.com/page")
            return cls(url, URL, (url,))
        schemes = (scheme,) if mark and scheme != "*" else ("http", "https")
        name = name.lower()
        if not slash and "*" not in name:
            globs = tuple(f"{scheme}://{name}/*" for scheme in schemes)
            return cls(f"{scheme}://{name}" if mark and scheme != "*" else name, HOST, globs)
        below = f"{name}/{path}" if "*" in text else f"{name}/{path}*"
        if "/" not in below:
            below += "/*"
        return cls(text, PATTERN, tuple(f"{scheme}://{below}" for scheme in schemes))

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        parts = ["".join(".*" if c == "*" else re.escape(c) for c in glob) for glob in self.globs]
        return re.compile("|".join(parts), re.DOTALL)

    def takes(self, url: str) -> bool:
        """Return whether a canonical URL is meant."""
        return self._regex.fullmatch(url) is not None

    def takes_host(self, name: str) -> bool:
        """Return whether any URL of a host (scheme://name:port) may be meant."""
        if self.kind == CRAWL:
            return True
        heads = ("/".join(glob.split("/", 3)[:3]) for glob in self.globs)
        return any(
            re.fullmatch("".join(".*" if c == "*" else re.escape(c) for c in head), name)
            for head in heads
        )

    @property
    def takes_all(self) -> bool:
        """Whether every URL of the web is meant: more than anybody wants to block."""
        return all(self.takes(url) for url in _PROBES)

    def sql_globs(self) -> tuple[str, ...]:
        """Return the patterns for GLOB of SQLite, in which `?` and `[` are special as well."""
        return tuple(re.sub(r"[?\[]", lambda found: f"[{found[0]}]", g) for g in self.globs)
