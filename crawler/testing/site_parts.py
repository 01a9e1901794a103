"""The parts of a crawl that read answers, put together without those that fetch and store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import cast

from crawler import urls
from crawler.config.layers import Config
from crawler.engine.committer import Committer
from crawler.engine.sitemap_reader import SITEMAP, SitemapReader, sitemap_request
from crawler.errors import SpiderError
from crawler.http.cookies import CookieJars
from crawler.links.follow import LinkFollower, steps_of
from crawler.links.linker import Linker
from crawler.links.traps import Traps
from crawler.parsers.inline import Inline
from crawler.spider import Spider
from crawler.spider.collector import Collector
from crawler.spider.discover import Discovery
from crawler.spider.lifecycle import close_spider, open_spider, start_requests
from crawler.spider.running import RunningCrawl
from crawler.testing.recording import StartPage
from crawler.urls.scope import Scope
from crawler.web import redirects
from crawler.web.outcome import Outcome, having
from crawler.web.page import ScrapedPage
from crawler.web.request import Request
from crawler.web.response import Response
from crawler.web.visit import Visit

_TOLD = having("told")


class _NotRecorded(Exception):
    """A recording has no answer to a request."""


class SiteParts:
    """What one crawl over recorded answers has of a real one."""

    def __init__(self, spider: Spider, config: Config, seeds: Sequence[str]) -> None:
        """`seeds` decide the scope, as in a crawl."""
        self.spider, self._config = spider, config
        scope = Scope(config.engine.scope, tuple(seeds), tuple(spider.allowed_domains))
        self._linker = Linker(
            scope,
            spider.rules,
            traps=Traps(config.traps),
            steps=steps_of(config.links.canonicalize),
            settings=config.links,
        )
        agent = config.politeness.user_agent
        self.discovery = Discovery(
            self._linker,
            order=config.engine.order,
            max_depth=config.engine.max_depth,
            following=LinkFollower(self._linker, spider.rules, config.links, agent=agent),
            max_hops=config.fetch.max_redirects,
            retries=config.fetch.retries,
        )
        timeout = config.engine.callback_timeout
        self._collector = Collector(spider, self.discovery, timeout=timeout)
        self._parser = Inline(self.discovery, self._collector, config.engine.parse_timeout)
        # It needs the committer for what a robots.txt names alone, and none is read here.
        self._sitemaps = SitemapReader(spider, self.discovery, cast(Committer, None))
        self._accepted = frozenset(config.fetch.accept_status)

    def hand_over(
        self, stop: Callable[[str], None], add: Callable[[Request], None]
    ) -> RunningCrawl:
        """Hand the spider its crawl, as a run does."""
        running = self.spider._running = RunningCrawl(self._config, stop=stop, spider=self.spider)
        running.let_add(add)
        self.spider.cookies = CookieJars()
        return running

    async def open(self) -> None:
        """Let the spider, its pipelines and its hooks open what they need."""
        await open_spider(self.spider)
        await self._collector.pipelines.open(self.spider.crawl)
        await self._collector.hooks.open(self.spider.crawl)

    async def close(self, reason: str) -> dict[str, str]:
        """Let all of them hear of the end; return the tracebacks of what raises."""
        timeout = self._config.engine.callback_timeout
        failed = await self._collector.pipelines.close(timeout)
        failed |= await self._collector.hooks.close(timeout)
        if type(self.spider).closed is not Spider.closed:
            error = await close_spider(self.spider, reason, timeout)
            if error is not None:
                failed[f"{self.spider.name}.closed()"] = error
        return failed

    async def starts(self, recorded: Iterable[StartPage]) -> AsyncIterator[Request]:
        """Yield the first requests: those of the recording where it has some, or the spider's."""
        given = [Request(start.url, callback=self.callback_of(start)) for start in recorded]
        for request in given:
            yield request
        if given:
            return
        for url in self.spider.sitemap_urls:
            yield sitemap_request(urls.from_cli(url))
        async for request in start_requests(self.spider):
            if not isinstance(request, Request):
                raise SpiderError(
                    f"{self.spider.name}.start() gave {request!r:.80}; give Request(url)"
                )
            yield request

    def callback_of(self, start: StartPage) -> str | None:
        """Return the callback of a start: as recorded, or that of the rule that takes its URL."""
        if start.callback is not None:
            return start.callback
        rule = self.discovery.target(start.url).rule
        return rule.callback_name if rule is not None else None

    def reach(self, url: str) -> None:
        """Let the crawl reach the host of a first request, as seeding does."""
        if not self._linker.scope.allows(url):
            self._linker.include(url)

    def plays(self, request: Request) -> bool:
        """Return whether a test can play this kind of request: a page or a sitemap."""
        return request.kind in ("", SITEMAP)

    async def visit(self, visit: Visit, request: Request, answer: Response | None) -> bool:
        """Put what a request leads to into its visit; False where the recording has no answer."""

        async def recorded(sent: Request) -> Response:
            if answer is None:
                raise _NotRecorded
            return answer

        try:
            response = await self._collector.hooks.fetch(visit, request, recorded)
        except _NotRecorded:
            return False
        if response is not None:
            await self._read(visit, request, response)
        return True

    async def _read(self, visit: Visit, request: Request, response: Response) -> None:
        """Put what an answer leads to into its visit."""
        status = response.status
        if status >= 300 and status != 304:
            accepted = status in request.accept_status or status in self._accepted
            visit.outcome = Outcome.OK if accepted else visit.outcome
        if visit.outcome is Outcome.REDIRECT:
            self._redirect(visit, request, response)
        elif visit.outcome is Outcome.OK and request.kind == SITEMAP:
            async for candidates, entries in self._sitemaps.read(visit, request, response):
                visit.candidates += candidates
                visit.entries += entries
        elif visit.outcome is Outcome.OK:
            await self._parser.parse(visit, ScrapedPage(response, request), request)
        self._collector.pipelines.judge(visit)

    def _redirect(self, visit: Visit, request: Request, response: Response) -> None:
        most = self._config.fetch.max_redirects
        following = redirects.following(request, response.status, response.headers, most=most)
        if following is None:
            visit.fail(Outcome.BAD_REDIRECT, "a redirect without a Location")
            return
        visit.redirect_to = following.url
        self.discovery.redirect(visit, following, again=request.method != following.method)

    async def give_up(self, visit: Visit, request: Request) -> None:
        """Let the spider hear of a request that ended without a page."""
        hears = self._collector.hears_errors or request.errback is not None
        if visit.outcome in _TOLD and hears and visit.retry_at is None:
            await self._collector.give_up(visit, request)
