"""Seeding: start requests go into the store once, and decide what the crawl may reach."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence, Set

from crawler import urls
from crawler.engine.committer import Committer
from crawler.engine.sitemap_reader import sitemap_request
from crawler.errors import SpiderError
from crawler.http.address_guard import AddressGuard
from crawler.links.linker import Linker
from crawler.spider import Spider
from crawler.spider.discover import Discovery
from crawler.spider.lifecycle import start_requests
from crawler.urls.scope import Scope
from crawler.web.refusal import Refusal
from crawler.web.request import Request

_AT_ONCE = 1000  # start requests committed together


async def seed(
    spider: Spider,
    discovery: Discovery,
    committer: Committer,
    *,
    guard: AddressGuard,
    linker: Linker,
    known: Sequence[str],
) -> None:
    """Commit the start requests; a host that one of them names may be private.

    What `start` gives beyond `known` (the canonical start URLs) widens the scope, and is stored
    in the same commit, so that a resumed crawl has the same scope. What `start` gives twice in one
    run is counted; what an earlier run was given already is not, as that is how a crawl resumes.
    """
    number, scope = 0, linker.scope
    for url in known:
        guard.name(url)
    before = guard.origins | scope.prefixes
    async for request in each_seed(spider):
        if not isinstance(request, Request):
            raise SpiderError(f"{spider.name}.start() gave {request!r:.80}; give Request(url)")
        guard.name(request.url)
        if not scope.allows(request.url):
            linker.include(request.url)
        candidate = discovery.candidate(request, 0)
        if not discovery.remember(candidate):
            committer.refuse(Refusal.DUPLICATE_REQUEST)
        committer.put_seed(candidate)
        number += 1
        if number % _AT_ONCE == 0:
            await committer.flush()
    await committer.put_seeded(list(_beyond(scope, guard, before)))


def _beyond(scope: Scope, guard: AddressGuard, before: Set[str]) -> Iterator[str]:
    """Yield a URL of every host and folder that seeds name, of which there was none `before`.

    Made at the end from what is known anyway: a list of a hundred thousand of them, filled on the
    way, would be held all the time.
    """
    for origin in guard.origins - before:
        yield f"{origin}/"
    for prefix in scope.prefixes - before:
        yield f"http:{prefix}"


async def each_seed(spider: Spider) -> AsyncGenerator[Request]:
    """Yield the start requests, whether `start` is asynchronous or not, and the sitemaps."""
    for url in spider.sitemap_urls:
        yield sitemap_request(urls.from_cli(url))
    async for request in start_requests(spider):
        yield request
