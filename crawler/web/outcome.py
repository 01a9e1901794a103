"""Outcomes: the one named way in which a request ended, and all that follows from it, as a table.

Every decision that depends on the outcome alone is a column of `MEANINGS`. The store has the same
rows in its table `outcomes`, and its views are made of them, so that the summary, `status`, gates,
reports, `retry` and SQL agree.

Not here, because something else decides as well: what slows a host and speaks against it by its
status (`retry.slows`, `retry.share`), which failures are blamed on a proxy (`fetcher`), and which
of a robots.txt are final (`gate`).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import NamedTuple


class Outcome(StrEnum):
    """The one named way in which a request ended."""

    OK = "ok"
    NOT_MODIFIED = "not_modified"
    REDIRECT = "redirect"
    NOT_FOUND = "not_found"
    HTTP_ERROR = "http_error"
    SERVER_ERROR = "server_error"
    RATE_LIMITED = "rate_limited"
    PAYMENT_REQUIRED = "payment_required"
    WALLED = "walled"
    TIMEOUT = "timeout"
    CONNECT_ERROR = "connect_error"
    DNS_ERROR = "dns_error"
    TLS_ERROR = "tls_error"
    PROXY_ERROR = "proxy_error"
    PROTOCOL_ERROR = "protocol_error"
    ADDRESS_REFUSED = "address_refused"
    TOO_LARGE = "too_large"
    BAD_CODING = "bad_coding"
    BAD_FILE = "bad_file"
    BAD_REDIRECT = "bad_redirect"
    TOO_MANY_REDIRECTS = "too_many_redirects"
    ROBOTS_DENIED = "robots_denied"
    ROBOTS_UNREACHABLE = "robots_unreachable"
    RESERVED = "reserved"
    HOST_GIVEN_UP = "host_given_up"
    CHECKED = "checked"
    SITEMAP = "sitemap"
    REQUISITE = "requisite"
    RECORDS = "records"
    NOINDEX = "noindex"
    DUPLICATE = "duplicate"
    TRAPPED = "trapped"
    BLOCKED = "blocked"
    HOOK_DROPPED = "hook_dropped"
    NOT_CACHED = "not_cached"
    SPIDER_ERROR = "spider_error"
    RECORD_ERROR = "record_error"
    PARSE_TIMEOUT = "parse_timeout"
    PARSE_CRASHED = "parse_crashed"
    RETRY_ASKED = "retry_asked"
    PROCESS_DIED = "process_died"
    NEEDS_BROWSER = "needs_browser"
    STEP_FAILED = "step_failed"
    TAB_CRASHED = "tab_crashed"
    TAB_HUNG = "tab_hung"
    TAB_OUT_OF_MEMORY = "tab_out_of_memory"
    INTERNAL_ERROR = "internal_error"


class OutcomeMeaning(NamedTuple):
    """What follows from an outcome: one row of the table."""

    about: str
    """What happened, in a line."""
    stored: bool = False
    """Kept as a page: it counts as one, and its body, text, links and items are stored."""
    error: bool = False
    """Counts as an error: in the summary, `status`, the view `errors`, gates and the report."""
    retried: bool = False
    """May be otherwise soon: tried again by itself, as far as `fetch.retries` goes."""
    requeued: bool = False
    """Queued again by `crawler retry`."""
    recrawled: bool = True
    """Visited again by `crawler recrawl`."""
    told: bool = False
    """`on_error` hears of it: no page came of the request, and nothing took its place, or what
    reads the page failed."""
    broken: bool = False
    """A link that leads here is a broken link."""
    gone: bool = False
    """The page is not there: where it was before, it is gone."""
    sent: bool = True
    """A request was on its way to the host: the politeness report counts it."""
    slows: bool = False
    """The whole host rests after it, and its requests start further apart."""
    weight: float | None = None
    """How many of these in a row speak against a host for each good answer that it gave before; 0:
    good answers prove nothing. None: it is no failure of the host."""


def _fine(about: str, **more: bool) -> OutcomeMeaning:
    return OutcomeMeaning(about=about, **more)


def _error(about: str, *, weight: float | None = None, **more: bool) -> OutcomeMeaning:
    """Return an error without a page: `retry` queues it again, and `on_error` hears of it."""
    return OutcomeMeaning(
        about=about, error=True, requeued=True, **{"told": True, **more}, weight=weight
    )


_KEPT = {"stored": True}  # an error of what reads the page: the page itself is there

MEANINGS: Mapping[Outcome, OutcomeMeaning] = MappingProxyType(
    {
        Outcome.OK: _fine("a page came", stored=True),
        Outcome.NOT_MODIFIED: _fine("304: the page is as it was"),
        Outcome.REDIRECT: _fine("it leads to another URL, which is a request of its own"),
        Outcome.NOT_FOUND: _error("404 or 410", broken=True, gone=True),
        Outcome.HTTP_ERROR: _error("any other status that is no answer, 403 too", broken=True),
        Outcome.SERVER_ERROR: _error("5xx", retried=True, broken=True, weight=0.1),
        Outcome.RATE_LIMITED: _error("429", retried=True, slows=True, weight=0.1),
        Outcome.PAYMENT_REQUIRED: _error(
            "402: the site asks for money, its price is in the headers; nothing is paid"
        ),
        Outcome.WALLED: _error(
            "a bot check, a login or a consent form in place of the page", slows=True, weight=1.0
        ),
        Outcome.TIMEOUT: _error(
            "no answer in time, or 408", retried=True, broken=True, slows=True, weight=0.0
        ),
        Outcome.CONNECT_ERROR: _error(
            "no connection, or it broke", retried=True, broken=True, slows=True, weight=0.0
        ),
        Outcome.DNS_ERROR: _error("the name has no address", retried=True, broken=True, weight=0.0),
        Outcome.TLS_ERROR: _error(
            "the server cannot prove who it is, or TLS failed", broken=True, weight=0.0
        ),
        Outcome.PROXY_ERROR: _error("the proxy failed, not the host", retried=True),
        Outcome.PROTOCOL_ERROR: _error(
            "the answer is no HTTP, or is cut short", retried=True, broken=True, weight=0.0
        ),
        Outcome.ADDRESS_REFUSED: _error("its address is not public", sent=False),
        Outcome.TOO_LARGE: _error("the body is larger than `fetch.max_body`"),
        Outcome.BAD_CODING: _error("the body cannot be decoded"),
        Outcome.BAD_FILE: _error("a file is not what it should be", retried=True),
        Outcome.BAD_REDIRECT: _error("a redirect to what is no URL for us", broken=True),
        Outcome.TOO_MANY_REDIRECTS: _error("redirects in a circle or without end", broken=True),
        Outcome.ROBOTS_DENIED: _fine(
            "robots.txt denies it", recrawled=False, told=True, sent=False
        ),
        Outcome.ROBOTS_UNREACHABLE: _error(
            "robots.txt cannot be had, so all is denied", sent=False
        ),
        Outcome.RESERVED: _fine(
            "reserved for a purpose of `politeness.heed_usage`: not asked for, or not kept",
            told=True,
            sent=False,
        ),
        Outcome.HOST_GIVEN_UP: _error("its host only failed; it was not sent", sent=False),
        Outcome.CHECKED: _fine(
            "a link out of scope leads to something (`links.check_external`); nothing of it is kept"
        ),
        Outcome.SITEMAP: _fine("a sitemap: its entries are requests"),
        Outcome.REQUISITE: _fine("what a page needs to be shown; kept for archives, no page"),
        Outcome.RECORDS: _fine(
            "a part of a feed: its records are items", recrawled=False, sent=False
        ),
        Outcome.NOINDEX: _fine("the page asks not to be indexed, and is not kept", told=True),
        Outcome.DUPLICATE: _fine(
            "its content was there before, and is not kept", recrawled=False, told=True
        ),
        Outcome.TRAPPED: _fine(
            "its space is endless, its host full, or it is left out by links.exclude; not sent",
            recrawled=False,
            told=True,
            sent=False,
        ),
        Outcome.BLOCKED: _fine(
            "somebody blocked it while the crawl ran (`crawler block`); not sent",
            requeued=True,
            recrawled=False,
            sent=False,
        ),
        Outcome.HOOK_DROPPED: _fine(
            "a hook of the spider ended it (`raise DropRequest`), mostly before it was sent",
            told=True,
            sent=False,
        ),
        Outcome.NOT_CACHED: _error("not in the cache that alone may answer", sent=False),
        Outcome.SPIDER_ERROR: _error("a callback raised; the page is kept", **_KEPT),
        Outcome.RECORD_ERROR: _error(
            "a part of a feed is broken, or a callback raised for a record; the others are kept",
            recrawled=False,
            sent=False,
        ),
        Outcome.PARSE_TIMEOUT: _error("parsing took too long; the page is kept", **_KEPT),
        Outcome.PARSE_CRASHED: _error("its process died reading it; the page is kept", **_KEPT),
        Outcome.RETRY_ASKED: _fine(
            "the spider asked for another try; only in `attempts`", recrawled=False
        ),
        Outcome.PROCESS_DIED: _error(
            "its worker process died again and again while it was under way", retried=True
        ),
        Outcome.NEEDS_BROWSER: _fine(
            "empty without its scripts: the browser is asked for it", recrawled=False
        ),
        Outcome.STEP_FAILED: _error("a step in the browser could not be taken; which one is told"),
        Outcome.TAB_CRASHED: _error("the browser, or its tab, died of the page", retried=True),
        Outcome.TAB_HUNG: _error("scripts of the page that do not end", retried=True),
        Outcome.TAB_OUT_OF_MEMORY: _error("the page took more memory than a tab may", retried=True),
        Outcome.INTERNAL_ERROR: _error("a bug of Crawlkeep, or a damaged row", sent=False),
    }
)
"""What follows from each outcome."""

UNKEPT = frozenset((Outcome.NOINDEX, Outcome.RESERVED))
"""The outcomes of pages that came and ask not to be kept: no callback is called."""

COLUMNS = OutcomeMeaning._fields
"""The names of what a meaning says, in their order in the table `outcomes`."""

CREATE = (
    "CREATE TABLE outcomes (name TEXT PRIMARY KEY, about TEXT NOT NULL, "
    + ", ".join(f"{name} INTEGER NOT NULL" for name in COLUMNS[1:-1])
    + ", weight REAL) WITHOUT ROWID"
)
"""The table of the store that holds the same rows."""


def rows() -> list[tuple[str | float | None, ...]]:
    """Return the rows of the table `outcomes`, by name."""
    return sorted(
        (
            str(outcome),
            meaning.about,
            *(int(getattr(meaning, name)) for name in COLUMNS[1:-1]),
            meaning.weight,
        )
        for outcome, meaning in MEANINGS.items()
    )


def outcome_of(status: int) -> Outcome:
    """Return the outcome that an HTTP status means (RFC 9110 section 15)."""
    if 200 <= status < 300:
        return Outcome.OK
    if status in (301, 302, 303, 307, 308):
        return Outcome.REDIRECT
    if status == 304:
        return Outcome.NOT_MODIFIED
    if status in (404, 410):
        return Outcome.NOT_FOUND
    if status == 402:
        return Outcome.PAYMENT_REQUIRED
    if status == 429:
        return Outcome.RATE_LIMITED
    if status == 408:
        return Outcome.TIMEOUT
    if 500 <= status < 600:
        return Outcome.SERVER_ERROR
    return Outcome.HTTP_ERROR


@cache
def having(column: str) -> frozenset[Outcome]:
    """Return the outcomes of which a column of the table is true."""
    return frozenset(outcome for outcome, row in MEANINGS.items() if getattr(row, column))


def names(column: str) -> str:
    """Return the outcomes of which a column is true, as a list for SQL: `outcome IN (…)`.

    Names and not a look-up in the table `outcomes`: a store of an older version has none, and an
    item type may have its name.
    """
    return ", ".join(f"'{outcome}'" for outcome in sorted(having(column)))
