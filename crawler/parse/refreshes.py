"""`<meta http-equiv=refresh>` and the `Refresh` header, by the HTML standard.

https://html.spec.whatwg.org/multipage/document-lifecycle.html#shared-declarative-refresh-steps
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from crawler import urls
from crawler.lazy_regex import lazy
from crawler.parse.encodings import encode_query

_TIME = lazy(r"[\t\n\f\r ]*+([0-9]*+)(?=(\.?))[0-9.]*+", re.ASCII)
_BREAK = lazy(r"[\t\n\f\r ]*+[;,]?[\t\n\f\r ]*+")
_LABEL = lazy(r"[uU][rR][lL][\t\n\f\r ]*+=[\t\n\f\r ]*+")

LONGEST_DELAY = (2**31 - 1) // 1000
"""The most seconds after which browsers lead on: whatever is longer means "never"."""


class Refresh(NamedTuple):
    """Where a page leads by itself, and after how many seconds."""

    delay: int
    url: str


def soonest(refreshes: Iterable[Refresh | None]) -> Refresh | None:
    """Return the one of several refreshes that comes about; None if there is none.

    By the standard the first one counts; browsers take the soonest, and of two the later.
    """
    found = [refresh for refresh in refreshes if refresh is not None]
    return min(reversed(found), key=lambda refresh: refresh.delay, default=None)


def refresh_of(
    content: str, url: str, base: str | None = None, encoding: str = "utf-8"
) -> Refresh | None:
    """Return the refresh that `content` asks for on the page `url`; None if it asks for none.

    `content` is the value of the attribute or header, `base` the page's base URL where it is
    another, `encoding` that of the page. A refresh without a URL leads to the page itself. None
    too where the target is no http(s) URL.
    """
    time = _TIME.match(content)
    assert time is not None  # it also matches nothing
    if not time[1] and not time[2]:
        return None
    at = time.end()
    rest = content[at:]
    if rest and rest[0] not in ";,\t\n\f\r ":
        return None
    gap = _BREAK.match(rest)
    rest = rest[gap.end() :] if gap else rest
    delay = int(time[1][:4000] or 0)  # int() takes 4,300 digits
    if delay > LONGEST_DELAY:
        return None
    target = urls.parse(encode_query(_reference(rest), encoding), base or url) if rest else url
    return None if target is None else Refresh(delay, target)


def _reference(text: str) -> str:
    """Cut the URL out of what stands behind the time: `url=` and quotes are optional."""
    label = _LABEL.match(text)
    if label:
        text = text[label.end() :]
    elif text[0] in "uU":
        return text  # it may start a URL as well as a broken label: then it is all URL
    if text[:1] in ("'", '"'):
        return text[1:].partition(text[0])[0]
    return text
