"""Tell a test as a story: a fresh practice site and a client whose cookies work on loopback."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp

from crawler.practice import PracticeSite

Story = Callable[..., Awaitable[None]]


def on_site(**options: Any) -> Callable[[Story], Callable[..., None]]:
    """Run `story(site, client, **case)` on a site with these options, as a plain test."""

    def decorate(story: Story) -> Callable[..., None]:
        def test(**case: Any) -> None:
            asyncio.run(_tell(story, options, case))

        test.__doc__ = story.__doc__
        parameters = list(inspect.signature(story).parameters.values())[2:]
        test.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return test

    return decorate


async def ask(
    client: aiohttp.ClientSession, method: str, path: str, **options: Any
) -> aiohttp.ClientResponse:
    """The answer with its body read and its connection given back."""
    async with client.request(method, path, **options) as answer:
        await answer.read()
        return answer


async def body_of(client: aiohttp.ClientSession, path: str) -> bytes:
    """The bytes that a GET of `path` is answered with."""
    async with client.get(path) as answer:
        return await answer.read()


async def _tell(story: Story, options: dict[str, Any], case: dict[str, Any]) -> None:
    jar = aiohttp.CookieJar(unsafe=True)
    async with (
        PracticeSite(**options) as site,
        aiohttp.ClientSession(site.url, cookie_jar=jar) as client,
    ):
        await asyncio.wait_for(story(site, client, **case), 30)
