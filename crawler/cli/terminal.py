"""Where a running crawl writes: one live line on a terminal, plain log lines elsewhere."""

from __future__ import annotations

import logging
import os
import shutil
import sys
from typing import IO

from crawler.cli.visible import raw, visible
from crawler.errors import without_passwords

_TALKATIVE = ("aiosqlite", "asyncio")  # at debug they tell every statement, with its values
_CLEAR = "\r\x1b[2K"


class Screen:
    """Standard error: lines that stay, and on a terminal one line below them that changes."""

    def __init__(self, stream: IO[str] | None = None, *, quiet: bool = False) -> None:
        self._stream = raw(stream or sys.stderr)
        self.quiet = quiet
        self.live = not quiet and self._stream.isatty() and os.environ.get("TERM") != "dumb"
        self._line = ""

    def say(self, text: str) -> None:
        """Write a line that stays."""
        clear, text = _CLEAR if self._line else "", without_passwords(visible(text))
        self._stream.write(f"{clear}{text}\n{self._line}")
        self._stream.flush()

    def show(self, text: str) -> None:
        """Replace the line that changes; an empty text removes it."""
        width = shutil.get_terminal_size().columns - 1
        self._line = visible(text)[:width]
        self._stream.write(_CLEAR + self._line)
        self._stream.flush()

    def close(self) -> None:
        """Remove the line that changes."""
        if self._line:
            self.show("")


class ScreenHandler(logging.Handler):
    """Writes log records above the live line."""

    def __init__(self, screen: Screen) -> None:
        super().__init__()
        self._screen = screen

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        try:
            self._screen.say(self.format(record))
        except (OSError, ValueError):
            self.handleError(record)


def start_logging(screen: Screen, level: str) -> None:
    """Send the process's log records to the screen."""
    handler = ScreenHandler(screen)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for library in _TALKATIVE:
        logging.getLogger(library).setLevel(logging.WARNING)


def tell_damaged(urls: list[str]) -> None:
    """Print which pages were left out because their stored bodies are damaged."""
    if urls:
        more = f" and {len(urls) - 1:,} more" if len(urls) > 1 else ""
        print(
            f"left out, because what is stored of it is damaged: {urls[0]}{more};"
            " `crawler recrawl --all` fetches it again",
            file=sys.stderr,
        )
