"""Near duplicates: a 64-bit hash of a text that changes little where the text changes little.

Charikar's simhash over words in threes, and an index by the pigeonhole principle: two hashes that
differ in at most `distance` bits are equal in one of `distance + 1` blocks (Manku et al., 2007).
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Sequence
from itertools import combinations, groupby, pairwise

import xxhash

_BITS = 64
_KEY = 16  # bits of a block by which texts are looked up
_WORD = re.compile(r"\w+")


def simhash(text: str) -> int:
    """Return the 64-bit simhash of a text; 0 for one without a word."""
    words = _WORD.findall(text.lower())
    if not words:
        return 0
    known = " ".join(words).encode().split(b" ")  # at once; a surrogate is no part of a word
    grams = set(map(b" ".join, zip(known, known[1:], known[2:], strict=False)))
    hashes = b"".join(map(xxhash.xxh3_64_digest, grams or {b" ".join(known)}))
    number = len(hashes) // 8
    lowest, half = int.from_bytes(b"\1" * number), number / 2
    found = 0
    for place in range(8):
        column = int.from_bytes(hashes[place::8])  # of all hashes the same byte
        for bit in range(8):
            if (column >> bit & lowest).bit_count() > half:
                found |= 1 << (8 * place + bit)
    return found


def groups(numbers: Sequence[int], distance: int) -> list[int]:
    """Return for each hash the number of its group: the place of the first that it hangs with.

    Those within the distance of each other are in one group, and so are those that a chain of such
    leads to: the groups of the same hashes are the same, in whatever order they come.
    """
    leads = list(range(len(numbers)))

    def first(at: int) -> int:
        while leads[at] != at:
            leads[at] = leads[leads[at]]
            at = leads[at]
        return at

    once: dict[int, int] = {}
    for at, number in enumerate(numbers):
        leads[at] = once.setdefault(number, at)
    apart = list(once.values())
    cuts = [_BITS * number // (distance + 1) for number in range(distance + 2)]
    for low, high in pairwise(cuts):
        mask = (1 << (high - low)) - 1
        apart.sort(key=lambda at: (numbers[at] >> low & mask, at))
        for _, alike in groupby(apart, key=lambda at: numbers[at] >> low & mask):
            for one, other in combinations(alike, 2):
                if (numbers[one] ^ numbers[other]).bit_count() <= distance:
                    lower, higher = sorted((first(one), first(other)))
                    leads[higher] = lower
    return [first(at) for at in range(len(numbers))]


class NearDuplicates:
    """The simhashes of the last `room` texts, and which of them is near a new one.

    Texts have running numbers; of each block the last text with its bits is known, and of each text
    the one before it with the same bits, as in the window of a compressor (RFC 1951, section 4).
    All of it is made at once, so that a crawl takes no more memory in the end than at first.
    """

    def __init__(self, distance: int, room: int = 100_000) -> None:
        self._distance, self._room = distance, room
        self._next = 0
        self._numbers = array("Q", bytes(8 * room))
        self._names: list[str] = [""] * room
        blocks = distance + 1
        cuts = [_BITS * number // blocks for number in range(blocks + 1)]
        self._blocks = list(pairwise(cuts))
        # What has other bits than it seems, where a block has more than these, is told by distance.
        keys = [1 << min(_KEY, high - low) for low, high in self._blocks]
        self._last = [array("q", b"\xff" * (8 * number)) for number in keys]
        self._before = [array("q", b"\xff" * (8 * room)) for _ in keys]

    def find(self, number: int) -> str | None:
        """Return the name of the first text within the distance, None if there is none."""
        found, gone = self._next, self._next - self._room
        for place, key in enumerate(self._keys(number)):
            before, at = self._before[place], self._last[place][key]
            while at >= 0 and at >= gone:
                slot = at % self._room
                if at < found and (number ^ self._numbers[slot]).bit_count() <= self._distance:
                    found = at
                at = before[slot]
        return self._names[found % self._room] if found < self._next else None

    def add(self, number: int, name: str) -> None:
        """Remember a text; the oldest is forgotten when there is no more room."""
        slot = self._next % self._room
        self._numbers[slot], self._names[slot] = number, name
        for place, key in enumerate(self._keys(number)):
            self._before[place][slot] = self._last[place][key]
            self._last[place][key] = self._next
        self._next += 1

    def _keys(self, number: int) -> list[int]:
        return [number >> low & ((1 << min(_KEY, high - low)) - 1) for low, high in self._blocks]
