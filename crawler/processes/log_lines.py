"""What is logged in a worker process: it goes to the owner, who writes it where its own goes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from logging.handlers import QueueHandler
from queue import SimpleQueue

from crawler.processes import messages
from crawler.store import rows


class _ToOwner(QueueHandler):
    """Sends what is logged to the owner, who writes it where its own goes."""

    def __init__(self, send: Callable[[messages.LogLine], None]) -> None:
        super().__init__(SimpleQueue())
        self._loop, self._send = asyncio.get_running_loop(), send

    def enqueue(self, record: logging.LogRecord) -> None:
        """Send a record, whose message `prepare` has made."""
        line = messages.LogLine(record.name, record.levelno, rows.clean(record.msg) or "")
        self._loop.call_soon_threadsafe(self._send, line)


def start_logging(levels: dict[str, int], send: Callable[[messages.LogLine], None]) -> None:
    """Send what is logged from now on, at these levels by logger."""
    handler = _ToOwner(send)
    logging.basicConfig(handlers=[handler], force=True)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
