"""Rule: which links of a page are followed, and with what."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from crawler.errors import ConfigError
from crawler.web.callback import Callback, name_of
from crawler.web.request import Request
from crawler.web.steps import Step, checked

Patterns = str | Iterable[str]


def _each(patterns: Patterns) -> list[str]:
    return [patterns] if isinstance(patterns, str) else list(patterns)


class AnyPattern:
    """Several regular expressions that cannot be one: each has its own flags, groups and names."""

    def __init__(self, patterns: Iterable[re.Pattern[str]]) -> None:
        self._patterns = tuple(patterns)

    def search(self, text: str) -> re.Match[str] | None:
        """Return the match of the first one that is found in a text, None if none is."""
        for pattern in self._patterns:
            if found := pattern.search(text):
                return found
        return None


Searched = re.Pattern[str] | AnyPattern


def compiled(patterns: Patterns) -> Searched | None:
    """Return what is found where one of several patterns is, None for none."""
    each = [re.compile(text) for text in _each(patterns)]
    if len(each) < 2:
        return each[0] if each else None
    if any(pattern.groups or pattern.flags != re.UNICODE for pattern in each):
        return AnyPattern(each)
    return re.compile("|".join(f"(?:{pattern.pattern})" for pattern in each))


def bound(key: str, patterns: Patterns) -> Searched | None:
    """Return the pattern of a key of [links]; ConfigError for what is no regular expression."""
    for text in _each(patterns):
        try:
            re.compile(text)
        except re.error as error:
            raise ConfigError(f"links.{key}: {text!r} is no regular expression: {error}") from None
    return compiled(patterns)


@dataclass(frozen=True, slots=True)
class Rule:
    """Follow the links whose URL matches `allow` and not `deny` (regular expressions, searched).

    `restrict_css` (selectors) takes only links within these parts of a page, `restrict_text`
    (regular expressions, searched) only those with such a text, `tags` and `attrs` only those of
    these elements and attributes (None: those of the section [links]). `transform` takes a URL and
    gives the one to visit instead, or None to pass the link over; `allow` and `deny` see the new
    one. `callback` (a method or its name) gets the pages, None means `parse`; of several rules the
    first that takes a link decides. `follow=False` refuses what it takes. `priority` is added.
    `browser`: its pages are rendered in a browser, after the `steps`, which ask for it as well.
    """

    allow: Patterns = ()
    deny: Patterns = ()
    callback: Callback = None
    follow: bool = True
    priority: int = 0
    restrict_css: Patterns = ()
    restrict_text: Patterns = ()
    tags: Patterns | None = None
    attrs: Patterns | None = None
    transform: Callable[[str], str | None] | None = None
    browser: bool = False
    steps: Sequence[Step] = ()
    callback_name: str | None = field(init=False, repr=False, compare=False)
    """The callback as the store keeps it."""
    takes_all: bool = field(init=False, repr=False, compare=False)
    """Whether it decides about every URL."""
    _allow: Searched | None = field(init=False, repr=False, compare=False)
    _deny: Searched | None = field(init=False, repr=False, compare=False)
    _text: Searched | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.steps:
            object.__setattr__(self, "steps", checked(self.steps))
            object.__setattr__(self, "browser", True)
        object.__setattr__(self, "_allow", compiled(self.allow))
        object.__setattr__(self, "_deny", compiled(self.deny))
        object.__setattr__(self, "_text", compiled(self.restrict_text))
        object.__setattr__(self, "takes_all", self._allow is None and self._deny is None)
        object.__setattr__(self, "callback_name", name_of(self.callback))
        object.__setattr__(self, "tags", tuple(name.lower() for name in _each(self.tags or ())))
        object.__setattr__(self, "attrs", tuple(name.lower() for name in _each(self.attrs or ())))

    @property
    def plain(self) -> bool:
        """Whether the URL of a link is all that it looks at."""
        special = (self.restrict_css, self.restrict_text, self.tags, self.attrs, self.transform)
        return not any(special)

    @property
    def css(self) -> tuple[str, ...]:
        """The selectors of `restrict_css`."""
        return tuple(_each(self.restrict_css))

    def takes(self, url: str) -> bool:
        """Return whether the rule decides about this URL."""
        if self._allow is not None and not self._allow.search(url):
            return False
        return self._deny is None or not self._deny.search(url)

    def request(self, url: str) -> Request:
        """Return the request for a link that a rule for the browser takes."""
        return Request(
            url,
            callback=self.callback_name,
            priority=self.priority,
            browser=True,
            steps=self.steps,
        )

    def takes_text(self, text: str) -> bool:
        """Return whether the rule decides about links with this text."""
        return self._text is None or self._text.search(text) is not None
