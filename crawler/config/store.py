"""The section [store]."""

from typing import Literal

from crawler.config.section import Count, LeaseSeconds, Positive, Seconds, Section, SomeSeconds


class StoreSettings(Section, frozen=True, kw_only=True):
    """What is kept, and how safely."""

    durable: Literal["normal", "full"] = "normal"
    """normal survives a killed process, full also a power cut (one fsync per flush)."""
    bodies: bool = True
    """Keep the body of every page (zstd)."""
    error_bodies: bool = False
    """Keep the body of an answer that is an error (404, 500 …), too."""
    links: bool = True
    """Keep the links of every page."""
    text: bool = False
    """Keep the readable text of every page, and index it for `crawler search`."""
    hidden_text: Literal["drop", "keep"] = "drop"
    """What becomes of text that a reader does not see: drop counts it (texts.hidden), keep stores
    it with the rest."""
    versions: Count = 1
    """How many earlier versions of a page are kept when a later visit finds it changed."""
    files: str | None = None
    """The directory of downloaded files; unset: beside the store, with `.files` at its name."""
    lock_timeout: Seconds = 60.0
    """Seconds to wait for another program that holds the store; told of after five."""
    lease: LeaseSeconds = 30.0
    """Seconds after which, over PostgreSQL, others have the hosts of a worker process that says
    nothing any more; each commit renews them."""
    flush_interval: SomeSeconds = 0.25
    """Seconds after which finished visits are committed."""
    flush_visits: Positive = 200
    """Finished visits that are committed at once."""
