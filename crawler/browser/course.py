"""The course of one page in a tab: what its document answered, and what it asked for since."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from multidict import CIMultiDict

from crawler import urls
from crawler.errors import FetchError
from crawler.web.rendered import Rendered
from crawler.web.request import Request
from crawler.web.response import Response

_WAITED = frozenset({"Document", "Script", "Stylesheet", "XHR", "Fetch"})
_LATE = 5.0  # seconds after which a request is no longer waited for: a long poll
_ERRORS = 50
_LONGEST = 1000  # characters of one of them
_OF_WIRE = ("Content-Length", "Content-Encoding", "Transfer-Encoding")
_VALIDATORS = ("ETag", "Last-Modified")  # of the document, which says nothing of what it shows
_HTML = frozenset({"text/html", "application/xhtml+xml", ""})

OnBrowser = Callable[[Any, Request], Awaitable[None]]
"""What a spider does in a page that steps cannot say: it gets Playwright's page."""


@dataclass(slots=True)
class Course:
    """What happens to one request of the crawl while its page is in a tab."""

    request: Request
    rendered: Rendered
    headers: dict[str, str]
    most: int  # requests that the page may make
    may_go: Callable[[str], bool]  # whether the steps of a page may lead to a URL
    reloads_left: int
    started: float = field(default_factory=time.time)
    clock: float = field(default_factory=time.perf_counter)
    status: int | None = None
    said: CIMultiDict[str] = field(default_factory=CIMultiDict)
    reason: str = ""
    body: bytes | None = None  # of what is no page
    failure: FetchError | None = None
    asked: bool = False  # whether the first request for the document went out
    acting: bool = False  # steps are under way: the page may go elsewhere
    moved: str | None = None  # where its scripts want to lead
    on_browser: OnBrowser | None = None
    answers: dict[str, tuple[str, int]] = field(default_factory=dict)  # by id: URL and status
    fetching: dict[str, float] = field(default_factory=dict)

    # ------------------------------------------------------------ what the network tells

    def sent(self, event: dict[str, Any]) -> bool:
        """Note a request; False for the first of those that are too many."""
        if event["request"]["url"].startswith(("data:", "blob:")):
            return True
        self.rendered.requests += 1
        if event.get("type") in _WAITED:
            self.fetching[event["requestId"]] = time.monotonic()
        return self.rendered.requests != self.most

    def ended(self, event: dict[str, Any]) -> None:
        """Note the end of a request."""
        self.fetching.pop(event["requestId"], None)

    def error(self, text: str) -> bool:
        """Note what a script raised, or wrote as an error; False once there are too many."""
        errors = self.rendered.errors
        if len(errors) < _ERRORS:
            errors.append(text[:_LONGEST])
        elif len(errors) == _ERRORS:
            errors.append(f"more than {_ERRORS}: the rest is not kept")
        return len(errors) <= _ERRORS

    @property
    def busy(self) -> bool:
        """Whether anything is on its way that the page may be waiting for."""
        late = time.monotonic() - _LATE
        return any(since > late for since in self.fetching.values())

    @property
    def is_scripted(self) -> bool:
        """Whether scripts run in the page, which its server may forbid."""
        policy = self.said.get("Content-Security-Policy", "").lower()
        return "sandbox" not in policy or "allow-scripts" in policy

    # ------------------------------------------------------------ its document

    def answered(self, status: int, headers: list[dict[str, str]], reason: str = "") -> bool:
        """Note the answer to the document; whether it is a page, to be shown."""
        self.status, self.reason = status, reason
        self.said = CIMultiDict((each["name"], each["value"]) for each in headers)
        kind = self.said.get("Content-Type", "").partition(";")[0].strip().lower()
        attached = self.said.get("Content-Disposition", "").strip().lower().startswith("attachment")
        fine = 200 <= status < 300 or status in self.request.accept_status
        return fine and kind in _HTML and not attached

    def goes(self, url: str) -> bool:
        """Return whether the document may be loaded from a URL; its own once is what we asked."""
        if not self.asked:
            self.asked = True
            return True
        target = urls.parse(url)
        if target is None:
            return False
        if self.acting:
            if self.may_go(target):
                return True
        elif target == self.request.url and self.reloads_left:
            self.reloads_left -= 1
            return True
        elif self.moved is None:
            self.moved = target
        return False

    # ------------------------------------------------------------ what comes of it

    def response(self, url: str, body: bytes, *, page: bool) -> Response:
        """Return the answer; a page is what it has become, as UTF-8."""
        headers = CIMultiDict(self.said)
        for name in (*_OF_WIRE, *(_VALIDATORS if page else ())):
            headers.popall(name, None)
        elapsed = time.perf_counter() - self.clock
        self.rendered.seconds = round(elapsed, 6)
        if page:
            headers["Content-Type"] = "text/html; charset=utf-8"
            if self.moved is not None:
                headers["Refresh"] = f"0; url={self.moved}"
        return Response(
            url,
            self.status or 200,
            headers,
            body,
            self.started,
            elapsed,
            len(body),
            self.reason,
            self.rendered if page else None,
        )
