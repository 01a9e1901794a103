"""The section [politeness]."""

from typing import Annotated, Literal

from msgspec import Meta

from crawler.config.section import Count, Positive, RateText, Seconds, Section
from crawler.version import __version__

Purpose = Literal["tdm", "train-ai", "train-genai", "ai-input", "search"]
"""What pages may be collected for, as sites name it: `crawler.parse.usage.PURPOSES`."""


class PolitenessSettings(Section, frozen=True, kw_only=True):
    """How a host is treated. A host is scheme, name and port."""

    delay: Seconds = 0.25
    """Seconds between two starts on one host."""
    per_host: Positive = 2
    """Requests in flight on one host at the same time."""
    rate: RateText | None = None
    """At most this many starts on one host in any window, as calls/seconds: "10/60", "500/1h"."""
    robots: bool = True
    """Obey robots.txt (RFC 9309), its Crawl-delay included."""
    user_agent: str = f"crawlkeep/{__version__}"
    """Sent with every request; its first word is the product token that robots.txt rules name."""
    contact: str = ""
    """An address or URL at which a site's owner reaches you, added to the user agent."""
    adaptive: bool = True
    """Let the delay follow the response time of a host (never below `delay`, so that 0 stays 0),
    and trouble (429, 503, time-outs) double it; it recovers by a tenth with each good answer."""
    load: Annotated[float, Meta(gt=0, le=100)] = 1.0
    """The share of its time that a host spends on us: 0.5 waits twice as long as an answer took."""
    limit_by: Literal["host", "domain", "address"] = "host"
    """What `delay` and `per_host` hold for: each host, or all hosts of a registrable domain, or
    all hosts at one IP address together."""
    quiet_hours: tuple[str, ...] = ()
    """Hours in which no request is started, like 22:00-06:00, by the clock of this machine."""
    robots_override: dict[str, str] = {}
    """Files to take for the robots.txt of a host (scheme://name:port), for a site of your own;
    an empty name allows everything there."""
    heed_usage: tuple[Purpose, ...] = ()
    """Purposes that the pages are for: what a site reserves for one of them ends as `reserved`, by
    Content-Usage and Content-Signal (robots.txt, headers) and by TDM reservations (headers, meta
    tags, /.well-known/tdmrep.json, which is asked for once a host then); docs/politeness.md."""
    max_delay: Seconds = 60.0
    """Seconds that a host rests at most on its own account, between two starts or after trouble;
    Retry-After may ask for more, a Crawl-delay may not."""
    max_retry_after: Seconds = 3600.0
    """The longest Retry-After that is honoured in full, in seconds."""
    give_up_after: Count = 30
    """Failures in a row (no answer, 5xx, 429, 403) after which a host is given up for this run:
    what is queued of it ends as host_given_up, to be queued again by `crawler retry`; 0: never.
    Where it gave good answers, it takes a tenth as many errors (5xx, 429), or as many 403; with
    more than three of its requests in flight at once, more in proportion."""
