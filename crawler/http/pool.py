"""What the connection pool does at this moment, as values: for people who watch, and for tests."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import sys
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import aiohttp
from msgspec import Struct, field

_STATM = Path("/proc/self/statm")


class Connections(Struct, frozen=True):
    """Connections to one host: with a request on them, idle, and requests that wait for one."""

    open: int = 0
    idle: int = 0
    waiting: int = 0


class Pool(Struct, frozen=True):
    """The pool by host (scheme://name:port), the addresses it remembers by name, and the memory.

    `open` counts connections with a request on them, `idle` those kept for the next one, `waiting`
    the requests without one. `memory` is the resident set of the process in bytes, of a crawl in
    several processes that of all of them.
    """

    hosts: dict[str, Connections] = field(default_factory=dict)
    addresses: dict[str, tuple[str, ...]] = field(default_factory=dict)
    memory: int = 0

    @property
    def open(self) -> int:
        """Connections with a request on them."""
        return sum(host.open for host in self.hosts.values())

    @property
    def idle(self) -> int:
        """Connections kept for the next request."""
        return sum(host.idle for host in self.hosts.values())

    @property
    def waiting(self) -> int:
        """Requests that wait for a connection."""
        return sum(host.waiting for host in self.hosts.values())

    def summary(self, most: int = 5) -> dict[str, Any]:
        """Return the totals and the hosts with most to do, as JSON can hold them."""
        ranked = sorted(self.hosts, key=lambda name: (-_weight(self.hosts[name]), name))
        return {
            "open": self.open,
            "idle": self.idle,
            "waiting": self.waiting,
            "names": len(self.addresses),
            "memory": self.memory,
            "hosts": {name: _weight(self.hosts[name]) for name in ranked[:most]},
        }


def _weight(host: Connections) -> int:
    return host.open + host.waiting


def merged(pools: Sequence[Pool]) -> Pool:
    """Return the pools of several processes as one."""
    if len(pools) == 1:
        return pools[0]
    hosts: dict[str, Connections] = {}
    addresses: dict[str, tuple[str, ...]] = {}
    for pool in pools:
        addresses.update(pool.addresses)
        for name, more in pool.hosts.items():
            had = hosts.get(name, Connections())
            hosts[name] = Connections(
                had.open + more.open, had.idle + more.idle, had.waiting + more.waiting
            )
    return Pool(hosts, addresses, sum(pool.memory for pool in pools))


def pool_of(connectors: Iterable[aiohttp.BaseConnector]) -> Pool:
    """Return the state of some connectors, which keep it in places of their own."""
    counts: dict[str, list[int]] = {}
    addresses: dict[str, tuple[str, ...]] = {}
    for connector in connectors:
        places: tuple[Any, ...] = (
            connector._acquired_per_host,
            connector._conns,
            connector._waiters,
        )
        for column, place in enumerate(places):
            for key, members in place.items():
                name = f"{'https' if key.is_ssl else 'http'}://{key.host}:{key.port}"
                counts.setdefault(name, [0, 0, 0])[column] += len(members)
        cache = getattr(connector, "_cached_hosts", None)
        for (name, _), found in getattr(cache, "_addrs_rr", {}).items():
            addresses[name] = tuple(one["host"] for one in islice(*found))  # once around
    hosts = {name: Connections(*row) for name, row in counts.items() if any(row)}
    return Pool(hosts, addresses, memory())


def memory() -> int:
    """Return the resident set of this process in bytes; its peak, or 0, where nobody says it."""
    if sys.platform == "win32":
        return 0
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        import resource
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def unread_on(transport: asyncio.Transport | None) -> str | None:
    """Return what waits to be read on a connection: "bytes" or its "end"; None for nothing.

    A connection that is gone is at its end.
    """
    found = transport.get_extra_info("socket") if transport is not None else None
    if found is None or found.fileno() < 0:
        return "end"
    if sys.platform == "win32":
        is_readable = bool(select.select([found.fileno()], (), (), 0)[0])
    else:
        poll = select.poll()  # it takes any number, unlike `select`
        poll.register(found.fileno(), select.POLLIN)
        is_readable = bool(poll.poll(0))
    if not is_readable:
        return None
    with socket.socket(fileno=os.dup(found.fileno())) as peeking:  # asyncio's own cannot
        try:
            return "bytes" if peeking.recv(1, socket.MSG_PEEK) else "end"
        except OSError:
            return "end"
