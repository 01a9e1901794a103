"""What the owner of a crawl and its worker processes say to each other: typed MessagePack.

No pickle: nothing that arrives can be more than the values below. Each message goes with its
length in front.
"""

from __future__ import annotations

import struct
from typing import Any

import msgspec
from msgspec import Struct

from crawler.http.pool import Pool
from crawler.items import Table
from crawler.parsers.recipe import Recipe
from crawler.store import CookieRow
from crawler.store.rows import Packed
from crawler.urls.scope import Kind
from crawler.web.outcome import Outcome
from crawler.web.refusal import Refusal
from crawler.web.request import Candidate, Todo
from crawler.web.visit import AskedRetry

LENGTH = struct.Struct(">I")


class ScopeNow(Struct, frozen=True, array_like=True):
    """What belongs to the crawl when a process begins."""

    kind: Kind
    seeds: list[str]
    allowed_domains: list[str]


class Included(Struct, frozen=True, array_like=True, tag=8):
    """URLs that have widened what belongs to the crawl."""

    urls: list[str]


class Start(Struct, frozen=True, array_like=True, tag=2):
    """What a process must know before the first request. `config` is a whole Config."""

    recipe: Recipe
    config: bytes
    store: str
    scope: ScopeNow
    named: list[str]
    cookies: list[CookieRow]
    state: str | None
    log_levels: dict[str, int]


class Task(Struct, frozen=True, array_like=True, tag=3):
    """One request to visit. `bare`: fetch and keep it, but let nothing of ours read it."""

    number: int
    todo: Todo
    priority: int
    bare: bool = False


class Named(Struct, frozen=True, array_like=True, tag=4):
    """Origins that the user has named since: they may be private, and get secret headers."""

    hosts: list[str]


class CookiesNow(Struct, frozen=True, array_like=True, tag=5):
    """Cookies that changed elsewhere."""

    rows: list[CookieRow]


class End(Struct, frozen=True, array_like=True, tag=6):
    """Nothing more comes."""


class Judged(Struct, frozen=True, array_like=True, tag=7):
    """The answer to a question: the URL of the page that has the same content, None for none."""

    number: int
    duplicate_of: str | None


class Ready(Struct, frozen=True, array_like=True, tag=20):
    """The first that a process says: it can begin, or why it cannot make the spider."""

    problem: str | None


class Answer(Struct, frozen=True, array_like=True, tag=21):
    """All that one request led to; what only the owner can judge is still to be judged.

    `failure` is 0 where there is an answer, 1 for a failed try, 2 for one that is final; `read`
    says that the answer was taken for a page. An item is
    (the place of its table in `tables`, its values, texts replaced). Candidates from `asked_from`
    on were asked for by a callback. `refused` are links by their hash, which count once over all
    processes; `deep` those beyond the depth limit, `only_new` what is
    taken wherever it leads.
    """

    number: int
    outcome: Outcome
    at: float
    status: int | None
    error: str | None
    failure: int = 0
    read: bool = False
    response: Packed | None = None
    title: str | None = None
    encoding: str | None = None
    links: list[str] = []
    candidates: list[Candidate] = []
    asked_from: int = 0
    redirect_to: str | None = None
    not_taken: tuple[Refusal, str] | None = None
    canonical: str | None = None
    tables: list[Table] = []
    items: list[tuple[int, tuple[Any, ...], int]] = []
    problems: list[tuple[str, str, str]] = []
    text: str | None = None
    hidden: int = 0
    refusals: dict[Refusal, int] = {}
    refused: list[tuple[Refusal, int]] = []
    deep: list[int] = []
    only_new: list[Candidate] = []
    fragments: list[str] = []
    anchors: list[str] | None = None
    widened: list[str] = []
    asked: AskedRetry | None = None
    stop: str | None = None
    counts: dict[str, int] = {}  # beside visits
    counted: dict[str, int] = {}  # with this one
    cookies: list[CookieRow] = []
    cookie_refusals: dict[Refusal, int] = {}
    dropped: dict[str, int] = {}


class Wish(Struct, frozen=True, array_like=True, tag=25):
    """What the spider asks of its crawl: to stop, or to queue a request that no page has led to."""

    stop: str | None = None
    add: Candidate | None = None


class LogLine(Struct, frozen=True, array_like=True, tag=22):
    """Something that was logged."""

    logger: str
    level: int
    text: str


class Ended(Struct, frozen=True, array_like=True, tag=23):
    """The last that a process says. `changed`: attributes in which its spider kept something.

    `raised`: tracebacks of pipelines that could not be closed.
    """

    changed: list[str]
    raised: dict[str, str]


class Question(Struct, frozen=True, array_like=True, tag=24):
    """Was this content there before? `near` is its simhash where near ones count."""

    number: int
    url: str
    digest: bytes
    near: int | None


class PoolNow(Struct, frozen=True, array_like=True, tag=26):
    """What the connections of a process are doing."""

    pool: Pool


ToWorker = Start | Task | Included | Named | CookiesNow | Judged | End
ToOwner = Ready | Question | Answer | Wish | LogLine | PoolNow | Ended

to_worker = msgspec.msgpack.Decoder(ToWorker)
to_owner = msgspec.msgpack.Decoder(ToOwner)


def _plain(value: Any) -> Any:
    """Return a number or text of a user's subclass as what every database takes it for."""
    for kind in (int, float, str):
        if isinstance(value, kind):
            return kind(value)
    raise TypeError(f"a {type(value).__name__} cannot go from one process to another")


_encoder = msgspec.msgpack.Encoder(enc_hook=_plain)


def pack(message: Struct) -> bytes:
    """Return a message as it goes through a channel; TypeError and the like where it cannot."""
    data = _encoder.encode(message)
    return LENGTH.pack(len(data)) + data
