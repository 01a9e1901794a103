"""The durable state: what is to do, what is done, what was found.

`Store` is the interface of every backend; `open_store` picks one by its address. The values that
cross it are plain tuples, cheap to make by the thousand.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from msgspec import Struct, field

from crawler.config.revisit import RevisitSettings
from crawler.links.selection import Selection
from crawler.markup.words import plural
from crawler.store.address import DatabaseAddress, StoreAddress, address_of
from crawler.store.control_rows import ControlRow
from crawler.web.need_note import NeedNote
from crawler.web.outcome import Outcome
from crawler.web.pattern_note import PatternNote
from crawler.web.refusal import Refusal
from crawler.web.request import Candidate, Todo
from crawler.web.sitemap_entry import SitemapEntry
from crawler.web.visit import Visit

_REVISIT = RevisitSettings()


class HostRow(NamedTuple):
    """A host as it is stored."""

    host_id: int
    name: str
    pending: int = 0
    next_at: float = 0.0
    delay: float | None = None
    failures: int = 0
    pages: int = 0


class RobotsRow(NamedTuple):
    """A host's robots.txt as last fetched; `status` None: unreachable."""

    host_id: int
    fetched_at: float
    status: int | None
    body: bytes | None
    reason: str | None = None  # why it could not be had
    tdmrep: bytes | None = None  # its /.well-known/tdmrep.json; b"" where there is none


class CookieRow(NamedTuple):
    """One cookie as it is stored; `cookie` None: it is gone."""

    session: str
    domain: str
    path: str
    name: str
    cookie: str | None  # JSON: value, when it was made and ends, attributes


class Pulse(NamedTuple):
    """A sign of life of a process that crawls: a row of the table `workers`, but for its run."""

    name: str
    pid: int
    state: str
    started_at: float
    at: float
    hosts: int
    in_flight: int
    pace: float
    lag: float
    memory: int
    files: int
    connections: int
    most: int
    flush: float
    flush_most: float
    flushed: int
    flight: str


class QueueChange(NamedTuple):
    """What a row of `control` does to requests that are queued.

    `kind` is drop, move, retry (what failed) or refetch (whatever it ended as). `busy` are the
    keys of requests that are in flight: they are left alone. `by` is taken from the rank of those
    that move. `done` says what has become of them: "dropped".
    """

    kind: str
    selection: Selection
    done: str
    busy: Sequence[tuple[int, int, int]] = ()
    by: int = 0

    def result(self, number: int) -> str:
        """Return what has been done to so many requests: `12 URLs dropped`."""
        return f"{plural(number, 'URL')} {self.done}"


class Steered(NamedTuple):
    """How many requests were changed, of which hosts; or why none was.

    `queued` are those that a recrawl was still to queue, which was done first.
    """

    number: int
    hosts: Sequence[int]
    refused: str | None
    queued: int = 0


class Arrival(Struct, frozen=True):
    """A page that was fetched elsewhere: where its URL is new, `visit` makes what is stored.

    It is seen and done in one commit and never queued, so no kill can leave it half way.
    """

    candidate: Candidate
    visit: Callable[[Todo], Visit]


class Batch(Struct):
    """What one flush commits, all or nothing."""

    visits: list[Visit] = field(default_factory=list)
    arrivals: list[Arrival] = field(default_factory=list)
    seeds: list[Candidate] = field(default_factory=list)
    hosts: list[HostRow] = field(default_factory=list)
    robots: list[RobotsRow] = field(default_factory=list)
    refusals: Mapping[Refusal, int] = field(default_factory=dict)  # beside those of the visits
    entries: list[SitemapEntry] = field(default_factory=list)
    cookies: Sequence[CookieRow] = ()
    counts: Mapping[str, int] = field(default_factory=dict)  # what the spider counted
    state: str | None = None  # of the spider, in JSON, where it changed
    pool: dict[str, Any] = field(default_factory=dict)  # what the connections do, for `status`
    pulse: Pulse | None = None
    seeded: bool = False
    scope: Sequence[str] = ()  # with `seeded`: seeds beyond `start_urls` that widen the scope

    def __bool__(self) -> bool:
        some = self.visits or self.arrivals or self.seeds or self.hosts or self.robots
        told = self.counts or self.state or self.pulse
        return bool(some or self.entries or self.seeded or told)

    def marks(self) -> list[tuple[str, Any]]:
        """Return what it changes in the table `crawl`, as keys and values."""
        marks: list[tuple[str, Any]] = [("pool", json.dumps(self.pool))] if self.pool else []
        if self.state is not None:
            marks.append(("state", self.state))
        if self.seeded:
            marks += [("seeded", 1), ("scope", json.dumps(list(self.scope)))]
        return marks


Problem = tuple[str, str, str]
"""An item that was refused: the name of its type, the reason without its value, and its value."""


class Committed(Struct, frozen=True):
    """What a commit made: the rows of `todo` that are new or put back, and hosts newly met.

    `hosts` has those whose id the store did not remember, as they were before the commit.
    """

    added: list[Todo]
    hosts: dict[int, HostRow]
    new: int  # requests never seen before
    refusals: Mapping[Refusal, int] = {}  # of items that did not fit and the like: not of visits
    rejected: Sequence[Problem] = ()  # the items that did not fit, beside the visits' own problems
    widened: Sequence[str] = ()  # as in `item.price from INTEGER to REAL`
    pages: int = 0  # how many more pages are stored than before
    ended: Mapping[Outcome, int] = {}  # requests that ended without a visit: somebody dropped them


class Retention(Struct, frozen=True):
    """What is kept of a page beside its row, and when it is due again."""

    bodies: bool = True
    links: bool = True
    versions: int = 1
    revisit: RevisitSettings = _REVISIT
    error_bodies: bool = False


CUT_SHORT = ("running", "failed", "interrupted")
"""States of a last run that may not have done what is done at the end; `running`: it was killed."""


class CrawlState(Struct, frozen=True):
    """Where a crawl stands when its store is opened."""

    spider: str | None
    seeded: bool
    pending: int
    pages: int
    runs: int
    scope: Sequence[str] = ()  # as the commit that seeded the crawl had it
    arguments: str | None = None  # of the spider, in JSON; None where none were ever kept
    again: int = 0  # requests of a recrawl that are pending
    state: str | None = None  # of the spider, in JSON
    items: int = 0  # stored by earlier runs
    asked_until: float = 0.0  # Unix time until which a start may have come that is not stored
    cut_short: bool = False  # the last run may not have done what is done at the end of one


class Store(Protocol):
    """A crawl's durable state. One writer; all calls but `close` come from the committer's task."""

    shared: bool
    """Whether other worker processes may take part; see `SharedStore`."""

    async def open(self) -> CrawlState:
        """Claim and open the store, migrating it where needed; StoreError says why not."""

    async def begin_run(self, spider: str, settings: str, arguments: str | None = None) -> int:
        """Record that a run starts, with which arguments where these are new; return its id."""

    async def end_run(self, state: str, reason: str | None, seconds: float = 0.0) -> bool:
        """Record how the run ended; its commits have counted what it did.

        Return whether it is over: False while other worker processes go on with it.
        """

    async def commit(self, batch: Batch) -> Committed:
        """Store everything in `batch` in one transaction."""

    async def hosts(self, after: int, limit: int, *, again: bool = False) -> list[HostRow]:
        """Return up to `limit` hosts with pending requests and an id above `after`, by id.

        `again`: only those with requests of a recrawl.
        """

    async def queue(self, host_id: int, after: tuple[int, int], limit: int) -> list[Todo]:
        """Return up to `limit` rows of one host's todo behind the key `after`, in order."""

    async def host_pages(self) -> list[tuple[int, int]]:
        """Return how many pages are stored of each host that has any."""

    async def contents(self, limit: int) -> list[tuple[str, str]]:
        """Return the content hashes of the last stored pages, and their URLs, the oldest first."""

    async def simhashes(self, limit: int) -> list[tuple[int, str]]:
        """Return the simhashes of the last new texts, and their URLs, the oldest first."""

    async def near_texts(self, limit: int) -> list[tuple[int, str, int, str | None]]:
        """Return the last pages with a simhash: page id, URL, simhash, `duplicate_of`."""

    async def mark_duplicates(self, marks: Sequence[tuple[int, str | None]]) -> None:
        """Set `duplicate_of` of pages, by their ids, all at once."""

    async def endless(self) -> list[str]:
        """Return the patterns of URLs that were found endless."""

    async def patterns(
        self, limit: int, most_texts: int
    ) -> list[tuple[PatternNote, dict[int, int]]]:
        """Return where the largest patterns of URLs stand, the smallest first, with their texts."""

    async def needs(self) -> list[NeedNote]:
        """Return what was learnt of patterns of URLs: whether their pages need a browser."""

    async def seed_redirects(self) -> list[str]:
        """Return the URLs to which seeds have redirected."""

    async def cookies(self) -> list[CookieRow]:
        """Return every stored cookie."""

    async def robots(self, host_id: int) -> RobotsRow | None:
        """Return a host's robots.txt, None if it was never fetched."""

    def promise(self, until: float) -> None:
        """Note at once, outside of commits, that no host is asked after `until` (Unix time).

        Whoever finds this run killed knows by it how late its last start may have been.
        """

    def stop_waiting(self) -> None:
        """End a wait for another program's lock, now and from now on, with StoreLocked."""

    async def check(self) -> None:
        """Raise StoreGone if what is written into is no longer what the address leads to.

        Commits and the end of a run do so by themselves.
        """

    async def close(self) -> None:
        """Release the claim; nothing is committed here."""


class SharedStore(Store, Protocol):
    """A store that several worker processes write into, each into the hosts that it has leased.

    `commit` gives back only what belongs to these; StoreFenced says that they are lost.
    """

    order: str | None
    """Why all workers are to end, as a reason for the end of a run; None to go on."""

    async def claim(self, limit: int, *, again: bool = False) -> list[HostRow]:
        """Take up to `limit` hosts that have work and may be asked now."""

    async def release(self, hosts: list[int]) -> None:
        """Release hosts of which nothing is left here; others may have added to them since."""

    async def take_seeding(self) -> bool | None:
        """Return whether this worker is to seed: False where that is done, None to ask again."""

    async def widened(self) -> tuple[Sequence[str], Sequence[str]]:
        """Return seeds and redirects of seeds that widen the scope, if there are others by now."""

    async def tickets(self, wanted: int, most: int) -> tuple[int, int]:
        """Return how many more pages this worker may begin, and how many are still to be stored.

        A ticket is for one page of the `most` that the crawl may have. With `wanted` 0 those that
        this worker has left are given back.
        """

    async def stored(self) -> int:
        """Return how many pages all workers have stored, in all runs."""

    async def over(self) -> bool:
        """Return whether the crawl is seeded and nothing of it is left, in one snapshot."""


class SteerableStore(Store, Protocol):
    """A store that hears what people ask of its crawl: the table `control`."""

    joined: bool
    """Whether the run was begun by another worker process: what is paused there stays so."""

    async def asked(self) -> list[ControlRow]:
        """Return what was asked of the crawl and not answered yet, the oldest first."""

    async def standing(self) -> list[ControlRow]:
        """Return what was asked and applied, and holds on, in its order."""

    async def answer(self, control_id: int, state: str, result: str) -> None:
        """Write down what came of a row of `control`: applied or refused, and what."""

    async def note_control(self, action: str, result: str) -> None:
        """Write down as a row of `control` what a run did by itself."""

    async def steer(self, row: ControlRow, change: QueueChange) -> Steered:
        """Change what is queued, and answer the row, in one transaction."""

    async def reopen(self, pattern: str) -> None:
        """Take a pattern off those that were found endless."""


Rows = Sequence[Sequence[Any]]


def open_store(
    address: str | StoreAddress,
    *,
    durable: str = "normal",
    bodies: bool = True,
    links: bool = True,
    versions: int = 1,
    revisit: RevisitSettings = _REVISIT,
    lock_timeout: float = 60.0,
    error_bodies: bool = False,
    delay: float = 0.0,
    lease: float = 30.0,
    group_of: Callable[[str], str] | None = None,
) -> Store:
    """Return the store behind an address; StoreRefused for one that is none.

    `delay`: seconds between two starts of a host, which are kept where a worker process dies.
    `lease`: seconds after which the hosts of one that says nothing are others'.
    `group_of` gives what hosts have in common that are limited, and leased, together.
    """
    keep = Retention(bodies, links, versions, revisit, error_bodies)
    place = address_of(address)
    if isinstance(place, DatabaseAddress):
        from crawler.store.postgres.store import PostgresStore

        return PostgresStore(
            place,
            keep=keep,
            lock_timeout=lock_timeout,
            lease=lease,
            delay=delay,
            group_of=group_of,
        )
    from crawler.store.sqlite import SqliteStore

    return SqliteStore(place, durable=durable, keep=keep, lock_timeout=lock_timeout)
