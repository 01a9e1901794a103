"""Near duplicates: a 64-bit hash of a text that changes little where the text changes little.

Charikar's simhash over words in threes, and an index by the pigeonhole principle: two hashes that
differ in at most `distance` bits are equal in one of `distance + 1` blocks (Manku et al., 2007).
"""

from __future__ import annotations

import re
from collections import deque
from itertools import pairwise

import xxhash

_BITS = 64
_LANE = 32  # bits that count how often one bit of the hash was set
_WORD = re.compile(r"\w+")
# Each byte of a hash spread out so that adding them up counts all eight bits at once.
_SPREAD = [sum((byte >> bit & 1) << (_LANE * bit) for bit in range(8)) for byte in range(256)]
_MASK = (1 << _LANE) - 1


def simhash(text: str) -> int:
    """Return the 64-bit simhash of a text; 0 for one without a word."""
    words = _WORD.findall(text.lower())
    grams = {" ".join(words[at : at + 3]) for at in range(max(1, len(words) - 2))} if words else ()
    sums = [0] * 8
    for gram in grams:
        for place, byte in enumerate(xxhash.xxh3_64_digest(gram.encode("utf-8", "replace"))):
            sums[place] += _SPREAD[byte]
    half = len(grams) / 2
    found = 0
    for place, total in enumerate(sums):
        for bit in range(8):
            if total >> (_LANE * bit) & _MASK > half:
                found |= 1 << (8 * place + bit)
    return found


class NearDuplicates:
    """The simhashes of the last `room` texts, and which of them is near a new one."""

    def __init__(self, distance: int, room: int = 100_000) -> None:
        self._distance, self._room = distance, room
        self._known: deque[tuple[int, str]] = deque()
        blocks = distance + 1
        cuts = [_BITS * number // blocks for number in range(blocks + 1)]
        self._blocks = list(pairwise(cuts))
        self._tables: list[dict[int, list[tuple[int, str]]]] = [{} for _ in self._blocks]

    def find(self, number: int) -> str | None:
        """Return the name of a text within the distance, None if there is none."""
        for table, key in zip(self._tables, self._keys(number), strict=True):
            for other, name in table.get(key, ()):
                if (number ^ other).bit_count() <= self._distance:
                    return name
        return None

    def add(self, number: int, name: str) -> None:
        """Remember a text; the oldest is forgotten when there is no more room."""
        entry = (number, name)
        self._known.append(entry)
        for table, key in zip(self._tables, self._keys(number), strict=True):
            table.setdefault(key, []).append(entry)
        if len(self._known) > self._room:
            self._forget(self._known.popleft())

    def _forget(self, entry: tuple[int, str]) -> None:
        for table, key in zip(self._tables, self._keys(entry[0]), strict=True):
            table[key].remove(entry)
            if not table[key]:
                del table[key]

    def _keys(self, number: int) -> list[int]:
        return [number >> low & ((1 << (high - low)) - 1) for low, high in self._blocks]
