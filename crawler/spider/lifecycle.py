"""How a spider is opened, started and closed, and so what it lists in `pipelines` and `hooks`."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from crawler.errors import SpiderError, SpiderFailed, StopCrawl
from crawler.web.error_place import error_line, own_line

if TYPE_CHECKING:
    from crawler.spider import Spider
    from crawler.spider.running import RunningCrawl


def name_of(thing: Any) -> str:
    """Return what a pipeline or hook is called in messages: its own name, or its class's."""
    return str(getattr(thing, "__name__", type(thing).__name__))


def made(thing: Any, spider: Spider, field: str) -> Any:
    """Return an entry of `field`, made where it is a class; SpiderError where that cannot be."""
    if not isinstance(thing, type):
        return thing
    try:
        return thing()
    except TypeError as error:
        raise SpiderError(
            f"{spider.name}: {thing.__name__} in `{field}` cannot be made without arguments"
            f" ({error}); name one that is made: {field} = [{thing.__name__}(…)]"
        ) from None


def takes(
    call: Any, given: Sequence[str], *, skip: int, spider: Spider, what: str, gets: str
) -> tuple[str, ...]:
    """Return what of `given` a call takes by the names of its parameters, behind the first `skip`.

    SpiderError for a parameter of another name that has no default.
    """
    try:
        parameters = list(inspect.signature(call).parameters.values())
    except (TypeError, ValueError):
        return ()
    named = [one for one in parameters if one.kind is not one.VAR_KEYWORD]
    skip = 0 if any(one.kind is one.VAR_POSITIONAL for one in named[:skip]) else skip
    named = [one for one in named[skip:] if one.kind is not one.VAR_POSITIONAL]
    for one in named:
        if one.name not in given and one.default is one.empty:
            raise SpiderError(
                f"{spider.name}: {what} takes {one.name!r}; it gets {gets}, and by name what it"
                f" takes of {', '.join(given)}"
            )
    return tuple(one.name for one in named if one.name in given)


async def start_requests(spider: Spider) -> AsyncIterator[Any]:
    """Yield what `start` gives, asynchronous or not; what it raises is raised as it is.

    But for SystemExit, which would end the process under the store: SpiderFailed tells of it.
    """
    try:
        async for request in _started(spider):
            yield request
    except SystemExit as error:
        line = own_line(error) or f"SystemExit: {error}"
        raise SpiderFailed(f"{spider.name}.start() failed: {line}") from error


async def _started(spider: Spider) -> AsyncIterator[Any]:
    started: Any = spider.start()
    if inspect.isawaitable(started):
        started = await started
    if started is None:
        raise SpiderError(f"{spider.name}.start() gave None; is a `yield` or a `return` missing?")
    if isinstance(started, AsyncIterable):
        async for request in started:
            yield request
    elif isinstance(started, Iterable):
        for request in started:
            yield request
    else:
        raise SpiderError(f"{spider.name}.start() gave {started!r:.80}; `yield` it, or give a list")


async def open_spider(spider: Spider) -> None:
    """Call `opened` of a spider, `async def` or not; SpiderFailed tells where it raised."""
    await _opened(spider.opened, f"{spider.name}.opened()")


async def open_all(things: Sequence[Any], crawl: RunningCrawl) -> None:
    """Let each open what it needs, in order; SpiderFailed tells where one raised."""
    for thing in things:
        if hasattr(thing, "open"):
            await _opened(partial(thing.open, crawl), f"{name_of(thing)}.open()")


async def _opened(call: Callable[[], Any], what: str) -> None:
    try:
        answer = call()
        if inspect.isawaitable(answer):
            await answer
    except StopCrawl:
        raise
    except (Exception, SystemExit) as error:
        line = error_line(traceback.format_exc()) or str(error)
        raise SpiderFailed(f"{what} failed: {line}") from error


async def close_spider(spider: Spider, reason: str, timeout: float) -> str | None:
    """Call `closed` of a spider, `async def` or not; return the traceback where it raises."""
    return await _closed(lambda: spider.closed(reason), timeout)


async def close_all(things: Sequence[Any], timeout: float) -> dict[str, str]:
    """Let each close what it has, the last one first; return the tracebacks by `name.close()`.

    Each has `timeout` seconds for what it awaits.
    """
    failed = {}
    for thing in reversed(things):
        if hasattr(thing, "close") and (error := await _closed(thing.close, timeout)) is not None:
            failed[f"{name_of(thing)}.close()"] = error
    return failed


async def _closed(call: Callable[[], Any], timeout: float) -> str | None:
    import asyncio  # only where something is closed: most spiders need no event loop

    try:
        answer = call()
        if inspect.isawaitable(answer):
            async with asyncio.timeout(timeout):
                await answer
    except (Exception, SystemExit):
        return traceback.format_exc()
    return None
