"""What one commit adds to the counters: rows of `pages`, and what became of items."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from crawler.store import Batch, Problem
from crawler.store.items import ItemReport
from crawler.store.revisits import KnownPage
from crawler.web import outcome
from crawler.web.refusal import Refusal
from crawler.web.stats import Stats
from crawler.web.visit import Visit

_STORED = outcome.having("stored")


class Tally:
    """What the rows of `pages` come to, by outcome and by host, against what they were."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.pages: Counter[int] = Counter()  # stored ones, by host
        self.problems: list[tuple[Any, ...]] = []
        self.widened: list[str] = []
        self.replaced = 0

    @property
    def stored(self) -> int:
        """How many more pages are stored than before."""
        return sum(self.pages.values())

    @property
    def rejected(self) -> list[Problem]:
        """The items that the store itself refused."""
        return [row[3:] for row in self.problems]

    def add(self, visits: Iterable[Visit]) -> None:
        """Count visits that became rows."""
        for visit in visits:
            self.outcomes[visit.outcome] += 1
            if visit.stored:
                self.pages[visit.todo.host_id] += 1

    def take(self, rows: Iterable[KnownPage]) -> None:
        """Take away rows that made room."""
        for was in rows:
            self.outcomes[was.outcome] -= 1
            if was.outcome in _STORED:
                self.pages[was.host_id] -= 1

    def tell(self, told: ItemReport) -> None:
        """Add what storing items reported."""
        self.problems += told.problems
        self.widened += told.widened
        self.replaced += told.replaced

    def refusals(self, batch: Batch) -> Counter[Refusal]:
        """Return what was refused beside what the visits say: cookies, and items by the store."""
        found = Counter(batch.refusals)
        if self.problems:
            found[Refusal.ITEM_REFUSED] += len(self.problems)
        return found

    def counters(self, batch: Batch, run: Stats) -> list[tuple[str, int]]:
        """Return what this commit adds to each of the counters: (name, number)."""
        counts = Counter({f"outcome.{name}": number for name, number in self.outcomes.items()})
        counts.update({f"refused.{name}": number for name, number in run.refused.items()})
        counts.update(f"retry.{v.outcome}" for v in batch.visits if v.retry_at is not None)
        for counted in (run.counts, batch.counts):  # with visits, and beside them
            counts.update({f"spider.{name}": number for name, number in counted.items()})
        counts.update({f"dropped.{kind}": number for kind, number in run.dropped.items()})
        counts["items.stored"] += run.items
        counts["items.widened"] += len(self.widened)
        counts["items.replaced"] += self.replaced
        counts["hidden.pages"], counts["hidden.characters"] = run.hidden
        return [(name, number) for name, number in counts.items() if number]
