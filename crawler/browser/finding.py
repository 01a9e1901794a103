"""Which browser there is on this machine, and whether it can lock its pages in a sandbox."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from crawler.config.browser import BrowserSettings
from crawler.errors import ConfigError

# The shell has no windows to draw: a page takes less than half of the CPU. Debian's `chromium` is a
# script that adds flags of its own: the binary behind it comes first.
_NAMES = (
    "/usr/lib/chromium/chromium-headless-shell",
    "chrome-headless-shell",
    "/usr/lib/chromium/chromium",
    "/usr/lib/chromium-browser/chromium-browser",
    "chromium",
    "chromium-browser",
    "google-chrome-stable",
    "google-chrome",
    "microsoft-edge-stable",
    "microsoft-edge",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
)
_OWN = (
    "chromium_headless_shell-*/chrome-*/*headless[-_]shell",
    "chromium-*/chrome-linux*/chrome",
    "chromium-*/chrome-mac*/*.app/Contents/MacOS/*",
)
_WAYS = (
    "install one (Debian: apt install chromium-headless-shell; anywhere: playwright install"
    " chromium), or name its file: browser.binary"
)
AXE = "axe_playwright_python"
"""The package that brings axe-core."""
NOBODY = 65534
"""The user, and the group, that the browser runs as where we are root."""


@dataclass(frozen=True, slots=True)
class FoundBrowser:
    """A browser. `sandbox` is None where its pages are locked in, else why they cannot be."""

    path: str
    sandbox: str | None

    @property
    def version(self) -> str:
        """What the browser says that it is; asking it takes a moment."""
        return _version_of(self.path)


def driver() -> str | None:
    """Return the version of Playwright, None where the extra is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("playwright")
    except PackageNotFoundError:
        return None


def required(settings: BrowserSettings) -> None:
    """Do nothing where a page could be rendered; ConfigError says what is missing for it."""
    if sys.platform == "win32":
        raise ConfigError("a browser is driven by inherited pipes, as Linux and macOS have them")
    if driver() is None:
        raise ConfigError(
            "a browser needs Playwright; install it: pip install 'crawlkeep[browser]'"
        )
    find(settings.binary)


def required_checks(settings: BrowserSettings) -> None:
    """Do nothing where what `browser.checks` names is there; ConfigError says what is missing."""
    if settings.checks and find_spec(AXE) is None:
        raise ConfigError(
            "browser.checks: axe is not installed; pip install 'crawlkeep[axe]', or leave it out"
        )


def find(binary: str | None = None) -> FoundBrowser:
    """Return the browser to be driven; ConfigError says how to get one."""
    path = _path_of(binary)
    if path is None:
        said = f"browser.binary: there is no {binary}" if binary else "no Chromium was found"
        raise ConfigError(f"{said}; {_WAYS}")
    return FoundBrowser(path, sandbox_flaw())


def _path_of(binary: str | None) -> str | None:
    if binary:
        return shutil.which(str(Path(binary).expanduser()))
    for name in _NAMES:
        found = shutil.which(name)
        if found:
            return found
    places = os.environ.get("PLAYWRIGHT_BROWSERS_PATH"), "~/.cache/ms-playwright"
    for place in filter(None, places):
        for pattern in _OWN:
            for file in sorted(Path(place).expanduser().glob(pattern)):
                return str(file)
    return None


@cache
def _version_of(path: str) -> str:
    try:
        said = subprocess.run(
            [path, "--version"], capture_output=True, text=True, timeout=20, check=False
        ).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(f"{path} does not start ({error}); {_WAYS}") from None
    return said.strip() or "version unknown"


@cache
def sandbox_flaw() -> str | None:
    """Return why a browser cannot lock its pages in here, None where it can.

    On Linux the sandbox takes namespaces that a user may make, and a user who is not root.
    """
    if not sys.platform.startswith("linux"):
        return None
    if shutil.which("unshare") is None:
        return None  # nobody to ask: the browser will say
    ask = ["unshare", "--user", "true"]
    if sys.platform != "win32" and os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            return "we are root, and there is no setpriv (util-linux) to be somebody else"
        ask = [*as_nobody(), *ask]
    try:
        done = subprocess.run(ask, capture_output=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if done.returncode == 0 else "this machine lets no user make a user namespace"


def as_nobody() -> list[str]:
    """Return the command that runs another as nobody, and ends it with whoever started it."""
    who = ["--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"]
    return ["setpriv", *who, "--no-new-privs", "--pdeathsig", "KILL"]
