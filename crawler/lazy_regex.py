"""Regular expressions that are compiled when they are first used.

Python compiles them in Python: those of the package took a tenth of the time until a crawl asks for
its first URL, and most are for what few pages have.
"""

from __future__ import annotations

import re
from typing import AnyStr, Generic, cast

_METHODS = ("search", "match", "fullmatch", "finditer", "findall", "split", "sub", "subn")


class _LazyPattern(Generic[AnyStr]):
    """What behaves like a pattern, and is one from the first use on."""

    def __init__(self, pattern: AnyStr, flags: int) -> None:
        self._source: tuple[AnyStr, int] = (pattern, flags)

    def __getattr__(self, name: str) -> object:
        """Compile, and keep the methods, so that this is asked once."""
        if name.startswith("__"):
            raise AttributeError(name)
        pattern = re.compile(*self._source)
        for method in _METHODS:
            setattr(self, method, getattr(pattern, method))
        return getattr(pattern, name)


def lazy(pattern: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Return what can be used as `re.compile(pattern, flags)`, compiled when it is first used.

    What is wrong with a pattern is told then, as re.error.
    """
    return cast("re.Pattern[AnyStr]", _LazyPattern(pattern, flags))
