"""Where a running crawl writes: one live line on a terminal, plain log lines elsewhere."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sys
import warnings
from datetime import UTC, datetime
from typing import IO, TextIO

from crawler.cli.visible import raw, visible
from crawler.errors import without_passwords
from crawler.web.error_place import is_users, shown

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


class JsonFormatter(logging.Formatter):
    """Writes a record as one JSON object: at, level, logger, message, and where it is, error."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        said = {
            "at": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            said["error"] = self.formatException(record.exc_info)
        return json.dumps(said, ensure_ascii=False)


def start_logging(screen: Screen, level: str, *, as_json: bool = False) -> None:
    """Send the process's log records to the screen, as lines to read or as JSON."""
    handler = ScreenHandler(screen)
    plain = logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")
    handler.setFormatter(JsonFormatter() if as_json else plain)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    warnings.showwarning = _log_warning
    for library in _TALKATIVE:
        logging.getLogger(library).setLevel(logging.WARNING)


def _log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Log a warning of Python's in one line, with its place where that is the user's own code."""
    said = str(message).partition("\n")[0]
    if said.endswith("was never awaited"):
        said = f"{said}: is an `await` missing where it is called?"
    place = f"{shown(filename)}:{lineno}: " if is_users(filename) else ""
    logging.getLogger("crawler").warning("%s%s: %s", place, category.__name__, said)


def tell_damaged(urls: list[str]) -> None:
    """Print which pages were left out because their stored bodies are damaged."""
    if urls:
        more = f" and {len(urls) - 1:,} more" if len(urls) > 1 else ""
        print(
            f"left out, because what is stored of it is damaged: {urls[0]}{more};"
            " `crawler recrawl --all` fetches it again",
            file=sys.stderr,
        )
