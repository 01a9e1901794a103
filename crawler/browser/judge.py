"""Judging requests that are shown to us before they go out, and documents before they are read.

So a page leads nowhere that the crawl would not go, a redirect is one for the frontier, what is
blocked is not asked for, and what is no page never reaches the browser's viewer.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from crawler import urls
from crawler.browser.course import Course
from crawler.browser.devtools import DevToolsSession
from crawler.browser.headers import BrowserHeaders, joined
from crawler.errors import BodyTooLarge, FetchError
from crawler.web.refusal import Refusal

_PIECE = 1 << 20
_TYPES = {"image": "Image", "media": "Media", "font": "Font", "stylesheet": "Stylesheet"}


class Judge:
    """What decides over the requests of one tab; `blocking` are the kinds that are not loaded."""

    def __init__(
        self, cdp: DevToolsSession, frame: str, headers: BrowserHeaders, most: int
    ) -> None:
        """`frame` is the tab's own, `most` how many bytes an answer may have."""
        self._cdp, self._frame, self._headers, self._most = cdp, frame, headers, most
        self.blocking: Sequence[str] = ()

    def patterns(self, kinds: Sequence[str]) -> list[dict[str, str]]:
        """Return which requests are shown: documents, `kinds` of parts, what takes a key."""
        shown = ["Document", *(_TYPES[name] for name in kinds)]
        found = [{"resourceType": kind, "requestStage": "Request"} for kind in shown]
        found.append({"resourceType": "Document", "requestStage": "Response"})
        return found + self._headers.patterns()

    async def judge(self, event: dict[str, Any], course: Course | None) -> None:
        """Decide about a request that is shown to us."""
        answered = "responseStatusCode" in event
        if course is None:
            await self._stop(event, "Aborted")
        elif event["resourceType"] != "Document":
            await self._judge_part(event, course)
        elif event.get("frameId") != self._frame or "responseErrorReason" in event:
            await self._go_on(event)
        elif not answered:
            await self._judge_document(event, course)
        elif not course.answered(
            event["responseStatusCode"],
            event.get("responseHeaders", []),
            event.get("responseStatusText", ""),
        ):
            await self._take(event, course)
        else:
            await self._go_on(event)

    async def _judge_part(self, event: dict[str, Any], course: Course) -> None:
        kind, url = event["resourceType"], event["request"]["url"]
        if any(_TYPES[name] == kind for name in self.blocking):
            course.rendered.refuse(Refusal.BROWSER_BLOCKED)
            await self._stop(event, "BlockedByClient")
            return
        more = self._headers.of_url(urls.parse(url) or url)
        await self._go_on(event, more)

    async def _judge_document(self, event: dict[str, Any], course: Course) -> None:
        first, url = not course.asked, event["request"]["url"]
        if not course.goes(url):
            if course.acting:
                course.rendered.refuse(Refusal.BROWSER_NAVIGATION)
            await self._stop(event, "Aborted")
            return
        more = self._headers.of_url(urls.parse(url) or url)
        if not first:
            await self._go_on(event, more)
            return
        asked = course.request
        options: dict[str, Any] = {}
        if asked.method != "GET":
            options["method"] = asked.method
            if asked.body is not None:
                options["postData"] = base64.b64encode(asked.body).decode()
        await self._go_on(event, {**more, **course.headers}, options)

    async def _take(self, event: dict[str, Any], course: Course) -> None:
        """Take an answer that is no page as it came, and end its navigation."""
        if course.acting:
            course.rendered.refuse(Refusal.BROWSER_DOWNLOAD)
            await self._stop(event, "Aborted")
            return
        try:
            course.body = b"" if 300 <= (course.status or 0) < 400 else await self._body(event)
        except FetchError as error:
            course.failure = error
        await self._stop(event, "Aborted")

    async def _body(self, event: dict[str, Any]) -> bytes:
        taken = await self._cdp.send(
            "Fetch.takeResponseBodyAsStream", {"requestId": event["requestId"]}
        )
        pieces, size = [], 0
        while True:
            part = await self._cdp.send("IO.read", {"handle": taken["stream"], "size": _PIECE})
            data = part["data"]
            pieces.append(base64.b64decode(data) if part.get("base64Encoded") else data.encode())
            size += len(pieces[-1])
            if size > self._most:
                raise BodyTooLarge(f"over the cap of {self._most:,} bytes")
            if part["eof"]:
                return b"".join(pieces)

    async def _go_on(
        self,
        event: dict[str, Any],
        more: dict[str, str] | None = None,
        options: dict[str, Any] | None = None,
    ) -> None:
        told: dict[str, Any] = {"requestId": event["requestId"], **(options or {})}
        if more:
            told["headers"] = joined(event["request"]["headers"], more)
        await self._cdp.send("Fetch.continueRequest", told)

    async def _stop(self, event: dict[str, Any], reason: str) -> None:
        told = {"requestId": event["requestId"], "errorReason": reason}
        await self._cdp.send("Fetch.failRequest", told)
