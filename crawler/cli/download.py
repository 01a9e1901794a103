"""`crawler download`: files to disk, resumed and checked, with a bar on a terminal."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from crawler.cli import options
from crawler.cli.declared import Argument, Exit, Option
from crawler.cli.terminal import Screen
from crawler.markup.words import plural

if TYPE_CHECKING:
    from crawler.clients import Downloaded
    from crawler.config.layers import Config

_CELLS = 24
_EVERY = 0.1  # seconds between two drawings


def download(
    urls: Annotated[list[str], Argument(metavar="URL...", help="What to download.")],
    output: Annotated[
        str,
        Option(
            "--output",
            "-o",
            metavar="PATH",
            help="A file name, or a directory; new/ with its slash makes one.",
        ),
    ] = ".",
    digest: Annotated[
        str | None,
        Option(metavar="ALGORITHM:HEX", help="What the file must have, like sha256:9f86…"),
    ] = None,
    quiet: options.Quiet = False,
    config: options.ConfigFile = None,
    set_: options.Set = None,
) -> None:
    """Download files; what a broken download left is taken up again.

    Example: crawler download https://example.com/data.zip -o data/
    """
    from crawler.config import layers as configuration
    from crawler.errors import CrawlerError, StoreClaimed, UsageError, without_passwords

    if len(urls) > 1 and digest:
        raise UsageError("several files have no common --digest; download them one by one")
    place = _place(output, several=len(urls) > 1)
    settings = configuration.load(config, overrides=set_ or ())
    failed = False
    for url in urls:
        try:
            found = _one(url, place, digest, Screen(quiet=quiet), settings)
            if not quiet:
                print(_line(found))
        except CrawlerError as error:
            # Another download has this file: that says nothing about the next one.
            if isinstance(error, UsageError) and not isinstance(error, StoreClaimed):
                raise
            failed = True
            print(f"crawler: {without_passwords(url)}: {error}", file=sys.stderr)
    raise Exit(1 if failed else 0)


def _place(output: str, *, several: bool) -> Path:
    """Return where files go; a directory that is meant as one is made."""
    from crawler.errors import UsageError

    path = Path(output)
    if several and not path.is_dir() and not output.endswith("/"):
        raise UsageError(f"-o {output}: several files need a directory; {output}/ makes it")
    if output.endswith("/"):
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = "it is a file" if path.is_file() else error.strerror
            raise UsageError(f"-o {output}: no directory ({reason}); name another") from None
    return path


def _one(url: str, output: Path, digest: str | None, screen: Screen, config: Config) -> Downloaded:
    import asyncio

    from crawler import urls as addresses
    from crawler.clients import download as fetch
    from crawler.errors import UsageError
    from crawler.urls.userinfo import userinfo

    try:
        known = userinfo(url) is not None and addresses.parse(url) is not None
        target = url if known else addresses.from_cli(url)  # those it names are sent to its origin
    except ValueError as error:
        raise UsageError(f"{error}; give one like https://example.com/data.zip") from None
    meter = Meter(screen)
    try:
        return asyncio.run(fetch(target, output, digest=digest, progress=meter.show, config=config))
    except KeyboardInterrupt:
        screen.close()
        print(
            f"crawler: stopped at {plural(meter.done, 'byte')};"
            " the same command goes on from there",
            file=sys.stderr,
        )
        raise Exit(130) from None
    finally:
        screen.close()


def _line(found: Downloaded) -> str:
    resumed = f", resumed at {found.resumed:,}" if found.resumed else ""
    return f"{found.path}  {plural(found.size, 'byte')}{resumed}  sha256:{found.sha256}"


class Meter:
    """Draws how far a download is, a few times a second."""

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._first: tuple[float, int] | None = None
        self._drawn = 0.0
        self.done = 0

    def show(self, done: int, total: int | None) -> None:
        """Hear of more bytes."""
        self.done, now = done, time.monotonic()
        self._first = self._first or (now, done)
        if not self._screen.live or (now - self._drawn < _EVERY and done != total):
            return
        self._drawn = now
        started, before = self._first
        speed = (done - before) / (now - started) if now > started else 0.0
        self._screen.show(bar(done, total, speed))


def bar(done: int, total: int | None, speed: float) -> str:
    """Return one line that says how far a download is; `speed` in bytes a second."""
    pace = f"{speed / 1e6:,.1f} MB/s"
    if not total:
        return f"{done / 1e6:,.1f} MB  {pace}"
    share = min(1.0, done / total)
    full = int(share * _CELLS)
    left = f"  {(total - done) / speed:,.0f} s left" if speed and done < total else ""
    cells = "█" * full + "░" * (_CELLS - full)
    return f"{cells} {share:4.0%}  {done / 1e6:,.1f} of {total / 1e6:,.1f} MB  {pace}{left}"
