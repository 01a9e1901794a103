"""Tell a test of the clients as a story: a practice site, an own server, sleep without time."""

import asyncio
import inspect
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import web

from crawler.practice import PracticeSite

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def on_site(**options: Any) -> Callable[[Callable[..., Awaitable[None]]], Callable[..., None]]:
    """Run `story(site, **fixtures)` on a practice site with these options, as a plain test."""

    def decorate(story: Callable[..., Awaitable[None]]) -> Callable[..., None]:
        def test(**case: Any) -> None:
            asyncio.run(_tell(story, options, case))

        test.__doc__ = story.__doc__
        parameters = list(inspect.signature(story).parameters.values())[1:]
        test.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return test

    return decorate


async def _tell(
    story: Callable[..., Awaitable[None]], options: dict[str, Any], case: dict[str, Any]
) -> None:
    async with PracticeSite(**options) as site:
        await asyncio.wait_for(story(site, **case), 30)


class Naps(list[float]):
    """A sleep that takes no time and remembers how long it should have been."""

    async def __call__(self, seconds: float, /) -> None:
        self.append(seconds)
        await asyncio.sleep(0)


class Served:
    """A server of a few handlers on loopback; `async with Served({path: handler}) as url`."""

    def __init__(self, handlers: dict[str, Handler], host: str = "127.0.0.1") -> None:
        app = web.Application(client_max_size=1 << 30)
        for path, handler in handlers.items():
            app.router.add_route("*", path, handler)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        self._host = host

    async def __aenter__(self) -> str:
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, 0).start()
        host, port = self._runner.addresses[0][:2]
        return f"http://{host}:{port}"

    async def __aexit__(self, *exc: object) -> None:
        await self._runner.cleanup()


async def run_killed(
    script: Path, *arguments: str, kills: int, when: Callable[[], Awaitable[None]]
) -> int:
    """Run a script again and again until it ends by itself, and give how often it was killed.

    Each of the first `kills` runs is killed with SIGKILL as soon as `when()` returns.
    """
    killed = 0
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    while True:
        child = await asyncio.create_subprocess_exec(
            sys.executable, str(script), *arguments, env=env, stderr=asyncio.subprocess.PIPE
        )
        ended = asyncio.ensure_future(child.communicate())
        try:
            if killed < kills:
                reached = asyncio.ensure_future(when())
                await asyncio.wait((ended, reached), return_when=asyncio.FIRST_COMPLETED)
                reached.cancel()
                await asyncio.gather(reached, return_exceptions=True)
        finally:
            if not ended.done() and killed < kills:
                child.kill()
                killed += 1
            _, errors = await ended
        if child.returncode == 0:
            return killed
        assert child.returncode == -9, errors.decode()


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what another process brings about."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.002)
