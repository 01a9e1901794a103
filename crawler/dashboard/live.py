"""What is live: fresh parts of a view, sent as they change (server-sent events).

One watcher a store asks four times a second whether anything was committed, for all who look;
parts are made only then, each no more often than it is worth, and the slower it is the seldomer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

from aiohttp import web

from crawler.dashboard import layout
from crawler.dashboard.sources import Library, Look, ShownStore
from crawler.dashboard.state import State
from crawler.dashboard.view import PagePart, View

_LOOK = 0.25  # seconds between two looks at a store
_BEAT = 2.0  # seconds between two signs that the page is there
_COSTLY = 20  # times as long as it took, a part is let alone
_CLOCK = 5.0  # seconds after which what tells the time is made anew though nothing has changed


class Watch:
    """Counts the changes of each store while somebody looks at it."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._viewers: dict[str, int] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._moved: dict[str, asyncio.Condition] = {}

    def join(self, source: ShownStore) -> None:
        """Look at a store for one more viewer."""
        self._viewers[source.name] = self._viewers.get(source.name, 0) + 1
        if source.name not in self._tasks:
            self._tasks[source.name] = asyncio.create_task(self._run(source))

    def leave(self, source: ShownStore) -> None:
        """Look for one viewer less."""
        self._viewers[source.name] -= 1
        if not self._viewers[source.name]:
            self._tasks.pop(source.name).cancel()

    @property
    def viewers(self) -> int:
        """How many look, over all stores."""
        return sum(self._viewers.values())

    async def _run(self, source: ShownStore) -> None:
        while True:
            if await self._library.moved(source):
                source.version += 1
            await asyncio.sleep(_LOOK)

    async def close(self) -> None:
        """End all looking."""
        for task in self._tasks.values():
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


class ViewFeed:
    """The parts of one view for one viewer."""

    def __init__(
        self,
        library: Library,
        source: ShownStore,
        view: View,
        views: Sequence[View],
        params: Mapping[str, str],
    ) -> None:
        self._library, self._source, self._view = library, source, view
        self._params = {key: value for key, value in params.items() if key != "view"}
        self._parts: tuple[PagePart, ...] = (
            *layout.live_parts(views, view.under or view.path),
            *(part for part in view.all if part.every),
        )
        self._sent: dict[str, int] = {}
        self._title = ""
        self._due: dict[str, float] = {}
        self._seen: dict[str, int] = {}

    async def run(self, response: web.StreamResponse) -> None:
        """Send what changes until the viewer leaves."""
        await response.write(b"retry: 1000\n\n")
        beaten, clock = 0.0, time.monotonic()
        await self._look(response, first=True)
        while True:
            await asyncio.sleep(_LOOK)
            now = time.monotonic()
            if now - clock > _CLOCK:  # "3 s ago" gets older without a commit
                self._seen.clear()
                clock = now
            await self._look(response)
            if now - beaten >= _BEAT:
                beaten = now
                await response.write(b"event: beat\ndata: .\n\n")

    async def _look(self, response: web.StreamResponse, *, first: bool = False) -> None:
        now, version = time.monotonic(), self._source.version
        due = [
            part
            for part in self._parts
            if self._seen.get(part.id) != version and now >= self._due.get(part.id, 0.0)
        ]
        if not due:
            return
        found = await self._library.look(
            self._source, lambda look: self._made(look, due), self._params
        )
        if found.value is None:  # it took too long, or the store is gone
            for part in due:
                self._due[part.id] = time.monotonic() + _COSTLY * found.seconds
            return
        for part, html, seconds in found.value[1]:
            self._seen[part.id] = version
            self._due[part.id] = time.monotonic() + max(part.every, _COSTLY * seconds)
            mark = hash(html)
            if self._sent.get(part.id) != mark:
                self._sent[part.id] = mark
                await _send(response, "part", html)
        if found.value[0] != self._title:
            self._title = found.value[0]
            await _send(response, "title", self._title)

    def _made(
        self, look: Look, due: Sequence[PagePart]
    ) -> tuple[str, list[tuple[PagePart, str, float]]]:
        state, made = State(look), []
        for part in due:
            began = time.perf_counter()
            html = part.make(look, state)
            made.append((part, str(html), time.perf_counter() - began))
        return layout.title_of(look, state, self._view), made


async def _send(response: web.StreamResponse, event: str, data: str) -> None:
    lines = "".join(f"data: {line}\n" for line in data.replace("\r", "\n").split("\n"))
    await response.write(f"event: {event}\n{lines}\n".encode("utf-8", "replace"))
