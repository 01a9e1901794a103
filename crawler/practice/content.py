"""The sayings of the practice site: who said what, under which tags, in a fixed order."""

from collections import Counter
from dataclasses import dataclass
from functools import cache
from pathlib import Path

PER_PAGE = 10


@dataclass(frozen=True, slots=True)
class Speaker:
    """A role that says things; `slug` is its part of a URL path (case matters there)."""

    role: str
    since: str
    place: str
    description: str

    @property
    def slug(self) -> str:
        return self.role.replace(" ", "-")


@dataclass(frozen=True, slots=True)
class Quote:
    """One saying; `number` counts from 1 in the order of the listing."""

    number: int
    text: str
    voice: Speaker
    tags: tuple[str, ...]


@cache
def quotes() -> tuple[Quote, ...]:
    """All sayings, the voices taking turns, so that every listing page is a mixture."""
    spoken = _read(Path(__file__).with_name("quotes.txt").read_text(encoding="utf-8"))
    rounds = max(len(lines) for _, lines in spoken)
    turns = [(voice, lines[n]) for n in range(rounds) for voice, lines in spoken if n < len(lines)]
    return tuple(
        Quote(number, text, voice, tags)
        for number, (voice, (text, tags)) in enumerate(turns, start=1)
    )


@cache
def voices() -> dict[str, Speaker]:
    """Every voice by its slug, in order of first appearance."""
    return {quote.voice.slug: quote.voice for quote in quotes()}


@cache
def tags() -> dict[str, int]:
    """Every tag with the number of its quotes, the most used first."""
    counted = Counter(tag for quote in quotes() for tag in quote.tags)
    return dict(sorted(counted.items(), key=lambda pair: (-pair[1], pair[0])))


def pages(count: int, per_page: int = PER_PAGE) -> int:
    """How many listing pages `count` things fill; at least one."""
    return max(1, -(-count // per_page))


_Line = tuple[str, tuple[str, ...]]


def _read(text: str) -> list[tuple[Speaker, list[_Line]]]:
    spoken: list[tuple[Speaker, list[_Line]]] = []
    for line in text.splitlines():
        if line.startswith("= "):
            role, since, place, description = line[2:].split(" | ")
            spoken.append((Speaker(role, since, place, description), []))
        elif line and not line.startswith("#"):
            saying, _, labels = line.rpartition(" | ")
            spoken[-1][1].append((saying, tuple(labels.split())))
    return spoken
