"""What one running practice site remembers; handlers reach it as `request.app[STATE]`."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from aiohttp import web

from crawler.practice.hits import Hit


@dataclass(frozen=True, slots=True)
class OwnPage:
    """A page that a test added: the answer to every method on its path."""

    body: bytes
    content_type: str
    status: int
    headers: Mapping[str, str]


@dataclass(slots=True)
class Session:
    """What the server knows of one cookie: its form token, and who logged in, if anyone."""

    csrf_token: str = field(default_factory=lambda: secrets.token_urlsafe(18))
    user: str | None = None


@dataclass(slots=True)
class SiteState:
    """Options and memory of one site; nothing of it is shared between two sites.

    `robots` is True (the site's own rules), False (404) or the text to serve.
    `offsite` is the URL of another host that /redirect/offsite and /about/ lead to.
    `latency` is how many seconds every answer takes that has no delay of its own.
    """

    robots: bool | str = True
    offsite: str | None = None
    latency: float = 0.0
    hits: list[Hit] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    sessions: dict[str, Session] = field(default_factory=dict)
    pages: dict[str, OwnPage] = field(default_factory=dict)
    delays: dict[str, float] = field(default_factory=dict)
    gates: dict[str, asyncio.Event] = field(default_factory=dict)


STATE: web.AppKey[SiteState] = web.AppKey("practice_state", SiteState)
