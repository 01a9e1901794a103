"""What the crawl and its parse processes say to each other: typed MessagePack, length first.

No pickle: nothing that arrives can be more than the values below.
"""

from __future__ import annotations

import struct
from typing import Any

import msgspec
from msgspec import Struct

from crawler.items import Table
from crawler.web.refusal import Refusal
from crawler.web.request import Candidate, Todo
from crawler.web.visit import AskedRetry

LENGTH = struct.Struct(">I")


class Recipe(Struct, frozen=True, array_like=True):
    """How a process makes the spider, and what it must know of the configuration."""

    module: str
    file: str
    name: str
    positional: list[Any]
    named: dict[str, Any]
    attributes: dict[str, Any]
    order: str
    callback_timeout: float


class ParseTask(Struct, frozen=True, array_like=True):
    """One page to parse. `call`: also call the request's callback."""

    todo: Todo
    priority: int
    call: bool
    url: str
    status: int
    headers: list[tuple[str, bytes]]
    body: bytes
    started: float
    elapsed: float
    wire_size: int


class ParseAnswer(Struct, frozen=True, array_like=True):
    """What a page gave. References are as written, candidates not filtered yet.

    An item is (the place of its table in `tables`, its values).
    """

    encoding: str
    title: str | None
    base: str | None
    hrefs: list[str]
    robots: list[tuple[str, str]]
    tables: list[Table]
    items: list[tuple[int, tuple[Any, ...]]]
    problems: list[tuple[str, str, str]]
    candidates: list[Candidate]
    refusals: dict[Refusal, int]
    error: str | None
    asked: AskedRetry | None = None
    stop: str | None = None
    counts: dict[str, int] = {}


class WorkerStarted(Struct, frozen=True, array_like=True):
    """The first thing that a process says: ready, or why it cannot make the spider."""

    problem: str | None


def _plain(value: Any) -> Any:
    """Return a number or text of a user's subclass as what every database takes it for."""
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind(value)
    raise TypeError(f"a {type(value).__name__} cannot go from one process to another")


_encoder = msgspec.msgpack.Encoder(enc_hook=_plain)


def pack(message: Struct) -> bytes:
    """Return a message as it goes through the pipe."""
    data = _encoder.encode(message)
    return LENGTH.pack(len(data)) + data
