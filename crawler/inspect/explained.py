"""What a crawl that starts at one page would make of it, and of each of its links."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from crawler import parse
from crawler.config.layers import Config
from crawler.inspect.life import Line
from crawler.inspect.why import CrawlRules, judged
from crawler.links.follow import LinkFollower, steps_of
from crawler.links.linker import Linker
from crawler.links.rule import Rule
from crawler.links.traps import Traps
from crawler.parse.usage import said_by
from crawler.parse.well_formed import well_formed
from crawler.urls.scope import Scope
from crawler.web.page import ScrapedPage


def explained(url: str, page: ScrapedPage | None, config: Config) -> Iterator[Line]:
    """Yield what a crawl that starts at `url` would make of it, and of the page it leads to."""
    scope = Scope(config.engine.scope, (url,))
    if page is not None:  # a start URL may redirect within its domain
        scope.include_redirect(page.url)
    rules = (Rule(),)
    yield from judged(url, CrawlRules(config, rules, scope))
    if page is None or not page.response.is_html:
        return
    steps = steps_of(config.links.canonicalize)
    linker = Linker(scope, rules, traps=Traps(config.traps), steps=steps, settings=config.links)
    following = LinkFollower(linker, rules, config.links, agent=config.politeness.user_agent)
    wishes = following.directives(page)
    if wishes.nofollow:
        yield Line("page", "asks that its links are not followed")
    if wishes.noindex:
        yield Line("page", "asks not to be indexed: neither parsed nor kept")
    for statement in said_by(page.headers, page.found.robots):
        yield Line("usage", str(statement))
    if wishes.refresh:
        yield Line("refresh", f"leads to {wishes.refresh}")
    xml = page.response.is_xml
    _, error, left_out = well_formed(page.html) if xml else ("", None, None)
    if error:
        yield Line("XML", f"not well-formed, and read up to there: {error}")
    if left_out:
        yield Line("XML", f"read without {left_out}")
    document = parse.document(page.html, page.url, encoding=page.encoding, xml=xml)
    for rel in ("canonical", "next", "alternate"):
        for link in document.related(rel):
            language = f" ({link.hreflang})" if link.hreflang else ""
            yield Line(rel, link.url + language)
    nofollow = "page_nofollow" if wishes.nofollow else ""
    refusals = Counter(nofollow or linker.target(link).refusal or "followed" for link in page.links)
    told = ", ".join(f"{number:,} {reason}" for reason, number in refusals.most_common())
    yield Line("links to", told or "nothing")
