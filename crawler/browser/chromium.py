"""The browser as a process: started once, watched, and gone with whoever started it.

Its files lie in one directory of ours, which the next start removes if nobody else did.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from crawler.browser import processes
from crawler.browser.devtools import DevTools, DevToolsError
from crawler.browser.finding import NOBODY, FoundBrowser, as_nobody, find
from crawler.browser.guest import Guests
from crawler.browser.launch import BrowserProcess, started
from crawler.config.browser import BrowserSettings
from crawler.errors import ConfigError, FetchError
from crawler.web.outcome import Outcome

log = logging.getLogger("crawler")

_PREFIX = "crawlkeep-browser-"
_CLOSE = 5.0  # seconds for the browser to end by itself
_START = 60.0
_ANSWER = 20.0  # seconds for what takes no page: a new tab, cookies
_LOOK = 2.0  # seconds between two looks at the memory
_KILL = getattr(signal, "SIGKILL", signal.SIGTERM)
# Where no proxy of a context holds, there is none that answers: "discard" (RFC 863).
_NOWHERE = "http://127.0.0.1:9"
_GUARD = (
    f"--proxy-server={_NOWHERE}",
    "--proxy-bypass-list=<-loopback>",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",  # its name in the headless shell
    "--block-new-web-contents",  # there alone: it has no blocker of pop-ups
    "--disable-quic",
    "--no-pings",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)
_OFF = (
    # It asks for nothing by itself: no update, account, list, probe, or prefetched guess.
    *("--disable-background-networking", "--disable-component-update", "--disable-default-apps"),
    *("--disable-extensions", "--disable-sync", "--disable-field-trial-config"),
    *("--disable-breakpad", "--metrics-recording-only", "--no-first-run", "--no-service-autorun"),
    *("--no-default-browser-check", "--disable-search-engine-choice-screen"),
    *("--password-store=basic", "--use-mock-keychain"),
    "--disable-component-extensions-with-background-pages",
    # What is at http stays there; storage is shared as in a jar; a frame is drawn when it is there.
    "--disable-features=DestroyProfileOnBrowserClose,HttpsUpgrades,HttpsFirstBalancedModeAutoEnable,"
    "MediaRouter,PaintHolding,ThirdPartyStoragePartitioning,Translate,OptimizationHints,"
    "NetworkTimeServiceQuerying,PreconnectToSearch,AvoidUnnecessaryBeforeUnloadCheckSync,"
    "AvoidCorsURLLoaderRestartOnRedirect,LensOverlay,AimEnabled",
    "--enable-features=CDPScreenshotNewSurface,SkipListAccountsWithoutGaiaCookies",
)
_PAGES = (
    # A tab behind others is no slower than one in front, and nobody is asked anything.
    *("--disable-background-timer-throttling", "--disable-backgrounding-occluded-windows"),
    *("--disable-renderer-backgrounding", "--disable-ipc-flooding-protection"),
    *("--disable-back-forward-cache", "--disable-hang-monitor", "--disable-prompt-on-repost"),
    *("--allow-pre-commit-input", "--force-color-profile=srgb", "--hide-scrollbars"),
    *("--mute-audio", "--disable-infobars", "--disable-gpu", "--disable-dev-shm-usage"),
    # As with a mouse.
    "--blink-settings=primaryHoverType=2,availableHoverTypes=2,"
    "primaryPointerType=4,availablePointerTypes=4",
    "--js-flags=--max-old-space-size=512",
)
_DRIVEN = ("--headless", "--remote-debugging-pipe", "--no-startup-window")


class Chromium:
    """One browser, started by `open`; `pages` counts what it was given since."""

    def __init__(self, settings: BrowserSettings, flags: tuple[str, ...] = ()) -> None:
        self._settings, self._flags = settings, flags
        self.found: FoundBrowser = find(settings.binary)
        self.pages = 0
        self.version = ""
        """The version of the browser that runs."""
        self.deaths: dict[str, Callable[[int], None]] = {}
        """Who is told by which code a tab died, by the id of its target."""
        self._watch: asyncio.Task[None] | None = None
        self._process: BrowserProcess | None = None
        self._place: Path | None = None
        self._given_up = False
        self._services: list[int] = []  # descriptors of processes that it needs
        self.guests: Guests

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
            await self._launch(self._place, sandboxed=flaw is None)
            undo.pop_all()

    async def _launch(self, place: Path, *, sandboxed: bool) -> None:
        """Start it, hear of tabs that die or that pages open, and watch its memory."""
        said = place / "said"
        command, own = self._command(place, sandboxed=sandboxed)
        self._process = await started(command, {**os.environ, **own}, said)
        self.guests = Guests(self.devtools, place)
        root = self.devtools.root
        root.on("Target.targetCrashed", self._died)
        root.on("Target.targetCreated", self._made)
        try:
            async with asyncio.timeout(_START):
                told = await root.send("Browser.getVersion")
        except (DevToolsError, TimeoutError) as error:
            text = said.read_text(errors="replace").strip().rpartition("\n")[2]
            raise DevToolsError(f"{self.found.path}: {text or error}") from error
        self.version = told["product"].partition("/")[2]
        pages = [{"type": "page"}]
        await root.send("Target.setDiscoverTargets", {"discover": True, "filter": pages})
        if sys.platform.startswith("linux"):
            self._watch = asyncio.create_task(self._look(self.pid))

    def _command(self, place: Path, *, sandboxed: bool) -> tuple[list[str], dict[str, str]]:
        """Return what is started, and its environment: as root it is somebody else's."""
        home = place / "home"
        home.mkdir()
        own = {"TMPDIR": str(home)}
        command = [self.found.path, *_DRIVEN, *_GUARD, *_OFF, *_PAGES, *self._flags]
        command += [f"--user-data-dir={home / 'profile'}", *["--no-sandbox"] * (not sandboxed)]
        if sys.platform == "linux" and os.geteuid() == 0 and shutil.which("setpriv") is not None:
            os.chown(home, NOBODY, NOBODY)
            place.chmod(0o711)
            own["HOME"] = str(home)
            command = [*as_nobody(), *command]
        return command, own

    def _died(self, event: dict[str, Any]) -> None:
        told = self.deaths.pop(event["targetId"], None)
        if told is not None:
            told(event["errorCode"])

    def _made(self, event: dict[str, Any]) -> None:
        """Close a window that a page has opened: a click may."""
        info = event["targetInfo"]
        if info.get("openerId"):
            self.devtools.root.post("Target.closeTarget", {"targetId": info["targetId"]})

    async def _look(self, first: int) -> None:
        """End the largest page where all of them take more memory than they may."""
        most = self._settings.memory << 20
        while True:
            await asyncio.sleep(_LOOK)
            sizes = processes.of_browser(first)
            if sum(sizes.values()) > most and (largest := processes.largest_page(sizes)):
                log.warning("the browser takes over %s MB: a page ends", self._settings.memory)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(largest, _KILL)

    @property
    def pid(self) -> int:
        """The pid of its first process."""
        assert self._process is not None
        return self._process.pid

    @property
    def devtools(self) -> DevTools:
        """The connection to the browser."""
        assert self._process is not None
        return self._process.devtools

    @property
    def alive(self) -> bool:
        """Whether the browser is there, and of use."""
        return self._process is not None and self._process.alive and not self._given_up

    def give_up(self) -> None:
        """Let the next page have another browser: this one does not answer, or reaches nothing."""
        self._given_up = True

    def watch_services(self) -> None:
        """End the browser as soon as a process dies that it needs, where the system tells of that.

        It would live on: another network process knows the proxy of no context, what was asked of
        the one before is never answered, and nothing starts pages any more.
        """
        if self._services or not hasattr(os, "pidfd_open"):
            return
        for pid in processes.services_of(self.pid):
            with contextlib.suppress(OSError):  # it died just now, or this kernel has none
                service = os.pidfd_open(pid)
                self._services.append(service)
                asyncio.get_running_loop().add_reader(service, self._kill)

    def _kill(self) -> None:
        self._unwatch_services()
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, _KILL)

    def _unwatch_services(self) -> None:
        while self._services:
            service = self._services.pop()
            asyncio.get_running_loop().remove_reader(service)
            os.close(service)

    def lost(self) -> FetchError:
        """Stop using the browser, and return why: its network process died."""
        self.give_up()
        return FetchError("the network process of the browser died", Outcome.TAB_CRASHED)

    @contextlib.asynccontextmanager
    async def answering(self) -> AsyncIterator[None]:
        """Stop using the browser if an answer takes too long; DevToolsError then."""
        try:
            async with asyncio.timeout(_ANSWER):
                yield
        except TimeoutError as error:
            self.give_up()
            raise DevToolsError(f"the browser does not answer within {_ANSWER:g} s") from error

    async def close(self) -> None:
        """End the browser and whoever is in it, and remove what they left."""
        if self._watch is not None:
            self._watch.cancel()
        self._unwatch_services()
        if self._process is not None:
            await self.guests.close()
            await self._process.close(_CLOSE)
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
