"""Hooks around fetching: what is sent, and what is taken for the answer; a list and a for loop.

A hook has `before_fetch(request)`, `after_fetch(response)` or both, and where it needs them
`open(crawl)` and `close()`; each of these sync or async. The spider itself is the last of them.
"""

from __future__ import annotations

import inspect
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from multidict import CIMultiDict

from crawler.errors import DropRequest, FetchError, SpiderError, StopCrawl
from crawler.spider import lifecycle
from crawler.spider.lifecycle import close_all, made, name_of, open_all
from crawler.web.outcome import Outcome
from crawler.web.refusal import Refusal
from crawler.web.request import Request
from crawler.web.response import Response
from crawler.web.stats import VISITING
from crawler.web.visit import AskedRetry, Visit

if TYPE_CHECKING:
    from crawler.spider import Spider
    from crawler.spider.discover import Discovery
    from crawler.spider.running import RunningCrawl

Fetch = Callable[[Request], Awaitable[Response]]

_BEFORE, _AFTER = "before_fetch", "after_fetch"
_GIVEN = {_BEFORE: ("spider",), _AFTER: ("request", "spider")}
_SCRAPY = {
    "process_request": _BEFORE,
    "process_response": _AFTER,
    "process_exception": "on_error of the spider",
    "process_spider_output": "a pipeline",
}


class _HookStep(Struct, frozen=True):
    """One function of a hook: what it is called, and what it takes beside the first argument."""

    name: str
    call: Callable[..., Any]
    takes: tuple[str, ...]


class Hooks:
    """The hooks of one spider in one process: before in their order, after the other way round."""

    def __init__(self, spider: Spider, discovery: Discovery, timeout: float) -> None:
        """`timeout` is in seconds, for what one hook awaits. SpiderError for what is no hook."""
        self._spider, self._discovery, self._timeout = spider, discovery, timeout
        self._made = [made(thing, spider, "hooks") for thing in spider.hooks]
        owners = [*self._made, spider]
        self._before = [step for one in owners for step in _steps(one, _BEFORE, spider)]
        self._after = [step for one in reversed(owners) for step in _steps(one, _AFTER, spider)]

    def __bool__(self) -> bool:
        """Whether there is anything to call."""
        return bool(self._before or self._after)

    async def open(self, crawl: RunningCrawl) -> None:
        """Let each open what it needs; SpiderFailed tells where one raised."""
        await open_all(self._made, crawl)

    async def close(self, timeout: float) -> dict[str, str]:
        """Let each close what it has; return the tracebacks by `name.close()`."""
        return await close_all(self._made, timeout)

    # ------------------------------------------------------------ a request

    async def fetch(self, visit: Visit, request: Request, fetch: Fetch) -> Response | None:
        """Return the answer to a request between the hooks, which the visit has then as well.

        None where a hook has decided that there is none to be read: the visit says what became of
        it. FetchError where a hook raised.
        """
        sent = await self.before(visit, request)
        if sent is None:
            return None
        response = sent if isinstance(sent, Response) else await fetch(sent)
        asked = sent if isinstance(sent, Request) else request
        visit.answer(response)
        taken = await self._taken(visit, asked, response)
        if isinstance(taken, Response):
            if taken is not response:
                visit.answer(taken)
            return taken
        if taken is not None and not self._leads(visit, request, taken):
            return visit.response  # its tries are spent: it is taken for what it is
        return None

    async def before(self, visit: Visit, request: Request) -> Request | Response | None:
        """Return what is sent, or the answer that stands in its place; None where neither is."""
        for step in self._before:
            found = await self._call(visit, step, request, request)
            if found is _ENDED:
                return None
            if isinstance(found, Response):
                return _checked(found, step, request)
            if isinstance(found, Request) and found.url != request.url:
                self._leads(visit, request, found)
                return None
            if found is not None and not isinstance(found, Request):
                raise _wrong(step, found, "a Request, a Response or None")
            request = found or request
        return request

    async def _taken(self, visit: Visit, request: Request, response: Response) -> Any:
        """Return what the hooks make of an answer: a Response, a Request, or None for an end."""
        for step in self._after:
            found = await self._call(visit, step, response, request)
            if found is _ENDED:
                return None
            if isinstance(found, Request):
                return found
            if found is not None and not isinstance(found, Response):
                raise _wrong(step, found, "a Response, a Request or None")
            response = _checked(found, step, request) if found is not None else response
        return response

    async def _call(self, visit: Visit, step: _HookStep, first: Any, request: Request) -> Any:
        """Return what a hook gives; `_ENDED` where it ends the request or the crawl."""
        named = {"request": request, "spider": self._spider}
        token = VISITING.set(visit)
        try:
            found = step.call(first, **{name: named[name] for name in step.takes})
            if inspect.isawaitable(found):
                import asyncio  # only where something is awaited

                async with asyncio.timeout(self._timeout):
                    found = await found
        except FetchError:
            raise
        except DropRequest as why:
            visit.fail(Outcome.HOOK_DROPPED, f"{step.name}: {why}")
            return _ENDED
        except StopCrawl as end:  # the request is visited by the next run
            visit.stop, now = visit.stop or end.reason, time.time()
            visit.asked = AskedRetry(now, end.reason, 0, None, visit.todo.extra)
            visit.retry_at = now
            visit.outcome = Outcome.RETRY_ASKED
            return _ENDED
        except (Exception, SystemExit) as error:
            raise FetchError(traceback.format_exc(), Outcome.SPIDER_ERROR, final=True) from error
        finally:
            VISITING.reset(token)
        return found

    def _leads(self, visit: Visit, request: Request, to: Request) -> bool:
        """Let a request lead to another: the same URL once more, or one beside it.

        False where the tries of a request are spent.
        """
        if to.url == request.url:
            return _ask_again(visit, to, self._discovery.retries)
        if request.hops >= self._discovery.max_hops:
            visit.fail(Outcome.TOO_MANY_REDIRECTS, f"hooks lead on and on, at last to {to.url}")
            return True
        first = request.first_url or request.url
        visit.fail(Outcome.REDIRECT, None)
        visit.redirect_to = to.url
        following = to.replace(depth=request.depth, hops=request.hops + 1, first_url=first)
        self._discovery.redirect(visit, following, again=False)
        return True


def hooked(visit: Visit) -> bool:
    """Return whether hooks, in another process, have decided what becomes of a visit's request."""
    if visit.asked is not None:
        visit.retry_at = visit.asked.at
    dropped = visit.outcome is Outcome.HOOK_DROPPED
    return dropped or visit.asked is not None or visit.redirect_to is not None


def _ask_again(visit: Visit, request: Request, retries: int) -> bool:
    """Note another try that a hook asks for; count and return False where they are spent."""
    if request.retry_reason is None:
        request = request.retry(reason="asked for by a hook")
    most = request.most_tries
    if request.tries > (retries if most is None else most):
        visit.refuse_asked(Refusal.RETRIES_SPENT, request.url)
        return False
    at = float(request.not_before or 0.0)  # type: ignore[arg-type]  # a datetime became one
    reason = request.retry_reason or ""
    visit.asked = AskedRetry(at, reason, request.tries, most, request.extra())
    visit.retry_at = at
    return True


_ENDED = object()


def check(spider: Spider) -> None:
    """Raise SpiderError for the first of a spider's hooks that cannot be one; make none."""
    if isinstance(spider.hooks, str) or not isinstance(spider.hooks, Sequence):
        raise SpiderError(f"{spider.name}: `hooks` is a list of objects and classes")
    for thing in (*spider.hooks, spider):
        for name, here in _SCRAPY.items():
            if hasattr(thing, name):
                raise SpiderError(f"{spider.name}: {name_of(thing)}.{name} is {here} here")
        found = [step for name in (_BEFORE, _AFTER) for step in _steps(thing, name, spider)]
        if not found and thing is not spider:
            raise SpiderError(
                f"{spider.name}: `hooks` names {thing!r:.80}, which has neither"
                " before_fetch(request) nor after_fetch(response)"
            )


def _steps(thing: Any, name: str, spider: Spider) -> Iterator[_HookStep]:
    """Yield the functions that a hook, or the spider itself, has for a place: one, or a list."""
    found = getattr(thing, name, None)
    several = found if isinstance(found, (list, tuple)) else [found] if found is not None else []
    for call in several:
        if not callable(call):
            raise SpiderError(f"{spider.name}: {name} names {call!r:.80}, which is no function")
        what = f"{name_of(thing)}.{name}" if call is found else name_of(call)
        skip = 2 if isinstance(thing, type) and call is found else 1
        gets = "the request" if name == _BEFORE else "the response"
        yield _HookStep(
            what,
            call,
            lifecycle.takes(call, _GIVEN[name], skip=skip, spider=spider, what=what, gets=gets),
        )


def _checked(response: Response, step: _HookStep, request: Request) -> Response:
    """Return a response of a hook whose headers go by any case; FetchError for another's."""
    if response.url != request.url:
        raise FetchError(
            f"{step.name} gave the response of {response.url} for {request.url}; give a"
            " Request to lead there",
            Outcome.SPIDER_ERROR,
            final=True,
        )
    if type(response.headers) is dict:
        return response.replace(headers=CIMultiDict(response.headers))
    return response


def _wrong(step: _HookStep, found: Any, wanted: str) -> FetchError:
    text = f"{step.name} gave {found!r:.80}; it gives {wanted}"
    return FetchError(text, Outcome.SPIDER_ERROR, final=True)
