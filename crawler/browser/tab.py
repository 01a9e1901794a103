"""A tab: one page after the other in it, each from its navigation to the HTML that it became.

What is told of it meanwhile is heard by `TabEvents`, what it asks for is judged by `Judge`. No call
is without an end: what hangs is `TAB_HUNG`.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from crawler import urls
from crawler.browser import checks, scripts
from crawler.browser.course import Course
from crawler.browser.devtools import DevToolsError, DevToolsSession
from crawler.browser.headers import BrowserHeaders
from crawler.browser.judge import Judge
from crawler.browser.tab_events import NO_DOOR, TabEvents
from crawler.config.browser import BrowserSettings
from crawler.errors import BodyTooLarge, FetchError
from crawler.web.outcome import Outcome
from crawler.web.refusal import Refusal
from crawler.web.response import Response
from crawler.web.steps import Pdf, Screenshot

if TYPE_CHECKING:
    from playwright.async_api import Page

    from crawler.browser.chromium import Chromium
    from crawler.browser.door import Door

_FRAME = 1.0  # seconds to wait for a frame
_CLOSE = 3.0  # seconds for a tab to close by itself
_GARBAGE = 10  # pages between two collections of a tab's garbage
# What a renderer dies of where memory ends: V8 by an illegal instruction or a trap, others killed.
_OUT_OF_MEMORY = frozenset({4, 5, 9})
_ERRORS = (
    (("ERR_CERT", "ERR_SSL", "ERR_BAD_SSL"), Outcome.TLS_ERROR),
    (("ERR_NAME_",), Outcome.DNS_ERROR),
    (("ERR_TIMED_OUT", "ERR_CONNECTION_TIMED_OUT"), Outcome.TIMEOUT),
    (("ERR_PROXY", "ERR_SOCKS", "ERR_TUNNEL"), Outcome.PROXY_ERROR),
    (("ERR_TOO_MANY_REDIRECTS",), Outcome.TOO_MANY_REDIRECTS),
    (("ERR_CONNECTION", "ERR_EMPTY", "ERR_ADDRESS", "ERR_NETWORK"), Outcome.CONNECT_ERROR),
    (("ERR_CONTENT_DECODING",), Outcome.BAD_CODING),
)
_SCREEN = {"width": 1280, "height": 720, "deviceScaleFactor": 1, "mobile": False}
_MEDIA = [{"name": "prefers-color-scheme", "value": "light"}]


class Tab:
    """One tab of a context. After a failure it is not used again."""

    def __init__(
        self,
        chromium: Chromium,
        door: Door,
        *,
        headers: BrowserHeaders,
        settings: BrowserSettings,
        most: int,
        front: asyncio.Lock,
    ) -> None:
        """`most` is how many bytes a page may have.

        `front` is held by the tab that is in front of the others of its window.
        """
        self._chromium, self._door, self._front = chromium, door, front
        self._headers, self._settings, self._most = headers, settings, most
        self.cdp: DevToolsSession
        self._events: TabEvents
        self._context = self._target = self._frame = ""
        self._code: int | None = None  # of which it crashed
        self._world: int | None = None
        self._pages = 0
        self._stuck = self._is_open = False

    async def open(self, context: str) -> None:
        """Open the tab in a context, and listen to what happens in it."""
        devtools, self._context = self._chromium.devtools, context
        place = {"url": "about:blank", "browserContextId": context}
        made = await devtools.root.send("Target.createTarget", place)
        self._target = self._frame = made["targetId"]  # a page's first frame has its id
        self._chromium.deaths[self._target] = self._died
        self.cdp = cdp = await devtools.attached(self._target)
        self._is_open = True
        if self._code is not None:
            raise DevToolsError("the tab died as it opened")
        judge = Judge(cdp, self._frame, self._headers, self._most)
        self._events = TabEvents(self._chromium, cdp, judge, self._settings)
        calls = [
            *self._events.asked(),
            cdp.send("Emulation.setDeviceMetricsOverride", _SCREEN),
            cdp.send("Emulation.setEmulatedMedia", {"features": _MEDIA}),
            cdp.send("Emulation.setFocusEmulationEnabled", {"enabled": True}),
        ]
        if self._headers.open:
            more = {"headers": self._headers.open}
            calls.append(cdp.send("Network.setExtraHTTPHeaders", more))
        await asyncio.gather(*calls)

    @property
    def origins(self) -> set[str]:
        """Which origins have stored something in it."""
        return self._events.origins

    @property
    def gone(self) -> bool:
        """Whether the tab is no more."""
        return self._stuck or self.cdp.gone.is_set()

    async def close(self) -> bool:
        """Close the tab; False if it does not close."""
        self._chromium.deaths.pop(self._target, None)
        self._events.close()
        try:
            async with asyncio.timeout(_CLOSE):
                root = self._chromium.devtools.root
                await root.send("Target.closeTarget", {"targetId": self._target})
                await self.cdp.gone.wait()
        except (DevToolsError, TimeoutError):  # it is gone, or hangs
            return self.cdp.gone.is_set()
        return True

    # ------------------------------------------------------------ one page

    async def render(self, course: Course) -> Response:
        """Return what one request gives; FetchError names how it failed."""
        self._events.begin(course)
        self._pages += 1
        work = asyncio.ensure_future(self._run(course))
        crash = asyncio.ensure_future(self.cdp.gone.wait())
        try:
            await asyncio.wait(
                {work, crash},
                timeout=self._settings.page_timeout,
                return_when=asyncio.FIRST_COMPLETED,
            )
            gone = self.cdp.gone.is_set()
            if work.done() and not (gone and work.exception()):
                return work.result()
            if gone:
                raise self._crash()
            raise self._late(course)
        finally:
            self._events.end()
            for task in (work, crash):
                task.cancel()
            await asyncio.gather(work, crash, return_exceptions=True)

    def _crash(self) -> FetchError:
        """Return what ended the tab: a script that took all its memory, or something else."""
        code = self._code
        if code in _OUT_OF_MEMORY:
            return FetchError("its scripts took too much memory", Outcome.TAB_OUT_OF_MEMORY)
        return FetchError(f"the tab crashed (code {code})", Outcome.TAB_CRASHED)

    def _late(self, course: Course) -> FetchError:
        seconds = self._settings.page_timeout
        if course.status is None:
            return FetchError(f"no answer after {seconds:g} s", Outcome.TIMEOUT)
        return FetchError(
            f"its scripts still run after {seconds:g} s (browser.page_timeout)", Outcome.TAB_HUNG
        )

    async def _run(self, course: Course) -> Response:
        pictured = any(isinstance(step, Screenshot | Pdf) for step in course.request.steps)
        await self._events.block(() if pictured else self._settings.block)
        url = course.request.url
        told = await self.cdp.send("Page.navigate", {"url": url})
        if course.failure is not None:
            raise course.failure
        if course.body is not None:
            return course.response(url, course.body, page=False)
        if "errorText" in told:
            if course.status in (204, 205):
                return course.response(url, b"", page=False)
            if course.moved is None:
                raise self._error_of(told["errorText"], url)
        self._world = None
        if course.is_scripted:
            await self.show()
        await self.settle(course)
        if not (course.request.steps or course.on_browser or self._settings.frames):
            return await self._read(course)
        async with self._chromium.guests.page(self._target, self._context) as page:
            return await self._act(course, page)

    async def _act(self, course: Course, page: Page) -> Response:
        """Do in a page what takes Playwright, then read it."""
        if course.request.steps or course.on_browser is not None:
            from crawler.browser import acting

            course.acting = True
            await acting.act(self, page, course)
            if course.on_browser is not None:
                await course.on_browser(page, course.request)
                await self.settle(course)
        if not self._settings.frames:
            return await self._read(course)
        from crawler.browser import frames

        return await self._read(course, await frames.read(page, course))

    async def settle(self, course: Course) -> None:
        """Wait until the page is at rest, or as long as that may take."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._settings.settle_timeout
        quiet = self._settings.settle
        while (left := until - loop.time()) > 0:
            if await self._still(course, quiet, left) and not course.busy:
                return
            if course.busy:
                await asyncio.sleep(0.05)
        course.rendered.refuse(Refusal.BROWSER_UNSETTLED)

    async def show(self) -> None:
        """Bring the tab to the front for a frame: what waits to come into view hears of it so.

        A tab behind others gets hardly any, and so costs half of what one in front does.
        """
        async with self._front:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_FRAME):
                    front = self.cdp.send("Page.bringToFront")
                    await asyncio.gather(front, self.evaluate(scripts.FRAME))

    async def _still(self, course: Course, quiet: float, limit: float) -> bool:
        """Return whether the page did not change for `quiet` seconds, within `limit` ones."""
        if not course.is_scripted:  # where nothing runs, no timer of ours does
            await asyncio.sleep(quiet)
            return True
        script = scripts.call(scripts.SETTLED, quiet * 1000, limit * 1000, self._most)
        return bool(await self.evaluate(script))

    async def _read(self, course: Course, inner: str = "") -> Response:
        """Return the page as it stands; `inner` is put at its end."""
        settings, most = self._settings, self._most
        found = await self.evaluate(scripts.call(scripts.READ, most, settings.shadow))
        if "large" in found:
            raise BodyTooLarge(f"a page of {found['large']:,} characters, over {most:,}")
        html = found["html"]
        if inner:
            before, end, behind = html.rpartition("</body>")
            html = (before or behind) + inner + (end + behind if end else "")
        body = html.encode("utf-8", "replace")
        if len(body) > most:
            raise BodyTooLarge(f"a page of {len(body):,} bytes, over {most:,}")
        if self._pages % _GARBAGE == 0:
            await self.cdp.send("HeapProfiler.collectGarbage")
        if course.answers:
            await self._events.taken()
        if settings.checks:
            self._stuck = not await checks.check(self, course)
        if course.failure is not None:
            raise course.failure
        url = urls.parse(found["url"]) or course.request.url
        return course.response(url, body, page=True)

    async def evaluate(self, expression: str) -> Any:
        """Return what an expression gives in our world of the page; anew after a navigation."""
        for _ in range(3):
            try:
                if self._world is None:
                    made = await self.cdp.send(
                        "Page.createIsolatedWorld", {"frameId": self._frame, "worldName": "crawl"}
                    )
                    self._world = made["executionContextId"]
                found = await self.cdp.send(
                    "Runtime.evaluate",
                    {
                        "expression": expression,
                        "contextId": self._world,
                        "awaitPromise": True,
                        "returnByValue": True,
                    },
                )
            except DevToolsError as error:
                if self.gone:
                    raise self._crash() from error
                self._world = None  # the page has gone to another document
                continue
            if "exceptionDetails" in found:
                said = found["exceptionDetails"]
                text = said.get("exception", {}).get("description") or said["text"]
                raise FetchError(f"in the page: {text:.500}", Outcome.INTERNAL_ERROR)
            return found["result"].get("value")
        try:  # that the tab died may be told later than its questions fail
            await self.cdp.send("Runtime.evaluate", {"expression": "1"})
        except DevToolsError as error:
            raise self._crash() from error
        raise FetchError("the page keeps going elsewhere", Outcome.TOO_MANY_REDIRECTS)

    def _error_of(self, text: str, url: str) -> FetchError:
        """Return what the failure of a navigation means; the door knows better than the browser."""
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        known = self._door.failures.pop((parts.hostname or "", port), None)
        if known is not None:
            return known
        name = text.removeprefix("net::")
        if name == NO_DOOR:
            return self._chromium.lost()
        found = (kind for starts, kind in _ERRORS if name.startswith(starts))
        return FetchError(name, next(found, Outcome.PROTOCOL_ERROR))

    def _died(self, code: int) -> None:
        self._code = code
        if self._is_open:
            self.cdp.end()  # nobody is there to answer
