"""A session in the browser: a context with the cookies of one jar, a door of its own, and tabs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from typing import TYPE_CHECKING, Any

from crawler.browser import cookies, storage
from crawler.browser.devtools import DevToolsError, DevToolsSession
from crawler.browser.dial import Dialler
from crawler.browser.door import Door
from crawler.browser.headers import BrowserHeaders
from crawler.browser.tab import Tab
from crawler.config.layers import Config
from crawler.http.cookies import CookieJar
from crawler.markup.words import plural
from crawler.web.refusal import Refusal

if TYPE_CHECKING:
    from crawler.browser.chromium import Chromium

log = logging.getLogger("crawler")

_CLOSE = 5.0  # seconds for a context to close by itself


class BrowserSession:
    """One context. `busy` counts the pages that are in its tabs."""

    def __init__(
        self,
        config: Config,
        jar: CookieJar,
        dialler: Dialler,
        headers: BrowserHeaders,
        *,
        certificate: ssl.SSLContext | None = None,
    ) -> None:
        self._config, self._jar, self._headers = config, jar, headers
        self._door = Door(
            dialler,
            refused=lambda: jar.refuse(Refusal.BROWSER_ADDRESS),
            certificate=certificate,
        )
        self._known: cookies.Known = {}
        self._idle: list[Tab] = []
        self._front = asyncio.Lock()  # of the tab that is in front of the others
        self._context = ""
        self._origins: set[str] = set()  # that have stored something
        self._sick = False  # a tab of it did not close
        self.busy = 0

    async def open(self, chromium: Chromium, state: storage.Storage | None = None) -> None:
        """Open the context in a browser; `state` is the storage that an earlier one left."""
        self._chromium = chromium
        await self._door.open()
        async with chromium.answering():
            await self._create(chromium.devtools.root)
            chromium.watch_services()
            await storage.given(chromium.devtools, self._context, state or {})
        self._origins |= set(state or ())

    async def _create(self, root: DevToolsSession) -> None:
        proxy = {"proxyServer": f"http://127.0.0.1:{self._door.port}"}
        made = await root.send(
            "Target.createBrowserContext", {**proxy, "proxyBypassList": "<-loopback>"}
        )
        self._context = made["browserContextId"]
        place = {"browserContextId": self._context}
        await root.send("Browser.setDownloadBehavior", {"behavior": "deny", **place})
        # None, and so every other is denied: nobody would be there to ask.
        await root.send("Browser.grantPermissions", {"permissions": [], **place})

    @property
    def usable(self) -> bool:
        """Whether new pages may be opened in it."""
        return not self._sick

    async def take(self) -> Tab:
        """Return a tab that nobody uses, with the cookies of the jar."""
        async with self._chromium.answering():
            return await self._ready()

    async def _ready(self) -> Tab:
        tab = await self._any()
        fresh = cookies.to_context(self._jar, self._known)
        if fresh:
            await self._set(tab, fresh)
            for cookie in self._jar:
                self._known[cookie.identity] = cookie.value
        return tab

    async def _any(self) -> Tab:
        while self._idle:
            tab = self._idle.pop()
            if not tab.gone:
                return tab
            await tab.close()
        return await self._opened()

    async def give_back(self, tab: Tab, *, fine: bool) -> None:
        """Take a tab back, and what its page did to the cookies; close it after a failure."""
        self._origins |= tab.origins
        if fine:
            async with self._chromium.answering():
                rows = await tab.cdp.send("Network.getAllCookies")
            cookies.from_context(rows["cookies"], self._jar, self._known)
            self._idle.append(tab)
        elif not await tab.close():
            self._sick = True

    async def _opened(self) -> Tab:
        tab = Tab(
            self._chromium,
            self._door,
            headers=self._headers,
            settings=self._config.browser,
            most=self._config.fetch.max_body,
            front=self._front,
        )
        try:
            await tab.open(self._context)
        except DevToolsError:  # whatever else it can do, it is of no use
            self._chromium.give_up()
            raise
        return tab

    async def _set(self, tab: Tab, fresh: list[dict[str, Any]]) -> None:
        try:
            await tab.cdp.send("Network.setCookies", {"cookies": fresh})
        except DevToolsError:  # one that the browser does not take fails them all
            for cookie in fresh:
                with contextlib.suppress(DevToolsError):
                    await tab.cdp.send("Network.setCookies", {"cookies": [cookie]})

    async def close(self) -> storage.Storage | None:
        """Close the context; return its storage, None where it cannot be had any more."""
        found: storage.Storage = {}
        devtools, asked = self._chromium.devtools, sorted(self._origins)
        with contextlib.suppress(DevToolsError, TimeoutError):  # the browser has gone, or hangs
            async with asyncio.timeout(_CLOSE):
                if asked and not self._sick:
                    await storage.take(devtools, self._context, asked, found)
                place = {"browserContextId": self._context}
                await devtools.root.send("Target.disposeBrowserContext", place)
        if len(found) < len(asked):
            lost = len(asked) - len(found)
            log.warning("what %s had stored in the browser is lost", plural(lost, "origin"))
        await self._door.close()
        return found or None
