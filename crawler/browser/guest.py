"""Playwright as a guest in a tab of ours: for the steps and spiders that want its page.

Its driver starts with the first that does. It comes over a WebSocket on loopback, by a path that
only it knows and once, and is shown a browser of one context with one page: the tab. So it hears,
and costs, nothing of other tabs, and one that needs no Playwright runs none.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import msgspec
from aiohttp import WSMsgType, web

from crawler.browser.devtools import DevTools, DevToolsError, DevToolsMessage, content_of, encode

if TYPE_CHECKING:
    from playwright.async_api import Page, Playwright

_CLOSE = 5.0  # seconds for the driver to end by itself
_LARGEST = 256 << 20  # bytes of a message: pictures and PDF files
_NOTHING = msgspec.Raw(b"{}")


class Guests:
    """What lets Playwright into tabs; nothing runs before the first time."""

    def __init__(self, devtools: DevTools, place: Path) -> None:
        """`place` is where the driver keeps its files."""
        self._devtools, self._place = devtools, place
        self._expected: dict[str, _Guest] = {}
        self._turn = asyncio.Lock()  # of who starts the driver
        self._playwright: Playwright | None = None
        self._runner: web.AppRunner | None = None
        self._port = 0

    @contextlib.asynccontextmanager
    async def page(self, target: str, context: str) -> AsyncIterator[Page]:
        """Let Playwright into a tab, the target of a context; it leaves at the end."""
        async with self._turn:
            playwright = self._playwright or await self._start()
        guest = _Guest(self._devtools, target, context)
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_exit(partial(self._failed, guest, playwright))
            yield await stack.enter_async_context(self._let_in(guest, playwright))

    async def _failed(
        self,
        guest: _Guest,
        playwright: Playwright,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Raise what Playwright says as an error of the browser, and end a driver that died.

        Where the driver died, Playwright raises a plain Exception.
        """
        from playwright.async_api import Error

        if not isinstance(error, Exception):
            return
        died = guest.driver_died if guest.came else type(error) is Exception
        if died:
            await self._stop(playwright)
        if died or isinstance(error, Error):
            raise DevToolsError(str(error).partition("\n")[0]) from error

    @contextlib.asynccontextmanager
    async def _let_in(self, guest: _Guest, playwright: Playwright) -> AsyncIterator[Page]:
        key = secrets.token_urlsafe(32)
        self._expected[key] = guest
        try:
            place = f"ws://127.0.0.1:{self._port}/{key}"
            browser = await playwright.chromium.connect_over_cdp(place)
        finally:
            self._expected.pop(key, None)
        guest.came = True
        try:
            yield browser.contexts[0].pages[0]
        finally:
            guest.driver_died = guest.has_left  # before it is asked to
            if not guest.has_left:
                with contextlib.suppress(Exception):  # it goes just now
                    async with asyncio.timeout(_CLOSE):
                        await browser.close()

    async def close(self) -> None:
        """End the driver, and listen no more."""
        if self._playwright is not None:
            await self._stop(self._playwright)
        if self._runner is not None:
            await self._runner.cleanup()

    async def _stop(self, playwright: Playwright) -> None:
        """End a driver; the next guest has another."""
        if self._playwright is playwright:
            self._playwright = None
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_CLOSE):
                await playwright.stop()

    async def _start(self) -> Playwright:
        from playwright.async_api import async_playwright

        if self._runner is None:
            await self._listen()
        before = os.environ.get("TMPDIR")
        os.environ["TMPDIR"] = str(self._place)  # the driver inherits it as it starts
        try:
            self._playwright = await async_playwright().start()
        finally:
            os.environ.pop("TMPDIR")
            if before is not None:
                os.environ["TMPDIR"] = before
        return self._playwright

    async def _listen(self) -> None:
        application = web.Application()
        application.router.add_get("/{key}", self._serve)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        guest = self._expected.pop(request.match_info["key"], None)
        if guest is None or "Origin" in request.headers:  # no page of a browser comes in
            raise web.HTTPNotFound
        socket = web.WebSocketResponse(compress=False, max_msg_size=_LARGEST)
        await socket.prepare(request)
        await guest.serve(socket)
        return socket


class _Guest:
    """One connection: what it asks of its tab is passed on, what it asks of the browser is its own.

    Invariant: it is answered with its own numbers, and hears of no session but those of its tab.
    """

    def __init__(self, devtools: DevTools, target: str, context: str) -> None:
        self._devtools = devtools
        self.came = self.has_left = self.driver_died = False
        self._target, self._context = target, context
        self._asked: dict[int, int] = {}
        self._own: set[str] = set()  # sessions
        self._told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, socket: web.WebSocketResponse) -> None:
        """Serve it until it leaves."""
        telling = asyncio.create_task(self._tell(socket))
        try:
            async for each in socket:
                if each.type is WSMsgType.TEXT:
                    self._hear(msgspec.json.decode(each.data, type=DevToolsMessage))
        finally:
            self.has_left = True
            for task in (telling, *self._tasks):
                task.cancel()
            await asyncio.gather(telling, *self._tasks, return_exceptions=True)
            await self._leave()

    async def _leave(self) -> None:
        for number in self._own:
            self._devtools.forget(number)
        for number in self._own:
            with contextlib.suppress(DevToolsError):
                await self._devtools.root.send("Target.detachFromTarget", {"sessionId": number})

    async def _tell(self, socket: web.WebSocketResponse) -> None:
        while True:
            await socket.send_str(encode(await self._told.get()).decode())

    # ------------------------------------------------------------ from the guest

    def _hear(self, message: DevToolsMessage) -> None:
        if not message.sessionId:
            task = asyncio.create_task(self._answer(message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return
        if message.sessionId not in self._own:
            self._refuse(message, "no session of yours")
            return
        number = self._devtools.number()
        self._asked[number] = message.id
        told = {"id": number, "sessionId": message.sessionId, "method": message.method}
        try:
            self._devtools.write({**told, "params": message.params or _NOTHING})
        except DevToolsError as error:
            self._refuse(message, str(error))

    async def _answer(self, message: DevToolsMessage) -> None:
        """Answer what is asked of the browser."""
        try:
            result = await self._asked_of_browser(message.method, content_of(message.params))
        except DevToolsError as error:
            self._refuse(message, str(error))
            return
        self._told.put_nowait({"id": message.id, "result": result})

    async def _asked_of_browser(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        root = self._devtools.root
        if method == "Target.setAutoAttach":
            await self._show(self._target)
            return {}
        if method in ("Browser.setDownloadBehavior", "Browser.close"):
            return {}
        if method.startswith(("Storage.", "Browser.")) or method == "Target.createTarget":
            params.setdefault("browserContextId", self._context)
        answer = await root.send(method, params)
        if method == "Target.createTarget":
            await self._show(answer["targetId"])
        elif method == "Target.attachToBrowserTarget":
            self._take_in(answer["sessionId"])
        return answer

    async def _show(self, target: str) -> None:
        """Attach the guest to a tab, and let it believe that it found it."""
        root = self._devtools.root
        told = await root.send("Target.getTargetInfo", {"targetId": target})
        made = await root.send("Target.attachToTarget", {"targetId": target, "flatten": True})
        self._take_in(made["sessionId"], target)
        event = {**made, **told, "waitingForDebugger": False}
        self._told.put_nowait({"method": "Target.attachedToTarget", "params": event})

    def _refuse(self, message: DevToolsMessage, text: str) -> None:
        told: dict[str, Any] = {"id": message.id, "error": {"code": -32000, "message": text}}
        if message.sessionId:
            told["sessionId"] = message.sessionId
        self._told.put_nowait(told)

    # ------------------------------------------------------------ from the browser

    def _take_in(self, number: str, target: str = "") -> None:
        self._own.add(number)
        self._devtools.lead(number, _Ours(self, number, target))

    def take(self, message: DevToolsMessage) -> None:
        """Pass on what one of the guest's sessions says."""
        told: dict[str, Any] = {"sessionId": message.sessionId}
        if message.id:
            number = self._asked.pop(message.id, None)
            if number is None:
                return
            told["id"] = number
            if message.error:
                told["error"] = message.error
            else:
                told["result"] = message.result or _NOTHING
        else:
            if message.method == "Target.attachedToTarget":
                self._take_in(content_of(message.params)["sessionId"])
            told |= {"method": message.method, "params": message.params or _NOTHING}
        self._told.put_nowait(told)

    def ended(self, number: str, target: str) -> None:
        """Note that a session has ended, for the guest to hear."""
        event = {"sessionId": number, "targetId": target}
        self._told.put_nowait({"method": "Target.detachedFromTarget", "params": event})


class _Ours:
    """What hears one session of a guest."""

    def __init__(self, guest: _Guest, number: str, target: str) -> None:
        self._guest, self._number, self._target = guest, number, target
        self.take = guest.take

    def end(self) -> None:
        """Hear that there will be no more."""
        self._guest.ended(self._number, self._target)
