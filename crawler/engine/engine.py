"""The engine: N workers, each taking one request after the other through the straight line.

    frontier.next → gate → fetcher.fetch → page → spider.parse → Visit → committer → frontier

`visit` reads the world and writes nothing but its Visit. `crawl_one` turns every error into an
outcome and hands the Visit to the committer.
"""

from __future__ import annotations

import time
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING

from crawler.browser import Browser
from crawler.clients.strategies import Strategies
from crawler.config.layers import Config
from crawler.engine import asked_retry
from crawler.engine.committer import Committer
from crawler.engine.fetching import Fetching
from crawler.engine.limits import RunLimits
from crawler.engine.pacing import UNSENT, Pacing
from crawler.engine.robots_gate import REFUSED, RobotsGate, Verdict, unanswered
from crawler.engine.sitemap_reader import SITEMAP, SitemapReader
from crawler.errors import FetchError, StoreError
from crawler.frontier import Frontier
from crawler.frontier.host_queue import HostQueue
from crawler.http.fetcher import Fetcher
from crawler.http.pool import Pool
from crawler.http.resolver import address_of
from crawler.links.check import CHECK, as_sent, asks_again, checked
from crawler.links.duplicates import Duplicates
from crawler.links.requisites import REQUISITE, needed_by
from crawler.links.rule import bound
from crawler.parsers import Parser
from crawler.parsers.inline import PageReader
from crawler.politeness import retry
from crawler.spider.collector import Collector
from crawler.spider.discover import Discovery
from crawler.spider.hooks import hooked
from crawler.web import redirects
from crawler.web.download_stream import STREAM
from crawler.web.error_place import own_line
from crawler.web.outcome import Outcome, having
from crawler.web.page import ScrapedPage
from crawler.web.refusal import Refusal
from crawler.web.request import RENEWAL, Request, Todo, readable, refuse_foreign, request_of
from crawler.web.response import Response
from crawler.web.visit import Visit

if TYPE_CHECKING:  # most crawls run in one process
    from crawler.processes.pool import Processes

_TOLD = having("told")


class Engine:
    """The workers and what they share."""

    fetching = Fetching  # the ways to a response: a traced engine has its own

    def __init__(
        self,
        config: Config,
        frontier: Frontier,
        *,
        fetcher: Fetcher,
        committer: Committer,
        discovery: Discovery,
        collector: Collector,
        gate: RobotsGate | None,
        parser: Parser,
        strategies: Strategies,
        duplicates: Duplicates,
        sitemaps: SitemapReader,
        limits: RunLimits | None = None,
        processes: Processes | None = None,
        browser: Browser | None = None,
        keep_pages: bool = False,
    ) -> None:
        """`processes` visit pages in its stead; `keep_pages`: leave each page with its visit."""
        self._limits, self._strategies = limits or None, strategies
        self._accepted = frozenset(config.fetch.accept_status)
        self._retried = frozenset(config.fetch.retry_status or ())
        self._exclude = bound("exclude", config.links.exclude)
        self._config, self._order = config, config.engine.order
        self._duplicates, self._traps, self._sitemaps = duplicates, duplicates.traps, sitemaps
        self.processes, self._keep_pages = processes, keep_pages
        self._reader = PageReader(config, parser, duplicates, discovery, keep_pages=keep_pages)
        ways = config, fetcher, strategies, collector.hooks
        self._ways = self.fetching(*ways, browser=browser, gate=gate, discovery=discovery)
        self.frontier, self._fetcher, self.committer = frontier, fetcher, committer
        self._discovery, self._collector, self._gate = discovery, collector, gate
        self.parts = collector.pipelines, collector.hooks
        self._pipelines, self._hooks = collector.pipelines, collector.hooks or None
        self._pacing = Pacing(config, frontier, committer.hurry)
        self._by_address = config.politeness.limit_by == "address"

    @property
    def pool(self) -> Pool:
        """What the connections are doing, those of all processes."""
        return self.committer.pool()

    async def work(self) -> None:
        """Take requests until the frontier has no more; each ends, or goes back as it was."""
        while (todo := await self.frontier.next()) is not None:
            visit = None
            try:
                if not (self._pacing.quiet_hours and await self._pacing.keep_quiet()):
                    visit = await self.crawl_one(todo)
            finally:
                self._traps.end(todo, stored=visit is not None and visit.stored)
                if visit is None:
                    self.frontier.put_back(todo)
                else:
                    self.frontier.release(todo, stored=visit.stored)

    async def crawl_one(self, todo: Todo) -> Visit | None:
        """Bring one request to its outcome and hand that over; None: it is still to be done."""
        host, turn = self.frontier.hosts[todo.host_id], self.frontier.now()
        visit, clock = Visit(todo, Outcome.INTERNAL_ERROR, time.time()), time.perf_counter()
        visit.given = [] if self._keep_pages else None
        try:
            if todo.again and await self._strategies.read_part(visit):
                self.committer.hurry()
            elif not self._bars(visit, host):
                self._traps.begin(todo)
                refuse_foreign(todo.url)
                found = await self.visit(visit, host) if await self._lets_in(host) else None
                if found is None:
                    return None
                visit = found
                if visit.ahead is not None:
                    await self.committer.put_ahead(visit.ahead)
        except FetchError as error:
            visit.fail(Outcome(error.outcome), str(error), time.perf_counter() - clock)
            visit.retry_at = None if error.final else self._pacing.next_try(visit)
        except StoreError:  # the disk is full under a download
            raise
        except Exception as error:  # what was found so far stays: it is remembered as queued
            visit.fail(_whose(error), traceback.format_exc(), time.perf_counter() - clock)
        await self._heed(host, visit, turn)
        return visit if await self._hand_over(visit) else None

    async def _hand_over(self, visit: Visit) -> bool:
        """Hand a visit over to be stored; False where a limit was reached before it."""
        if visit.asked is not None:
            asked_retry.heed(visit, self._config.fetch.retries)
        if visit.items and visit.retry_at is None and self._pipelines.judges:
            self._pipelines.judge(visit)
        limits = self._limits
        if limits is not None and not limits.take(visit):
            return False
        await self.committer.put(visit)
        if visit.stop is not None:
            self.frontier.stop(visit.stop)
        elif limits is not None and limits.reached is not None:
            self.frontier.stop(limits.reached)
        return True

    async def visit(self, visit: Visit, host: HostQueue) -> Visit | None:
        """Put everything that one request leads to into its visit.

        FetchError where it leads to nothing; None for a stream that waits for a message.
        """
        todo = visit.todo
        if self._gate is not None:
            verdict = self._gate.verdict(host, todo.url)  # FetchError: the host cannot be had
            if verdict is not Verdict.PASS:
                visit.fail(REFUSED[verdict], self._gate.reason(host, todo.url))
                self._judge_check(visit, host)
                return visit
        request = request_of(todo, self._order)
        if request.kind == CHECK:
            return await self._check(visit, request)
        if request.kind and request.kind not in (SITEMAP, REQUISITE):
            found = await self._ways.visit(visit, request)
            if found is None or found.stored or found.response is None:
                return found
            visit, response = found, found.response
        elif self.processes is not None and self._ways.leaves(request, self.processes):
            return await self._let_visit(self.processes, visit, request, host)
        elif self._hooks is not None:
            return await self._between_hooks(visit, request, host)
        else:
            response = await self._ways.fetch(request, host)
            visit.answer(response)
            if response.status >= 300 or self._retried:
                self._accept(visit, request, response.status)
        if visit.retry_at is None:
            await self._read(visit, request, response)
        return visit

    async def _between_hooks(self, visit: Visit, request: Request, host: HostQueue) -> Visit:
        """Fetch and read between the hooks, which may decide otherwise."""
        response = await self._ways.between_hooks(visit, request, host)
        if response is not None:
            self._accept(visit, request, response.status)
            if visit.retry_at is None:
                await self._read(visit, request, response)
        return visit

    # ------------------------------------------------------------ before it is sent

    def _bars(self, visit: Visit, host: HostQueue) -> bool:
        """Return whether a request is not to be sent any more; its visit says why.

        Its host was given up or has given enough pages, or its space is endless.
        """
        if host.given_up is not None:
            visit.fail(Outcome.HOST_GIVEN_UP, host.given_up)
            return True
        if visit.todo.again == RENEWAL:  # it is one of the pages that the host has given
            return False
        todo = visit.todo
        reason = self._traps.bar(todo.host_id, todo.url)
        if self._exclude is not None and todo.depth and not (reason or todo.extra):
            excluded = self._exclude.search(todo.url)  # since it was queued
            reason = Refusal.EXCLUDED if excluded else None
        if reason is None:
            return False
        visit.fail(Outcome.BLOCKED if reason == "blocked" else Outcome.TRAPPED, str(reason))
        visit.refuse(reason)
        return True

    async def _lets_in(self, host: HostQueue) -> bool:
        """Return whether what must be known of a host is known; get it otherwise."""
        self.committer.promise()
        if self._by_address and host.group is None:
            self.frontier.join(host, await address_of(host.name))
            return False
        if self._gate is not None and not await self._gate.knows(host):
            if not await self._gate.ask(host):
                self._pacing.unreachable(host)
            return False
        if host.asked_at + host.pace.delay > self.frontier.now():
            # A Crawl-delay that the store knew was not known when the request was given out.
            self.committer.put_rest(host)
            return False
        return True

    # ------------------------------------------------------------ what it gives

    async def _check(self, visit: Visit, request: Request) -> Visit:
        """Ask whether something is there, and note the answer; nothing that it says is kept.

        But for the anchors of a page that is not too large, with `links.check_fragments`.
        """
        read = self._config.links.check_fragments
        request = as_sent(request, visit.todo, read=read)
        most = self._config.fetch.max_body if read else 0
        response = await self._fetcher.fetch(request, keep=most)
        visit.answer(response)
        if read and visit.outcome is Outcome.OK and response.is_html and len(response.body) < most:
            await self._reader.note_anchors(visit, ScrapedPage(response, request), own=False)
        visit.response = replace(response, body=b"")
        outcome = visit.outcome = checked(visit.outcome)
        if outcome is Outcome.REDIRECT:
            self._redirect(visit, request, response, follow=False)
        elif asks_again(outcome, request):
            visit.retry_at = self.frontier.wall()
        elif outcome is not Outcome.CHECKED:
            visit.retry_at = self._pacing.next_try(visit)
        return visit

    def _judge_check(self, visit: Visit, host: HostQueue) -> None:
        """Let a check of a host that did not even answer for its robots.txt say that."""
        down = unanswered(host)
        if down is not None and visit.outcome is Outcome.ROBOTS_UNREACHABLE:
            request = readable(visit.todo, self._order)
            if request is not None and request.kind == CHECK:
                visit.fail(down, visit.error)

    def _accept(self, visit: Visit, request: Request, status: int) -> None:
        """Take an answer for a page, or try again, where that was asked for by its status."""
        if status in self._retried:
            visit.retry_at = self._pacing.next_try(visit)
        elif status != 304 and (status in request.accept_status or status in self._accepted):
            visit.outcome = Outcome.OK

    async def _let_visit(
        self, processes: Processes, visit: Visit, request: Request, host: HostQueue
    ) -> Visit | None:
        """Let a worker process visit, and judge here what only this process can; None: not yet."""
        answer = await processes.visit(visit, request, host)
        response = visit.response
        if answer is None:
            return None
        if response is None or (self._hooks is not None and not answer.read and hooked(visit)):
            processes.take(visit, answer)
            return visit
        if answer.read and visit.outcome not in (Outcome.WALLED, Outcome.RESERVED):
            page = ScrapedPage(response, request, visit.links)
            if self._traps.suspects(page.url) and response.is_html:
                await self._duplicates.hear(visit, page)
            if self._keep_pages:
                visit.page = page
        processes.take(visit, answer)
        if not answer.read:
            if response.status in self._retried:
                visit.retry_at = self._pacing.next_try(visit)
            if visit.retry_at is None:
                self._go_on(visit, request, response)
        return visit

    async def _read(self, visit: Visit, request: Request, response: Response) -> None:
        """Put what an answer leads to into its visit."""
        page = ScrapedPage(response, request)
        if visit.outcome is not Outcome.OK:
            if visit.outcome not in (Outcome.REDIRECT, Outcome.NOT_MODIFIED):
                self._reader.name_wall(visit, page)
            self._go_on(visit, request, response)
        elif request.kind not in (SITEMAP, REQUISITE):
            if not self._ways.takes_over(visit, page, request, self._reader):
                await self._reader.read(visit, page, request)
        elif self._reader.bars(visit, page):
            return
        elif request.kind == SITEMAP:
            visit.ahead = self._sitemaps.read(visit, request, response)
        else:
            visit.outcome = Outcome.REQUISITE
            self._discovery.need(visit, page, await needed_by(page))

    def _go_on(self, visit: Visit, request: Request, response: Response) -> None:
        """Follow a redirect; let what is no answer be tried again where that may help."""
        if visit.outcome is Outcome.REDIRECT:
            self._redirect(visit, request, response)
        elif visit.outcome is not Outcome.NOT_MODIFIED:
            visit.retry_at = self._pacing.next_try(visit)

    def _redirect(
        self, visit: Visit, request: Request, response: Response, *, follow: bool = True
    ) -> None:
        """Make the redirect a link that goes back through the frontier, unless not to `follow`."""
        try:
            following = redirects.following(
                request,
                response.status,
                response.headers,
                most=self._config.fetch.max_redirects,
                socket=request.kind == STREAM,
            )
        except FetchError as error:
            visit.fail(Outcome(error.outcome), str(error))
            return
        if following is None:
            visit.fail(Outcome.BAD_REDIRECT, "a redirect without a Location")
            return
        if redirects.credentials_of(response.headers, request.url) is not None:
            visit.refuse(Refusal.URL_CREDENTIALS)
        back = redirects.comes_back(request, following)
        new_cookie = "Set-Cookie" in response.headers
        if back and not new_cookie:
            said = redirects.said_of_too_many(request, following)
            visit.fail(Outcome.TOO_MANY_REDIRECTS, said)
        else:
            visit.redirect_to = following.url
            if not follow:
                return
            again = new_cookie and (back or request.method != following.method)
            self._discovery.redirect(visit, following, again=again)

    # ------------------------------------------------------------ what its end does

    async def _heed(self, host: HostQueue, visit: Visit, turn: float) -> None:
        """Let the host and the spider know how a request has ended."""
        outcome, response = visit.outcome, visit.response
        if response is not None:
            host.sent(self.frontier.now() - max(0.0, time.time() - visit.at))
        if outcome is Outcome.OK:
            host.answered()
            if response is not None and response.status < 300:
                host.recover(response.elapsed, self._pacing.limits)
            elif response is not None:  # a page all the same for its spider: not for its host
                slows = retry.slows(response.outcome, response.status)
                self._pacing.slow(host, response, turn, slows=slows)
            return
        if outcome in UNSENT and response is None:
            host.give_back()
            await self._strategies.drop(visit.todo)
        if outcome in _TOLD and visit.retry_at is None:
            await self._give_up(visit)
        self._pacing.note(host, visit, turn)

    async def _give_up(self, visit: Visit) -> None:
        """Report to the spider a request that ended without a page."""
        todo = visit.todo
        named = todo.extra is not None and '"errback"' in todo.extra
        if not (self._collector.hears_errors or named):  # a whole queue of a host given up, maybe
            return
        request = readable(todo, self._order)
        if request is not None and request.kind != CHECK:  # of which the spider has not asked
            await self._collector.give_up(visit, request)


def _whose(error: Exception) -> Outcome:
    """Return the outcome of what no one expects: of ours, or of a step or middleware of theirs."""
    return Outcome.INTERNAL_ERROR if own_line(error) is None else Outcome.SPIDER_ERROR
