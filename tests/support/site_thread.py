"""A site on a thread of its own, for crawls that run elsewhere than in the test's loop."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TypeVar

from crawler.testing.site import served as site_on_a_thread

__all__ = ["on_a_thread", "site_on_a_thread"]
T = TypeVar("T")


@contextmanager
def on_a_thread(site: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """Serve a site until the context ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield asyncio.run_coroutine_threadsafe(site.__aenter__(), loop).result(30)
        end = site.__aexit__(None, None, None)
        asyncio.run_coroutine_threadsafe(end, loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
