"""Pages that a browser renders: `Browser.render` takes a request and gives a response.

Light to import: the browser comes with the first page, Playwright, an extra, with the first that
has steps or is for `on_browser`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from crawler.browser.devtools import DevToolsError
from crawler.config.browser import BrowserSettings
from crawler.config.layers import Config
from crawler.errors import ConfigError, FetchError
from crawler.http.address_guard import AddressGuard
from crawler.http.cookies import CookieJars
from crawler.web.download_stream import address_of
from crawler.web.need_note import NeedNote
from crawler.web.outcome import Outcome
from crawler.web.rendered import PageFile, Rendered
from crawler.web.request import Request
from crawler.web.response import Response

if TYPE_CHECKING:
    import ssl

    from crawler.browser.auto import Auto
    from crawler.browser.chromium import Chromium
    from crawler.browser.course import OnBrowser
    from crawler.browser.dial import Dialler
    from crawler.browser.headers import BrowserHeaders
    from crawler.browser.session import BrowserSession


def require(settings: BrowserSettings) -> None:
    """Do nothing where what the settings ask for is there; ConfigError says what is missing.

    What a spider may ask for by itself is looked for when it does.
    """
    if settings.mode in ("auto", "always") or settings.checks:
        from crawler.browser import finding

        finding.required(settings)
        finding.required_checks(settings)


class _Start:
    """Names what keeps the browser from starting as the outcome of a page."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ConfigError):
            raise FetchError(str(error), Outcome.SPIDER_ERROR, final=True) from error
        if isinstance(error, DevToolsError | OSError):
            said = str(error).partition("\n")[0]
            told = f"the browser did not start: {said:.300}"
            raise FetchError(told, Outcome.TAB_CRASHED) from error


def _stays(request: Request) -> Callable[[str], bool]:
    """Return whether a URL is of the origin of a request."""
    from crawler import urls

    host = urls.host_of(request.url)
    return lambda url: urls.host_of(url) == host


def _auto(needs: Iterable[NeedNote]) -> Auto:
    from crawler.browser.auto import Auto

    return Auto(needs)


class Browser:
    """One browser for a crawl: its process, a session for each jar, tabs. Opened when first asked.

    Invariant: a page is in at most one tab, and at most `browser.tabs` of them are in any.
    """

    def __init__(
        self,
        config: Config,
        guard: AddressGuard,
        jars: CookieJars,
        *,
        files: Path | None = None,
        needs: Iterable[NeedNote] = (),
        on_browser: OnBrowser | None = None,
    ) -> None:
        """`files` is where pictures of pages go, `needs` what `auto` has learnt before.

        `on_browser` is called with Playwright's page, when the steps of a request are taken.
        """
        self._files, self._on_browser = files, on_browser
        self._replays = config.cache.mode == "replay"
        self.auto = _auto(needs) if config.browser.mode == "auto" else None
        self._config, self._guard, self._jars = config, guard, jars
        self._settings = config.browser
        self._tabs = asyncio.Semaphore(self._settings.tabs)
        self._turn = asyncio.Lock()  # of who opens or closes a process or a session
        self._chromium: Chromium | None = None
        self._sessions: dict[str, BrowserSession] = {}
        self._storage: dict[str, Any] = {}  # of sessions that were closed
        self._dialler: Dialler | None = None
        self._headers: BrowserHeaders | None = None
        self._certificate: ssl.SSLContext | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._close()

    def takes(self, request: Request) -> str | None:
        """Return why a request is one for the browser, None where it is not."""
        if self._replays:  # what was rendered is in the cache
            return None
        if request.browser:
            told = (request.options or {}).get("auto")
            return told["why"] if told else "asked"
        if request.kind or request.via or request.method != "GET":
            return None
        if self.auto is not None:
            return self.auto.takes(request)
        return "always" if self._settings.mode == "always" else None

    async def render(
        self, request: Request, may_go: Callable[[str], bool] | None = None, *, why: str = "asked"
    ) -> Response:
        """Return the response with what a page's scripts made of it; FetchError otherwise.

        `may_go`: whether the steps of a page may lead to a URL; None: to its own origin.
        """
        if self._settings.mode == "off":
            raise FetchError(
                "it asks for the browser, which is off; --set browser.mode=asked",
                Outcome.SPIDER_ERROR,
                final=True,
            )
        async with self._tabs:
            with _Start():
                session = await self._session(request.session or "")
            session.busy += 1
            try:
                response = await self._in(session, request, may_go or _stays(request), why)
            finally:
                session.busy -= 1
        if response.rendered is not None and response.rendered.files:
            await asyncio.to_thread(self._keep, response.rendered.files)
        return response

    def _keep(self, files: Iterable[PageFile]) -> None:
        """Write files under their content addresses, whole or not at all."""
        from hashlib import sha256

        if self._files is None:
            return
        for file in files:
            place = self._files / address_of(sha256(file.data).hexdigest())
            place.parent.mkdir(parents=True, exist_ok=True)
            if not place.exists():
                part = place.with_name(f"{place.name}.part")
                part.write_bytes(file.data)
                part.replace(place)

    async def _in(
        self, session: BrowserSession, request: Request, may_go: Callable[[str], bool], why: str
    ) -> Response:
        from crawler.browser.course import Course

        chromium, headers = self._chromium, self._headers
        assert chromium is not None and headers is not None
        course = Course(
            request,
            Rendered(chromium.version, why=why),
            headers.of_page(request),
            self._settings.max_requests,
            may_go,
            self._settings.reloads,
            on_browser=self._on_browser,
        )
        try:
            tab = await session.take()
            fine = False
            try:
                response = await tab.render(course)
                fine = not tab.gone
            finally:
                await session.give_back(tab, fine=fine)
        except DevToolsError as error:
            said = str(error).partition("\n")[0]
            raise FetchError(f"the browser: {said:.300}", Outcome.TAB_CRASHED) from error
        return response

    # ------------------------------------------------------------ the process and its sessions

    async def _session(self, name: str) -> BrowserSession:
        """Return an open session; a browser that has died or done its share is started anew."""
        async with self._turn:
            chromium = self._chromium
            if chromium is not None and not self._lasts(chromium):
                await self._close()
                chromium = None
            if chromium is None:
                chromium = await self._started()
            chromium.pages += 1
            session = self._sessions.pop(name, None)
            if session is not None and not session.usable and not session.busy:
                self._storage[name] = await session.close()
                session = None
            if session is None:
                await self._make_room()
                session = await self._opened(chromium, name)
            self._sessions[name] = session  # the last used comes last
            return session

    def _lasts(self, chromium: Chromium) -> bool:
        busy = any(session.busy for session in self._sessions.values())
        return chromium.alive and (busy or chromium.pages < self._settings.recycle_after)

    async def _started(self) -> Chromium:
        from crawler.browser import finding

        finding.required(self._settings)
        from crawler.browser.chromium import Chromium
        from crawler.browser.dial import Dialler
        from crawler.browser.headers import BrowserHeaders

        if self._dialler is None:
            self._dialler = Dialler(self._config, self._guard)
            self._headers = BrowserHeaders(self._config, self._guard)
        flags: tuple[str, ...] = (f"--user-agent={self._config.agent}",)
        if not self._config.fetch.verify_tls:
            flags += ("--ignore-certificate-errors",)
        if self._dialler.judges:
            from crawler.browser import certificate

            self._certificate, flag = certificate.made()
            flags += (flag,)
        chromium = Chromium(self._settings, flags)
        await chromium.open()
        self._chromium = chromium
        return chromium

    async def _make_room(self) -> None:
        """Close the session least recently used, where there are as many as may be."""
        for name, session in [*self._sessions.items()]:
            if len(self._sessions) < self._settings.contexts:
                return
            if not session.busy:
                del self._sessions[name]
                self._storage[name] = await session.close()

    async def _opened(self, chromium: Chromium, name: str) -> BrowserSession:
        from crawler.browser.session import BrowserSession

        assert self._dialler is not None and self._headers is not None
        session = BrowserSession(
            *(self._config, self._jars[name], self._dialler, self._headers),
            certificate=self._certificate,
        )
        await session.open(chromium, self._storage.pop(name, None))
        return session

    async def _close(self) -> None:
        sessions, self._sessions = self._sessions, {}
        for name, session in sessions.items():
            self._storage[name] = await session.close()
        chromium, self._chromium = self._chromium, None
        if chromium is not None:
            await chromium.close()
