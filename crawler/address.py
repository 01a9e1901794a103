"""Which IP address a host is at, for limits that hold for an address and not for a name."""

from __future__ import annotations

import asyncio
import socket

from crawler import urls

_PATIENCE = 10.0  # seconds; the system's resolver knows no end


async def address_of(host: str) -> str:
    """Give one IP address of a host, always the same of several; its name where it has none."""
    name = urls.hostname_of(host + "/")
    if urls.is_address(name):
        return name
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(_PATIENCE):
            found = await loop.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # the fetch will fail as well, and say why
        return name
    return min(str(entry[4][0]) for entry in found)
