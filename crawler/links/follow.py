"""Which links of a page are followed: by the section [links], the page's own wishes, and the rules.

The plain case (links of `a` and `area`, rules that only look at URLs) needs nothing from here but
`wishes`; everything else takes the full pass of `parse.full_pass`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from crawler import urls
from crawler.config.links import LinksSettings
from crawler.errors import ConfigError
from crawler.links.linker import Linker, Target
from crawler.links.rule import Rule
from crawler.parse import meta_robots
from crawler.parse.usage import said_by
from crawler.web.link_header import link_to
from crawler.web.page import ScrapedPage
from crawler.web.refusal import Refusal

if TYPE_CHECKING:  # the full pass is imported where it is used: most crawls never need it
    from crawler.parse.full_pass import Link, Outline, Reference
    from crawler.parse.refreshes import Refresh
    from crawler.parse.usage import UsageLine

_PLAIN_TAGS = {"a", "area"}
_THREAD = 64 * 1024  # characters from which the full pass belongs on a thread


def refresh_on(page: ScrapedPage) -> Refresh | None:
    """Return where a page leads by itself, by its markup or its header; None if nowhere."""
    from crawler.parse.fast_pass import EARLY_REFRESH, REFRESH
    from crawler.parse.refreshes import refresh_of, soonest  # most pages never need it

    url, encoding = page.url, page.encoding
    headers = page.headers
    several = headers.getall("Refresh", ()) if hasattr(headers, "getall") else ()
    said = ", ".join(several) or headers.get("Refresh", "")  # as browsers join them
    found = [refresh_of(said, url, url, encoding)]
    for name, content in page.found.robots:
        if name in (REFRESH, EARLY_REFRESH):
            base = page.base_url if name == REFRESH else url
            found.append(refresh_of(content, url, base, encoding))
    return soonest(found)


class PageDirectives(NamedTuple):
    """What a page asks for: not to follow its links, not to keep it, to go elsewhere."""

    nofollow: bool = False
    noindex: bool = False
    refresh: str | None = None
    usage: tuple[UsageLine, ...] = ()
    """What its meta tags say about its uses."""


class PickedLink(Struct, frozen=True):
    """A link, what takes it, and the reason for which it is not followed, if there is one."""

    target: Target
    rule: Rule | None
    refusal: Refusal | None


class LinkFollower:
    """Decides over the links of pages. `full`: the fast pass does not know enough for it."""

    def __init__(
        self,
        linker: Linker,
        rules: Iterable[Rule],
        settings: LinksSettings,
        *,
        agent: str = "crawlkeep",
    ) -> None:
        self._linker, self._settings = linker, settings
        self._rules = tuple(rules)
        self._token = meta_robots.token_of(agent)
        self.tags = frozenset(settings.tags)
        self.full = (
            settings.nofollow
            or settings.canonical != "ignore"
            or self.tags != _PLAIN_TAGS
            or bool(settings.attributes)
            or not all(rule.plain for rule in self._rules)
        )
        self._wanted = self._elements() if self.full else {}
        self._texts = any(rule.restrict_text for rule in self._rules)
        # Of each URL the linker has decided already, once.
        self._by_url = self._rules == linker.rules and all(rule.plain for rule in self._rules)

    def _elements(self) -> dict[str, tuple[str, ...]]:
        """Return the elements and attributes that the settings or a rule look at."""
        from crawler.parse import full_pass  # as above

        wanted: dict[str, set[str]] = {}
        own = [rule for rule in self._rules if rule.tags or rule.attrs]
        for tags, attributes in [
            (self._settings.tags, self._settings.attributes),
            *((rule.tags or self._settings.tags, rule.attrs) for rule in own),
        ]:
            for tag in tags:
                known = full_pass.ATTRIBUTES.get(tag, ("href", "src"))
                wanted.setdefault(tag, set()).update(attributes or known)
        if self._settings.canonical != "ignore":
            wanted.setdefault("link", set()).add("href")
        return {tag: tuple(sorted(attributes)) for tag, attributes in wanted.items()}

    # ------------------------------------------------------------ what the page asks for

    def directives(self, page: ScrapedPage) -> PageDirectives:
        """Return what the page asks for, in markup or headers; nothing unless `page.asks`."""
        metas, headers = page.found.robots, page.headers
        said = meta_robots.NONE
        if self._settings.robots_meta:
            values = headers.getall("X-Robots-Tag", []) if hasattr(headers, "getall") else []
            said = meta_robots.directives(metas, values, self._token)
        return PageDirectives(
            said.nofollow,
            said.noindex and self._settings.noindex == "skip",
            self._refresh(page) if self._settings.refresh else None,
            tuple(said_by({}, metas)),
        )

    def _refresh(self, page: ScrapedPage) -> str | None:
        """Return the other URL to which the page leads by itself soon enough."""
        found = refresh_on(page)
        if found is None or found.url == page.url or found.delay > self._settings.refresh_delay:
            return None
        return found.url

    # ------------------------------------------------------------ the full pass

    async def read(self, page: ScrapedPage) -> Outline:
        """Read a page by the full pass; a large one on a thread."""
        if len(page.body) >= _THREAD:
            return await asyncio.to_thread(self._read, page)
        return self._read(page)

    def _read(self, page: ScrapedPage) -> Outline:
        from crawler.parse import full_pass  # as above

        return full_pass.outline(
            page.html,
            page.url,
            tags=self._wanted,
            encoding=page.encoding,
            xml=page.response.is_xml,
            texts=self._texts,
        )

    def canonical(self, page: ScrapedPage, document: Outline) -> str | None:
        """Return the other URL that the page calls its canonical one, if that is to be noted."""
        if self._settings.canonical == "ignore":
            return None
        found = document.canonical
        if found is None and "Link" in page.headers:
            headers = page.headers
            values = headers.getall("Link") if hasattr(headers, "getall") else headers["Link"]
            found = link_to("canonical", values, page.url)
        return None if found == page.url else found

    @property
    def follows_canonical(self) -> bool:
        """Whether a canonical URL is visited, too."""
        return self._settings.canonical == "follow"

    def picks(
        self, page: ScrapedPage, document: Outline, size: int
    ) -> Iterator[Iterable[PickedLink]]:
        """Decide over the links of a page, in their order, `size` references at a time."""
        base = page.base_url
        if self._by_url and urls.parse(document.base) == base:
            references = document.references()
            while some := list(islice(references, size)):
                yield self._settled(base, some)
            return
        links, regions = document.links(), Regions(page, self)
        while part := list(islice(links, size)):
            yield [pick for link in part if (pick := self._pick(link, regions)) is not None]

    def _settled(self, base: str, references: Iterable[str | Reference]) -> Iterator[PickedLink]:
        """Yield what the linker says of each URL, with those that a page does not vouch for."""
        texts: list[str] = []
        for reference in references:
            if isinstance(reference, str):
                texts.append(reference)
            elif self._settings.nofollow and reference.nofollow:
                yield from self._resolved(base, texts)
                texts.clear()
                for target in self._linker.resolve(base, [reference.text]).values():
                    yield PickedLink(target, None, Refusal.NOFOLLOW)
            elif reference.tag in self.tags:
                texts.append(reference.text)
        yield from self._resolved(base, texts)

    def _resolved(self, base: str, texts: list[str]) -> Iterator[PickedLink]:
        for target in self._linker.resolve(base, texts).values():
            yield PickedLink(target, target.rule, target.refusal)

    def _pick(self, link: Link, regions: Regions) -> PickedLink | None:
        """Decide over one link; None where it is of an element that nobody looks at."""
        if self._settings.nofollow and link.nofollow:
            return PickedLink(self._linker.target(link.url), None, Refusal.NOFOLLOW)
        looked_at = link.tag in self.tags
        for rule in self._rules:
            if link.tag not in (rule.tags or self.tags):
                continue
            if rule.attrs and link.attribute not in rule.attrs:
                continue
            looked_at = True
            target = self._taken(rule, link, regions)
            if target is not None:
                refusal = self._linker.general_refusal(target)
                return PickedLink(
                    target, rule, refusal or (None if rule.follow else Refusal.NO_RULE)
                )
        if not looked_at:
            return None
        target = self._linker.target(link.url)
        refusal = self._linker.general_refusal(target)
        return PickedLink(target, None, refusal or (Refusal.NO_RULE if self._rules else None))

    def _taken(self, rule: Rule, link: Link, regions: Regions) -> Target | None:
        """Return the target of a link that a rule takes, None for a link that it does not."""
        url: str | None = link.url
        if rule.restrict_css and link.url not in regions(rule):
            return None
        if not rule.takes_text(link.text):
            return None
        if rule.transform is not None:
            changed = rule.transform(link.url)
            url = urls.parse(changed, link.url) if changed else None
        if url is None:
            return None
        target = self._linker.target(url)
        return target if rule.takes(target.url) else None


class Regions:
    """The URLs in the parts of one page that a rule restricts itself to, found when asked for."""

    def __init__(self, page: ScrapedPage, wanted: LinkFollower) -> None:
        self._page, self._wanted = page, wanted._wanted
        self._known: dict[int, set[str]] = {}

    def __call__(self, rule: Rule) -> set[str]:
        from crawler.parse import full_pass  # as above

        found = self._known.get(id(rule))
        if found is None:
            found = self._known[id(rule)] = set()
            page = self._page
            base = page.base_url
            for selector in rule.css:
                for part in page.css(selector).getall():
                    inside = full_pass.document(
                        part, base, tags=self._wanted, encoding=page.encoding
                    ).links
                    found.update(link.url for link in inside)
        return found


def steps_of(names: Iterable[str]) -> tuple[urls.Step, ...]:
    """Return the steps that `links.canonicalize` names; ConfigError for one that is not there."""
    return tuple(_step(name) for name in names)


def _step(name: str) -> Callable[[str], str | None]:
    from crawler.urls.optional_steps import OPTIONAL_STEPS  # as above

    if name in OPTIONAL_STEPS:
        return OPTIONAL_STEPS[name]
    module, colon, function = name.partition(":")
    if not colon:
        known = ", ".join(OPTIONAL_STEPS)
        raise ConfigError(
            f"links.canonicalize: there is no step {name!r}; there are: {known}, or write"
            " module:function"
        )
    try:
        found = getattr(import_module(module), function)
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"links.canonicalize: {name}: {error}") from None
    if not callable(found):
        raise ConfigError(f"links.canonicalize: {name} is no function")
    return found  # type: ignore[no-any-return]
