"""A practice site on a thread of its own, for crawls that run elsewhere than in the test's loop."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from crawler.practice import PracticeSite


@contextmanager
def site_on_a_thread(**options) -> Iterator[PracticeSite]:
    """Serve until the context ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def there(coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(30)

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
