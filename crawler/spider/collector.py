"""What a visit collects: what a page's links and a spider's callbacks add to a Visit.

Items, Requests, or what went wrong: whatever user code raises becomes a traceback. No event loop is
needed, nor imported, until a method or a pipeline gives something to be awaited: most spiders never
do.
"""

from __future__ import annotations

import contextlib
import inspect
import traceback
from collections.abc import (
    AsyncIterable,
    Awaitable,
    Coroutine,
    Generator,
    Iterable,
    Mapping,
)
from typing import TYPE_CHECKING, Any

from crawler.errors import FetchError, SpiderError, StopCrawl
from crawler.items import InvalidItem, record_of
from crawler.items.fields import NoItem, is_named_tuple
from crawler.items.refused import of_pydantic
from crawler.spider import Spider
from crawler.spider.hooks import Hooks
from crawler.spider.pipelines import Origin, Pipelines, refuse
from crawler.spider.signatures import Signatures
from crawler.web.outcome import Outcome
from crawler.web.refusal import Refusal
from crawler.web.request import Request, from_todo
from crawler.web.stats import VISITING
from crawler.web.visit import Visit

if TYPE_CHECKING:  # `crawler reparse` finds nothing new
    from crawler.spider.discover import Discovery
    from crawler.web.page import ScrapedPage

Course = Generator[Awaitable[Any], Any, None]
"""Items on their way through the pipelines: it yields what has to be awaited."""

Rest = Coroutine[Any, Any, str | None]
"""What is still to be awaited of a call; gives the traceback where it raises."""


class _Given:
    """What one call gave: items that go through the pipelines, and what was wrong with a class."""

    __slots__ = ("failed", "found")

    def __init__(self) -> None:
        self.found: list[Any] = []
        self.failed: str | None = None


class Invoker:
    """Calls the methods of one spider; `want` says what becomes of the Requests they give."""

    def __init__(self, spider: Spider, timeout: float) -> None:
        """`timeout` is in seconds, for what has to be awaited."""
        self.spider, self._timeout = spider, timeout
        self.pipelines = Pipelines(spider)
        self._signatures = Signatures(spider)

    def on_request(self, visit: Visit, request: Request) -> None:
        """Take a Request that a method gave."""
        raise NotImplementedError

    def begin(
        self, visit: Visit, name: str, /, *arguments: object, **named: object
    ) -> Rest | str | None:
        """Call a method and take what it gives at once.

        Gives None when that was all, the traceback where it raises, or the rest to be awaited.
        """
        given = _Given()
        results: Any = None
        try:
            callback = getattr(self.spider, name, None)
            if callback is None:
                raise SpiderError(f"{self.spider.name} has no callback {name!r}")
            results = callback(*arguments, **named)
            if results is None:
                return None
            if inspect.isawaitable(results) or isinstance(results, AsyncIterable):
                return self._rest(visit, results, given, arguments)
            self._take(visit, results, given)
        except BaseException as error:
            failed = _failed(visit, error, results)
            return self._send(visit, given, arguments, failed) if given.found else failed
        return self._send(visit, given, arguments) if given.found else given.failed

    def _send(
        self,
        visit: Visit,
        given: _Given,
        arguments: tuple[object, ...],
        failed: str | None = None,
    ) -> Rest | str | None:
        """Send items through the pipelines, each in order, at once as far as none is awaited.

        Those that came before the method `failed` too.
        """
        course = self.pipelines.course(
            visit,
            given.found,
            self._origin(visit, arguments),
            lambda item, made: _store(visit, item, given, made=made),
        )
        try:
            waiting = next(course, None)
        except BaseException as error:  # of what a pipeline gave: a coroutine, say
            return _failed(visit, error)
        if waiting is not None:
            return self._rest_of(visit, course, waiting, given, failed)
        return failed or given.failed

    def _origin(self, visit: Visit, arguments: tuple[object, ...]) -> Origin:
        """Return where items come from, as far as what their method was called with tells."""
        from crawler.web.page import ScrapedPage

        page = next((one for one in arguments if isinstance(one, ScrapedPage)), None)
        if page is not None:
            return Origin(page, page.request, self.spider)
        request = next((one for one in arguments if isinstance(one, Request)), None)
        return Origin(None, request or from_todo(visit.todo, 0), self.spider)

    async def _rest(
        self, visit: Visit, results: Any, given: _Given, arguments: tuple[object, ...]
    ) -> str | None:
        """Await what a method gave, and send its items through the pipelines."""
        failed = await self._within(visit, self._await(visit, results, given), results)
        if not given.found:
            return failed or given.failed
        rest = self._send(visit, given, arguments, failed)
        return rest if rest is None or isinstance(rest, str) else await rest

    async def _rest_of(
        self, visit: Visit, course: Course, waiting: Any, given: _Given, failed: str | None
    ) -> str | None:
        """Await the pipelines of items; return what went wrong, or had before."""
        return await self._within(visit, self._finish(course, waiting)) or failed or given.failed

    async def _within(
        self, visit: Visit, awaited: Coroutine[Any, Any, None], results: Any = None
    ) -> str | None:
        """Await user code for as long as it may take; return the traceback where it raises."""
        import asyncio  # a tenth of the start of `crawler reparse`, which seldom comes here

        try:
            async with asyncio.timeout(self._timeout):
                await awaited
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise  # the worker is cancelled; otherwise something of the spider's was
            return _failed(visit, error)
        except (Exception, SystemExit) as error:
            return _failed(visit, error, results)
        return None

    async def _finish(self, course: Course, waiting: Any) -> None:
        """Go on with the course of items whose pipelines gave something to be awaited."""
        with contextlib.suppress(StopIteration):
            while True:
                try:
                    answer = await waiting
                except (Exception, SystemExit) as error:
                    waiting = course.throw(error)
                else:
                    waiting = course.send(answer)

    async def _await(self, visit: Visit, results: Any, given: _Given) -> None:
        if isinstance(results, AsyncIterable):
            async for result in results:
                self._take_one(visit, result, given, results)
        elif results is not None:
            self._take(visit, await results, given)

    def _take(self, visit: Visit, results: Any, given: _Given) -> None:
        if isinstance(results, Iterable) and not _is_item(results):
            for result in results:
                self._take_one(visit, result, given, results)
        else:
            self._take_one(visit, results, given)

    def _take_one(self, visit: Visit, result: Any, given: _Given, results: Any = None) -> None:
        if result is None:
            return
        if isinstance(result, Request):
            if result.callback is not None or result.errback is not None or result.args:
                self._signatures.check(result)
            self.on_request(visit, result)
        elif self.pipelines:
            given.found.append(result)
        else:
            _store(visit, result, given, results)


class Collector(Invoker):
    """Collects what the spider makes of pages, files, messages and failures into their visits."""

    def __init__(self, spider: Spider, discovery: Discovery, *, timeout: float = 60.0) -> None:
        super().__init__(spider, timeout)
        self._discovery = discovery
        self.hooks = Hooks(spider, discovery, timeout)
        self.reads_pages = _is_own(spider.parse, Spider.parse)
        """Whether the spider has a `parse` of its own: that of Spider gives nothing."""
        self.hears_errors = _is_own(spider.on_error, Spider.on_error)
        """Whether the spider wants to hear of requests that ended without a page."""

    async def parse(self, visit: Visit, page: ScrapedPage, request: Request) -> None:
        """Call the request's callback and collect what it gives; an error is an outcome."""
        name, page.visit = request.callback_name or "parse", visit
        error = await self._call(visit, name, page, **request.args)
        if error is not None:
            visit.fail(Outcome.SPIDER_ERROR, error)

    async def deliver(self, visit: Visit, name: str, thing: object) -> None:
        """Call a method with a stored file or a message; an error is the visit's outcome."""
        error = await self._call(visit, name, thing)
        if error is not None:
            visit.fail(Outcome.SPIDER_ERROR, error)

    async def ask(self, name: str, *arguments: object) -> Any:
        """Return what a method of the spider answers; FetchError with its traceback otherwise."""
        import asyncio  # as above

        try:
            answer = getattr(self.spider, name)(*arguments)
            if inspect.isawaitable(answer):
                async with asyncio.timeout(self._timeout):
                    answer = await answer
        except Exception:
            raise FetchError(traceback.format_exc(), Outcome.SPIDER_ERROR, final=True) from None
        return answer

    async def give_up(self, visit: Visit, request: Request) -> None:
        """Report to the spider a request that ended without a page, or whose callback raised.

        To `on_error`, or to what the request names instead: with as much of the request, the
        outcome, the status, the answer as a page (None without one) and the error as it takes.
        """
        from crawler.web.page import ScrapedPage

        name = str(request.errback or "on_error")
        page = None if visit.response is None else ScrapedPage(visit.response, request)
        if page is not None:
            page.visit = visit
        told = (request, visit.outcome, visit.status, page, visit.error)
        error = await self._call(visit, name, *told[: self._signatures.places(name)])
        if error is not None:
            visit.error = f"{visit.error or ''}\n{error}".strip()

    async def _call(
        self, visit: Visit, name: str, /, *arguments: object, **named: object
    ) -> str | None:
        """Call a method of the spider; return the traceback if it raises."""
        running = self.spider.crawl
        running.calling += 1
        token = VISITING.set(visit)
        try:
            rest = self.begin(visit, name, *arguments, **named)
            error = rest if rest is None or isinstance(rest, str) else await rest
            visit.state_marks += running.mark()
        finally:
            VISITING.reset(token)
            running.calling -= 1
        return error

    def on_request(self, visit: Visit, request: Request) -> None:
        """Make a Request that a callback gave a candidate, or count why not."""
        self._discovery.request(visit, request)


_OF_PIPELINES = "pipelines gave {}, which is no item: each gives back one, or raises DropItem"


def _is_own(method: Any, general: Any) -> bool:
    return getattr(method, "__func__", None) is not general


def _store(
    visit: Visit, result: Any, given: _Given, results: Any = None, *, made: bool = False
) -> None:
    """Take an item, or refuse it alone; `made`: it is what pipelines made of one.

    A class that can have no table is an error of the spider, too: the page's other items are kept.
    """
    try:
        visit.items.append(record_of(result))
        if visit.given is not None:
            visit.given.append(result)
    except InvalidItem as problem:
        refuse(visit, result, str(problem))
    except SpiderError as problem:
        if inspect.iscoroutine(result):
            result.close()
            raise SpiderError("a coroutine is no item: is an `await` missing?") from None
        said = str(problem)
        if not isinstance(problem, NoItem):
            given.failed = given.failed or _failed(visit, problem, results)
        elif made:
            said = _OF_PIPELINES.format(type(result).__name__)
        refuse(visit, result, said)


def _failed(visit: Visit, error: BaseException, results: Any = None) -> str | None:
    """Return the traceback of what was raised; raise what is none of the spider's business.

    None for StopCrawl, which is no failure: the visit says that the crawl is to end.
    `results` is what the method gave: where a generator waits, the fault is what it yielded last.
    """
    # By its name, as its module is asyncio's: something that the spider waited for was cancelled.
    # SystemExit is an error of the page that raised it: it would end the process under the store.
    if isinstance(error, StopCrawl):
        visit.stop = visit.stop or error.reason
        return None
    mine = isinstance(error, (Exception, SystemExit))
    if not mine and type(error).__name__ != "CancelledError":
        raise error
    # An item that the callback could not even make is a row of `problems` too.
    if type(error).__name__ == "ValidationError" and hasattr(error, "errors"):
        name = str(getattr(error, "title", "item"))
        reason, value = of_pydantic(error)
        visit.problems.append((name, reason[:2000], value))
        visit.refuse(Refusal.ITEM_REFUSED)
    elif isinstance(error, InvalidItem) and hasattr(error, "as_given"):  # a LoadError
        failed: Any = error
        visit.problems.append((failed.item, failed.reason[:2000], failed.as_given()))
        visit.refuse(Refusal.ITEM_REFUSED)
    text = traceback.format_exc()
    frame = getattr(results, "gi_frame", None) or getattr(results, "ag_frame", None)
    if frame is None:
        return text
    at = f'  File "{frame.f_code.co_filename}", line {frame.f_lineno}, in {frame.f_code.co_name}\n'
    head, line, rest = text.partition("(most recent call last):\n")
    return f"{head}{line}{at}{rest}"


def _is_item(results: Iterable[Any]) -> bool:
    """Whether what can be iterated is one item: a dict, a pydantic model, or a named tuple."""
    kind = type(results)
    return isinstance(results, (Mapping, str, bytes)) or (
        hasattr(kind, "model_fields") or is_named_tuple(kind)
    )
