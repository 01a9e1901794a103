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
        self._bound = False
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

    def bound(self, db: sqlite3.Connection) -> None:
        """Let no call take minutes, as nothing stops a function: `REGEXP` is an error.

        Those that search in texts have Python's searches in their place, which are linear.
        """
        if self._bound:
            return  # SQLite makes no function anew while a query is open, as after an error

        def refused(pattern: Any, value: Any) -> None:
            self.error = "REGEXP cannot be stopped, so it is not for this box; use LIKE or GLOB"
            raise QueryError(self.error)

        db.create_function("regexp", 2, refused)
        db.create_function("instr", 2, _instr, deterministic=True)
        db.create_function("replace", 3, self._telling(_replace), deterministic=True)
        for name, strip in (("trim", str.strip), ("ltrim", str.lstrip), ("rtrim", str.rstrip)):
            db.create_function(name, 2, self._telling(_trimmed(strip)), deterministic=True)
        self._bound = True

    def _telling(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def told(*values: Any) -> Any:
            try:
                return call(*values)
            except QueryError as error:
                self.error = str(error)
                raise

        return told

    def told(self) -> str | None:
        """Return what went wrong in a function since this was asked last."""
        error, self.error = self.error, None
        return error


def limit_values(db: sqlite3.Connection) -> None:
    """Let a connection that strangers use hold no huge value and no long LIKE pattern."""
    db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _HUGE)
    db.setlimit(sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH, _PATTERN)


def _instr(value: Any, part: Any) -> int | None:
    if value is None or part is None:
        return None
    if isinstance(value, bytes) and isinstance(part, bytes):
        return value.find(part) + 1
    return _text(value).find(_text(part)) + 1


def _replace(value: Any, part: Any, by: Any) -> str | None:
    if value is None or part is None or by is None:
        return None
    text, part, by = _text(value), _text(part), _text(by)
    if len(text) + (text.count(part) if part else 0) * (len(by) - len(part)) > _HUGE:
        raise QueryError(f"replace() would give more than {_HUGE:,} characters")
    return text.replace(part, by) if part else text


def _trimmed(strip: Callable[[str, str], str]) -> Callable[[Any, Any], str | None]:
    def trimmed(value: Any, characters: Any) -> str | None:
        if value is None or characters is None:
            return None
        text, own = _text(value), _text(characters)
        if len(own) > _PATTERN:
            raise QueryError(f"trim() takes {_PATTERN:,} characters at most here")
        return strip(text, own) if own else text

    return trimmed


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


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
