"""A session in the browser: a context with the cookies of one jar, a door of its own, and tabs."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import TYPE_CHECKING, Any

from crawler.browser import cookies
from crawler.browser.dial import Dialler
from crawler.browser.door import Door
from crawler.browser.headers import BrowserHeaders
from crawler.browser.tab import Tab
from crawler.config.layers import Config
from crawler.http.cookies import CookieJar
from crawler.web.refusal import Refusal

if TYPE_CHECKING:
    from playwright.async_api import BrowserContext

    from crawler.browser.chromium import Chromium

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
        self._context: BrowserContext
        self._sick = False  # a tab of it did not close
        self.busy = 0

    async def open(self, chromium: Chromium, state: Any = None) -> None:
        """Open the context in a browser; `state` is the storage that an earlier one left."""
        self._chromium = chromium
        await self._door.open()
        self._context = await chromium.browser.new_context(
            user_agent=self._config.agent,
            proxy={"server": f"http://127.0.0.1:{self._door.port}"},
            accept_downloads=False,
            service_workers="block",
            ignore_https_errors=not self._config.fetch.verify_tls,
            storage_state=state,
        )
        await self._context.grant_permissions([])  # and so none: nobody would be there to ask

    @property
    def usable(self) -> bool:
        """Whether new pages may be opened in it."""
        return not self._sick

    async def take(self) -> Tab:
        """Return a tab that nobody uses, with the cookies of the jar."""
        tab = self._idle.pop() if self._idle else await self._opened()
        fresh = cookies.to_context(self._jar, self._known)
        if fresh:
            await self._set(tab, fresh)
            for cookie in self._jar:
                self._known[cookie.identity] = cookie.value
        return tab

    async def give_back(self, tab: Tab, *, fine: bool) -> None:
        """Take a tab back, and what its page did to the cookies; close it after a failure."""
        if fine:
            rows = await tab.cdp.send("Network.getAllCookies")
            cookies.from_context(rows["cookies"], self._jar, self._known)
            self._idle.append(tab)
        elif not await tab.close():
            self._sick = True

    async def _opened(self) -> Tab:
        page = await self._context.new_page()
        cdp = await self._context.new_cdp_session(page)
        tab = Tab(
            page,
            cdp,
            self._door,
            headers=self._headers,
            settings=self._config.browser,
            most=self._config.fetch.max_body,
            deaths=self._chromium.deaths,
            front=self._front,
        )
        await tab.open()
        return tab

    async def _set(self, tab: Tab, fresh: list[dict[str, Any]]) -> None:
        from playwright.async_api import Error

        try:
            await tab.cdp.send("Network.setCookies", {"cookies": fresh})
        except Error:  # one that the browser does not take fails them all
            for cookie in fresh:
                with contextlib.suppress(Error):
                    await tab.cdp.send("Network.setCookies", {"cookies": [cookie]})

    async def close(self) -> Any:
        """Close the context; return its storage, None where it cannot be had any more."""
        state = None
        with contextlib.suppress(Exception):  # the driver, or the browser, has gone
            async with asyncio.timeout(_CLOSE):
                state = None if self._sick else await self._context.storage_state()
                await self._context.close()
        await self._door.close()
        return state
