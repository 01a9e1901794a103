"""The index of near texts: right by brute force, and flat however many texts there are."""

import re
import sys
import tracemalloc

import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from crawler.links.duplicates import settled
from crawler.links.simhash import NearDuplicates, groups, simhash


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


@given(
    st.lists(st.integers(0, 63).map(lambda bits: bits * 0x0400_1000_0401_0041), max_size=20),
    st.sampled_from([1, 3, 7, 12]),
)
def test_groups_are_those_that_a_chain_of_near_texts_leads_to(
    numbers: list[int], distance: int
) -> None:
    numbers = [number & (1 << 64) - 1 for number in numbers]
    expected = list(range(len(numbers)))
    for _ in numbers:
        for at, one in enumerate(numbers):
            near = (n for n, two in enumerate(numbers) if (one ^ two).bit_count() <= distance)
            expected[at] = min(expected[n] for n in near)
    assert groups(numbers, distance) == expected


def test_of_a_chain_the_shortest_url_is_the_page_whoever_came_first() -> None:
    texts = [(1, "http://h/ccc", 0b111, None), (2, "http://h/a", 0b1, None)]
    texts += [(3, "http://h/bb", 0b1111, "http://h/ccc"), (4, "http://h/z", 7 << 60, "http://h/a")]
    assert sorted(settled(texts, 2)) == [(1, "http://h/a"), (3, "http://h/a"), (4, None)]


def test_many_texts_are_settled_in_little_memory() -> None:
    texts = [
        (n, f"http://h/{n}", (n // 2) * 0x9E37_79B9_7F4A_7C15 & (1 << 64) - 1, None)
        for n in range(20_000)
    ]
    tracemalloc.start()
    marks = settled(texts, 3)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(marks) == 10_000
    assert most < 6_000_000, most


@pytest.mark.skipif(sys.gettrace() is not None, reason="tracing takes memory of its own")
def test_texts_take_no_memory_beside_their_names() -> None:
    near, names = NearDuplicates(3, 5000), [f"http://h/{n}" for n in range(5000)]
    tracemalloc.start()
    for n, name in enumerate(names):
        near.add(n * 0x9E37_79B9_7F4A_7C15 & (1 << 64) - 1, name)
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken < 50_000


@pytest.mark.parametrize(
    "text",
    ["", "one", "one two", "One two THREE", "a b c d a b c d", "Ärger über ß \ud800 x y 4_2"],
)
def test_a_simhash_has_the_bits_that_most_of_its_words_in_threes_have(text: str) -> None:
    words = re.findall(r"\w+", text.lower())
    threes = {" ".join(words[at : at + 3]) for at in range(max(1, len(words) - 2))} if words else ()
    hashes = [xxhash.xxh3_64_digest(three.encode()) for three in threes]
    expected = 0
    for bit in range(64):
        place, shift = divmod(bit, 8)
        number = sum(found[place] >> shift & 1 for found in hashes)
        expected |= (number > len(hashes) / 2) << bit
    assert simhash(text) == expected
