"""Summary: how a run ended, in figures."""

from __future__ import annotations

import json

import msgspec
from msgspec import Struct, field

from crawler.config.layers import Config
from crawler.spider import Spider
from crawler.spider.code import code_of


class Summary(Struct, frozen=True):
    """How a run ended. `total_pages` counts all runs of the crawl, `queued` what is left to do."""

    spider: str
    store: str
    state: str
    reason: str
    pages: int
    total_pages: int
    items: int
    errors: int
    retries: int
    queued: int
    seconds: float
    resumed: bool
    outcomes: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    widened: list[str] = field(default_factory=list)
    """Columns of items that got another type, as in `item.price from INTEGER to REAL`."""
    rejected: dict[str, int] = field(default_factory=dict)
    """Items that were refused, by kind, as in `Quote: quote.text takes text, got int`."""
    dropped: dict[str, int] = field(default_factory=dict)
    """Items that pipelines dropped, by kind, as in `Quote: pipeline RequireFields: no price`."""
    replaced: int = 0
    """Texts of items in which NUL or a lone surrogate became U+FFFD, as no database takes them."""
    hidden_pages: int = 0
    hidden_characters: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    """What the spider counted with `self.stats.count`, in this run."""
    raised: dict[str, int] = field(default_factory=dict)
    """What the spider's code raised, as `file:line: error`, the first of each line of code, and how
    often that line raised."""
    failed_callbacks: list[str] = field(default_factory=list)
    """Callbacks that failed on every page of this run, `closed` among them."""
    failed_fetches: int = 0
    """Requests in which the spider's code (a hook, say) raised before any callback; 0 where a page
    came through."""
    reasons: dict[str, str] = field(default_factory=dict)
    """What the first of each outcome said went wrong."""
    last: bool = True
    """Whether no other worker process goes on with the run."""
    stayed: bool = False
    """Whether pages were stored, and none led to another."""
    ended_by: str | None = None
    """`start` or `opened`, where that raised StopCrawl: the next run calls it again."""


def settings_json(spider: Spider, config: Config) -> str:
    """Return what a run is recorded with: its settings, without secrets."""
    settings = msgspec.to_builtins(config)
    settings["fetch"]["headers"] = sorted(settings["fetch"]["headers"])  # names, no secrets
    settings["fetch"]["proxy"] = bool(settings["fetch"]["proxy"])
    for host in settings["hosts"]["at"].values():
        host["headers"] = sorted(host["headers"])
    settings["spider"] = {
        "allowed_domains": list(spider.allowed_domains),
        "code": code_of(spider),
    }
    settings["proxy"] |= {
        "urls": len(config.proxy.urls),
        "hosts": sorted(config.proxy.hosts),
    }
    return json.dumps(settings)
