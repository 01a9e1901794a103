"""SQL functions that people miss in SQLite: `host(url)`, `path(url)`, `domain(url)`, `REGEXP`.

Readers have them, and the conditions of `retry` and `recrawl`. Nothing in a store's own schema may
use them, as other tools open the file without.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from crawler import urls
from crawler.errors import QueryError
from crawler.urls.scope import registrable_domain

_HUGE, _PATTERN = 50_000_000, 1_000  # bytes of a value, characters of a pattern, for strangers
FUNCTIONS = ("domain", "host", "path", "regexp")


class Functions:
    """The functions of one connection; `error` is what the last call of one raised."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.error: str | None = None
        self._refuses = False
        db.create_function("host", 1, _of_url(urls.hostname_of), deterministic=True)
        db.create_function("path", 1, _of_url(_path), deterministic=True)
        db.create_function("domain", 1, _of_url(_domain), deterministic=True)
        db.create_function("regexp", 2, self._regexp, deterministic=True)

    def _regexp(self, pattern: Any, value: Any) -> bool | None:
        """Return whether `value REGEXP pattern`: found anywhere, as Python's `re.search`."""
        if pattern is None or value is None:
            return None
        try:
            return pattern_of(str(pattern)).search(str(value)) is not None
        except QueryError as error:
            self.error = str(error)
            raise

    def refuse_regexp(self, db: sqlite3.Connection) -> None:
        """Let `REGEXP` be an error: an expression may take forever, and nothing stops it."""
        if self._refuses:
            return  # SQLite makes no function anew while a query is open, as after an error

        def refused(pattern: Any, value: Any) -> None:
            self.error = "REGEXP cannot be stopped, so it is not for this box; use LIKE or GLOB"
            raise QueryError(self.error)

        db.create_function("regexp", 2, refused)
        self._refuses = True

    def told(self) -> str | None:
        """Return what went wrong in a function since this was asked last."""
        error, self.error = self.error, None
        return error


def limit_values(db: sqlite3.Connection) -> None:
    """Let a connection that strangers use hold no huge value and no long LIKE pattern."""
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _HUGE)
    db.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, _PATTERN)


@lru_cache(maxsize=64)
def pattern_of(text: str) -> re.Pattern[str]:
    """Return a regular expression; QueryError says what is wrong with it."""
    try:
        return re.compile(text)
    except re.error as error:
        raise QueryError(f"{text!r} is no regular expression: {error}") from None


def _of_url(part: Callable[[str], str]) -> Callable[[Any], str | None]:
    """Return a function that gives a part of an http(s) URL, and NULL for what is none."""

    def of(value: Any) -> str | None:
        url = urls.parse(value) if isinstance(value, str) and "://" in value else None
        return part(url) if url is not None else None

    return of


def _path(url: str) -> str:
    return urls.split(url)[1].partition("?")[0]


def _domain(url: str) -> str:
    return registrable_domain(urls.hostname_of(url))
