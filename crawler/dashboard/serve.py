"""The page as a running server."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import NamedTuple, Self

from aiohttp import web

from crawler.dashboard.app import application, stores_of
from crawler.dashboard.safety import Guard, is_loopback, names_of, new_token
from crawler.errors import UsageError
from crawler.store.address import StoreAddress

_SPARE = 20  # ports behind the first that are tried where nobody asked for that one


class Listening(NamedTuple):
    """Where the page listens; `spare` ports behind it are tried where it is taken."""

    host: str
    port: int
    spare: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `HOST:PORT`; UsageError for what is none."""
        host, mark, port = text.rpartition(":")
        if not mark or not port.isdecimal() or int(port) > 65535 or not host:
            raise UsageError(f"--listen {text}: give HOST:PORT, as in 127.0.0.1:8642")
        return cls(host.strip("[]"), int(port))

    @classmethod
    def usual(cls) -> Self:
        """Return where it listens if nobody says otherwise: 127.0.0.1:8642, or the next free."""
        return cls("127.0.0.1", 8642, _SPARE)


@asynccontextmanager
async def served(
    paths: Sequence[StoreAddress],
    place: Listening,
    *,
    names: Iterable[str] = (),
    token: str | None = None,
) -> AsyncIterator[str]:
    """Serve the page within the context; gives its address.

    `token` None: one is made where the address can be reached from elsewhere. UsageError where
    nobody can listen there.
    """
    if token is None and not is_loopback(place.host):
        token = new_token()
    guard = Guard((), token)
    runner = web.AppRunner(
        application(stores_of(paths), guard), access_log=None, shutdown_timeout=1.0
    )
    await runner.setup()
    try:
        await _listen(runner, place)
        port = runner.addresses[0][1]
        guard.names = frozenset(names_of(place.host, port, (one.lower() for one in names)))
        shown = f"[{place.host}]" if ":" in place.host else place.host
        yield f"http://{shown}:{port}/" + (f"?token={token}" if token else "")
    finally:
        await runner.cleanup()


async def _listen(runner: web.AppRunner, place: Listening) -> None:
    """Listen at the first port that is free; UsageError where there is none."""
    for port in range(place.port, place.port + place.spare + 1):
        try:
            await web.TCPSite(runner, place.host, port).start()
            return
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            if taken and port < place.port + place.spare:
                continue
            said = "another program listens there" if taken else error.strerror or error
            more = f" to {port}" if place.spare else ""
            raise UsageError(
                f"--listen {place.host}:{place.port}{more}: {said}; choose another, as in"
                f" --listen {place.host}:0 for any that is free"
            ) from None


def serve(
    paths: Sequence[StoreAddress],
    place: Listening,
    *,
    names: Iterable[str] = (),
    say: Callable[[str], None],
    beside: bool = False,
) -> None:
    """Serve the page until the process is interrupted; `say` hears its address.

    `beside`: until its standard input ends, too, which is when the crawl that began it does.
    """

    async def run() -> None:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(NotImplementedError):  # Windows
                loop.add_signal_handler(number, ended.set)
        if beside:
            threading.Thread(target=_wait_for_end, args=(loop, ended), daemon=True).start()
        async with served(paths, place, names=names) as address:
            end = "it ends with the crawl" if beside else "Ctrl-C ends it; the crawls go on"
            say(f"{address}  ({end})")
            await ended.wait()

    with suppress(KeyboardInterrupt):
        asyncio.run(run())


def _wait_for_end(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    while os.read(0, 1024):  # not by sys.stdin, whose lock would be held at the very end
        pass
    with suppress(RuntimeError):  # the loop was quicker
        loop.call_soon_threadsafe(ended.set)
