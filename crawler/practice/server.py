"""The practice site as a running server, and what tests ask it afterwards."""

import asyncio
import ssl
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AsyncExitStack
from html import escape
from types import TracebackType
from typing import Self

from aiohttp import web

from crawler.practice import (
    account,
    answers,
    api,
    branches,
    encodings,
    feeds,
    files,
    hits,
    hostile,
    manual,
    notes,
    oddities,
    quotes,
    scripted,
    shop,
    sockets,
    traps,
)
from crawler.practice.hits import Hit
from crawler.practice.layout import link_list, style
from crawler.practice.middlewares import chain
from crawler.practice.state import STATE, OwnPage, SiteState

SECTIONS = (
    quotes,
    shop,
    account,
    api,
    notes,
    answers,
    files,
    sockets,
    feeds,
    oddities,
    encodings,
    traps,
    scripted,
    hostile,
    branches,
    manual,
)


def application(state: SiteState) -> web.Application:
    """The site as an aiohttp application over `state`."""
    app = web.Application(middlewares=chain())
    app[STATE] = state
    app.cleanup_ctx.append(notes.database)
    app.router.add_get("/style.css", style)
    for section in SECTIONS:
        app.add_routes(section.routes())
    return app


class PracticeSite:
    """A practice site on a port of its own: `async with PracticeSite() as site`.

    `port` 0 takes a free one. `robots` is True (the site's rules), False (404) or the text
    to serve. `offsite` is the URL of another host that the site then links and redirects to.
    With a `tls` context the site speaks HTTPS. Every answer takes `latency` seconds: at 0 a
    plain page is answered in one go, and two of them are never seen in flight together.
    Nothing is shared between two sites.
    """

    def __init__(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        robots: bool | str = True,
        offsite: str | None = None,
        tls: ssl.SSLContext | None = None,
        latency: float = 0.0,
    ) -> None:
        self._state = SiteState(robots=robots, offsite=offsite, latency=latency)
        self._host, self._port, self._tls = host, port, tls
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        """Listen; OSError where the address is taken or not ours."""
        # A client that goes away ends its hit at once: hence the cancellation.
        runner = web.AppRunner(
            application(self._state),
            access_log=None,
            handler_cancellation=True,
            shutdown_timeout=0.1,
        )
        async with AsyncExitStack() as undo:
            undo.push_async_callback(runner.cleanup)
            await runner.setup()
            await web.TCPSite(runner, self._host, self._port, ssl_context=self._tls).start()
            undo.pop_all()
        self._runner, self._port = runner, runner.addresses[0][1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._runner:
            await self._runner.cleanup()

    @property
    def url(self) -> str:
        """The URL of the front page, with its slash: `http://127.0.0.1:12345/`."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._tls else 'http'}://{host}:{self._port}/"

    @property
    def hits(self) -> list[Hit]:
        """Every request so far, in the order of arrival."""
        return self._state.hits

    def at(self, path: str) -> str:
        """The absolute URL of a path of this site."""
        return self.url + path.removeprefix("/")

    def count(self, path: str, method: str | None = None) -> int:
        """How often `path` was asked for; with a `?` in it that very target, else any query."""
        return sum(
            (hit.target if "?" in path else hit.path) == path and method in (None, hit.method)
            for hit in self.hits
        )

    def max_in_flight(self) -> int:
        """The highest number of requests that were open at one moment."""
        return hits.max_in_flight(self.hits)

    def spacing(self, without: Collection[str] = ()) -> list[float]:
        """The seconds between one start and the next, leaving out the paths in `without`."""
        return hits.spacing(self.hits, without)

    def reset(self) -> None:
        """Forget all hits, and which flaky pages have failed before; added pages stay."""
        self._state.hits.clear()
        self._state.refused.clear()

    def add_page(
        self,
        path: str,
        html: str | bytes,
        *,
        content_type: str = "text/html; charset=utf-8",
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        delay: float = 0.0,
    ) -> str:
        """Answer `path` (with a query: that very target) with these bytes; return its URL.

        It stands before anything the site has there; text is sent in UTF-8.
        """
        body = html.encode() if isinstance(html, str) else html
        self._state.pages[path] = OwnPage(body, content_type, status, headers or {})
        if delay:
            self.delay(path, delay)
        return self.at(path)

    def add_redirect(self, path: str, to: str, status: int = 302) -> str:
        """Redirect `path` to `to`, which is sent as it stands (a path or a URL)."""
        return self.add_page(path, b"", status=status, headers={"Location": to})

    def add_links(self, path: str, targets: Iterable[str], *, title: str | None = None) -> str:
        """Add a page that links to the targets, which stand in it as they are given."""
        name = escape(title or path)
        links = link_list({target: target for target in targets})
        return self.add_page(path, f"<title>{name}</title>\n<h1>{name}</h1>\n{links}")

    def delay(self, path: str, seconds: float) -> None:
        """Let every answer to `path`, added or not, wait this long."""
        self._state.delays[path] = seconds

    def hold(self, path: str) -> asyncio.Event:
        """Let every answer to `path` wait until the returned event is set."""
        return self._state.gates.setdefault(path, asyncio.Event())


def serve(
    host: str = "127.0.0.1",
    port: int = 8000,
    *,
    offsite: str | None = None,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve the practice site until the process is interrupted (KeyboardInterrupt).

    `ready` is called with the URL once the site listens. OSError where it cannot.
    """

    async def run() -> None:
        async with PracticeSite(host, port, offsite=offsite) as site:
            if ready:
                ready(site.url)
            await asyncio.Event().wait()

    asyncio.run(run())
