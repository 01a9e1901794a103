"""Rules: which links of a page are followed, and with what."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from crawler import urls
from crawler.config.links import Links as Settings
from crawler.config.links import Traps as TrapsSettings
from crawler.errors import ConfigError
from crawler.links.traps import Traps
from crawler.urls.scope import Scope
from crawler.web.request import EARLY, Callback, url_hash

Patterns = str | Iterable[str]


def _each(patterns: Patterns) -> list[str]:
    return [patterns] if isinstance(patterns, str) else list(patterns)


def compiled(patterns: Patterns) -> re.Pattern[str] | None:
    """Return one pattern that matches where one of several does, None for none."""
    texts = _each(patterns)
    return re.compile("|".join(f"(?:{text})" for text in texts)) if texts else None


def bound(key: str, patterns: Patterns) -> re.Pattern[str] | None:
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
    _allow: re.Pattern[str] | None = field(init=False, repr=False, compare=False)
    _deny: re.Pattern[str] | None = field(init=False, repr=False, compare=False)
    _text: re.Pattern[str] | None = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_allow", compiled(self.allow))
        object.__setattr__(self, "_deny", compiled(self.deny))
        object.__setattr__(self, "_text", compiled(self.restrict_text))
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

    def takes_text(self, text: str) -> bool:
        """Return whether the rule decides about links with this text."""
        return self._text is None or self._text.search(text) is not None

    @property
    def callback_name(self) -> str | None:
        """The callback as the store keeps it."""
        return self.callback.__name__ if callable(self.callback) else self.callback


class Target:
    """A resolved link and what the crawl thinks of it. One per distinct link, kept and reused."""

    __slots__ = ("host", "offered", "refusal", "rule", "url", "url_hash")

    def __init__(self, url: str, rule: Rule | None, refusal: str | None) -> None:
        self.url = url
        self.host = urls.host_of(url)
        self.url_hash = url_hash(url)
        self.rule = rule
        self.refusal = refusal
        self.offered = False


_UNKNOWN = Target("http://unknown/", None, None)  # stands for "not looked up yet"


class Linker:
    """Resolves the references of pages, and decides once for each URL whether it is followed.

    Sites repeat the same references on page after page, so answers are kept per base directory;
    on real documentation nine in ten are a dictionary look-up. Bounded: full, it starts anew.
    """

    def __init__(
        self,
        scope: Scope,
        rules: Iterable[Rule],
        *,
        room: int = 50_000,
        traps: Traps | None = None,
        steps: Iterable[urls.Step] = (),
        settings: Settings | None = None,
    ) -> None:
        """`steps` are taken with each URL after the default canonicalization.

        Of `settings` the regular expressions that bound every link, whatever the rules say.
        """
        settings = settings or Settings()
        self._include = bound("include", settings.include)
        self._exclude = bound("exclude", settings.exclude)
        self._scope = scope
        self._rules = tuple(rules)
        self._room = self._left = room
        self.traps = traps or Traps(TrapsSettings())
        self._steps = tuple(steps)
        self._by_directory: dict[str, tuple[urls.BaseURL, dict[str, Target | None]]] = {}
        self._by_url: dict[str, Target] = {}

    @property
    def scope(self) -> Scope:
        """What belongs to the crawl; a new scope is heeded from the next link on."""
        return self._scope

    @scope.setter
    def scope(self, scope: Scope) -> None:
        self._scope = scope
        self._by_directory.clear()
        self._by_url.clear()

    def resolve(self, base: str, hrefs: Iterable[str]) -> dict[str, Target]:
        """Return the targets of a page's references by URL, unique, in document order."""
        directory = urls.directory(base)
        entry = self._by_directory.get(directory)
        if entry is None:
            entry = self._by_directory[directory] = (urls.BaseURL(directory), {})
        known = entry[1]
        found: dict[str, Target] = {}
        # "#..." alone is this very page; without fragments most references are repeats.
        for reference in dict.fromkeys([href.partition("#")[0] for href in hrefs]):
            target = known.get(reference, _UNKNOWN)
            if target is _UNKNOWN:
                target = self._resolve(base, entry[0], reference, known)
            if target is not None:
                found[target.url] = target
        return found

    def _resolve(
        self, base: str, parent: urls.BaseURL, reference: str, known: dict[str, Target | None]
    ) -> Target | None:
        if not reference:
            return self.target(base)
        if reference.lstrip()[:1] in ("", "?"):  # depends on the whole base, not its directory
            url = urls.parse(reference, base)
            return self.target(url) if url else None
        url = parent.parse(reference)
        target = self.target(url) if url else None
        known[reference] = target
        self._spend()
        return target

    def target(self, url: str) -> Target:
        """Return the target of a canonical URL."""
        target = self._by_url.get(url)
        if target is None:
            final = self.settled(url)
            target = self._by_url.get(final or "") or self._made(final or url, dropped=not final)
            self._by_url[url] = self._by_url[target.url] = target
            self._spend()
        return target

    def settled(self, url: str) -> str | None:
        """Return the URL that `url` is visited as, after all steps; None where one drops it."""
        return urls.canonicalize(url, self._steps) if self._steps else url

    def _made(self, url: str, *, dropped: bool) -> Target:
        general = "dropped" if dropped else self.refusal_of(url) or self.bounded(url)
        rule = next((rule for rule in self._rules if rule.takes(url)), None)
        refused = self._rules and (rule is None or not rule.follow)
        return Target(url, rule, general or ("no_rule" if refused else None))

    def bounded(self, url: str) -> str | None:
        """Return which of `links.include` and `links.exclude` refuses a link."""
        if self._include is not None and not self._include.search(url):
            return "not_included"
        return "excluded" if self._exclude is not None and self._exclude.search(url) else None

    def general_refusal(self, target: Target) -> str | None:
        """Return the reason for which a link is not taken whatever the rules say."""
        return target.refusal if target.refusal != "no_rule" else None

    def refusal_of(self, url: str) -> str | None:
        """Return the reason for which a URL is not taken, whoever asks for it."""
        scope = self._scope
        if not scope.allows(url):
            return "out_of_scope"
        refusal = self.traps.shape(url)
        if refusal is None and scope.kind in ("domain", "any"):
            return self.traps.crowded(url)
        return refusal

    def _spend(self) -> None:
        self._left -= 1
        if self._left <= 0:
            self._left = self._room
            self._by_directory.clear()
            self._by_url.clear()


def rank_of(priority: int, depth: int, order: str) -> int:
    """Return the place of a request within its host: the lower, the earlier."""
    return -priority if order == "breadth" else -priority * _DEEPEST - min(depth, _DEEPEST - 1)


def priority_of(rank: int, depth: int, order: str) -> int:
    """Return the priority that `rank_of` was made from."""
    if rank < EARLY >> 1:
        rank -= EARLY
    return -rank if order == "breadth" else -((rank + min(depth, _DEEPEST - 1)) // _DEEPEST)


_DEEPEST = 1 << 20
