"""Discovery: what the links of pages lead to becomes candidates of their visits, or is counted.

Links, redirects, entries of sitemaps and the Requests of callbacks: all of them pass `admit` or
`_offer`, and nothing is left out that is not a refusal.
"""

from __future__ import annotations

import asyncio
import mmap
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from crawler import urls
from crawler.config.links import LinksSettings
from crawler.links.check import check_of
from crawler.links.follow import LinkFollower, PageDirectives
from crawler.links.linker import Linker, Target
from crawler.links.requisites import NESTING, REQUISITE
from crawler.links.rule import Rule
from crawler.parse.usage import reserved
from crawler.urls.userinfo import with_userinfo
from crawler.web import redirects
from crawler.web.outcome import Outcome
from crawler.web.page import ScrapedPage
from crawler.web.refusal import Refusal
from crawler.web.request import Candidate, Request, rank_of
from crawler.web.visit import AskedRetry, Visit

T = TypeVar("T")

_SLOTS = 1 << 20
_SLICE = 500  # links that are resolved without letting others run: at most about 6 ms
_FULL_SLICE = 200  # the same with their texts and relations


def _zeros(size: int) -> mmap.mmap:
    """Return memory of this process alone, which takes room where it is written to."""
    if sys.platform == "win32":
        return mmap.mmap(-1, size)
    return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


class Recent:
    """A direct-mapped memory of URL hashes handed to the committer: 8 MB, never grows.

    The system gives the memory page by page as it is used, and none at all to a small crawl.

    It only ever saves asking the store: a forgotten hash is found there, and a failed commit
    ends the run, so nothing is remembered that was not stored.
    """

    def __init__(self) -> None:
        self._slots = memoryview(_zeros(8 * _SLOTS)).cast("q")

    def add(self, url_hash: int) -> bool:
        """Remember a hash; False when it was remembered already."""
        place = url_hash & (_SLOTS - 1)
        if self._slots[place] == url_hash:
            return False
        self._slots[place] = url_hash
        return True

    def __contains__(self, url_hash: int) -> bool:
        return self._slots[url_hash & (_SLOTS - 1)] == url_hash


def _note_credentials(visit: Visit, base: str, references: list[str]) -> None:
    if "@" in "\n".join(references):  # a fifth of what it takes to look at each
        visit.refuse(Refusal.URL_CREDENTIALS, with_userinfo(base, references))


class Discovery:
    """Makes candidates of what one request leads to."""

    def __init__(
        self,
        linker: Linker,
        *,
        order: str = "breadth",
        max_depth: int | None = None,
        following: LinkFollower | None = None,
        max_hops: int = 10,
        retries: int = 3,
        checks: bool = False,
        heeds: Sequence[str] = (),
    ) -> None:
        """`order` is that of a host's requests, `max_hops` the redirects in a row that may be.

        `retries` bounds the tries that a spider asks for of one request. `checks`: links that lead
        out of scope are checked, and no more (`links.check_external`). `heeds` are the purposes
        for which no page is kept that reserves itself.
        """
        self.retries, self._checks, self._heeds = retries, checks, heeds
        self._linker = linker
        self.following = following or LinkFollower(linker, linker.rules, LinksSettings())
        self._order, self._max_depth, self.max_hops = order, max_depth, max_hops
        self._follows = bool(linker.rules)
        self._recent = Recent()
        self._refused: Recent | None = None  # links that other processes have refused
        self._turn = asyncio.Lock()  # of pages with thousands of links: a slice of one at a time

    async def follow(self, visit: Visit, page: ScrapedPage) -> None:
        """Resolve the links of a page; those that a rule takes become candidates."""
        followed = self._follows
        if page.asks:
            followed = self._heed(visit, page, self.following.directives(page))
        if self.following.full:
            await self._follow_all(visit, page, followed)
            return
        base, references = page.base_url, page.references
        _note_credentials(visit, base, references)
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
            if page.request.hops < self.max_hops:
                visit.redirect_to = wishes.refresh
                following = redirects.onward(page.request, 303, wishes.refresh)
                self.redirect(visit, following, again=False)
            else:
                visit.refuse(Refusal.TOO_MANY_REFRESHES)
        if wishes.noindex:
            visit.outcome = Outcome.NOINDEX
        if wishes.usage:
            visit.usage += wishes.usage
            reservation = reserved(visit.usage, self._heeds)
            if reservation is not None:
                visit.fail(Outcome.RESERVED, str(reservation))
        if wishes.nofollow and self._follows:
            visit.refuse(Refusal.PAGE_NOFOLLOW, len(page.found.hrefs))
        return self._follows and not wishes.nofollow

    def _follow(self, visit: Visit, found: dict[str, Target], followed: bool) -> dict[str, Target]:
        """Offer what a page's references lead to, and give it."""
        if not followed:
            return found
        depth = visit.todo.depth + 1
        if self._max_depth is not None and depth > self._max_depth:
            self._too_deep(visit, [target for target in found.values() if not target.offered])
            return found
        for target in found.values():
            if not target.offered:
                target.offered = True
                self._offer(visit, target, depth, target.rule, target.refusal)
        return found

    def _too_deep(self, visit: Visit, targets: list[Target]) -> None:
        """Count the links that only the depth keeps out."""
        visit.refuse(Refusal.TOO_DEEP, len(targets))
        for target in targets:
            self._check(visit, target, target.refusal)

    async def _follow_all(self, visit: Visit, page: ScrapedPage, followed: bool) -> None:
        """The same with the full pass, which knows where each link stands and what it says."""
        document = await self.following.read(page)
        _note_credentials(visit, page.base_url, page.references)
        visit.canonical = self.following.canonical(page, document)
        if visit.canonical is not None and self.following.follows_canonical:
            following = redirects.onward(page.request, 303, visit.canonical)
            self.redirect(visit, following, again=False)
        depth = visit.todo.depth + 1
        too_deep = self._max_depth is not None and depth > self._max_depth
        found: dict[str, None] = {}
        for number, picks in enumerate(self.following.picks(page, document, _FULL_SLICE)):
            if number:
                await asyncio.sleep(0)
            for pick in picks:
                target, refusal = pick.target, pick.refusal
                again = target.url in found
                found[target.url] = None
                if target.offered or not followed or (again and refusal is not None):
                    continue
                refusal = refusal or (Refusal.TOO_DEEP if too_deep else None)
                target.offered = refusal is None
                self._offer(visit, target, depth, pick.rule, refusal)
        visit.links = list(found)

    def _offer(
        self, visit: Visit, target: Target, depth: int, rule: Rule | None, refusal: Refusal | None
    ) -> None:
        if refusal is not None:
            visit.refuse(refusal)
            self._check(visit, target, refusal)
        elif rule is not None and rule.browser:
            self._take(visit, self.of_link(target, depth, rule), asked=False)
        elif self._recent.add(target.url_hash):
            refusal = self._linker.offer(target.url)
            if refusal is not None:
                visit.refuse(refusal)
                return
            visit.candidates.append(self.of_link(target, depth, rule))

    def of_link(self, target: Target, depth: int, rule: Rule | None) -> Candidate:
        """Return the candidate of a link that a rule takes."""
        if rule is not None and rule.browser:
            return self.candidate(rule.request(target.url), depth)
        priority, callback = (rule.priority, rule.callback_name) if rule else (0, None)
        rank = rank_of(priority, depth, self._order)
        return Candidate(target.host, target.url_hash, target.url, depth, rank, callback)

    def _check(self, visit: Visit, target: Target, refusal: Refusal | None) -> None:
        """Make a link that is refused as it leads out of scope a candidate to be checked."""
        if not self._checks or refusal is not Refusal.OUT_OF_SCOPE:
            return
        excluded = self._linker.bounded(target.url) is Refusal.EXCLUDED
        if excluded or self._linker.traps.refusal_of(target.url) is not None:
            return
        self._take_new(visit, self.candidate(check_of(target.url), visit.todo.depth + 1))

    def _take_new(self, visit: Visit, candidate: Candidate) -> None:
        """Take a candidate, of whatever host and depth, unless it is known."""
        if self._recent.add(candidate.url_hash):
            visit.candidates.append(candidate)

    def redirect(self, visit: Visit, following: Request, *, again: bool) -> None:
        """Make the target of a redirect a candidate, at the same depth and rank.

        `again`: also where it was fetched before, because a cookie may change the answer. A step
        of `links.canonicalize` that would lead back to where the redirect came from is not taken:
        the server has its reasons, and nothing else would ever be seen of it.
        """
        settled = following if again else self.prepared(following)
        if settled is None:
            visit.refuse(Refusal.DROPPED)
            return
        if settled.url not in (visit.todo.url, following.first_url):
            if visit.redirect_to == following.url:
                visit.redirect_to = settled.url
            following = settled
        if following.depth == 0:
            self._linker.widen(following.url)
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
        if candidate.needed:  # of whatever host and depth: it belongs to a page that does
            self._take_new(visit, candidate)
            return
        refusal = self.refusal_of(candidate)
        if refusal is not None:
            self._refuse(visit, candidate, refusal, asked=asked)
        else:
            self._take(visit, candidate, asked=asked)

    def refusal_of(self, candidate: Candidate) -> Refusal | None:
        """Return the reason for which a candidate is not taken, whether it is new or not."""
        refusal = self._linker.refusal_of(candidate.url)
        if refusal is None and self._max_depth is not None and candidate.depth > self._max_depth:
            return Refusal.TOO_DEEP
        return refusal

    def _take(self, visit: Visit, candidate: Candidate, *, asked: bool) -> None:
        """Take a candidate that nothing but others like it can keep out."""
        if self._recent.add(candidate.url_hash):
            refusal = self._linker.offer(candidate.url)
            if refusal is not None:
                self._refuse(visit, candidate, refusal, asked=asked)
                return
        elif not candidate.force:
            if asked:
                visit.refuse_asked(Refusal.DUPLICATE_REQUEST, candidate.url)
            return
        visit.candidates.append(candidate)

    def _refuse(self, visit: Visit, candidate: Candidate, refusal: Refusal, *, asked: bool) -> None:
        if asked:
            outside = refusal is Refusal.OUT_OF_SCOPE
            named = Refusal.REQUEST_OUT_OF_SCOPE if outside else refusal
            visit.refuse_asked(named, candidate.url)
        else:
            visit.refuse(refusal)

    def take(
        self,
        visit: Visit,
        candidates: Sequence[Candidate],
        *,
        asked_from: int,
        refused: Iterable[tuple[Refusal, int]],
        deep: Iterable[int],
        only_new: Iterable[Candidate],
    ) -> None:
        """Take what another process found on a page, and count what it could not count.

        Candidates from `asked_from` on were asked for by a callback. `refused` links, by their
        hash, count once; `deep` ones are beyond the depth limit unless they were met elsewhere.
        Those of `only_new` are taken wherever they lead, if they are that.
        """
        if self._refused is None:
            self._refused = Recent()
        known = (self._recent, self._refused)
        for reason, url_hash in refused:
            if self._refused.add(url_hash):
                visit.refuse(reason)
        for place, candidate in enumerate(candidates):
            self._take(visit, candidate, asked=place >= asked_from)
        new = sum(not any(url_hash in memory for memory in known) for url_hash in deep)
        visit.refuse(Refusal.TOO_DEEP, new)
        for candidate in only_new:
            self._take_new(visit, candidate)

    def need(self, visit: Visit, page: ScrapedPage, found: Iterable[str]) -> None:
        """Make candidates of what a page needs to be shown; frames that nest too deep are left."""
        nesting = int(page.request.meta.get("nesting", 0)) + 1
        if nesting > NESTING:
            visit.refuse(Refusal.TOO_DEEP, len(list(found)))
            return
        for url in found:
            request = Request(url, kind=REQUISITE, meta={"nesting": nesting})
            self._add(visit, request, visit.todo.depth + 1)

    def remember(self, candidate: Candidate) -> bool:
        """Remember a start request; False where it was asked for shortly before, and not again."""
        return self._recent.add(candidate.url_hash) or candidate.force

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
            request.not_before or 0.0,  # type: ignore[arg-type]  # a datetime became one
            needed=request.kind == REQUISITE,
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

    def request(self, visit: Visit, request: Request) -> None:
        """Make a Request that a callback gave a candidate, or count why not."""
        if request.retry_reason is not None and self._asked_again(visit, request):
            return
        settled = self.prepared(request)
        if settled is None:
            visit.refuse(Refusal.DROPPED)
        else:
            self.admit(visit, self.candidate(settled, visit.todo.depth + 1), asked=True)

    def _asked_again(self, visit: Visit, request: Request) -> bool:
        """Note another try that is asked for of this very request, or refuse one beyond all."""
        at, reason = request.not_before or 0.0, request.retry_reason or ""
        most, todo = request.most_tries, visit.todo
        if visit.asked is None and (request.url, request.identity) == (todo.url, todo.url_hash):
            visit.asked = AskedRetry(at, reason, request.tries, most, request.extra())  # type: ignore[arg-type]
            return True
        if request.tries > (self.retries if most is None else most):
            visit.refuse_asked(Refusal.RETRIES_SPENT, request.url)
            return True
        return False


def _slices(values: Sequence[T]) -> Iterator[Sequence[T]]:
    return (values[at : at + _SLICE] for at in range(0, len(values), _SLICE))
