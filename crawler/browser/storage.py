"""The local storage of a context: taken before it is closed, and given to the one that follows.

It is reached only from a document of its origin. One is given to the browser in place of an answer,
so nothing is asked of any host.
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

from crawler.browser import scripts
from crawler.browser.devtools import DevTools, DevToolsSession

Storage = dict[str, dict[str, str]]
"""What is stored, by origin."""

_EMPTY = base64.b64encode(b"<!doctype html>").decode()


def origin_of(place: dict[str, Any]) -> str | None:
    """Return the origin of what the browser tells a storage by, None for one part of an origin."""
    key = str(place.get("storageKey") or place.get("securityOrigin", ""))
    return None if "^" in key or not place.get("isLocalStorage") else key.rstrip("/")


async def take(devtools: DevTools, context: str, origins: Iterable[str], found: Storage) -> None:
    """Put into `found`, one after the other, what documents of some origins have stored."""
    async with _blank(devtools, context) as cdp:
        for origin in origins:
            found[origin] = await _at(cdp, origin, scripts.STORED) or {}


async def given(devtools: DevTools, context: str, storage: Storage) -> None:
    """Store in a context what was taken from another."""
    if not storage:
        return
    async with _blank(devtools, context) as cdp:
        for origin, stored in storage.items():
            await _at(cdp, origin, scripts.call(scripts.STORE, stored))


async def _at(cdp: DevToolsSession, origin: str, expression: str) -> Any:
    """Return what an expression gives in a document of an origin, None where it fails."""
    await cdp.send("Page.navigate", {"url": f"{origin}/"})
    told = {"expression": expression, "returnByValue": True}
    found = await cdp.send("Runtime.evaluate", told)
    return None if "exceptionDetails" in found else found["result"].get("value")


@contextlib.asynccontextmanager
async def _blank(devtools: DevTools, context: str) -> AsyncIterator[DevToolsSession]:
    """Open a tab in which every request is answered with an empty document."""
    place = {"url": "about:blank", "browserContextId": context}
    target = (await devtools.root.send("Target.createTarget", place))["targetId"]
    cdp = await devtools.attached(target)
    cdp.on("Fetch.requestPaused", _answers(cdp))
    await cdp.send("Fetch.enable")
    try:
        yield cdp
    finally:
        await devtools.root.send("Target.closeTarget", {"targetId": target})


def _answers(cdp: DevToolsSession) -> Callable[[dict[str, Any]], None]:
    kind = [{"name": "Content-Type", "value": "text/html"}]

    def answer(event: dict[str, Any]) -> None:
        told = {"requestId": event["requestId"], "responseCode": 200, "body": _EMPTY}
        cdp.post("Fetch.fulfillRequest", {**told, "responseHeaders": kind})

    return answer
