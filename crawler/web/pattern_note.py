"""What a visit leaves for the memory of its pattern of URLs, as it is stored."""

from __future__ import annotations

import xxhash
from msgspec import Struct


class PatternNote(Struct, frozen=True):
    """Where a pattern stands after a page: the counts, and what of the page was new."""

    pattern: str
    pages: int
    known: int
    repeats: int
    new: tuple[int, ...] = ()
    page: int = 0

    @property
    def key(self) -> int:
        """The number that stands for the pattern beside its texts."""
        return xxhash.xxh3_64_intdigest(self.pattern.encode("utf-8", "replace"))
