"""`crawler doctor`: what this machine has of what Crawlkeep can use, and how a store is."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Annotated

from crawler.cli import options
from crawler.cli.declared import Argument, Exit, Option
from crawler.version import __version__

if TYPE_CHECKING:
    from crawler.inspect.store_checks import Check

_EXTRAS = {
    "browser": "playwright",
    "identity": "http-message-signatures",
    "parquet": "pyarrow",
    "postgres": "asyncpg",
    "prompt": "prompt-toolkit",
    "socks": "aiohttp-socks",
    "warc": "warcio",
    "xlsx": "XlsxWriter",
}
"""Each extra with the package that shows whether it is installed."""


def doctor(
    store: Annotated[
        str | None,
        Argument(metavar="[STORE]", help="Look at this store instead: a file or an address."),
    ] = None,
    json: Annotated[
        bool, Option("--json", help="What was found at a store, one JSON object a line.")
    ] = False,
    config: options.ConfigFile = None,
    set_: options.Set = None,
) -> None:
    """Look for a browser and the extras, or at a store.

    Tells what is wrong and the way out. Exit code 1 where a store cannot be crawled into, or the
    configuration asks for a browser that cannot be started.

    Example: crawler doctor 'postgresql://user@db/web?crawl=quotes'
    """
    from crawler.errors import UsageError

    if store is not None:
        from crawler.cli import stores
        from crawler.inspect.store_checks import checks

        where = stores.any_of(store)
        failed = _tell_json(checks(where)) if json else _tell(checks(where))
        if failed:
            raise Exit(1)
        return
    if json:
        raise UsageError("--json is of a store: crawler doctor STORE --json")
    _look_around(config, set_)


def _tell(found: Iterable[Check]) -> bool:
    """Print what was found, and return whether something failed."""
    failed = False
    for check in found:
        way = f"; {check.way_out}" if check.way_out else ""
        print(f"{check.state:4}  {check.check:12} {check.said}{way}", flush=True)
        failed = failed or check.state == "fail"
    return failed


def _tell_json(found: Iterable[Check]) -> bool:
    from crawler.export import stream
    from crawler.export.formats import WriteOptions
    from crawler.inspect.query import Rows

    rows = list(found)
    columns = ("check", "state", "said", "way_out")
    stream(Rows(columns, iter(rows)), "jsonl", sys.stdout.buffer, WriteOptions())
    sys.stdout.buffer.flush()
    return any(check.state == "fail" for check in rows)


def _look_around(config: options.ConfigFile, set_: options.Set) -> None:
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
        raise Exit(1)


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
