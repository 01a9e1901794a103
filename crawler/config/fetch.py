"""The section [fetch]."""

from typing import Literal

from crawler.config.section import Count, Positive, Seconds, Section, SomeSeconds


class FetchSettings(Section, frozen=True, kw_only=True):
    """One try of one request."""

    connect_timeout: SomeSeconds = 10.0
    """Seconds to connect, TLS handshake included."""
    read_timeout: SomeSeconds = 20.0
    """Seconds between two pieces of the answer."""
    total_timeout: SomeSeconds = 60.0
    """Seconds for the whole answer."""
    max_body: Positive = 20_000_000
    """Bytes that a body may have, on the wire and after decompression."""
    max_file: Positive = 10_000_000_000
    """Bytes that a downloaded file may have; files are streamed to disk and know no other cap."""
    max_redirects: Count = 10
    """Redirects followed one after the other; each goes back through the frontier."""
    retries: Count = 3
    """Tries after the first for time-outs, resets, 429 and 5xx."""
    retry_delay: Seconds = 1.0
    """Seconds before the first retry; doubles with each, with jitter."""
    retry_status: tuple[int, ...] | None = None
    """Statuses that are tried again, such as 403 or 202; unset: 408, 429 and 5xx, but for those
    that trying again does not mend (501, 505, 511)."""
    accept_status: tuple[int, ...] = ()
    """Statuses beside 2xx whose answers are pages that go to the callback, such as 404."""
    allow_private: bool = False
    """Connect to private, loopback and link-local addresses that no seed names."""
    verify_tls: bool = True
    """Refuse a server whose certificate does not prove its name."""
    proxy: str | None = None
    """The URL of a proxy for every request; see `[proxy]` for several of them."""
    headers: dict[str, str] = {}
    """Headers sent with every request; those that may be secret only to origins that seeds name."""
    base_url: str | None = None
    """What the start URLs of a spider are relative to."""
    pool_size: Positive | None = None
    """Connections open at the same time; unset: as many as `engine.workers`."""
    pool_per_host: Count = 0
    """Connections open to one host at the same time; 0: no limit of its own."""
    pool_timeout: SomeSeconds | None = None
    """Seconds to wait for a free connection and connect; unset: the total alone counts."""
    keep_alive: Seconds = 15.0
    """Seconds that an idle connection stays open for the next request; 0: none does."""
    dns_cache: Count = 300
    """Seconds that the address of a name is remembered."""
    max_header: Positive = 32_768
    """Bytes that the status line or one header may have."""
    max_headers: Positive = 256
    """Headers that an answer may have."""
    walls: Literal["refuse", "keep"] = "refuse"
    """What becomes of a bot check, a login or a consent form that answers 200 in place of a page:
    refuse ends it as walled, neither parsed nor kept nor followed; keep takes it for a page."""
    middlewares: list[str] = []
    """aiohttp client middlewares, as module:function, the first one outermost."""
