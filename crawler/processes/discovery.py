"""Discovery in a worker process: it decides what it can by itself, and leaves the rest.

Scope, rules and the shapes of URLs are known there; whether a URL is new, and how many of its kind
there are, only the owner knows (`Discovery.take`).
"""

from __future__ import annotations

from msgspec import field

from crawler.links.linker import Target
from crawler.links.rule import Rule
from crawler.spider.discover import Discovery
from crawler.web.refusal import Refusal
from crawler.web.request import Candidate
from crawler.web.visit import Visit


class WorkerVisit(Visit):
    """A visit in a worker process, with what its owner is to count."""

    number: int = 0  # of its task
    read: bool = False  # whether its answer was taken for a page
    asked_from: int | None = None
    refused: list[tuple[Refusal, int]] = field(default_factory=list)
    deep: list[int] = field(default_factory=list)
    only_new: list[Candidate] = field(default_factory=list)


class WorkerDiscovery(Discovery):
    """A Discovery whose candidates are still to be compared with those of other processes."""

    def _offer(
        self, visit: Visit, target: Target, depth: int, rule: Rule | None, refusal: Refusal | None
    ) -> None:
        assert isinstance(visit, WorkerVisit)
        if refusal is not None:
            if self.following.full:  # which counts it on each page
                visit.refuse(refusal)
            else:
                visit.refused.append((refusal, target.url_hash))
            self._check(visit, target, refusal)
            return
        candidate = self.of_link(target, depth, rule)
        if self._recent.add(candidate.url_hash):
            visit.candidates.append(candidate)

    def _too_deep(self, visit: Visit, targets: list[Target]) -> None:
        assert isinstance(visit, WorkerVisit)
        visit.deep += [target.url_hash for target in targets]
        for target in targets:
            self._check(visit, target, target.refusal)

    def _take_new(self, visit: Visit, candidate: Candidate) -> None:
        assert isinstance(visit, WorkerVisit)
        if self._recent.add(candidate.url_hash):
            visit.only_new.append(candidate)

    def admit(self, visit: Visit, candidate: Candidate, *, asked: bool = False) -> None:
        """Take a candidate that may be new, or count why it is not taken."""
        assert isinstance(visit, WorkerVisit)
        if candidate.needed:
            self._take_new(visit, candidate)
            return
        if asked and visit.asked_from is None:
            visit.asked_from = len(visit.candidates)
        refusal = self.refusal_of(candidate)
        if refusal is not None:
            self._refuse(visit, candidate, refusal, asked=asked)
        else:
            visit.candidates.append(candidate)
