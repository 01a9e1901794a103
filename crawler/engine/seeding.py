"""Seeding: start requests go into the store once, and decide what the crawl may reach."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from crawler import urls
from crawler.engine.committer import Committer
from crawler.engine.sitemap_reader import sitemap_request
from crawler.errors import SpiderError
from crawler.http.address_guard import AddressGuard
from crawler.links.linker import Linker
from crawler.spider import Spider
from crawler.spider.collector import start_requests
from crawler.spider.discover import Discovery
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
    number, beyond = 0, []
    hosts = set(map(urls.host_of, known))
    async for request in _each(spider):
        if not isinstance(request, Request):
            raise SpiderError(f"{spider.name}.start() gave {request!r:.80}; give Request(url)")
        guard.name(request.url)
        host, scope = urls.host_of(request.url), linker.scope
        if host not in hosts or (scope.kind == "prefix" and not scope.allows(request.url)):
            hosts.add(host)
            beyond.append(request.url)
            linker.scope = scope.including(request.url)
        candidate = discovery.candidate(request, 0)
        if not discovery.remember(candidate):
            committer.refuse(Refusal.DUPLICATE_REQUEST)
        committer.put_seed(candidate)
        number += 1
        if number % _AT_ONCE == 0:
            await committer.flush()
    await committer.put_seeded(beyond)


async def _each(spider: Spider) -> AsyncIterator[Request]:
    """Yield the start requests, whether `start` is asynchronous or not, and the sitemaps."""
    for url in spider.sitemap_urls:
        yield sitemap_request(urls.from_cli(url))
    async for request in start_requests(spider):
        yield request
