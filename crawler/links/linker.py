"""The linker: what the references of pages lead to, and whether that is followed."""

from __future__ import annotations

from collections.abc import Iterable

from crawler import urls
from crawler.config.links import LinksSettings
from crawler.config.traps import TrapsSettings
from crawler.links.rule import Rule, bound
from crawler.links.traps import Traps
from crawler.urls.scope import Scope
from crawler.web.refusal import Refusal
from crawler.web.request import url_hash


class Target:
    """A resolved link and what the crawl thinks of it. One per distinct link, kept and reused."""

    __slots__ = ("host", "offered", "refusal", "rule", "url", "url_hash")

    def __init__(self, url: str, rule: Rule | None, refusal: Refusal | None) -> None:
        self.url = url
        self.host = urls.host_of(url)
        self.url_hash = url_hash(url)
        self.rule = rule
        self.refusal = refusal
        self.offered = False


_UNKNOWN = Target("http://unknown/", None, None)  # stands for "not looked up yet"


_LONGEST = 2_000  # characters of a reference that is remembered: scripts and pictures are longer
_STRIPPED = "".join(map(chr, range(33)))  # what a URL does not begin with (URL standard, 4.4)


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
        settings: LinksSettings | None = None,
    ) -> None:
        """`steps` are taken with each URL after the default canonicalization.

        Of `settings` the regular expressions that bound every link, whatever the rules say.
        """
        settings = settings or LinksSettings()
        self._include = bound("include", settings.include)
        self._exclude = bound("exclude", settings.exclude)
        self._scope = scope
        self.rules = tuple(rules)
        self._room = self._left = room
        self.traps = traps or Traps(TrapsSettings())
        self._steps = tuple(steps)
        self.included: list[str] | None = None
        """What has widened the scope, where somebody has set a list: for other processes."""
        self._by_directory: dict[str, tuple[urls.BaseURL, dict[str, Target | None]]] = {}
        self._by_url: dict[str, Target] = {}

    @property
    def scope(self) -> Scope:
        """What belongs to the crawl."""
        return self._scope

    def include(self, seed: str) -> None:
        """Take in one more seed; it is heeded from the next link on."""
        self._scope.include(seed)
        self._forget()
        if self.included is not None:
            self.included.append(seed)

    def widen(self, target: str) -> None:
        """Take the host in to which a seed redirects, if it is of the seed's own domain."""
        if self._scope.include_redirect(target):
            self._forget()
            if self.included is not None:
                self.included.append(target)

    def _forget(self) -> None:
        """Forget what was decided: a wider scope may decide otherwise."""
        if self._by_url:
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
        if reference.lstrip(_STRIPPED)[:1] in ("", "?"):  # of the whole base, not its directory
            url = urls.parse(reference, base)
            return self.target(url) if url else None
        url = parent.parse(reference)
        target = self.target(url) if url else None
        if len(reference) <= _LONGEST:
            known[reference] = target
            self._spend()
        return target

    def target(self, url: str) -> Target:
        """Return the target of a canonical URL."""
        target = self._by_url.get(url)
        if target is None:
            final = self.settled(url) if self._steps else url
            target = self._by_url.get(final or "") or self._made(final or url, dropped=not final)
            self._by_url[url] = self._by_url[target.url] = target
            self._spend()
        return target

    def settled(self, url: str) -> str | None:
        """Return the URL that `url` is visited as, after all steps; None where one drops it."""
        return urls.canonicalize(url, self._steps) if self._steps else url

    def _made(self, url: str, *, dropped: bool) -> Target:
        refusal = Refusal.DROPPED if dropped else self.refusal_of(url) or self.bounded(url)
        taken = None
        for rule in self.rules:
            if rule.takes_all or rule.takes(url):
                taken = rule
                break
        if refusal is None and self.rules and (taken is None or not taken.follow):
            refusal = Refusal.NO_RULE
        return Target(url, taken, refusal)

    def bounded(self, url: str) -> Refusal | None:
        """Return which of `links.include` and `links.exclude` refuses a link."""
        if self._include is not None and not self._include.search(url):
            return Refusal.NOT_INCLUDED
        excluded = self._exclude is not None and self._exclude.search(url)
        return Refusal.EXCLUDED if excluded else None

    def general_refusal(self, target: Target) -> Refusal | None:
        """Return the reason for which a link is not taken whatever the rules say."""
        return target.refusal if target.refusal is not Refusal.NO_RULE else None

    def refusal_of(self, url: str) -> Refusal | None:
        """Return the reason for which a URL is not taken, whoever asks for it.

        It only asks: a crawl and `crawler why` decide by it. What counts is `offer`.
        """
        if not self._scope.allows(url):
            return Refusal.OUT_OF_SCOPE
        return self.traps.refusal_of(url)

    def offer(self, url: str) -> Refusal | None:
        """Take note of a URL that is to be queued; return the reason where it must not be."""
        return self.traps.offer(url, over_hosts=self._scope.kind in ("domain", "any"))

    def _spend(self) -> None:
        self._left -= 1
        if self._left <= 0:
            self._left = self._room
            self._by_directory.clear()
            self._by_url.clear()
