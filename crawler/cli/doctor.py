"""`crawler doctor`: what this machine has of what Crawlkeep can use, and how to get the rest."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

import typer

from crawler.cli import options
from crawler.version import __version__

_EXTRAS = {
    "browser": "playwright",
    "identity": "http-message-signatures",
    "parquet": "pyarrow",
    "prompt": "prompt-toolkit",
    "socks": "aiohttp-socks",
    "warc": "warcio",
    "xlsx": "XlsxWriter",
}
"""Each extra with the package that shows whether it is installed."""


def doctor(config: options.ConfigFile = None, set_: options.Set = None) -> None:
    """Look for a browser and for the extras.

    Tells how to get what is missing. Exit code 1 where the configuration asks for a browser that
    cannot be started.

    Example: crawler doctor
    """
    from crawler.config import layers as configuration

    settings = configuration.load(config, overrides=set_ or ()).browser
    print(f"crawlkeep {__version__}, Python {platform.python_version()}, {platform.platform()}")
    for name, package in _EXTRAS.items():
        print(f"extra     {name:9} {_extra(name, package)}")
    fine = True
    for line in _browser(settings.binary):
        print(f"browser   {line}")
        fine = fine and not line.startswith("missing")
    if not fine and settings.mode in ("auto", "always"):
        raise typer.Exit(1)


def _extra(name: str, package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"not installed: pip install 'crawlkeep[{name}]'"


def _browser(binary: str | None) -> Iterator[str]:
    """Yield what is to be said of the browser; what is missing begins so."""
    from crawler.browser import finding
    from crawler.errors import ConfigError

    if finding.driver() is None:
        yield "missing: Playwright, which drives it: pip install 'crawlkeep[browser]'"
    try:
        found = finding.find(binary)
        yield f"{found.version} at {found.path}"
    except ConfigError as error:
        yield f"missing: {error}"
        return
    if found.sandbox is None:
        yield "its pages are locked in a sandbox"
    else:
        yield f"no sandbox: {found.sandbox}; it takes --set browser.sandbox=preferred"
