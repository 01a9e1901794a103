"""What a spider lists in `pipelines` and `hooks`: how each is made, called, opened and closed."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from crawler.errors import SpiderError, SpiderFailed, StopCrawl
from crawler.web.error_place import error_line

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


async def open_all(things: Sequence[Any], crawl: RunningCrawl) -> None:
    """Let each open what it needs, in order; SpiderFailed tells where one raised."""
    for thing in things:
        if not hasattr(thing, "open"):
            continue
        try:
            answer = thing.open(crawl)
            if inspect.isawaitable(answer):
                await answer
        except StopCrawl:
            raise
        except (Exception, SystemExit) as error:
            line = error_line(traceback.format_exc()) or str(error)
            raise SpiderFailed(f"{name_of(thing)}.open() failed: {line}") from error


async def close_all(things: Sequence[Any], timeout: float) -> dict[str, str]:
    """Let each close what it has, the last one first; return the tracebacks by `name.close()`.

    Each has `timeout` seconds for what it awaits.
    """
    failed = {}
    for thing in reversed(things):
        if not hasattr(thing, "close"):
            continue
        import asyncio  # only where something is closed: most spiders need no event loop

        try:
            answer = thing.close()
            if inspect.isawaitable(answer):
                async with asyncio.timeout(timeout):
                    await answer
        except (Exception, SystemExit):
            failed[f"{name_of(thing)}.close()"] = traceback.format_exc()
    return failed
