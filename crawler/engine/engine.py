"""The engine: N workers, each taking one request after the other through the straight line.

    frontier.next → gate → fetcher.fetch → page → spider.parse → Visit → committer → frontier

`visit` reads the world and writes nothing. `crawl_one` turns every error into an outcome and hands
the Visit to the committer.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
import traceback
from datetime import datetime

from crawler.clients.strategies import Strategies
from crawler.config.load import Config
from crawler.engine.committer import Committer
from crawler.engine.robots_gate import RobotsGate, Verdict, reason_of
from crawler.engine.sitemap_reader import LARGEST, SITEMAP, SitemapReader
from crawler.errors import CrawlerError, FetchError, StoreError
from crawler.frontier import Frontier
from crawler.frontier.host_queue import HostQueue
from crawler.http.fetcher import Fetcher
from crawler.http.resolver import address_of
from crawler.links.duplicates import Duplicates
from crawler.links.rules import bound, priority_of
from crawler.parsers import Parser
from crawler.politeness import retry, throttle
from crawler.politeness.retry_after import retry_after
from crawler.spider.collector import Collector
from crawler.web import redirects
from crawler.web.download_stream import STREAM
from crawler.web.outcome import Outcome, having
from crawler.web.page import Response, ScrapedPage, Visit
from crawler.web.request import RENEWAL, Request, Todo, from_todo
from crawler.web.walls import Walls

_LOOK_AGAIN = 60.0  # seconds
_FEW_TOGETHER = 3  # requests of a host in flight, for which `give_up_after` is meant as it stands
_REFUSED = {
    Verdict.DENIED: Outcome.ROBOTS_DENIED,
    Verdict.UNREACHABLE: Outcome.ROBOTS_UNREACHABLE,
}

_LARGE_TEXT = 64 * 1024  # bytes of a body whose text is taken on a thread
_UNSENT = frozenset(Outcome) - having("sent") - {Outcome.INTERNAL_ERROR}  # which may be late
_TOLD = having("told")
_DAMAGED = (CrawlerError, ValueError, TypeError, LookupError, AttributeError)  # of a row


class Engine:
    """The workers and what they share."""

    def __init__(
        self,
        config: Config,
        frontier: Frontier,
        *,
        fetcher: Fetcher,
        committer: Committer,
        collector: Collector,
        gate: RobotsGate | None,
        parser: Parser,
        strategies: Strategies,
        novelty: Duplicates,
        sitemaps: SitemapReader,
    ) -> None:
        self._config = config
        self._novelty, self._sitemaps = novelty, sitemaps
        self._exclude = bound("exclude", config.links.exclude)
        self._walls = Walls(keep=config.fetch.walls == "keep")
        self.parser, self._strategies = parser, strategies
        self._via = "scraper_api" if config.scraper_api.enabled else None
        self.frontier, self._fetcher, self._committer = frontier, fetcher, committer
        self._collector, self._gate = collector, gate
        politeness = config.politeness
        self._limits = throttle.PauseLimits(
            *(politeness.max_delay, politeness.max_retry_after),
            *(politeness.adaptive, politeness.load),
        )
        self._give_up_after = politeness.give_up_after
        self._by_address = politeness.limit_by == "address"
        self._quiet_hours = throttle.spans_of(politeness.quiet_hours)
        self._turn = asyncio.Lock()  # of large pages, for their text

    async def work(self) -> None:
        """Take requests until the frontier has no more."""
        while (todo := await self.frontier.next()) is not None:
            if self._quiet_hours and await self._keep_quiet():
                self.frontier.put_back(todo)
            else:
                await self.crawl_one(todo)

    async def _keep_quiet(self) -> bool:
        """Wait for the end of the quiet hours, or until stopped; tell whether there was a wait."""
        quiet = throttle.quiet_for(self._quiet_hours, datetime.now())
        if not quiet:
            return False
        with contextlib.suppress(TimeoutError):  # looks again soon: the clock may be set anew
            await asyncio.wait_for(self.frontier.stopping.wait(), min(quiet, _LOOK_AGAIN))
        return True

    async def crawl_one(self, todo: Todo) -> None:
        """Visit one request; whatever happens, it ends in an outcome or goes back as it was."""
        host = self.frontier.hosts[todo.host_id]
        visit = self._barred(todo, host)
        reserved = visit is None and todo.again != RENEWAL
        back = self.frontier.put_back
        began, clock, turn = time.time(), time.perf_counter(), self.frontier.now()
        try:
            if visit is None and not await self._lets_in(host):
                return
            try:
                if visit is None:
                    visit = await self.visit(todo, host)
                else:
                    await self._strategies.drop(todo)
            except FetchError as error:
                visit = self._failed(todo, Outcome(error.outcome), str(error), final=error.final)
                visit.at, visit.elapsed = began, round(time.perf_counter() - clock, 6)
            except StoreError:  # the disk is full under a download
                raise
            except Exception:
                visit = self._failed(todo, Outcome.INTERNAL_ERROR, traceback.format_exc())
            if visit is None:
                back = self.frontier.park
                return
            if visit.outcome in _UNSENT:
                host.give_back()
            if visit.outcome in _TOLD and visit.retry_at is None:
                await self._give_up(visit)
            self._adapt(host, visit, turn)
            await self._committer.put(visit)
        finally:
            if reserved and not (visit is not None and visit.stored):
                self._novelty.traps.stored(todo.host_id, -1)
            if visit is None:
                back(todo)
            else:
                self.frontier.release(todo, stored=visit.stored)

    async def _lets_in(self, host: HostQueue) -> bool:
        """Return whether what must be known of a host is known; get it otherwise."""
        if self._by_address and host.group is None:
            self.frontier.join(host, await address_of(host.name))
            return False
        if self._gate is not None and not await self._gate.knows(host):
            failed = host.failed
            await self._gate.ask(host)
            if host.failed > failed:
                self._weigh(host, 0.0, "robots.txt cannot be had")
            return False
        return True

    def _barred(self, todo: Todo, host: HostQueue) -> Visit | None:
        """Return the end of a request that is not to be sent any more.

        Its host was given up or has given enough pages, or its space is endless.
        """
        if host.given_up is not None:
            return Visit(todo, Outcome.HOST_GIVEN_UP, time.time(), error=host.given_up)
        if todo.again == RENEWAL:  # it is one of the pages that the host has given
            return None
        reason = self._novelty.traps.bar(todo.host_id, todo.url)
        if self._exclude is not None and todo.depth and not (reason or todo.extra):
            reason = "excluded" if self._exclude.search(todo.url) else None  # since it was queued
        if reason is None:
            self._novelty.traps.stored(todo.host_id)
            return None
        return Visit(todo, Outcome.TRAPPED, time.time(), error=reason, refusals={reason: 1})

    async def visit(self, todo: Todo, host: HostQueue) -> Visit | None:
        """Return everything that one request leads to; FetchError where it leads to nothing.

        None for a stream that waits for a message.
        """
        if self._gate is not None:
            verdict = self._gate.verdict(host, todo.url)  # FetchError: the host cannot be had
            if verdict is not Verdict.PASS:
                return Visit(todo, _REFUSED[verdict], time.time(), error=reason_of(host))
        order = self._config.engine.order
        request = from_todo(todo, priority_of(todo.rank, todo.depth, order))
        if request.kind and request.kind != SITEMAP:
            found = await self._strategies.visit(todo, request)
            if found is None or found.stored or found.response is None:
                return found
            visit, response = found, found.response
        else:
            response = await self._fetch(request)
            outcome = retry.outcome_of(response.status)
            visit = Visit(todo, outcome, response.started, response.status, response)
        try:
            await self._read(visit, request, response)
        except StoreError:
            raise
        except Exception:  # what was found so far stays: it is remembered as queued
            visit.outcome, visit.error = Outcome.INTERNAL_ERROR, traceback.format_exc()
        return visit

    async def _text(self, visit: Visit, page: ScrapedPage) -> None:
        """Note the text of a page; of large ones, each of which holds the GIL, one at a time."""

        def read() -> None:
            if self._config.store.hidden_text == "keep":
                visit.text = page.all_text
            else:
                visit.text, visit.hidden = page.text, page.hidden

        if len(page.body) < _LARGE_TEXT:
            read()
            return
        async with self._turn:
            await asyncio.to_thread(read)

    async def _read(self, visit: Visit, request: Request, response: Response) -> None:
        """Put what an answer leads to into its visit."""
        outcome = visit.outcome
        page = ScrapedPage(response, request)
        if outcome is Outcome.OK and self._walls.bars(visit, page):
            return
        if outcome is Outcome.OK and request.kind == SITEMAP:
            await self._sitemaps.read(visit, request, response)
        elif outcome is Outcome.OK:
            if self._novelty.plain(page) or await self._novelty.judge(visit, page):
                await self.parser.parse(visit, page, request)
                if self._config.store.text and response.is_html:
                    await self._text(visit, page)
        elif outcome is Outcome.REDIRECT:
            self._redirect(visit, request, response)
        elif outcome is not Outcome.NOT_MODIFIED:
            self._walls.name(visit, page)
            self._retry(visit, response)

    async def _fetch(self, request: Request) -> Response:
        """Return the response, over the crawl's own fetcher unless the request goes another way."""
        via = request.via or self._via
        if via is None or via == "direct":
            keep = LARGEST if request.kind == SITEMAP else None
            return await self._fetcher.fetch(request, keep=keep)
        return await self._strategies.fetch(request)

    def _redirect(self, visit: Visit, request: Request, response: Response) -> None:
        """Make the redirect a link that goes back through the frontier."""
        try:
            following = redirects.following(
                request,
                response.status,
                response.headers,
                most=self._config.fetch.max_redirects,
                socket=request.kind == STREAM,
            )
        except FetchError as error:
            visit.outcome, visit.error = Outcome(error.outcome), str(error)
            return
        if following is None:
            visit.outcome, visit.error = Outcome.BAD_REDIRECT, "a redirect without a Location"
            return
        back = redirects.comes_back(request, following)
        new_cookie = "Set-Cookie" in response.headers
        if back and not new_cookie:
            visit.outcome = Outcome.TOO_MANY_REDIRECTS
            visit.error = redirects.said_of_too_many(request, following)
        else:
            visit.redirect_to = following.url
            again = new_cookie and (back or request.method != following.method)
            self._collector.redirect(visit, following, again=again)

    def _failed(self, todo: Todo, outcome: Outcome, error: str, *, final: bool = False) -> Visit:
        visit = Visit(todo, outcome, time.time(), error=error)
        if not final:
            self._retry(visit, None)
        return visit

    def _retry(self, visit: Visit, response: Response | None) -> None:
        """Return the visit a later time, if its outcome may be otherwise then."""
        asked = _asked(response)
        if asked is not None:
            asked = min(asked, self._limits.max_retry_after)
        settings = self._config.fetch
        seconds = retry.wait(
            visit.outcome,
            visit.todo.attempts,
            status=visit.status,
            asked=asked,
            retries=settings.retries,
            first=settings.retry_delay,
            jitter=random.random(),
        )
        visit.retry_at = None if seconds is None else self.frontier.wall() + seconds

    async def _give_up(self, visit: Visit) -> None:
        """Tell the spider of a request that ended without a page."""
        if not self._collector.hears:  # there may be a whole queue of a host that is given up
            return
        todo = visit.todo
        priority = priority_of(todo.rank, todo.depth, self._config.engine.order)
        request = _readable(todo, priority)
        if request is not None:
            await self._collector.give_up(visit, request)

    def _adapt(self, host: HostQueue, visit: Visit, turn: float) -> None:
        """Let trouble slow the host down, and an answer without trouble speed it up a little.

        Requests whose `turn` came before the host was slowed down met the same trouble: a hundred
        that are under way together slow it down once, not a hundred times.
        """
        self._doubt(host, visit)
        response = visit.response
        if not retry.slows(visit.outcome, visit.status):
            if response is not None and response.status < 300:  # a fast error proves nothing
                host.pace = throttle.recovered(host.pace, response.elapsed, self._limits)
            return
        now, asked = self.frontier.now(), _asked(response)
        slower, rest = throttle.slowed(host.pace, asked, self._limits)
        if turn >= host.slowed_at:
            host.pace, host.slowed_at = slower, now
        elif asked is None:
            return
        self.frontier.rest(host, now + rest)

    def _doubt(self, host: HostQueue, visit: Visit) -> None:
        """Let a host rest that fails again and again, and in the end give it up."""
        share = retry.share(visit.outcome, visit.status)
        if share is None:
            if visit.status is not None:
                host.failed, host.answered = 0, host.answered + 1
            return
        if visit.todo.attempts and retry.may_be_of_page(visit.outcome, visit.status):
            return
        host.failed += 1
        pause = throttle.pause(host.failed, self._limits)
        if pause and visit.status != 403:  # which costs a server nothing
            self.frontier.rest(host, self.frontier.now() + pause)
        last = visit.error.strip().rpartition("\n")[2] if visit.error else visit.status
        together = min(host.pace.per_host, self._config.engine.workers)
        self._weigh(host, share, f"{visit.outcome}, {last}", together=together)

    def _weigh(self, host: HostQueue, share: float, last: str, *, together: int = 1) -> None:
        """Return a host up whose failures in a row outweigh what it has answered before.

        Requests that are under way `together` fail together, of one short outage.
        """
        rounds = max(1.0, together / _FEW_TOGETHER)
        enough = max(self._give_up_after * rounds, share * host.answered)
        if self._give_up_after and host.failed >= enough and host.given_up is None:
            reason = f"{host.failed} failures in a row, the last: {last}"
            self.frontier.give_up(host, reason)


def _readable(todo: Todo, priority: int) -> Request | None:
    """Return the request of a row, without what it carries where that is damaged."""
    for row in (todo, todo._replace(extra=None)):
        with contextlib.suppress(*_DAMAGED):
            return from_todo(row, priority)
    return None


def _asked(response: Response | None) -> float | None:
    """Return the seconds that an answer asks us to wait, None if there is none or it does not."""
    return retry_after(response.headers.get("Retry-After"), time.time()) if response else None
