"""How a request is fetched: by the crawl's own fetcher, by another way that it names, or rendered.

Here the engine meets the browser: which requests it gets, and what `auto` makes of a page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crawler import urls
from crawler.browser import Browser
from crawler.clients.strategies import Strategies
from crawler.config.layers import Config
from crawler.engine.robots_gate import RobotsGate, Verdict
from crawler.engine.sitemap_reader import LARGEST, SITEMAP
from crawler.errors import FetchError
from crawler.frontier.host_queue import HostQueue
from crawler.http.fetcher import Fetcher
from crawler.parsers.inline import PageReader
from crawler.spider.discover import Discovery
from crawler.spider.hooks import Hooks
from crawler.web.outcome import Outcome
from crawler.web.page import ScrapedPage
from crawler.web.request import Request
from crawler.web.response import Response
from crawler.web.visit import Visit

if TYPE_CHECKING:
    from crawler.processes.pool import Processes


class Fetching:
    """The ways to a response."""

    def __init__(
        self,
        config: Config,
        fetcher: Fetcher,
        strategies: Strategies,
        hooks: Hooks,
        *,
        browser: Browser | None,
        gate: RobotsGate | None,
        discovery: Discovery,
    ) -> None:
        self._hooks = hooks
        self._fetcher, self._strategies, self._browser = fetcher, strategies, browser
        self._gate, self._discovery = gate, discovery
        self._via = "scraper_api" if config.scraper_api.enabled else None
        self._all_may = config.browser.mode in ("auto", "always")  # be for the browser

    async def fetch(self, request: Request, host: HostQueue) -> Response:
        """Return the response, over the crawl's own fetcher unless the request goes another way."""
        browser = self._browser
        if browser is not None and (request.browser or self._all_may):
            why = browser.takes(request)
            if why is not None:
                return await browser.render(request, lambda url: self._may_go(url, host), why=why)
        via = request.via or self._via
        if via is None or via == "direct":
            keep = LARGEST if request.kind == SITEMAP else None
            return await self._fetcher.fetch(request, keep=keep)
        return await self._strategies.fetch(request)

    async def between_hooks(
        self, visit: Visit, request: Request, host: HostQueue
    ) -> Response | None:
        """Return the response that the hooks let through, None where they decide otherwise."""
        return await self._hooks.fetch(visit, request, lambda sent: self.fetch(sent, host))

    async def visit(self, visit: Visit, request: Request) -> Visit | None:
        """Return all that a download or a stream leads to; None for a stream that waits."""
        sent = await self._hooks.before(visit, request) if self._hooks else request
        if isinstance(sent, Response):
            text = f"before_fetch gave a Response for a {request.kind}; only a page can have one"
            raise FetchError(text, Outcome.SPIDER_ERROR, final=True)
        return visit if sent is None else await self._strategies.visit(visit.todo, sent)

    def _may_go(self, url: str, host: HostQueue) -> bool:
        """Return whether the steps of a page may lead to a URL: of its host, and not denied."""
        if urls.host_of(url) != host.name:
            return False
        return self._gate is None or self._gate.verdict(host, url) is Verdict.PASS

    def leaves(self, request: Request, processes: Processes) -> bool:
        """Return whether a request is for the worker processes.

        What a browser renders, or might, stays here: there is one browser.
        """
        browser = self._browser
        if browser is not None and (browser.auto is not None or browser.takes(request) is not None):
            return False
        return processes.takes(request)

    def takes_over(
        self, visit: Visit, page: ScrapedPage, request: Request, reader: PageReader
    ) -> bool:
        """Return whether a page is empty without its scripts, and is now one for the browser."""
        auto = self._browser.auto if self._browser is not None else None
        if auto is None or request.kind or not page.response.is_html or reader.bars(visit, page):
            return False
        if page.response.rendered is not None:
            auto.learn(visit, page, request)
            return False
        asked = auto.judge(visit, page, request)
        if asked is not None:
            self._discovery.redirect(visit, asked, again=False)
        return asked is not None
