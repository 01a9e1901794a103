"""Steering: what people ask of a crawl under way, and how it comes to pass.

To ask is to add a row to the table `control`; every half second the rows that nobody has answered
are read, done in their order, and answered, between two commits. What holds on is done again at
the start of the next run.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable

from crawler import urls
from crawler.engine.committer import Committer
from crawler.engine.signs import Signs
from crawler.errors import UsageError
from crawler.frontier.steered import SteeredFrontier
from crawler.links.linker import Linker
from crawler.links.selection import CRAWL, HOST, URL, Selection
from crawler.store import Committed, QueueChange, SteerableStore
from crawler.store.control_rows import ACTIONS, ControlRow
from crawler.web.outcome import Outcome
from crawler.web.request import Candidate, Request, rank_of

log = logging.getLogger("crawler")

_LOOK = 0.5  # seconds between two looks at what was asked
_REAL = 0.2  # seconds that must have passed on the wall: a clock of tests may run ahead


async def in_turn(committer: Committer, act: Callable[[], Awaitable[None]]) -> None:
    """Do something to the store between two commits; cancelling waits for its end."""

    async def alone() -> None:
        async with committer._turn:
            await act()

    task = asyncio.ensure_future(alone())
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


async def add_now(committer: Committer, candidates: Iterable[Candidate]) -> int:
    """Commit start requests, in turn; return how many were new."""
    await committer._flush()
    committer._batch.seeds += candidates
    return await committer._flush()


def look_for_hosts(committer: Committer) -> None:
    """Look again for hosts with requests: the queue was changed from outside."""
    committer._unloaded = True
    committer._due.set()


def tell(committer: Committer, committed: Committed) -> None:
    """Report to the listeners what was committed without a visit."""
    for listener in committer._listeners:
        listener([], committed)


class Refused(Exception):
    """What was asked for cannot be done; the text says why, and the way out."""


class Steering:
    """Hears what is asked, does it, and gives signs of life."""

    def __init__(
        self,
        store: SteerableStore,
        frontier: SteeredFrontier,
        committer: Committer,
        linker: Linker,
        signs: Signs,
        *,
        stop: Callable[[str], None],
        order: str,
    ) -> None:
        self._store, self._frontier, self._committer = store, frontier, committer
        self._linker, self._signs = linker, signs
        self._stop, self._order = stop, order

    async def begin(self, runs: int) -> None:
        """Do again what holds on; a pause of the whole crawl ends with its run."""
        paused = False
        for row in await self._store.standing():
            try:
                selection = Selection.parse(row.target)
                if row.action in ("pause", "resume") and selection.kind == CRAWL:
                    paused = row.action == "pause"
                else:
                    self._hold(row, selection)
            except (Refused, UsageError):  # written by hand, or by a later version
                log.warning("control %d is not heeded: %s %s", *row[:1], row.action, row.target)
        if paused and self._store.joined:
            self._frontier.pause()
        elif paused:
            await self._store.note_control("resume", f"run {runs + 1} began")

    async def run(self) -> None:
        """Look at what is asked, and give signs, until cancelled."""
        loop, wall = asyncio.get_running_loop(), 0.0
        while True:
            asleep = loop.time()
            await asyncio.sleep(_LOOK)
            self._signs.late(loop.time() - asleep - _LOOK)
            if time.monotonic() - wall < _REAL:
                continue
            wall = time.monotonic()
            await in_turn(self._committer, self._look)
            if self._signs.due:
                self._committer.put_pulse(self._signs.pulse())

    async def _look(self) -> None:
        for row in await self._store.asked():
            try:
                told = await self._do(row)
            except (Refused, UsageError) as refused:
                await self._store.answer(row.control_id, "refused", f"refused: {refused}")
                log.warning("%s refused: %s", _said(row), refused)
            else:
                log.info("%s: %s", _said(row), told)

    async def _do(self, row: ControlRow) -> str:
        """Do what one row asks, answer it, and return what came of it."""
        if row.action not in ACTIONS:
            raise Refused(f"no such action; there are: {', '.join(ACTIONS)}")
        if row.action == "add":
            return await self._answered(row, await self._add(row))
        selection = Selection.parse(row.target)
        if row.action == "stop":
            told = await self._answered(row, "the run ends")
            self._stop("stopped")
            return told
        if row.action in ("block", "prioritize", "retry"):
            return await self._change(row, selection)
        if row.action == "reopen":
            if not self._linker.traps.reopen(row.target):
                raise Refused(f"{row.target} is not closed; see: crawler traps")
            await self._store.reopen(row.target)
            self._forget_links()
            return await self._answered(row, "open again: what is found of it from now on is taken")
        return await self._answered(row, self._hold(row, selection))

    async def _answered(self, row: ControlRow, told: str) -> str:
        await self._store.answer(row.control_id, "applied", told)
        return told

    # ------------------------------------------------------------ what holds on

    def _hold(self, row: ControlRow, selection: Selection) -> str:
        """Do what needs no change of the queue; return what came of it."""
        if row.action in ("pause", "resume"):
            return self._pause(row, selection)
        if row.action == "set":
            return self._set(row, selection)
        if row.action == "prioritize":  # the queue was changed when it was asked
            if selection.kind == HOST:
                self._prefer(selection, _whole(row.value))
            return ""
        if row.action == "block":
            if selection.kind == CRAWL or selection.takes_all:
                raise Refused("it would take every URL; name a host or a path, or stop the crawl")
            self._linker.traps.blocks.add(selection)
        elif not self._linker.traps.blocks.remove(selection):
            blocked = ", ".join(self._linker.traps.blocks.texts) or "nothing"
            raise Refused(f"{selection.text or 'the crawl'} is not blocked; blocked: {blocked}")
        self._forget_links()
        return "taken again" if row.action == "unblock" else "blocked"

    def _forget_links(self) -> None:
        self._linker._forget()  # what was judged is judged anew

    def _pause(self, row: ControlRow, selection: Selection) -> str:
        act = self._frontier.pause if row.action == "pause" else self._frontier.resume
        if selection.kind == CRAWL:
            act()
            flying = self._frontier.in_flight
            return f"paused, {flying} in flight" if row.action == "pause" else "goes on"
        if selection.kind != HOST:
            raise Refused(f"{row.target}: only the crawl or a host can be paused; block it instead")
        for name in self._names(selection):
            act(name)
        return "paused" if row.action == "pause" else "goes on"

    def _names(self, selection: Selection) -> list[str]:
        """Return the hosts meant: as they are stored, whether they are in memory or not."""
        return [glob.removesuffix("/*") for glob in selection.globs]

    def _set(self, row: ControlRow, selection: Selection) -> str:
        values = values_of(row.value)
        most = values.pop("max_pages", None)
        if selection.kind not in (CRAWL, HOST) or (most is not None and selection.kind == HOST):
            raise Refused(
                "set takes delay and per_host of the crawl or a host, max_pages of the crawl"
            )
        if most is not None:
            if self._frontier.limit is None:
                raise Refused(
                    "this run has no engine.max_pages to change; start it with --max-pages"
                )
            self._frontier.limit.change(int(most))
            self._frontier.check()
        if values:
            names = self._names(selection) if selection.kind == HOST else [None]
            for name in names:
                self._frontier.set_pace(name, values)
        return "applied"

    def _prefer(self, selection: Selection, by: int) -> None:
        for name in self._names(selection):
            self._frontier.prefer(name, first=by > 0)

    # ------------------------------------------------------------ what changes the queue

    async def _change(self, row: ControlRow, selection: Selection) -> str:
        if row.action == "block":
            self._hold(row, selection)
            change = QueueChange("drop", selection, "dropped")
        elif row.action == "retry":
            kind = "refetch" if selection.kind == URL else "retry"
            change = QueueChange(kind, selection, "queued again")
        else:
            by = _whole(row.value)
            if selection.kind == HOST:
                self._prefer(selection, by)
            change = QueueChange("move", selection, "moved")
            change = change._replace(by=-rank_of(by, 0, self._order))
        with self._frontier.still():
            return await self._apply(row, selection, change)

    async def _apply(self, row: ControlRow, selection: Selection, change: QueueChange) -> str:
        """Change the queue in the store, then in memory; in between nothing is handed out."""
        steered = await self._store.steer(row, change._replace(busy=self._frontier.busy()))
        if steered.queued:
            self._frontier.reload_all(steered.queued)
        if steered.refused is not None:
            if row.action == "block":
                self._linker.traps.blocks.remove(selection)
                self._forget_links()
            return steered.refused
        if row.action == "block":
            self._frontier.drop(lambda todo: selection.takes(todo.url), steered.number)
            tell(self._committer, Committed([], {}, 0, ended={Outcome.BLOCKED: steered.number}))
        else:
            more = steered.number if row.action == "retry" else 0
            for place, host_id in enumerate(steered.hosts):
                self._frontier.reload(host_id, more if place == 0 else 0)
        look_for_hosts(self._committer)
        return change.result(steered.number)

    async def _add(self, row: ControlRow) -> str:
        given = [line.strip() for line in row.target.splitlines() if line.strip()]
        if not given:
            raise Refused("no URL was given")
        priority = int(values_of(row.value).get("priority", 0)) if row.value else 0
        rank, candidates = rank_of(priority, 0, self._order), []
        for text in given:
            try:
                url = urls.from_cli(text)
            except ValueError as error:
                raise Refused(str(error)) from None
            identity = Request(url).identity
            candidates.append(Candidate(urls.host_of(url), identity, url, 0, rank))
        new = await add_now(self._committer, candidates)
        return f"{new:,} new, {len(given) - new:,} known"


def _said(row: ControlRow) -> str:
    who = f"{row.who} by {row.via}" if row.who else row.via
    about = row.target.replace("\n", " ")[:100] or "the crawl"
    value = f" {row.value}" if row.value else ""
    return f"{row.action} {about}{value} ({who}{': ' + row.reason if row.reason else ''})"


def _whole(text: str | None) -> int:
    try:
        return int(text or "")
    except ValueError:
        raise Refused(f"{text!r} is no whole number; give one such as 10 or -10") from None


_KEYS = {"delay": float, "per_host": int, "max_pages": int, "priority": int}


def values_of(text: str | None) -> dict[str, float]:
    """Return `delay=4 per_host=2` as values; Refused for what is none."""
    found: dict[str, float] = {}
    for pair in (text or "").replace(",", " ").split():
        key, mark, value = pair.partition("=")
        try:
            found[key] = _KEYS[key](value)
        except (KeyError, ValueError):
            said = "delay=SECONDS, per_host=N or max_pages=N"
            raise Refused(f"{pair!r} cannot be set; give {said}") from None
        if not mark or not (key == "priority" or 0 <= found[key] < 1e9):
            raise Refused(f"{pair!r}: the value must be a number from 0 on")
        if key == "per_host" and not found[key]:
            raise Refused("per_host=0 would stop the host; pause it instead")
    if not found:
        raise Refused("nothing to set; give delay=SECONDS, per_host=N or max_pages=N")
    return found
