"""The spider's door: what a page's links and a spider's callbacks add to a Visit.

Whatever user code raises becomes a traceback in the Visit (`calls`).
"""

from __future__ import annotations

import asyncio
import inspect
import traceback
from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

from crawler import urls
from crawler.config.links import LinksSettings
from crawler.errors import FetchError
from crawler.links.follow import LinkFollower, PageDirectives, Regions
from crawler.links.rules import Linker, Rule, Target, rank_of
from crawler.spider import Spider
from crawler.spider.invoke import Invoker
from crawler.web import redirects
from crawler.web.page import Outcome, ScrapedPage, Visit
from crawler.web.request import Candidate, Request

T = TypeVar("T")

_SLOTS = 1 << 20
_SLICE = 500  # links that are resolved without letting others run: at most about 6 ms
_FULL_SLICE = 200  # the same with their texts and relations


class RecentUrls:
    """A direct-mapped memory of URL hashes handed to the committer: 8 MB, never grows.

    It only ever saves asking the store: a forgotten hash is found there, and a failed commit
    ends the run, so nothing is remembered that was not stored.
    """

    def __init__(self) -> None:
        self._slots = array("q", bytes(8 * _SLOTS))

    def add(self, url_hash: int) -> bool:
        """Remember a hash; False when it was remembered already."""
        place = url_hash & (_SLOTS - 1)
        if self._slots[place] == url_hash:
            return False
        self._slots[place] = url_hash
        return True


class Collector(Invoker):
    """Collects what one request leads to into its Visit."""

    def __init__(
        self,
        spider: Spider,
        linker: Linker,
        *,
        order: str = "breadth",
        max_depth: int | None = None,
        callback_timeout: float = 60.0,
        keep_pages: bool = False,
        following: LinkFollower | None = None,
        max_hops: int = 10,
    ) -> None:
        super().__init__(spider, callback_timeout)
        self._linker = linker
        self.following = following or LinkFollower(linker, spider.rules, LinksSettings())
        self._max_hops = max_hops
        self._order, self._max_depth = order, max_depth
        self._keep_pages = keep_pages
        self.hears = getattr(spider.on_error, "__func__", None) is not Spider.on_error
        """Whether the spider wants to hear of requests that ended without a page."""
        self._recent = RecentUrls()
        self._follows = bool(spider.rules)
        self._turn = asyncio.Lock()  # of pages with thousands of links: a slice of one at a time
        self.on_seed_redirect: Callable[[str], None] = lambda url: None

    # ------------------------------------------------------------ links

    async def follow(self, visit: Visit, page: ScrapedPage) -> None:
        """Resolve the links of a page; those that a rule takes become candidates."""
        wishes = self.following.directives(page)
        followed = self._follows if wishes is None else self._heed(visit, page, wishes)
        if self.following.full:
            await self._follow_all(visit, page, followed)
            return
        base, references = page.base_url, page.references
        if len(references) <= _SLICE:
            found = list(self._follow(visit, self._linker.resolve(base, references), followed))
        else:
            unique: dict[str, None] = {}
            async with self._turn:
                for part in _slices(references):
                    targets = self._follow(visit, self._linker.resolve(base, part), followed)
                    unique |= dict.fromkeys(targets)
                    await asyncio.sleep(0)
            found = list(unique)
        page.links = visit.links = found

    def _heed(self, visit: Visit, page: ScrapedPage, wishes: PageDirectives) -> bool:
        """Do as the page wishes; tell whether its links may be followed."""
        if wishes.refresh is not None:
            if page.request.hops < self._max_hops:
                visit.redirect_to = wishes.refresh
                following = redirects.onward(page.request, 303, wishes.refresh)
                self.redirect(visit, following, again=False)
            else:
                _refuse(visit, "too_many_refreshes")
        if wishes.noindex:
            visit.outcome = Outcome.NOINDEX
        if wishes.nofollow and self._follows:
            _refuse(visit, "page_nofollow", len(page.found.hrefs))
        return self._follows and not wishes.nofollow

    def _follow(self, visit: Visit, found: dict[str, Target], followed: bool) -> dict[str, Target]:
        """Offer what a page's references lead to, and give it."""
        if not followed:
            return found
        depth = visit.todo.depth + 1
        if self._max_depth is not None and depth > self._max_depth:
            _refuse(visit, "too_deep", sum(not target.offered for target in found.values()))
            return found
        for target in found.values():
            if not target.offered:
                target.offered = True
                self._offer(visit, target, depth, target.rule, target.refusal)
        return found

    async def _follow_all(self, visit: Visit, page: ScrapedPage, followed: bool) -> None:
        """The same with the full pass, which knows where each link stands and what it says."""
        document = await self.following.read(page)
        visit.canonical = self.following.canonical(page, document)
        if visit.canonical is not None and self.following.follows_canonical:
            following = redirects.onward(page.request, 303, visit.canonical)
            self.redirect(visit, following, again=False)
        depth = visit.todo.depth + 1
        too_deep = self._max_depth is not None and depth > self._max_depth
        regions = Regions(page, self.following)
        found: dict[str, None] = {}
        links = document.links()
        while part := list(islice(links, _FULL_SLICE)):
            for pick in self.following.picks(page, part, regions):
                target = pick.target
                again = target.url in found
                found[target.url] = None
                if target.offered or not followed or (again and pick.refusal is not None):
                    continue
                refusal = pick.refusal or ("too_deep" if too_deep else None)
                target.offered = refusal is None
                self._offer(visit, target, depth, pick.rule, refusal)
            await asyncio.sleep(0)
        visit.links = list(found)

    def _offer(
        self, visit: Visit, target: Target, depth: int, rule: Rule | None, refusal: str | None
    ) -> None:
        if refusal is not None:
            _refuse(visit, refusal)
        elif self._recent.add(target.url_hash):
            refusal = self._linker.traps.offer(target.url)
            if refusal is not None:
                _refuse(visit, refusal)
                return
            priority, callback = (rule.priority, rule.callback_name) if rule else (0, None)
            rank = rank_of(priority, depth, self._order)
            visit.candidates.append(
                Candidate(target.host, target.url_hash, target.url, depth, rank, callback)
            )

    def redirect(self, visit: Visit, following: Request, *, again: bool) -> None:
        """Make the target of a redirect a candidate, at the same depth and rank.

        `again`: also where it was fetched before, because a cookie may change the answer. A step
        of `links.canonicalize` that would lead back to where the redirect came from is not taken:
        the server has its reasons, and nothing else would ever be seen of it.
        """
        settled = following if again else self.prepared(following)
        if settled is None:
            _refuse(visit, "dropped")
            return
        if settled.url not in (visit.todo.url, following.first_url):
            if visit.redirect_to == following.url:
                visit.redirect_to = settled.url
            following = settled
        if following.depth == 0:
            self.on_seed_redirect(following.url)
        if again:
            following = following.replace(dont_filter=True)
        self._add(visit, following, visit.todo.depth, visit.todo.rank)

    def _add(self, visit: Visit, request: Request, depth: int, rank: int | None = None) -> None:
        """Make a Request a candidate, or count why not."""
        self.admit(visit, self.candidate(request, depth, rank))

    def admit(self, visit: Visit, candidate: Candidate, *, asked: bool = False) -> None:
        """Take a candidate that may be new, or count why it is not taken.

        `asked`: a callback gave it, and did not just meet it as a link; then this is told, too.
        """
        refusal = self._linker.refusal_of(candidate.url)
        if refusal is None and self._max_depth is not None and candidate.depth > self._max_depth:
            refusal = "too_deep"
        if refusal is None and self._recent.add(candidate.url_hash):
            refusal = self._linker.traps.offer(candidate.url)
        elif refusal is None and not candidate.force:
            if asked:
                _refuse_asked(visit, "duplicate_request", candidate.url)
            return
        if refusal is not None and asked:
            named = "request_out_of_scope" if refusal == "out_of_scope" else refusal
            _refuse_asked(visit, named, candidate.url)
        elif refusal is not None:
            _refuse(visit, refusal)
        else:
            visit.candidates.append(candidate)

    def candidate(self, request: Request, depth: int, rank: int | None = None) -> Candidate:
        """Return the candidate of a Request."""
        return Candidate(
            urls.host_of(request.url),
            request.identity,
            request.url,
            depth,
            rank_of(request.priority, depth, self._order) if rank is None else rank,
            request.callback_name,
            request.extra(),
            request.dont_filter,
        )

    def prepared(self, request: Request) -> Request | None:
        """Return the Request after the steps of `links.canonicalize`; None where one drops it.

        As they are stay those with `dont_filter`, with another method than GET, and downloads and
        the like, whose URLs may be signed.
        """
        if request.dont_filter or request.method != "GET" or request.kind:
            return request
        url = self._linker.settled(request.url)
        if url is None or url == request.url:
            return request if url else None
        return request.replace(url=url)

    def target(self, url: str) -> Target:
        """Return the target of a canonical URL, after the steps of `links.canonicalize`."""
        return self._linker.target(url)

    def rank(self, priority: int, depth: int) -> int:
        """Return the place of a request within its host."""
        return rank_of(priority, depth, self._order)

    # ------------------------------------------------------------ callbacks

    async def parse(self, visit: Visit, page: ScrapedPage, request: Request) -> None:
        """Call the request's callback and collect what it gives; an error is an outcome."""
        self.keep(visit, page)
        name = request.callback_name or "parse"
        error = await self._call(visit, name, page)
        if error is not None:
            visit.outcome, visit.error = Outcome.SPIDER_ERROR, error

    def keep(self, visit: Visit, page: ScrapedPage) -> None:
        """Keep the page itself with its visit where somebody waits for pages."""
        if self._keep_pages:
            visit.page = page

    async def deliver(self, visit: Visit, name: str, thing: object) -> None:
        """Call a method with a stored file or a message; an error is the visit's outcome."""
        error = await self._call(visit, name, thing)
        if error is not None:
            visit.outcome, visit.error = Outcome.SPIDER_ERROR, error

    async def ask(self, name: str, *arguments: object) -> Any:
        """Return what a method of the spider answers; FetchError with its traceback otherwise."""
        try:
            answer = getattr(self._spider, name)(*arguments)
            if inspect.isawaitable(answer):
                async with asyncio.timeout(self._timeout):
                    answer = await answer
        except Exception:
            raise FetchError(traceback.format_exc(), Outcome.SPIDER_ERROR, final=True) from None
        return answer

    async def give_up(self, visit: Visit, request: Request) -> None:
        """Tell the spider of a request that ended without a page."""
        error = await self._call(visit, "on_error", request, visit.outcome, visit.status)
        if error is not None:
            visit.error = f"{visit.error or ''}\n{error}".strip()

    async def _call(self, visit: Visit, name: str, *arguments: object) -> str | None:
        """Call a method of the spider; give the traceback where it raises."""
        rest = self.begin(visit, name, *arguments)
        return rest if rest is None or isinstance(rest, str) else await rest

    def on_request(self, visit: Visit, request: Request) -> None:
        """Make a Request that a callback gave a candidate, or count why not."""
        settled = self.prepared(request)
        if settled is None:
            _refuse(visit, "dropped")
        else:
            self.admit(visit, self.candidate(settled, visit.todo.depth + 1), asked=True)


def _slices(values: Sequence[T]) -> Iterator[Sequence[T]]:
    return (values[at : at + _SLICE] for at in range(0, len(values), _SLICE))


def _refuse(visit: Visit, reason: str, number: int = 1) -> None:
    if number:
        visit.refusals[reason] = visit.refusals.get(reason, 0) + number


def _refuse_asked(visit: Visit, reason: str, url: str) -> None:
    """Count a request of a callback that is not taken, and remember the first of the page."""
    _refuse(visit, reason)
    if visit.not_taken is None:
        visit.not_taken = (reason, url)
