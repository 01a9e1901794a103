"""Counters of one run, for the progress line and the summary; the truth is in the tables."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from crawler.page import Outcome, Visit

_FINE = frozenset(
    {
        *(Outcome.OK, Outcome.REDIRECT, Outcome.NOT_MODIFIED, Outcome.ROBOTS_DENIED),
        *(Outcome.SITEMAP, Outcome.NOINDEX, Outcome.DUPLICATE, Outcome.TRAPPED),
    }
)


@dataclass(slots=True)
class Stats:
    """What has been committed since the run began."""

    pages: int = 0
    errors: int = 0
    retries: int = 0
    items: int = 0
    bytes: int = 0
    new: int = 0
    hidden: tuple[int, int] = (0, 0)  # pages with text that no reader sees, its characters
    outcomes: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)

    def add(self, visits: list[Visit], new: int) -> None:
        """Count the visits of one commit."""
        self.new += new
        for visit in visits:
            for reason, number in visit.refusals.items():
                self.refused[reason] += number
            if visit.retry_at is not None:
                self.retries += 1
                continue
            self.outcomes[visit.outcome] += 1
            self.pages += visit.stored
            if visit.hidden and visit.stored:
                self.hidden = (self.hidden[0] + 1, self.hidden[1] + visit.hidden)
            self.errors += visit.outcome not in _FINE
            self.items += len(visit.items)
            if visit.response is not None:
                self.bytes += visit.response.wire_size
