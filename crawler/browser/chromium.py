"""The browser as a process: started once, watched, and gone with whoever started it.

Playwright starts it over a pipe, never a port: it ends when the pipe does, also where we are
killed. Its files lie in one directory of ours, which the next start removes if nobody else did.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shlex
import shutil
import signal
import stat
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crawler.browser import memory
from crawler.browser.finding import NOBODY, FoundBrowser, as_nobody, find
from crawler.config.browser import BrowserSettings
from crawler.errors import ConfigError

if TYPE_CHECKING:
    from playwright.async_api import Browser as Driven
    from playwright.async_api import Playwright

log = logging.getLogger("crawler")

_PREFIX = "crawlkeep-browser-"
_CLOSE = 5.0  # seconds for the browser to end by itself
_START = 60.0
_LOOK = 2.0  # seconds between two looks at the memory
_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
_DEATHS = 1000  # that are remembered
# Where no proxy of a context holds, there is none that answers: "discard" (RFC 863).
_NOWHERE = "http://127.0.0.1:9"
_FLAGS = (
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",  # its name in the headless shell
    "--block-new-web-contents",  # there alone: it has no blocker of pop-ups
    "--disable-quic",
    "--no-pings",
    "--disable-extensions",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--js-flags=--max-old-space-size=512",
    "--disable-gpu",
)


class Chromium:
    """One browser, started by `open`; `pages` counts what it was given since."""

    def __init__(self, settings: BrowserSettings, flags: tuple[str, ...] = ()) -> None:
        self._settings, self._flags = settings, flags
        self.found: FoundBrowser = find(settings.binary)
        self.pages = 0
        self.deaths: dict[str, int] = {}
        """Of which code the tabs died that did, by the ids of their targets."""
        self._watch: asyncio.Task[None] | None = None
        self.browser: Driven
        self._playwright: Playwright | None = None
        self._place: Path | None = None

    async def open(self) -> None:
        """Start the browser; ConfigError where it does not, with the way out."""
        flaw = self.found.sandbox
        if flaw is not None and self._settings.sandbox == "required":
            raise ConfigError(
                f"{self.found.path} cannot run in a sandbox: {flaw}; allow it, or do without:"
                " --set browser.sandbox=preferred"
            )
        if flaw is not None:
            log.warning("the browser runs without a sandbox: %s", flaw)
        sweep()
        self._place = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
        async with contextlib.AsyncExitStack() as undo:
            undo.push_async_callback(self.close)
            await self._launch(sandboxed=flaw is None)
            await self._listen()
            undo.pop_all()

    async def _listen(self) -> None:
        """Hear of tabs that die, and watch the memory of the browser's processes."""
        cdp = await self.browser.new_browser_cdp_session()
        cdp.on("Target.targetCrashed", self._died)
        pages = [{"type": "page"}]
        await cdp.send("Target.setDiscoverTargets", {"discover": True, "filter": pages})
        if sys.platform.startswith("linux"):
            self._watch = asyncio.create_task(self._look())

    def _died(self, event: dict[str, Any]) -> None:
        if len(self.deaths) >= _DEATHS:
            self.deaths.clear()
        self.deaths[event["targetId"]] = event["errorCode"]

    async def _look(self) -> None:
        """End the largest page where all of them take more memory than they may."""
        most = self._settings.memory << 20
        first = await asyncio.to_thread(memory.root_pid, str(self._place))
        while first is not None:
            await asyncio.sleep(_LOOK)
            sizes = memory.of_browser(first)
            if sum(sizes.values()) > most and (largest := memory.largest_page(sizes)):
                log.warning("the browser takes over %s MB: a page ends", self._settings.memory)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(largest, _KILL)

    async def _launch(self, *, sandboxed: bool) -> None:
        from playwright.async_api import async_playwright

        assert self._place is not None
        before = os.environ.get("TMPDIR")
        os.environ["TMPDIR"] = str(self._place)  # the driver inherits it as it starts
        try:
            self._playwright = await async_playwright().start()
        finally:
            os.environ.pop("TMPDIR")
            if before is not None:
                os.environ["TMPDIR"] = before
        options: dict[str, Any] = {
            "executable_path": self._started_as(),
            "args": [*_FLAGS, *self._flags],
            "chromium_sandbox": sandboxed,
            "ignore_default_args": ["--disable-popup-blocking"],
            "proxy": {"server": _NOWHERE},
            "handle_sigint": False,
            "handle_sigterm": False,
            "handle_sighup": False,
            "timeout": _START * 1000,
        }
        self.browser = await self._playwright.chromium.launch(**options)

    def _started_as(self) -> str:
        """Return what is started: as root a script that is somebody else from then on."""
        assert self._place is not None
        if sys.platform == "win32" or os.geteuid() != 0 or shutil.which("setpriv") is None:
            return self.found.path
        home = self._place / "home"
        home.mkdir()
        os.chown(home, NOBODY, NOBODY)
        self._place.chmod(0o711)
        script = self._place / "start"
        own = shlex.join(["chown", "-R", f"{NOBODY}:{NOBODY}"])
        script.write_text(
            "#!/bin/sh\n"
            'for word in "$@"; do\n'
            f'  case $word in --user-data-dir=*) {own} "${{word#--user-data-dir=}}";; esac\n'
            "done\n"
            f"export HOME={shlex.quote(str(home))} TMPDIR={shlex.quote(str(home))}\n"
            f'exec {shlex.join(as_nobody())} {shlex.quote(self.found.path)} "$@"\n'
        )
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        return str(script)

    @property
    def version(self) -> str:
        """The version of the browser that runs."""
        return self.browser.version

    @property
    def alive(self) -> bool:
        """Whether the browser is there; where the driver died, a call is what tells."""
        return self.browser.is_connected()

    async def close(self) -> None:
        """End the browser and its driver, and remove what they left."""
        if self._watch is not None:
            self._watch.cancel()
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_CLOSE):
                await self.browser.close()
        if self._playwright is not None:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(_CLOSE):
                    await self._playwright.stop()
        if self._place is not None:
            await asyncio.to_thread(shutil.rmtree, self._place, True)


def sweep() -> None:
    """Remove what browsers left whose crawl was killed."""
    for place in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        owner = place.name.removeprefix(_PREFIX).partition("-")[0]
        if owner.isdigit() and not _lives(int(owner)):
            shutil.rmtree(place, ignore_errors=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
