"""The index of near texts: right by brute force, and flat however many texts there are."""

import sys
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.links.simhash import NearDuplicates


def first_near(known: list[int], number: int, distance: int, room: int) -> str | None:
    last = list(enumerate(known))[-room:]
    return next((str(n) for n, one in last if (one ^ number).bit_count() <= distance), None)


@given(
    st.lists(st.integers(0, 63).map(lambda bits: bits * 0x0400_1000_0401_0041), max_size=30),
    st.sampled_from([1, 3, 7, 12]),
    st.integers(1, 8),
)
def test_it_finds_what_a_look_at_every_text_finds(
    numbers: list[int], distance: int, room: int
) -> None:
    near, known = NearDuplicates(distance, room), []
    for number in (number & (1 << 64) - 1 for number in numbers):
        assert near.find(number) == first_near(known, number, distance, room)
        near.add(number, str(len(known)))
        known.append(number)


@pytest.mark.skipif(sys.gettrace() is not None, reason="tracing takes memory of its own")
def test_texts_take_no_memory_beside_their_names() -> None:
    near, names = NearDuplicates(3, 5000), [f"http://h/{n}" for n in range(5000)]
    tracemalloc.start()
    for n, name in enumerate(names):
        near.add(n * 0x9E37_79B9_7F4A_7C15 & (1 << 64) - 1, name)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken < 50_000
