"""What a browser tells of a tab while a page is in it: requests, errors, dialogs, windows, frames.

Each is noted in the course of the page, or decided at once: a page waits for nobody.
"""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Coroutine, Sequence
from typing import TYPE_CHECKING, Any

from crawler.browser import scripts, storage
from crawler.browser.course import Course
from crawler.browser.devtools import DevToolsError, DevToolsSession
from crawler.browser.judge import Judge
from crawler.config.browser import BrowserSettings
from crawler.errors import FetchError
from crawler.web.outcome import Outcome
from crawler.web.refusal import Refusal
from crawler.web.rendered import Xhr

if TYPE_CHECKING:
    from crawler.browser.chromium import Chromium

_KEPT = 50_000_000  # bytes of answers in JSON that a tab keeps for us
_ANSWERS = 200  # of a page
# By name where the name tells: that costs nothing, while each request shown to us costs a turn.
_NAMES = {
    "image": ("png", "jpg", "jpeg", "gif", "webp", "avif", "svg", "ico"),
    "media": ("mp4", "webm", "ogg", "mp3", "wav", "m4a"),
    "font": ("woff", "woff2", "ttf", "otf", "eot"),
    "stylesheet": ("css",),
}
NO_DOOR = "ERR_PROXY_CONNECTION_FAILED"
"""What Chromium says where it has no way to the door: it is there, but is asked for no more."""
_BLOCKED = "inspector"  # what Chromium says of what `setBlockedURLs` has held back


class TabEvents:
    """Hears a tab, and the frames in it that have a process of their own."""

    def __init__(
        self, chromium: Chromium, cdp: DevToolsSession, judge: Judge, settings: BrowserSettings
    ) -> None:
        self._chromium, self._cdp, self._judge, self._settings = chromium, cdp, judge, settings
        self.origins: set[str] = set()
        """Which origins have stored something."""
        self._course: Course | None = None
        self._blocking: Sequence[str] | None = None
        self._keeps = re.compile("|".join(f"(?:{text})" for text in settings.xhr))
        self._tasks: set[asyncio.Task[None]] = set()

    def asked(self) -> list[Coroutine[Any, Any, Any]]:
        """Listen, and return what the tab is to be asked for that."""
        cdp = self._cdp
        cdp.on("Network.requestWillBeSent", self._sent)
        cdp.on("Network.loadingFinished", self._ended)
        cdp.on("Network.loadingFailed", self._failed)
        if self._settings.xhr:
            cdp.on("Network.responseReceived", self._received)
        cdp.on("Page.windowOpen", self._window)
        cdp.on("Fetch.requestPaused", self._paused)
        room = _KEPT if self._settings.xhr else 0  # of answers that may be asked for
        buffers = {"maxTotalBufferSize": room, "maxResourceBufferSize": room}
        return [
            *self._of_frame(cdp),
            cdp.send("Network.enable", buffers),
            cdp.send("Fetch.enable", {"patterns": self._judge.patterns(self._settings.block)}),
        ]

    def begin(self, course: Course) -> None:
        """Note in a course what is told from now on."""
        self._course = course
        self._hear(self._cdp)

    def end(self) -> None:
        """Note nothing more: the page is read."""
        self._course = None

    async def taken(self) -> None:
        """Wait until every answer that is to be kept is."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def close(self) -> None:
        """End what is under way."""
        for task in [*self._tasks]:
            task.cancel()

    async def block(self, kinds: Sequence[str]) -> None:
        """Hold back requests for some kinds of parts of a page."""
        if kinds != self._blocking:
            names = [f"*.{end}" for kind in kinds for end in _NAMES[kind]]
            names += [f"{name}?*" for name in names]
            await self._cdp.send("Network.setBlockedURLs", {"urls": names})
            self._blocking = self._judge.blocking = kinds

    def _of_frame(self, session: DevToolsSession) -> list[Coroutine[Any, Any, Any]]:
        """Return what is asked of the tab, and of each frame that has a process of its own."""
        session.on("Page.javascriptDialogOpening", lambda event: self._dialog(session, event))
        session.on("DOMStorage.domStorageItemAdded", self._stored)
        session.on("Target.attachedToTarget", self._frame_came)
        session.on("Target.detachedFromTarget", self._chromium.devtools.detached)
        self._hear(session)
        frames = {"autoAttach": True, "waitForDebuggerOnStart": True, "flatten": True}
        hidden = {"source": scripts.NO_SERVICE_WORKERS, "runImmediately": True}
        return [
            session.send("Page.enable"),
            session.send("Runtime.enable"),
            session.send("DOMStorage.enable"),
            session.send("Page.addScriptToEvaluateOnNewDocument", hidden),
            session.send("Target.setAutoAttach", {**frames, "filter": [{"type": "iframe"}]}),
        ]

    def _hear(self, session: DevToolsSession) -> None:
        session.on("Runtime.consoleAPICalled", self._wrote)
        session.on("Runtime.exceptionThrown", self._raised)

    def _frame_came(self, event: dict[str, Any]) -> None:
        self._do(self._open_frame(self._chromium.devtools.session(event["sessionId"])))

    async def _open_frame(self, session: DevToolsSession) -> None:
        calls = [*self._of_frame(session), session.send("Runtime.runIfWaitingForDebugger")]
        await asyncio.gather(*calls)

    def _stored(self, event: dict[str, Any]) -> None:
        origin = storage.origin_of(event["storageId"])
        if origin is not None:
            self.origins.add(origin)

    def _told(self, text: str) -> None:
        if self._course is not None and not self._course.error(text):  # it may write a million
            self._cdp.off("Runtime.consoleAPICalled")
            self._cdp.off("Runtime.exceptionThrown")

    def _wrote(self, event: dict[str, Any]) -> None:
        if event["type"] == "error":
            self._told(" ".join(map(_shown, event["args"])))

    def _raised(self, event: dict[str, Any]) -> None:
        """Note what a script raised, without where."""
        told = event["exceptionDetails"]
        text = _shown(told["exception"]) if "exception" in told else told["text"]
        self._told(text.partition("\n    at ")[0])

    def _sent(self, event: dict[str, Any]) -> None:
        if self._course is not None and not self._course.sent(event):
            self._blocking = None
            self._do(self._cdp.send("Network.setBlockedURLs", {"urls": ["*"]}))

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
        if event.get("errorText") == f"net::{NO_DOOR}" and course.failure is None:
            course.failure = self._chromium.lost()
        if event.get("blockedReason") == _BLOCKED:
            many = course.rendered.requests >= course.most
            reason = Refusal.BROWSER_REQUESTS if many else Refusal.BROWSER_BLOCKED
            course.rendered.refuse(reason)

    def _dialog(self, session: DevToolsSession, event: dict[str, Any]) -> None:
        """Dismiss and count it; let a page go that asks whether it may.

        During the steps Playwright does so, unless the spider answers it.
        """
        leaves = event.get("type") == "beforeunload"
        if self._course is None or not self._course.acting:
            self._do(session.send("Page.handleJavaScriptDialog", {"accept": leaves}))
        if self._course is not None and not leaves:
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
        if error is None or isinstance(error, DevToolsError):
            return
        if self._course is not None and self._course.failure is None:
            said = f"{type(error).__name__}: {error}"
            self._course.failure = FetchError(said, Outcome.INTERNAL_ERROR)

    def _paused(self, event: dict[str, Any]) -> None:
        self._do(self._judge.judge(event, self._course))

    async def _take_answer(self, course: Course, number: str) -> None:
        """Take an answer in JSON that is to be kept, before the page goes on."""
        url, status = course.answers[number]
        try:
            got = await self._cdp.send("Network.getResponseBody", {"requestId": number})
        except DevToolsError:  # its buffer was too small, or the page has gone on since
            course.rendered.refuse(Refusal.BROWSER_XHR)
            return
        text = got["body"]
        body = base64.b64decode(text) if got["base64Encoded"] else text.encode()
        course.rendered.xhr.append(Xhr(url, status, body))


def _shown(value: dict[str, Any]) -> str:
    """Return a value of a script as the console shows it."""
    if "value" in value:
        return value["value"] if isinstance(value["value"], str) else json.dumps(value["value"])
    preview, kind = value.get("preview"), value.get("description")
    if preview is not None and (kind == "Object" or value.get("subtype") == "array"):
        listed = value.get("subtype") == "array"
        told = [(each["name"], each.get("value", each["type"])) for each in preview["properties"]]
        inner = ", ".join(text if listed else f"{name}: {text}" for name, text in told)
        return f"[{inner}]" if listed else f"{{{inner}}}"
    return str(kind or value.get("unserializableValue") or value["type"])
