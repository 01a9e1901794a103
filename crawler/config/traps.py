"""The section [traps]."""

from typing import Literal

from crawler.config.section import Count, Positive, Section


class TrapsSettings(Section, frozen=True, kw_only=True):
    """Where an endless space ends. Each refusal is counted by its reason (table `counters`)."""

    max_url: Positive = 2083
    """Characters that a URL may have (url_too_long)."""
    max_segments: Positive = 64
    """Segments that a path may have (too_many_segments)."""
    max_repeats: Positive = 3
    """Times that one path segment that is no number, or one pair of a query, may occur
    (repeated_segments, repeated_parameters)."""
    max_parameters: Positive = 64
    """Parameters that a query may have (too_many_parameters)."""
    max_queries: Positive | None = None
    """Different queries on one path that are visited (too_many_queries); unset: no limit."""
    max_pages_per_host: Positive | None = None
    """Pages that are stored of one host, over all runs (host_full); unset: no limit."""
    max_hosts_per_domain: Positive = 5000
    """Hosts below one registrable domain (too_many_hosts)."""
    endless_after: Count = 200
    """Pages of one pattern of URLs (numbers, ids and the values of a query left out) from which
    on their texts are compared; 0: they never are."""
    endless_repeats: Positive = 50
    """Pages of such a pattern, one after the other, whose text was seen before: then it is taken
    for endless, and nothing more of it is fetched (endless)."""
    duplicates: Literal["follow", "mark", "skip"] = "follow"
    """What becomes of a page with the content of another: follow looks for none, mark notes it
    (pages.duplicate_of), skip also does not parse and keep it, nor follow its links."""
    near: Count = 0
    """Bits of 64 in which the simhashes of two texts may differ to count as the same content; 0:
    only bodies equal byte for byte. 3 is usual."""
