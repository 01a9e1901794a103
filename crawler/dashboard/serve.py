"""The page as a running server."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple, Self

from aiohttp import web

from crawler.dashboard.app import application, stores_of
from crawler.dashboard.safety import Guard, is_loopback, names_of, new_token
from crawler.errors import UsageError


class Listening(NamedTuple):
    """Where the page listens."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `HOST:PORT`; UsageError for what is none."""
        host, mark, port = text.rpartition(":")
        if not mark or not port.isdecimal() or int(port) > 65535 or not host:
            raise UsageError(f"--listen {text}: give HOST:PORT, as in 127.0.0.1:8642")
        return cls(host.strip("[]"), int(port))


@asynccontextmanager
async def served(
    paths: Sequence[Path], place: Listening, *, names: Iterable[str] = (), token: str | None = None
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
        try:
            await web.TCPSite(runner, place.host, place.port).start()
        except OSError as error:
            raise UsageError(
                f"--listen {place.host}:{place.port}: {error.strerror or error}; choose another"
            ) from None
        port = runner.addresses[0][1]
        guard.names = frozenset(names_of(place.host, port, (one.lower() for one in names)))
        shown = f"[{place.host}]" if ":" in place.host else place.host
        yield f"http://{shown}:{port}/" + (f"?token={token}" if token else "")
    finally:
        await runner.cleanup()


def serve(
    paths: Sequence[Path],
    place: Listening,
    *,
    names: Iterable[str] = (),
    say: Callable[[str], None],
) -> None:
    """Serve the page until the process is interrupted; `say` hears its address."""

    async def run() -> None:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            with suppress(NotImplementedError):  # Windows
                loop.add_signal_handler(number, ended.set)
        async with served(paths, place, names=names) as address:
            say(f"{address}  (Ctrl-C ends it; the crawls go on)")
            await ended.wait()

    with suppress(KeyboardInterrupt):
        asyncio.run(run())
