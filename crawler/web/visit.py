"""Visit: everything that one request led to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from crawler.items import Record
from crawler.web import outcome
from crawler.web.outcome import Outcome
from crawler.web.request import Candidate, Todo
from crawler.web.response import Response

if TYPE_CHECKING:
    from crawler.web.download_stream import StoredFile
    from crawler.web.page import ScrapedPage
    from crawler.web.pattern_note import Note

_STORED = outcome.having("stored")


@dataclass(slots=True)
class Visit:
    """Everything one request led to. It is stored whole, in one transaction, or not at all."""

    todo: Todo
    outcome: Outcome
    at: float
    status: int | None = None
    response: Response | None = None
    title: str | None = None
    encoding: str | None = None
    links: list[str] = field(default_factory=list)
    items: list[Record] = field(default_factory=list)
    problems: list[tuple[str, str, str]] = field(default_factory=list)
    candidates: list[Candidate] = field(default_factory=list)
    refusals: dict[str, int] = field(default_factory=dict)
    redirect_to: str | None = None
    canonical: str | None = None
    duplicate_of: str | None = None
    simhash: int | None = None  # of a text that is new, where near ones are looked for
    endless: str | None = None  # the pattern of URLs that this page closed
    pattern: Note | None = None  # where that of this page stands, if it was looked at
    elapsed: float | None = None  # seconds that a try without a response took
    file: StoredFile | None = None  # what a Download stored
    text: str | None = None
    hidden: int = 0  # characters that the text leaves out
    page: ScrapedPage | None = None  # kept only where somebody waits for pages
    error: str | None = None
    retry_at: float | None = None

    @property
    def stored(self) -> bool:
        """Whether this visit counts as a stored page: it was fetched and kept."""
        return self.retry_at is None and self.outcome in _STORED
