"""The section [engine]."""

from typing import Literal

from crawler.config.section import AtOnce, Count, Positive, Seconds, Section, SomeSeconds


class EngineSettings(Section, frozen=True, kw_only=True):
    """How much is done at once, how far a crawl goes, and when it stops."""

    workers: AtOnce = 32
    """Requests in flight at the same time, over all hosts."""
    streams: AtOnce = 100
    """Streams (WebSockets) open at the same time, beside the workers; more wait for their turn."""
    max_pages: Positive | None = None
    """Stop when this many pages are stored, counted over all runs of the crawl; unset: no limit.
    What a recrawl visits again is counted by itself, from 0 in each run."""
    max_items: Positive | None = None
    """Stop when this many items are stored, counted over all runs; unset: no limit. The page that
    reaches it is stored whole, and none after it."""
    max_time: SomeSeconds | None = None
    """Stop a run after so many seconds; what is in flight gets `engine.grace`. Unset: no limit."""
    max_errors: Positive | None = None
    """Stop a run at this many errors; unset: no limit."""
    max_bytes: Positive | None = None
    """Stop a run when the bodies of its answers took this many bytes on the wire; unset: no limit.
    The answer that reaches it is stored, and none after it."""
    max_depth: Count | None = None
    """Follow links at most this many steps from a seed; unset: no limit."""
    scope: Literal["host", "domain", "prefix", "any"] = "host"
    """Which links belong to the crawl, measured against its seeds (or `allowed_domains`)."""
    order: Literal["breadth", "depth"] = "breadth"
    """Within a host and a priority: oldest discovery first, or deepest first."""
    grace: Seconds = 10.0
    """Seconds that requests in flight get to end after the first SIGINT or SIGTERM."""
    traces: bool = False
    """Make a span of each visit and of its stages, for OpenTelemetry (extra `otel`). Where they go
    is said to its SDK, as by `opentelemetry-instrument`."""
    callback_timeout: SomeSeconds = 60.0
    """Seconds an asynchronous callback may take for one page."""
    processes: AtOnce | Literal["auto"] = 1
    """Processes that fetch, parse and run the spider's callbacks, beside the one that keeps the
    queue and the store; 1: this one does everything; "auto": as many as there are cores."""
    parse_processes: Count = 0
    """The former name of `processes`, whose processes also fetch; 0: that counts."""
    parse_timeout: SomeSeconds = 30.0
    """Seconds that parsing a page may take; with `processes`, that the page's callback may hold up
    its process."""
