"""From samples to figures: medians, pairwise ratios, tables. Plain functions of values."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from measure import Cost


@dataclass(frozen=True, slots=True)
class Sample:
    """One run: which round, corpus and system, what it found against what was expected."""

    round: int
    corpus: str
    system: str
    pages: int
    missing: int
    extra: int
    cost: Cost

    @property
    def cpu_ms(self) -> float:
        """CPU milliseconds per page stored; infinite when there is none."""
        return 1000 * self.cost.cpu / self.pages if self.pages else math.inf


@dataclass(frozen=True, slots=True)
class Figures:
    """The medians of one system on one corpus, and its CPU per page against the reference's."""

    system: str
    corpus: str
    rounds: int
    pages: int
    missing: int
    extra: int
    wall: float
    pages_per_second: float
    cpu_ms: float
    peak_mb: float
    ratio: float | None


def figures(samples: Iterable[Sample], reference: str) -> list[Figures]:
    """Reduce `samples` to one row per system and corpus, in order of first appearance.

    A ratio is taken within each round, where both ran minutes apart at most, and the median of
    those is given: a machine that slows down for a while slows both.
    """
    groups: dict[tuple[str, str], list[Sample]] = {}
    for sample in samples:
        groups.setdefault((sample.corpus, sample.system), []).append(sample)
    return [
        _figures(group, groups.get((corpus, reference), []))
        for (corpus, _), group in groups.items()
    ]


def _figures(group: list[Sample], reference: list[Sample]) -> Figures:
    base = {sample.round: sample.cpu_ms for sample in reference}
    ratios = [sample.cpu_ms / base[sample.round] for sample in group if sample.round in base]
    last = group[-1]
    return Figures(
        system=last.system,
        corpus=last.corpus,
        rounds=len(group),
        pages=last.pages,
        missing=max(sample.missing for sample in group),
        extra=max(sample.extra for sample in group),
        wall=median(sample.cost.wall for sample in group),
        pages_per_second=median(sample.pages / sample.cost.wall for sample in group),
        cpu_ms=median(sample.cpu_ms for sample in group),
        peak_mb=median(sample.cost.peak_mb for sample in group),
        ratio=median(ratios) if ratios else None,
    )


def geometric_mean(values: Iterable[float]) -> float:
    """Return the geometric mean of `values`, all above zero; NaN of none."""
    logarithms = [math.log(value) for value in values]
    return math.exp(sum(logarithms) / len(logarithms)) if logarithms else math.nan


def means(rows: Iterable[Figures]) -> dict[str, tuple[float, float | None]]:
    """Give, for each system, the geometric means over the corpora of CPU ms and of the ratio."""
    by_system: dict[str, list[Figures]] = {}
    for row in rows:
        by_system.setdefault(row.system, []).append(row)
    return {system: _mean(group) for system, group in by_system.items()}


def _mean(group: list[Figures]) -> tuple[float, float | None]:
    ratios = [row.ratio for row in group if row.ratio is not None]
    cpu = geometric_mean(row.cpu_ms for row in group)
    return cpu, geometric_mean(ratios) if ratios else None


def markdown(rows: list[Figures], titles: dict[str, str], reference: str) -> str:
    """Return the rows as one Markdown table, corpora one below the other, then the means."""
    lines = [
        "| corpus | system | pages | wall s | pages/s | CPU ms/page | peak MB "
        f"| CPU against {titles[reference]} |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [_line(row, titles) for row in rows]
    lines += [
        f"| *geometric mean* | {titles[system]} | | | | {cpu:.2f} | | {_times(ratio)} |"
        for system, (cpu, ratio) in means(rows).items()
    ]
    return "\n".join(lines)


def _line(row: Figures, titles: dict[str, str]) -> str:
    off = f" (-{row.missing} +{row.extra})" if row.missing or row.extra else ""
    return (
        f"| {row.corpus} | {titles[row.system]} | {row.pages}{off} | {row.wall:.2f} "
        f"| {row.pages_per_second:.0f} | {row.cpu_ms:.2f} | {row.peak_mb:.0f} "
        f"| {_times(row.ratio)} |"
    )


def _times(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f} ×"
