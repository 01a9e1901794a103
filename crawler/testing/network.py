"""No network in a test: what opens a socket during a crawl over recorded answers is refused.

An audit hook (PEP 578) hears of every socket, also of one that a C library's Python calls open. It
is added by the first such crawl, and asks nothing while none goes on.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from crawler.errors import OfflineOnly, UsageError

T = TypeVar("T")
Drive = Callable[[Coroutine[Any, Any, Any]], Any]

_REFUSED = frozenset(
    ("socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname")
)
_LOCAL = getattr(socket, "AF_UNIX", None)
_crawls = 0
_hooked = False


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if not _crawls or not event.startswith("socket."):
        return
    # A pair of Unix sockets leads nowhere: event loops wake themselves through one.
    opened = event == "socket.__new__" and arguments[1] not in (_LOCAL, -1)
    if opened or event in _REFUSED:
        what = event.partition(".")[2].strip("_")
        raise OfflineOnly(
            f"socket.{what}{_shown(arguments)}: this crawl has recorded answers alone; yield a"
            " Request for what the spider needs, and record it"
        )


def _shown(arguments: tuple[Any, ...]) -> str:
    said = [repr(each) for each in arguments if isinstance(each, (str, int, tuple, bytes))]
    return f"({', '.join(said)})"[:120]


@contextmanager
def refused(*, loop: bool) -> Iterator[Drive]:
    """Refuse sockets, and return what runs a coroutine: an event loop, or no more than a loop."""
    global _crawls, _hooked
    if not _hooked:
        sys.addaudithook(_hear)
        _hooked = True
    if not loop:
        _crawls += 1
        try:
            yield by_hand
        finally:
            _crawls -= 1
        return
    import asyncio

    with asyncio.Runner() as runner:
        runner.get_loop()  # which opens its pair of sockets
        _crawls += 1
        try:
            yield runner.run
        finally:
            _crawls -= 1


def by_hand(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run what never waits to its end without an event loop; UsageError where it does wait."""
    try:
        while (waited := coroutine.send(None)) is None:
            pass  # it only let others run
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    coroutine.close()
    raise UsageError(f"{waited!r}: only what is `async def` can wait in a test")
