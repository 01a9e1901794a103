"""The practice site, served on loopback from a thread, for tests that need a real server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from crawler.practice import PracticeSite

_LIMIT = 30.0  # seconds to start and to stop


@contextmanager
def served(**options: Any) -> Iterator[PracticeSite]:
    """Serve a practice site until the context ends; `options` are those of PracticeSite."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def there(coroutine: Coroutine[Any, Any, Any]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, loop).result(_LIMIT)

    site = PracticeSite(**options)
    try:
        there(site.__aenter__())
        try:
            yield site
        finally:
            there(site.__aexit__(None, None, None))
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
