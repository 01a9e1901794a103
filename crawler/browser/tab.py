"""A tab: one page after the other in it, each from its navigation to the HTML that it became.

What it asks for is judged by `Judge`. No call is without an end: what hangs is `TAB_HUNG`.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
from collections.abc import Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from playwright.async_api import Error

from crawler import urls
from crawler.browser import acting, checks, frames, scripts
from crawler.browser.course import Course
from crawler.browser.headers import BrowserHeaders
from crawler.browser.judge import Judge
from crawler.config.browser import BrowserSettings
from crawler.errors import BodyTooLarge, FetchError
from crawler.web.outcome import Outcome
from crawler.web.refusal import Refusal
from crawler.web.rendered import Xhr
from crawler.web.response import Response
from crawler.web.steps import Pdf, Screenshot

if TYPE_CHECKING:
    from playwright.async_api import CDPSession, ConsoleMessage, Page

    from crawler.browser.door import Door

_FRAME = 1.0  # seconds to wait for a frame
_CLOSE = 3.0  # seconds for a tab to close by itself
_GARBAGE = 10  # pages between two collections of a tab's garbage
_KEPT = 50_000_000  # bytes of answers in JSON that a tab keeps for us
_ANSWERS = 200  # of a page
# By name where the name tells: that costs nothing, while each request shown to us costs a turn.
_NAMES = {
    "image": ("png", "jpg", "jpeg", "gif", "webp", "avif", "svg", "ico"),
    "media": ("mp4", "webm", "ogg", "mp3", "wav", "m4a"),
    "font": ("woff", "woff2", "ttf", "otf", "eot"),
    "stylesheet": ("css",),
}
_BLOCKED = "inspector"  # what Chromium says of what `setBlockedURLs` has held back
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


class Tab:
    """One tab of a context. After a failure it is not used again."""

    def __init__(
        self,
        page: Page,
        cdp: CDPSession,
        door: Door,
        *,
        headers: BrowserHeaders,
        settings: BrowserSettings,
        most: int,
        deaths: Mapping[str, int],
        front: asyncio.Lock,
    ) -> None:
        """`most` is how many bytes a page may have; `deaths` tells of which code a target died.

        `front` is held by the tab that is in front of the others of its window.
        """
        self._deaths, self._target, self._front = deaths, "", front
        self.page, self.cdp, self._door = page, cdp, door
        self._headers, self._settings, self._most = headers, settings, most
        self._course: Course | None = None
        self._crashed = asyncio.Event()
        self._frame = ""
        self._judge: Judge
        self._world: int | None = None
        self._pages = 0
        self._stuck = self._listens = False
        self._blocking: Sequence[str] | None = None
        self._keeps = re.compile("|".join(f"(?:{text})" for text in settings.xhr))
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listen to what happens in the tab."""
        cdp, page = self.cdp, self.page
        page.on("crash", lambda _: self._crashed.set())
        page.on("popup", lambda window: self._do(window.close()))  # a click may open one
        page.on("pageerror", lambda error: self._told(str(error)))
        cdp.on("Network.requestWillBeSent", self._sent)
        cdp.on("Network.loadingFinished", self._ended)
        cdp.on("Network.loadingFailed", self._failed)
        cdp.on("Page.javascriptDialogOpening", self._dialog)
        cdp.on("Page.windowOpen", self._window)
        cdp.on("Fetch.requestPaused", self._paused)
        told = await cdp.send("Target.getTargetInfo")
        self._target = told["targetInfo"]["targetId"]
        tree = await cdp.send("Page.getFrameTree")
        self._frame = tree["frameTree"]["frame"]["id"]
        room = _KEPT if self._settings.xhr else 0  # of answers that may be asked for
        buffers = {"maxTotalBufferSize": room, "maxResourceBufferSize": room}
        await cdp.send("Network.enable", buffers)
        if self._settings.xhr:
            cdp.on("Network.responseReceived", self._received)
        await cdp.send("Page.enable")
        if self._headers.open:
            await cdp.send("Network.setExtraHTTPHeaders", {"headers": self._headers.open})
        self._judge = Judge(cdp, self._frame, self._headers, self._most)
        shown = self._judge.patterns(self._settings.block)
        await cdp.send("Fetch.enable", {"patterns": shown})

    @property
    def gone(self) -> bool:
        """Whether the tab is no more."""
        return self._stuck or self._crashed.is_set() or self.page.is_closed()

    async def close(self) -> bool:
        """Close the tab; False if it does not close."""
        for task in [*self._tasks]:
            task.cancel()
        try:
            async with asyncio.timeout(_CLOSE):
                await self.page.close()
        except (Error, TimeoutError):  # it is gone, or hangs
            return self._crashed.is_set()
        return True

    # ------------------------------------------------------------ one page

    async def render(self, course: Course) -> Response:
        """Return what one request gives; FetchError names how it failed."""
        self._course = course
        self._pages += 1
        if not self._listens:
            self._listens = True
            self.page.on("console", self._wrote)
        work = asyncio.ensure_future(self._run(course))
        crash = asyncio.ensure_future(self._crashed.wait())
        try:
            await asyncio.wait(
                {work, crash},
                timeout=self._settings.page_timeout,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if work.done():
                return work.result()
            if crash.done():
                raise await self._crash()
            raise self._late(course)
        finally:
            self._course = None
            for task in (work, crash):
                task.cancel()
            await asyncio.gather(work, crash, return_exceptions=True)

    async def _crash(self) -> FetchError:
        """Return what ended the tab: a script that took all its memory, or something else."""
        await asyncio.sleep(0.05)  # the one event comes behind the other
        code = self._deaths.get(self._target)
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
        await self._block(() if pictured else self._settings.block)
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
        if course.request.steps or course.on_browser is not None:
            course.acting = True
            await acting.act(self, course)
            if course.on_browser is not None:
                await course.on_browser(self.page, course.request)
                await self.settle(course)
        return await self._read(course)

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
                    await self.cdp.send("Page.bringToFront")
                    await self.evaluate(scripts.FRAME)

    async def _still(self, course: Course, quiet: float, limit: float) -> bool:
        """Return whether the page did not change for `quiet` seconds, within `limit` ones."""
        if not course.is_scripted:  # where nothing runs, no timer of ours does
            await asyncio.sleep(quiet)
            return True
        script = scripts.call(scripts.SETTLED, quiet * 1000, limit * 1000, self._most)
        return bool(await self.evaluate(script))

    async def _read(self, course: Course) -> Response:
        settings, most = self._settings, self._most
        found = await self.evaluate(scripts.call(scripts.READ, most, settings.shadow))
        if "large" in found:
            raise BodyTooLarge(f"a page of {found['large']:,} characters, over {most:,}")
        html = found["html"]
        if settings.frames:
            before, end, behind = html.rpartition("</body>")
            told = await frames.read(self.page, course)
            html = (before or behind) + told + (end + behind if end else "")
        body = html.encode("utf-8", "replace")
        if len(body) > most:
            raise BodyTooLarge(f"a page of {len(body):,} bytes, over {most:,}")
        if self._pages % _GARBAGE == 0:
            await self.cdp.send("HeapProfiler.collectGarbage")
        if course.answers:
            await asyncio.gather(*self._tasks, return_exceptions=True)
        if settings.checks:
            self._stuck = not await checks.check(self, course)
        url = urls.parse(found["url"]) or course.request.url
        return course.response(url, body, page=True)

    async def _take_answer(self, course: Course, number: str) -> None:
        """Take an answer in JSON that is to be kept, before the page goes on."""
        url, status = course.answers[number]
        try:
            got = await self.cdp.send("Network.getResponseBody", {"requestId": number})
        except Error:  # its buffer was too small, or the page has gone on since
            course.rendered.refuse(Refusal.BROWSER_XHR)
            return
        text = got["body"]
        body = base64.b64decode(text) if got["base64Encoded"] else text.encode()
        course.rendered.xhr.append(Xhr(url, status, body))

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
            except Error as error:
                if self.gone:
                    raise await self._crash() from error
                self._world = None  # the page has gone to another document
                continue
            if "exceptionDetails" in found:
                said = found["exceptionDetails"]
                text = said.get("exception", {}).get("description") or said["text"]
                raise FetchError(f"in the page: {text:.500}", Outcome.INTERNAL_ERROR)
            return found["result"].get("value")
        try:  # that the tab died may be told later than its questions fail
            await self.cdp.send("Runtime.evaluate", {"expression": "1"})
        except Error as error:
            raise await self._crash() from error
        raise FetchError("the page keeps going elsewhere", Outcome.TOO_MANY_REDIRECTS)

    async def _block(self, kinds: Sequence[str]) -> None:
        if kinds != self._blocking:
            names = [f"*.{end}" for kind in kinds for end in _NAMES[kind]]
            names += [f"{name}?*" for name in names]
            await self.cdp.send("Network.setBlockedURLs", {"urls": names})
            self._blocking = self._judge.blocking = kinds

    def _error_of(self, text: str, url: str) -> FetchError:
        """Return what the failure of a navigation means; the door knows better than the browser."""
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        known = self._door.failures.pop((parts.hostname or "", port), None)
        if known is not None:
            return known
        name = text.removeprefix("net::")
        found = (kind for starts, kind in _ERRORS if name.startswith(starts))
        return FetchError(name, next(found, Outcome.PROTOCOL_ERROR))

    # ------------------------------------------------------------ what the tab tells

    def _told(self, text: str) -> None:
        enough = self._course is not None and not self._course.error(text)
        if enough and self._listens:  # a page may write a million
            self._listens = False
            self.page.remove_listener("console", self._wrote)

    def _wrote(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self._told(message.text)

    def _sent(self, event: dict[str, Any]) -> None:
        if self._course is not None and not self._course.sent(event):
            self._blocking = None
            self._do(self.cdp.send("Network.setBlockedURLs", {"urls": ["*"]}))

    def _received(self, event: dict[str, Any]) -> None:
        """Note an answer that is to be kept."""
        course, answer = self._course, event["response"]
        if course is None or event.get("type") not in ("XHR", "Fetch"):
            return
        if "json" not in answer["mimeType"] or not self._keeps.search(answer["url"]):
            return
        if len(course.answers) < _ANSWERS:
            course.answers[event["requestId"]] = (answer["url"], answer["status"])
        else:
            course.rendered.refuse(Refusal.BROWSER_XHR)

    def _ended(self, event: dict[str, Any]) -> None:
        if self._course is not None:
            self._course.ended(event)
            if event["requestId"] in self._course.answers:
                self._do(self._take_answer(self._course, event["requestId"]))

    def _failed(self, event: dict[str, Any]) -> None:
        course = self._course
        if course is None:
            return
        course.ended(event)
        if event.get("blockedReason") == _BLOCKED:
            many = course.rendered.requests >= course.most
            reason = Refusal.BROWSER_REQUESTS if many else Refusal.BROWSER_BLOCKED
            course.rendered.refuse(reason)

    def _dialog(self, event: dict[str, Any]) -> None:
        """Count it; the driver dismisses it, and lets a page go that asks whether it may."""
        if self._course is not None and event.get("type") != "beforeunload":
            self._course.rendered.refuse(Refusal.BROWSER_DIALOG)

    def _window(self, event: dict[str, Any]) -> None:
        """Count a window that the page asks for, whether the browser opens it or not."""
        if self._course is not None:
            self._course.rendered.refuse(Refusal.BROWSER_POPUP)

    def _do(self, call: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(call)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[Any]) -> None:
        """Let what failed in a task end the page; that the tab or a request has gone is none."""
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is None or isinstance(error, Error):
            return
        if self._course is not None and self._course.failure is None:
            said = f"{type(error).__name__}: {error}"
            self._course.failure = FetchError(said, Outcome.INTERNAL_ERROR)

    def _paused(self, event: dict[str, Any]) -> None:
        self._do(self._judge.judge(event, self._course))
