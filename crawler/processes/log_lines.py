"""What is logged in a worker process: it goes to the owner, who writes it where its own goes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from crawler.processes import messages
from crawler.store import rows


class _ToOwner(logging.Handler):
    """Sends what is logged to the owner, who writes it where its own goes."""

    def __init__(self, send: Callable[[messages.LogLine], None]) -> None:
        super().__init__()
        self._loop, self._send = asyncio.get_running_loop(), send

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = rows.clean(self.format(record)) or ""
            line = messages.LogLine(record.name, record.levelno, text)
            self._loop.call_soon_threadsafe(self._send, line)
        except Exception:
            self.handleError(record)


def start_logging(levels: dict[str, int], send: Callable[[messages.LogLine], None]) -> None:
    """Send what is logged from now on, at these levels by logger."""
    handler = _ToOwner(send)
    logging.basicConfig(handlers=[handler], force=True)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
