"""The gate: no request passes before its host's robots.txt is known (RFC 9309).

Asked once per host however many workers wait, kept in the store for a day. What a status means is
`robots.POLICY`; hosts whose robots.txt cannot be had are asked again a few times and then shut.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from enum import Enum
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from crawler import urls
from crawler.config.layers import Config
from crawler.engine.committer import Committer
from crawler.errors import ConfigError, FetchError
from crawler.frontier import Frontier
from crawler.frontier.host_queue import HostQueue
from crawler.http.fetcher import Fetcher
from crawler.parse.usage import TDM_FILE, Reservation, reserved
from crawler.politeness.usage import statements
from crawler.robots import LIMIT, Robots
from crawler.robots import in_force as rules_in_force
from crawler.store import RobotsRow, Store
from crawler.urls.userinfo import with_userinfo
from crawler.web import redirects
from crawler.web.outcome import Outcome
from crawler.web.refusal import Refusal
from crawler.web.request import Request
from crawler.web.response import Response

DAY = 24 * 3600.0
_SHUT_FOR = 600.0  # seconds after which an unreachable robots.txt is asked for again
_LASTING = frozenset({Outcome.TLS_ERROR, Outcome.ADDRESS_REFUSED})  # nothing mends by waiting
_HOPS = 5  # redirects that RFC 9309 section 2.3.1.2 asks for at least


class Verdict(Enum):
    """What the gate says to one URL."""

    PASS = "pass"
    DENIED = "denied"
    RESERVED = "reserved"
    UNREACHABLE = "unreachable"


REFUSED = {
    Verdict.DENIED: Outcome.ROBOTS_DENIED,
    Verdict.UNREACHABLE: Outcome.ROBOTS_UNREACHABLE,
    Verdict.RESERVED: Outcome.RESERVED,
}
"""The outcome of what the gate does not let pass."""


class RobotsInForce(Struct, frozen=True):
    """A host's robots.txt in force; `rules` None means that it could not be had."""

    rules: Robots | None
    expires: float  # by the clock of the event loop
    failure: FetchError | None = None  # why nothing of this host can be had
    reason: str | None = None  # why it could not be had
    outcome: str | None = None  # that of the request for it, where there was no answer at all
    tdmrep: bytes | None = b""  # its /.well-known/tdmrep.json; None: to be asked for
    row: RobotsRow | None = None  # what is stored of it


class RobotsGate:
    """Knows every host's robots.txt, or gets it."""

    def __init__(
        self,
        fetcher: Fetcher,
        store: Store,
        committer: Committer,
        frontier: Frontier,
        *,
        agent: str,
        retries: int,
        max_delay: float = 60.0,
        own_rules: Callable[[str], bytes | None] = lambda host: None,
        announce: Callable[[Iterable[str], str], None] | None = None,
        heeds: Sequence[str] = (),
    ) -> None:
        """`own_rules` give what stands in for a host's robots.txt.
        `announce` is told the sitemaps that a robots.txt names, and its URL.

        `heeds` are the purposes for which nothing is fetched that a site reserves.
        """
        self._heeds = heeds
        self._fetcher, self._store = fetcher, store
        self._committer, self._frontier = committer, frontier
        self._agent, self._retries, self._max_delay = agent, retries, max_delay
        self._own_rules = own_rules
        self._announce = announce
        self._tries: dict[int, int] = {}

    async def knows(self, host: HostQueue) -> bool:
        """Return whether the host's robots.txt is known and fresh, from memory or the store."""
        in_force = host.robots
        if isinstance(in_force, RobotsInForce) and in_force.expires > self._frontier.now():
            return in_force.tdmrep is not None
        stands_in = self._own_rules(host.name) if in_force is None else None
        if stands_in is not None:
            own = Robots.parse(stands_in)
            tdmrep = None if self._heeds else b""
            self._stand(host, RobotsInForce(own, math.inf, tdmrep=tdmrep))
            return tdmrep is not None
        row = await self._store.robots(host.host_id) if in_force is None else None
        rules = None if row is None else rules_in_force(row.status, row.body or b"")
        if row is None or rules is None:
            return False
        left = min(DAY, row.fetched_at + DAY - self._frontier.wall())
        if left <= 0:
            return False
        tdmrep = row.tdmrep if self._heeds else b""
        until = self._frontier.now() + left
        self._stand(host, RobotsInForce(rules, until, tdmrep=tdmrep, row=row))
        return tdmrep is not None

    async def ask(self, host: HostQueue) -> bool:
        """Fetch the host's robots.txt; afterwards it is known, or the host rests.

        False where the host failed: it may be otherwise later.
        """
        # It starts later than its slot was reserved by as long as the store took to be asked.
        self._frontier.rest(host, self._frontier.now() + host.pace.delay)
        known = host.robots
        if isinstance(known, RobotsInForce) and known.expires > self._frontier.now():
            await self._ask_tdmrep(host, known)
            return True
        try:
            response = await robots_of(host.name, self._fetcher)
        except FetchError as error:
            if error.final or error.outcome in _LASTING:
                self._shut(host, f"robots.txt: {error}", error)
                return True
            self._again(host, f"robots.txt: {error}", error)
            return False
        rules = rules_in_force(response.status, response.body[:LIMIT])
        if rules is None:
            self._again(host, f"robots.txt answered {response.status}")
            return False
        self._keep(host, response, rules)
        return True

    async def _ask_tdmrep(self, host: HostQueue, known: RobotsInForce) -> None:
        """Get what a host reserves; where that cannot be had, nothing is."""
        try:
            response = await self._fetcher.fetch(Request(host.name + TDM_FILE), keep=LIMIT)
            body = response.body[:LIMIT] if response.status == 200 else b""
        except FetchError:
            body = b""
        row = known.row._replace(tdmrep=body) if known.row is not None else None
        if row is not None:
            self._committer.put_robots(row)
        host.know(replace(known, tdmrep=body, row=row))

    def _keep(self, host: HostQueue, response: Response, rules: Robots) -> None:
        body = response.body[:LIMIT] if response.status < 300 else b""
        row = RobotsRow(host.host_id, response.started, response.status, body)
        self._committer.put_robots(row)
        self._tries.pop(host.host_id, None)
        if self._announce is not None:
            said = with_userinfo(host.name, rules.sitemaps)
            self._fetcher.jars.refuse(Refusal.URL_CREDENTIALS, said)
            self._announce(rules.sitemaps, host.name + "/robots.txt")
        tdmrep, until = None if self._heeds else b"", self._frontier.now() + DAY
        self._stand(host, RobotsInForce(rules, until, tdmrep=tdmrep, row=row))

    def _stand(self, host: HostQueue, in_force: RobotsInForce) -> None:
        host.know(in_force)
        delay = in_force.rules.crawl_delay(self._agent) if in_force.rules else None
        if delay is not None:
            self._frontier.slow_to(host, min(delay, self._max_delay))

    def _again(self, host: HostQueue, reason: str, error: FetchError | None = None) -> None:
        """Let the host rest and be asked again, or shut it for a while.

        What a proxy says is not the host's robots.txt: the error stays that of the proxy.
        """
        tries = self._tries.get(host.host_id, 0) + 1
        if tries <= self._retries:
            self._tries[host.host_id] = tries
            self._frontier.rest(host, self._frontier.now() + 2.0 ** (tries - 1))
            return
        self._tries.pop(host.host_id, None)
        outcome = error.outcome if error is not None else None
        of_proxy = error if outcome is Outcome.PROXY_ERROR else None
        self._shut(host, reason, of_proxy, outcome)

    def _shut(
        self,
        host: HostQueue,
        reason: str,
        failure: FetchError | None = None,
        outcome: str | None = None,
    ) -> None:
        """Fetch nothing of a host for a while, and keep why."""
        now = self._frontier.wall()
        self._committer.put_robots(RobotsRow(host.host_id, now, None, None, reason))
        until = self._frontier.now() + _SHUT_FOR
        host.know(RobotsInForce(None, until, failure, None if failure else reason, outcome))

    def verdict(self, host: HostQueue, url: str) -> Verdict:
        """Return whether a URL of a known host may be fetched.

        FetchError, with the outcome of its robots.txt, where asking again would not help: a
        certificate that proves nothing, a name that does not exist, an address that is refused.
        """
        in_force = host.robots
        assert isinstance(in_force, RobotsInForce)
        if in_force.failure is not None:
            failure = in_force.failure
            raise FetchError(f"robots.txt: {failure}", failure.outcome, final=True)
        if in_force.rules is None:
            return Verdict.UNREACHABLE
        if not in_force.rules.allows(url, self._agent):
            return Verdict.DENIED
        return Verdict.RESERVED if self._reservation(host, url) else Verdict.PASS

    def _reservation(self, host: HostQueue, url: str) -> Reservation | None:
        """Return the line by which a URL is reserved for one of the purposes that are heeded."""
        known = host.robots
        if not self._heeds or not isinstance(known, RobotsInForce) or known.rules is None:
            return None
        said = statements(url, known.rules, self._agent, known.tdmrep)
        return reserved(said, self._heeds)

    def reason(self, host: HostQueue, url: str) -> str | None:
        """Return why a URL may not be fetched, beside that robots.txt denies it."""
        reservation = self._reservation(host, url)
        if reservation is not None:
            return str(reservation)
        return host.robots.reason if isinstance(host.robots, RobotsInForce) else None


def unanswered(host: HostQueue) -> Outcome | None:
    """Return the outcome of a host that did not even answer for its robots.txt, None if it did."""
    told = host.robots.outcome if isinstance(host.robots, RobotsInForce) else None
    return Outcome(told) if told else None


async def robots_of(host: str, fetcher: Fetcher) -> Response:
    """Fetch a host's robots.txt, at the end of at most five redirects, across hosts too."""
    request: Request | None = Request(host + "/robots.txt")
    while request is not None:
        response = await fetcher.fetch(request, keep=LIMIT)
        try:
            if redirects.credentials_of(response.headers, request.url) is not None:
                fetcher.jars.refuse(Refusal.URL_CREDENTIALS)
            request = redirects.following(request, response.status, response.headers, most=_HOPS)
        except FetchError:  # it leads nowhere: the host has none (RFC 9309 section 2.3.1.2)
            request = None
    return response


def own_rules_of(config: Config) -> Callable[[str], bytes | None]:
    """Return what gives the rules that stand in for a host's robots.txt; None: its own count.

    Nothing at all, where `robots = false` says that they do not.
    """
    files = overrides_of(config.politeness.robots_override)

    def own_rules(host: str) -> bytes | None:
        obeys = config.hosts.of(host).robots
        if obeys is None and host in files:
            return files[host]
        return None if (config.politeness.robots if obeys is None else obeys) else b""

    return own_rules


def overrides_of(files: Mapping[str, str]) -> dict[str, bytes]:
    """Read `politeness.robots_override`: what stands in for a host's robots.txt, by host."""
    found = {}
    for name, file in files.items():
        url = urls.parse(name if "://" in name else f"https://{name}")
        if url is None:
            raise ConfigError(f"politeness.robots_override: {name!r} is no host")
        try:
            found[urls.host_of(url)] = Path(file).read_bytes() if file else b""
        except OSError as error:
            raise ConfigError(
                f"politeness.robots_override: {file}: {error.strerror or error}"
            ) from None
    return found
