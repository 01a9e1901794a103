"""Which IP addresses a name leads to, asked of the system's resolver."""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from crawler import urls

# Only kinds of address that this machine has itself; on Windows that would leave out localhost.
_FLAGS = 0 if sys.platform == "win32" else socket.AI_ADDRCONFIG
_PATIENCE = 10.0  # seconds; the system's resolver knows no end

Found = tuple[socket.AddressFamily, int, str]
"""The family, the protocol and the text of an address."""


async def addresses(
    name: str, family: socket.AddressFamily = socket.AF_UNSPEC, *, patience: float = _PATIENCE
) -> list[Found]:
    """Return the addresses of a name; OSError if it has none or nobody answers in `patience` s.

    Each look-up has a thread of its own, which ends with the process: a resolver that hangs would
    otherwise hold up the threads that all others share, and the end of the program.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[Any]] = loop.create_future()

    def tell(settle: Callable[[Any], None], value: Any) -> None:
        if not answer.done():
            settle(value)

    def look() -> None:
        try:
            found = socket.getaddrinfo(
                name, None, type=socket.SOCK_STREAM, family=family, flags=_FLAGS
            )
        except (OSError, ValueError) as error:  # ValueError: no text that can be asked for
            told: tuple[Callable[[Any], None], Any] = answer.set_exception, error
        else:
            told = answer.set_result, found
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(tell, *told)

    threading.Thread(target=look, name=f"address of {name}", daemon=True).start()
    try:
        async with asyncio.timeout(patience):
            rows = await answer
    except TimeoutError:
        raise socket.gaierror(socket.EAI_AGAIN, f"no answer in {patience:g} s") from None
    if not rows:
        raise socket.gaierror(socket.EAI_AGAIN, "an answer without an address")
    return [(row[0], row[2], _text(row[4])) for row in rows]


def _text(address: tuple[Any, ...]) -> str:
    """Write an address, with the interface that a link-local one of IPv6 belongs to."""
    scope = address[3] if len(address) == 4 else 0
    return f"{address[0]}%{scope}" if scope and "%" not in address[0] else str(address[0])


async def address_of(host: str) -> str:
    """Return one IP address of a host, always the same of several; its name if it has none."""
    name = urls.hostname_of(host + "/")
    if urls.is_address(name):
        return name
    try:
        return min(text for _, _, text in await addresses(name))
    except (OSError, UnicodeError):  # the fetch will fail as well, and say why
        return name
