"""Counters of one run, for the progress line and the summary; the truth is in the tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextvars import ContextVar
from types import MappingProxyType

from msgspec import Struct, field

from crawler.web import outcome
from crawler.web.download_stream import FEED
from crawler.web.error_place import error_line, last_line, place_of
from crawler.web.outcome import Outcome
from crawler.web.refusal import Refusal
from crawler.web.visit import Visit

_ERRORS = outcome.having("error")
KINDS = 100  # of refused items that are told apart in one run
OTHER = "of other kinds"
VISITING: ContextVar[Visit | None] = ContextVar("visiting", default=None)
"""The visit on whose behalf code of the spider is called here, also by tasks that it starts."""


class Stats(Struct):
    """What has been committed since the run began."""

    pages: int = 0
    errors: int = 0
    retries: int = 0
    items: int = 0
    bytes: int = 0
    new: int = 0
    hidden: tuple[int, int] = (0, 0)  # pages with text that no reader sees, its characters
    outcomes: Counter[str] = field(default_factory=Counter)
    refused: Counter[Refusal] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)  # items, by type and reason
    dropped: Counter[str] = field(default_factory=Counter)  # items, by type and reason
    widened: list[str] = field(default_factory=list)
    replaced: int = 0  # texts of items with characters that no database takes
    raised: dict[str, tuple[str, int]] = field(default_factory=dict)
    """What the spider's code raised, by place: the first such error in a line, and their number."""
    parsed: set[str | None] = field(default_factory=set)  # callbacks that a page went through
    failing: set[str | None] = field(default_factory=set)  # callbacks that a page failed in
    failed_fetches: int = 0  # requests in which the spider's code raised before any callback
    reasons: dict[str, str] = field(default_factory=dict)  # of each outcome the first error
    onward: bool = False  # whether a page led to another
    ended_by: str | None = None  # `start` or `opened`, where StopCrawl was raised in it
    counts: Counter[str] = field(default_factory=Counter)  # what the spider counts
    _untold: Counter[str] = field(default_factory=Counter)

    def count(self, name: str, number: int = 1) -> None:
        """Count something of the spider's own: `spider.<name>` in the table `counters`.

        What a callback, a hook or a pipeline counts is committed with its page, exactly once, and
        is among `counts` then; what is counted anywhere else goes with the next commit.
        """
        visit = VISITING.get()
        if visit is not None and not visit.handed_over:
            visit.count({name: number})
        else:
            self.counts[name] += number
            self._untold[name] += number

    def end_in(self, name: str) -> None:
        """Note that StopCrawl was raised in `start` or `opened`."""
        self.ended_by = name

    def taken(self) -> dict[str, int]:
        """Return what was counted beside visits since this was asked last."""
        untold, self._untold = self._untold, Counter()
        return dict(untold)

    def add(
        self,
        visits: list[Visit],
        new: int,
        *,
        refusals: Mapping[Refusal, int] = MappingProxyType({}),
        rejected: Sequence[tuple[str, str, str]] = (),
        widened: Iterable[str] = (),
    ) -> None:
        """Count the visits of one commit, and the `refusals` that are of none of them."""
        self.new += new
        self.widened += widened
        self.refused.update(refusals)
        self.items -= refusals.get(Refusal.ITEM_REFUSED, 0)  # they are among those of the visits
        self._reject(rejected)
        for visit in visits:
            for reason, number in visit.refusals.items():
                self.refused[reason] += number
            if visit.dropped:
                self._drop(visit.dropped)
            if visit.counted:
                self.counts.update(visit.counted)
            if visit.retry_at is not None:
                self.retries += 1
                continue
            self.outcomes[visit.outcome] += 1
            self.pages += visit.stored
            if visit.outcome is Outcome.OK:
                if visit.file is None or visit.file.request.kind != FEED:  # which calls nobody
                    self.parsed.add(visit.todo.callback)
                self.onward = self.onward or bool(visit.candidates)
            else:
                if visit.outcome is Outcome.RECORDS and visit.items:
                    self.parsed.add(visit.todo.callback)
                self.errors += visit.outcome in _ERRORS
                if visit.error:
                    self._note_raised(visit)
                    if visit.outcome not in self.reasons:
                        self.reasons[visit.outcome] = last_line(visit.error)
            if visit.hidden and visit.stored:
                self.hidden = (self.hidden[0] + 1, self.hidden[1] + visit.hidden)
            self.items += len(visit.items)
            if visit.problems:
                self._reject(visit.problems)
            self.replaced += sum([record.replaced for record in visit.items])
            if visit.response is not None:
                self.bytes += visit.response.wire_size

    def failed_callbacks(self, spider: str) -> list[str]:
        """Return the callbacks that failed on every page, and what failed at the end of the run."""
        failing = sorted({name or "parse" for name in self.failing - self.parsed})
        ends = [name for name in self.raised if name.endswith((".close()", ".closed()"))]
        return failing + ["closed" if name == f"{spider}.closed()" else name for name in ends]

    def _reject(self, problems: Sequence[tuple[str, str, str]]) -> None:
        for item, reason, _ in problems:
            kind = f"{item}: {reason}"
            known = kind in self.rejected or len(self.rejected) < KINDS
            self.rejected[kind if known else OTHER] += 1

    def _drop(self, dropped: Mapping[str, int]) -> None:
        for kind, number in dropped.items():
            known = kind in self.dropped or len(self.dropped) < KINDS
            self.dropped[kind if known else OTHER] += number

    def _note_raised(self, visit: Visit) -> None:
        """Note what the spider's code raised, also when it was told of a failure."""
        line = error_line(visit.error)
        if line is None and visit.error and visit.outcome is Outcome.SPIDER_ERROR:
            line = last_line(visit.error)  # of what a hook gave
        if line is None or visit.outcome is Outcome.INTERNAL_ERROR:
            return
        place = place_of(line)
        first, number = self.raised.get(place, (line, 0))
        self.raised[place] = (first, number + 1)
        if visit.outcome is Outcome.SPIDER_ERROR and visit.elapsed is not None:
            self.failed_fetches += 1
        elif visit.outcome is Outcome.SPIDER_ERROR and visit.stored:
            self.failing.add(visit.todo.callback)
        elif visit.outcome is Outcome.RECORD_ERROR:
            (self.parsed if visit.items else self.failing).add(visit.todo.callback)
