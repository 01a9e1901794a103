"""`crawler crawl --dry-run`: what would become of each link of the first pages. Stores nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from crawler import urls
from crawler.cli.fetch import looked
from crawler.config.layers import Config
from crawler.links.follow import LinkFollower, steps_of
from crawler.links.linker import Linker
from crawler.links.rule import Rule
from crawler.links.traps import Traps
from crawler.markup.words import plural
from crawler.robots import Robots
from crawler.urls.scope import Scope
from crawler.web.page import ScrapedPage


def tell(seeds: Sequence[str], config: Config) -> bool:
    """Print a line for each link of the start pages; return whether there was a page."""
    pages = 0
    for seed in seeds:
        found = looked(seed, config)
        denied = next((hop for hop in found.hops if not hop.allowed), None)
        if denied is not None:
            print(f"{seed}: no page: robots.txt denies {denied.url} ({denied.rule})")
            continue
        if found.page is None or found.outcome != "ok":
            last = found.hops[-1]
            said = last.error or f"status {last.status}"
            print(f"{seed}: no page: {last.outcome} ({said})")
            continue
        pages += 1
        print(found.page.url)
        _tell_links(found.page, found.hops[-1].robots, seeds, config)
    print("Nothing is stored: without --dry-run the crawl begins.")
    return pages > 0


def _tell_links(
    page: ScrapedPage, rules: Robots | None, seeds: Sequence[str], config: Config
) -> None:
    verdicts, others = Counter[str](), set[str]()
    robots = _RobotsOfHost(urls.host_of(page.url), rules, config)
    for verdict, url in _links(page, seeds, config):
        if verdict == "follow" and robots.denies(url):
            verdict = "robots_denied"
        if verdict == "follow":
            others.add(urls.host_of(url))
        verdicts[verdict] += 1
        print(f"  {verdict:16} {url}")
    told = ", ".join(f"{number:,} {name}" for name, number in verdicts.most_common())
    print(f"  links: {told or 'none'}")
    others.discard(robots.host)
    if others and config.politeness.robots:
        print(f"  robots.txt of {plural(len(others), 'other host')}: read by the crawl alone")


@dataclass(frozen=True, slots=True)
class _RobotsOfHost:
    """The robots.txt that was read for a page; other hosts are asked only by the crawl."""

    host: str
    robots: Robots | None
    config: Config

    def denies(self, url: str) -> bool:
        """Return whether it denies a link."""
        if self.robots is None or urls.host_of(url) != self.host:
            return False
        return not self.robots.allows(url, self.config.politeness.user_agent)


def _links(page: ScrapedPage, seeds: Sequence[str], config: Config) -> Iterator[tuple[str, str]]:
    """Yield each link of a page with `follow`, or the reason for which it is not followed."""
    scope = Scope(config.engine.scope, tuple(seeds))
    scope.include_redirect(page.url)
    rules = (Rule(),)
    steps = steps_of(config.links.canonicalize)
    linker = Linker(scope, rules, traps=Traps(config.traps), steps=steps, settings=config.links)
    following = LinkFollower(linker, rules, config.links, agent=config.politeness.user_agent)
    wishes = following.directives(page)
    whole = "page_nofollow" if wishes.nofollow else None
    if config.engine.max_depth == 0:
        whole = whole or "too_deep"
    for link in page.links:
        yield whole or linker.target(link).refusal or "follow", link
