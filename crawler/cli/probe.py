"""Fetch one URL without a crawl, as a crawl would: robots.txt, redirects, the address guard."""

from __future__ import annotations

from dataclasses import dataclass, field

from crawler import urls
from crawler.browser import Browser
from crawler.config.layers import Config
from crawler.engine.robots_gate import own_rules_of, robots_of
from crawler.errors import FetchError
from crawler.http.address_guard import AddressGuard
from crawler.http.cookies import CookieJars
from crawler.http.fetcher import Fetcher
from crawler.robots import Robots, in_force
from crawler.web import redirects
from crawler.web.outcome import Outcome
from crawler.web.page import ScrapedPage
from crawler.web.request import Request
from crawler.web.response import Response
from crawler.web.steps import Screenshot
from crawler.web.walls import wall_of


@dataclass(slots=True)
class Hop:
    """One request of the way: how it ended, and what robots.txt says of it."""

    url: str
    outcome: Outcome
    status: int | None = None
    allowed: bool = True
    rule: str = ""
    robots: Robots | None = None  # of its host; None where all is allowed, or nothing could be had
    error: str = ""
    elapsed: float = 0.0


@dataclass(slots=True)
class Probe:
    """The way from a URL to its page; `page` None if there is none."""

    hops: list[Hop] = field(default_factory=list)
    page: ScrapedPage | None = None
    picture: bytes | None = None

    @property
    def outcome(self) -> Outcome:
        """How it ended."""
        return self.hops[-1].outcome


async def look(url: str, config: Config, *, browser: bool = False, pictured: bool = False) -> Probe:
    """Fetch a canonical URL and follow its redirects; what robots.txt denies is still fetched.

    `browser`: render it; `pictured`: and take a picture of it.
    """
    guard = AddressGuard(allow_private=config.fetch.allow_private)
    guard.name(url)
    jars = CookieJars()
    async with (
        Fetcher(
            config.fetch, agent=config.agent, guard=guard, connections=2, config=config, jars=jars
        ) as fetcher,
        Browser(config, guard, jars) as rendering,
    ):
        found = Probe()
        steps = (Screenshot(),) if pictured else ()
        request: Request | None = Request(url, browser=browser, steps=steps)
        while request is not None:
            request = await _step(found, request, fetcher, rendering, config)
        return found


async def _step(
    found: Probe, request: Request, fetcher: Fetcher, browser: Browser, config: Config
) -> Request | None:
    """Add one hop, and return the request to which it redirects."""
    hop = Hop(request.url, Outcome.OK)
    found.hops.append(hop)
    await _ask_robots(hop, fetcher, config)
    try:
        rendered = browser.takes(request)
        response = await (browser.render(request) if rendered else fetcher.fetch(request))
    except FetchError as error:
        hop.outcome, hop.error = Outcome(error.outcome), str(error)
        return None
    hop.status, hop.elapsed = response.status, response.elapsed
    hop.outcome = response.outcome
    following = _following(request, response, hop, config.fetch.max_redirects)
    if following is None and hop.outcome is not Outcome.TOO_MANY_REDIRECTS:
        found.page = ScrapedPage(response, request)
        if response.rendered is not None and response.rendered.files:
            found.picture = response.rendered.files[0].data
        _look_for_wall(hop, found.page, config)
    return following


def _look_for_wall(hop: Hop, page: ScrapedPage, config: Config) -> None:
    wall = wall_of(page) if config.fetch.walls == "refuse" else None
    if wall is not None:
        hop.error = f"wall: {wall}"
        hop.outcome = Outcome.WALLED if hop.outcome is Outcome.OK else hop.outcome


def _following(request: Request, response: Response, hop: Hop, most: int) -> Request | None:
    try:
        found = redirects.following(request, response.status, response.headers, most=most)
    except FetchError as error:
        hop.outcome, hop.error = Outcome(error.outcome), str(error)
        return None
    if found is not None and redirects.credentials_of(response.headers, request.url) is not None:
        hop.error = "the user or password in its Location is not sent"
    if found is None and hop.outcome is Outcome.REDIRECT:
        hop.outcome, hop.error = Outcome.BAD_REDIRECT, "a redirect without a Location"
    return found


async def _ask_robots(hop: Hop, fetcher: Fetcher, config: Config) -> None:
    host, agent = urls.host_of(hop.url), config.politeness.user_agent
    obeys = config.hosts.of(host).robots
    if not (config.politeness.robots if obeys is None else obeys):
        return
    own = own_rules_of(config)(host)
    if own is not None:
        hop.robots = Robots.parse(own)
        hop.allowed, line, text = hop.robots.explain(hop.url, agent)
        hop.rule = f"line {line}: {text}" if line is not None else "no rule"
        hop.rule += ", robots_override"
        return
    try:
        answer = await robots_of(host, fetcher)
    except FetchError as error:
        hop.allowed, hop.rule = False, f"unreachable, {error}"
        return
    rules = in_force(answer.status, answer.body)
    if rules is None:
        hop.allowed, hop.rule = False, f"unreachable, answered {answer.status}"
        return
    hop.robots = rules
    hop.allowed, line, text = rules.explain(hop.url, agent)
    hop.rule = f"line {line}: {text}" if line is not None else f"no rule ({answer.status})"
