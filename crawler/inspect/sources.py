"""The pages that link to a URL that was never accepted, and what keeps each link from being taken.

Scope, traps and rules judge a URL wherever it stands; what the page says and how deep it lies is
told here, from the stored page.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec
from multidict import CIMultiDict

from crawler.inspect.life import Line, rows_of
from crawler.inspect.query import Reader
from crawler.links.follow import LinkFollower
from crawler.links.linker import Linker
from crawler.store.damage import PAGE_DAMAGE
from crawler.store.rows import unpack
from crawler.web.page import ScrapedPage
from crawler.web.refusal import Refusal
from crawler.web.request import Request
from crawler.web.response import Response

if TYPE_CHECKING:
    from crawler.inspect.why import CrawlRules

_NAMED = 5  # pages that link to it
_PAGE = "pages.url, pages.depth, pages.status, pages.headers, bodies.body"


def linked_on(reader: Reader, url: str, laws: CrawlRules) -> Iterator[Line]:
    """Yield who links to a URL, each with what refused that link; a scan over all links."""
    sql = (
        f"SELECT {_PAGE} FROM link_lists JOIN pages USING (page_id) LEFT JOIN bodies"
        " USING (page_id) WHERE instr(targets, ?) > 0 LIMIT ?"
    )
    found = rows_of(reader, sql, json.dumps(url, ensure_ascii=False), _NAMED + 1)
    for row in found[:_NAMED]:
        refusal = _refusal(row, url, laws)
        why = f": {refusal}" if refusal else ""
        yield Line("linked on", f"{row['url']} (depth {row['depth']}){why}")
    if len(found) > _NAMED:
        yield Line("linked on", f"more pages: {sources_of(url)}")
    if not found:
        yield Line("linked on", f"no stored page{_asked(reader)}")


def sources_of(url: str) -> str:
    """Return the query for all pages that link to a URL."""
    quoted = url.replace("'", "''")
    return f"SELECT source FROM links WHERE target = '{quoted}'"


def asks(reader: Reader, url: str, laws: CrawlRules) -> Iterator[Line]:
    """Yield what a stored page asks of who reads it, where that is heeded."""
    sql = (
        f"SELECT {_PAGE} FROM pages JOIN bodies USING (page_id) WHERE pages.url = ?"
        " ORDER BY page_id DESC LIMIT 1"
    )
    for row in rows_of(reader, sql, url):
        page = _page(row)
        if page is not None and _following(laws).directives(page).nofollow:
            yield Line("page", "asks that its links are not followed (links.robots_meta)")


def _refusal(row: dict[str, Any], url: str, laws: CrawlRules) -> str:
    """Return what keeps the link on a page from being taken, with the key; empty for nothing."""
    page = _page(row)
    if page is not None and _following(laws).directives(page).nofollow:
        return f"{Refusal.PAGE_NOFOLLOW}, as the page asks (links.robots_meta)"
    if page is not None and laws.config.links.nofollow and _all_nofollow(page, url):
        return f"{Refusal.NOFOLLOW} (links.nofollow)"
    deepest = laws.config.engine.max_depth
    if deepest is not None and row["depth"] >= deepest:
        return f"{Refusal.TOO_DEEP} (engine.max_depth = {deepest})"
    return ""


def _all_nofollow(page: ScrapedPage, url: str) -> bool:
    from crawler import parse  # the full pass, which most questions never need

    document = parse.document(page.html, page.url, encoding=page.encoding)
    met = [link.nofollow for link in document.links if link.url == url]
    return bool(met) and all(met)


def _following(laws: CrawlRules) -> LinkFollower:
    linker = Linker(laws.scope, laws.rules)
    return LinkFollower(linker, (), laws.config.links, agent=laws.agent)


def _page(row: dict[str, Any]) -> ScrapedPage | None:
    """Return the stored page; None where its body is not kept, or is no page."""
    if row["body"] is None:
        return None
    try:
        headers = CIMultiDict(msgspec.json.decode(row["headers"] or "{}"))
        response = Response(row["url"], row["status"], headers, unpack(row["body"]))
    except PAGE_DAMAGE:  # `crawler doctor STORE` tells of it
        return None
    return ScrapedPage(response, Request(row["url"])) if response.is_html else None


def _asked(reader: Reader) -> str:
    """Return that requests were refused whose URLs nobody kept, if so."""
    sql = (
        "SELECT name FROM counters WHERE value > 0 AND name IN"
        " ('refused.request_out_of_scope', 'refused.duplicate_request') ORDER BY name"
    )
    names = [name.removeprefix("refused.") for (name,) in reader.query(sql).rows]
    if not names:
        return ""
    return f"; what callbacks asked for and was refused is counted, not kept ({', '.join(names)})"
