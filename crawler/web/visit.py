"""Visit: everything that one request led to."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from crawler.items import Record, record_of
from crawler.web import outcome
from crawler.web.outcome import Outcome
from crawler.web.refusal import Refusal
from crawler.web.request import Candidate, Todo
from crawler.web.response import Response
from crawler.web.sitemap_entry import SitemapEntry

if TYPE_CHECKING:
    from crawler.parse.usage import UsageLine
    from crawler.web.download_stream import StoredFile
    from crawler.web.need_note import NeedNote
    from crawler.web.page import ScrapedPage
    from crawler.web.pattern_note import PatternNote

Ahead = tuple[list[Candidate], list[SitemapEntry]]
"""A part of a sitemap that is too large for one visit."""


class AskedRetry(Struct, frozen=True):
    """Another try that the spider asked for: when (Unix time), why, and how often there may be."""

    at: float
    reason: str
    tries: int
    most: int | None
    extra: str | None


_STORED = outcome.having("stored")


class Visit(Struct):
    """Everything one request led to. It is stored whole, in one transaction, or not at all.

    One value from the start of a request to its commit. Whoever reads the answer fills in their
    own part, named below; from the committer on nobody changes it.
    """

    todo: Todo
    # The engine, by `answer` and `fail`:
    outcome: Outcome
    at: float
    status: int | None = None
    response: Response | None = None
    error: str | None = None
    elapsed: float | None = None  # seconds that a try without a response took
    retry_at: float | None = None
    # The parser:
    title: str | None = None
    encoding: str | None = None
    # What discovers links, and the requests of redirects, sitemaps and callbacks:
    links: list[str] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)
    fragments: list[str] = field(default_factory=list)  # links that name an anchor
    anchors: list[str] | None = None  # of the page, None where nobody looked
    redirect_to: str | None = None
    not_taken: tuple[Refusal, str] | None = None  # why, and the first URL a callback asked for
    canonical: str | None = None
    entries: list[SitemapEntry] = field(default_factory=list)  # what a sitemap lists
    ahead: AsyncIterator[Ahead] | None = None  # of a sitemap: see `Committer.put_ahead`
    # What collects from the spider's methods:
    items: list[Record] = field(default_factory=list)
    problems: list[tuple[str, str, str]] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)  # by pipelines: type and reason
    file: StoredFile | None = None  # what a Download stored
    asked: AskedRetry | None = None  # for this very request
    state_marks: tuple[tuple[int, str], ...] = ()  # numbers and `self.state` behind its callbacks
    counted: dict[str, int] | None = None  # by the spider, with `self.stats.count`
    stop: str | None = None  # why the spider ends the crawl (StopCrawl)
    # The judge over duplicates and endless spaces:
    duplicate_of: str | None = None
    simhash: int | None = None  # of a text that is new, where near ones are looked for
    endless: str | None = None  # the pattern of URLs that this page closed
    need: NeedNote | None = None  # what it taught of the pages of its pattern, for the browser
    pattern: PatternNote | None = None  # where that of this page stands, if it was looked at
    # The engine, where it is asked for:
    text: str | None = None
    hidden: int = 0  # characters that the text leaves out
    given: list[Any] | None = None  # the items as they came, the same
    page: ScrapedPage | None = None  # kept only where somebody waits for pages
    # The engine and what discovers links:
    usage: tuple[UsageLine, ...] = ()  # what the page says about its uses
    # All of them, by `refuse`:
    refusals: dict[Refusal, int] = field(default_factory=dict)
    # The committer, when it takes it:
    handed_over: bool = False

    @property
    def stored(self) -> bool:
        """Whether this visit counts as a stored page: it was fetched and kept."""
        return self.retry_at is None and self.outcome in _STORED

    def refuse(self, reason: Refusal, number: int = 1) -> None:
        """Count what is not taken of all that the request leads to."""
        if number:
            self.refusals[reason] = self.refusals.get(reason, 0) + number

    def refuse_asked(self, reason: Refusal, url: str) -> None:
        """Count a request of a callback that is not taken, and remember the first of them."""
        self.refuse(reason)
        if self.not_taken is None:
            self.not_taken = (reason, url)

    def count(self, counts: Mapping[str, int]) -> None:
        """Count what is to be committed with this visit, in the counters of the spider."""
        if self.counted is None:
            self.counted = {}
        for name, number in counts.items():
            self.counted[name] = self.counted.get(name, 0) + number

    def note_cut(self, xml: str) -> None:
        """Count what of a page in XML is not read; `error` says what that is."""
        from crawler.parse.well_formed import well_formed  # few pages are in XML

        _, error, left_out = well_formed(xml)
        told: list[str] = []
        if error:
            self.refuse(Refusal.XML_CUT_OFF)
            told.append(f"read up to its first error in XML: {error}")
        if left_out:
            self.refuse(Refusal.XML_LEFT_OUT)
            told.append(f"read without {left_out}")
        self.error = "; ".join(told) or None

    def answer(self, response: Response) -> None:
        """Take what the wire gave; what its status means is the outcome as far as is known."""
        self.response, self.status = response, response.status
        self.outcome, self.at = response.outcome, response.started
        rendered = response.rendered
        if rendered is not None:
            for reason, number in rendered.refusals.items():
                self.refuse(reason, number)
            self.find(rendered.findings)

    def find(self, findings: Iterable[object]) -> None:
        """Take what was found in a rendered page as items, which no callback has to give."""
        for finding in findings:
            self.items.append(record_of(finding))
            if self.given is not None:
                self.given.append(finding)

    def fail(self, outcome: Outcome, error: str | None, elapsed: float | None = None) -> None:
        """End otherwise than it seemed so far; what was found stays.

        `elapsed`: the seconds of a try that no callback has seen.
        """
        self.outcome, self.error = outcome, error
        if elapsed is not None:
            self.elapsed = round(elapsed, 6)
