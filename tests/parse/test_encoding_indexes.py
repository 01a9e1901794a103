"""Every pointer of every index of the Encoding standard, read and written."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

import pytest

from crawler.parse.encodings import to_bytes, to_text
from tests.parse.encoding_indexes import indexes

PRIVATE_GB18030 = {  # what is written in the way of GB 18030-2005, though it is read otherwise
    **{0xE78D + number: b"\xa6" + bytes([0xD9 + number]) for number in range(7)},
    **{0xE794: b"\xa6\xec", 0xE795: b"\xa6\xed", 0xE796: b"\xa6\xf3", 0xE81E: b"\xfe\x59"},
    **{0xE826: b"\xfe\x61", 0xE82B: b"\xfe\x66", 0xE82C: b"\xfe\x67", 0xE832: b"\xfe\x6d"},
    **{0xE843: b"\xfe\x7e", 0xE854: b"\xfe\x90", 0xE864: b"\xfe\xa0"},
}
BIG5_PAIRS = {
    1133: "\u00ca\u0304",
    1135: "\u00ca\u030c",
    1164: "\u00ea\u0304",
    1166: "\u00ea\u030c",
}
BIG5_LAST = (0x2550, 0x255E, 0x2561, 0x256A, 0x5341, 0x5345)

Table = Mapping[bytes, str]


def gb18030(pointer: int) -> bytes:
    lead, trail = divmod(pointer, 190)
    return bytes((lead + 0x81, trail + (0x40 if trail < 0x3F else 0x41)))


def four_bytes(pointer: int) -> bytes:
    rest, fourth = divmod(pointer, 10)
    rest, third = divmod(rest, 126)
    first, second = divmod(rest, 10)
    return bytes((first + 0x81, second + 0x30, third + 0x81, fourth + 0x30))


def big5(pointer: int) -> bytes:
    lead, trail = divmod(pointer, 157)
    return bytes((lead + 0x81, trail + (0x40 if trail < 0x3F else 0x62)))


def euc_kr(pointer: int) -> bytes:
    return bytes((pointer // 190 + 0x81, pointer % 190 + 0x41))


def euc_jp(pointer: int) -> bytes:
    return bytes((pointer // 94 + 0xA1, pointer % 94 + 0xA1))


def iso_2022_jp(pointer: int) -> bytes:
    return b"\x1b$B" + bytes((pointer // 94 + 0x21, pointer % 94 + 0x21)) + b"\x1b(B"


def shift_jis(pointer: int) -> bytes:
    lead, trail = divmod(pointer, 188)
    first = lead + (0x81 if lead < 0x1F else 0xC1)
    return bytes((first, trail + (0x40 if trail < 0x3F else 0x41)))


def whole(index: Mapping[int, int], size: int) -> Iterator[tuple[int, str | None]]:
    """Yield every pointer there may be with its character, None where the index has none."""
    for pointer in range(size):
        yield pointer, chr(index[pointer]) if pointer in index else None


def read(spelled: object, index: Mapping[int, int], size: int) -> Table:
    """Return the text of every pair of bytes: of one that is none, an ASCII byte stays."""
    found = {}
    for pointer, char in whole(index, size):
        pair = spelled(pointer)  # type: ignore[operator]
        tail = chr(pair[-1]) if pair[-1] < 0x80 else ""
        found[pair] = char if char is not None else f"\ufffd{tail}"
    return found


def reading() -> Iterator[tuple[str, Table]]:
    """Yield each encoding with the text of every sequence of its index."""
    every = indexes()
    yield (
        "big5",
        read(big5, every["big5"], 126 * 157)
        | {big5(pointer): pair for pointer, pair in BIG5_PAIRS.items()},
    )
    yield "euc-kr", read(euc_kr, every["euc-kr"], 126 * 190)
    chinese = read(gb18030, every["gb18030"], 126 * 190)
    yield "gbk", chinese | {b"\x80": "€"}
    yield "gb18030", chinese | {b"\x80": "€"} | ranges()
    katakana = {bytes((0x8E, byte)): chr(0xFF61 + byte - 0xA1) for byte in range(0xA1, 0xE0)}
    yield (
        "euc-jp",
        read(euc_jp, every["jis0208"], 94 * 94)
        | katakana
        | {
            b"\x8f" + euc_jp(pointer): char or "\ufffd"
            for pointer, char in whole(every["jis0212"], 94 * 94)
        },
    )
    yield (
        "iso-2022-jp",
        {
            iso_2022_jp(pointer): char or "\ufffd"
            for pointer, char in whole(every["jis0208"], 94 * 94)
        },
    )
    private = {8836 + number: 0xE000 + number for number in range(1880)}
    yield (
        "shift_jis",
        read(shift_jis, every["jis0208"] | private, 60 * 188)
        | {bytes((byte,)): chr(0xFF61 + byte - 0xA1) for byte in range(0xA1, 0xE0)},
    )


def ranges() -> Table:
    """Return what four bytes stand for: all of the basic plane, the ends of the others."""
    starts = sorted(indexes()["gb18030-ranges"].items())
    found = {four_bytes(7457): "\ue7c7"}
    for (start, code), (end, _) in zip(starts, [*starts[1:], (39420, 0)], strict=True):
        if start < 39420:
            found |= {four_bytes(p): chr(code + p - start) for p in range(start, min(end, 39420))}
    for code in (0x10000, 0x10001, 0x1F600, 0x20000, 0x10FFFE, 0x10FFFF):
        found[four_bytes(189000 + code - 0x10000)] = chr(code)
    return found | {four_bytes(7457): "\ue7c7", four_bytes(39420): "\ufffd"}


NAMES = ("big5", "euc-kr", "gbk", "gb18030", "euc-jp", "iso-2022-jp", "shift_jis")


@cache
def tables(kind: Callable[[], Iterator[tuple[str, Any]]]) -> dict[str, Any]:
    """Return the tables of all encodings, made once."""
    return dict(kind())


@pytest.mark.parametrize("name", NAMES)
def test_every_sequence_is_read_as_its_index_says(name: str) -> None:
    table = tables(reading)[name]
    body = b"\n".join(table)
    assert to_text(body, name).split("\n") == list(table.values())


def writing() -> Iterator[tuple[str, dict[str, bytes]]]:
    """Yield each encoding with the bytes of every character that it has."""
    every = indexes()

    def first(
        spelled: object, index: Mapping[int, int], without: range = range(0)
    ) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for pointer in sorted(index):
            if pointer not in without and chr(index[pointer]) not in found:
                found[chr(index[pointer])] = spelled(pointer)  # type: ignore[operator]
        return found

    two = first(big5, every["big5"], range((0xA1 - 0x81) * 157))
    two |= {chr(c): big5(p) for p, c in sorted(every["big5"].items()) if c in BIG5_LAST}
    yield "big5", two
    yield "euc-kr", first(euc_kr, every["euc-kr"])
    chinese = first(gb18030, every["gb18030"])
    private = {chr(code): pair for code, pair in PRIVATE_GB18030.items()}
    yield "gbk", chinese | private | {"€": b"\x80"}
    four = {char: data for data, char in ranges().items() if char != "\ufffd"}
    yield "gb18030", four | chinese | private
    more = {"\u2212": b"\xa1\xdd", "¥": b"\\", "\u203e": b"~"}
    katakana = {chr(0xFF61 + number): 0xA1 + number for number in range(63)}
    yield (
        "euc-jp",
        first(euc_jp, every["jis0208"])
        | more
        | {char: bytes((0x8E, byte)) for char, byte in katakana.items()},
    )
    more = {"\u2212": shift_jis(60), "¥": b"\\", "\u203e": b"~", "\x80": b"\x80"}
    yield (
        "shift_jis",
        first(shift_jis, every["jis0208"], range(8272, 8836))
        | more
        | {char: bytes((byte,)) for char, byte in katakana.items()},
    )
    wide = every["iso-2022-jp-katakana"]
    kana = {chr(0xFF61 + number): chr(code) for number, code in wide.items()}
    japanese = first(iso_2022_jp, every["jis0208"]) | {"\u2212": iso_2022_jp(60)}
    yield "iso-2022-jp", japanese | {half: japanese[full] for half, full in kana.items()}


@pytest.mark.parametrize("name", NAMES)
def test_every_character_is_written_as_its_index_says(name: str) -> None:
    table = tables(writing)[name]

    def none(char: str) -> bytes:
        return b"<none>"

    if name == "iso-2022-jp":  # between characters its state would stay
        written = [to_bytes(char, name, none) for char in table]
    else:
        written = to_bytes("\n".join(table), name, none).split(b"\n")
    assert written == list(table.values())


SINGLE = [
    "ibm866", "koi8-r", "koi8-u", "macintosh", "windows-874", "x-mac-cyrillic",
    *(f"iso-8859-{number}" for number in (2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16)),
    *(f"windows-125{number}" for number in range(9)),
]  # fmt: skip


@pytest.mark.parametrize("name", SINGLE)
def test_single_bytes_are_read_and_written_as_their_index_says(name: str) -> None:
    index = indexes()[name]
    for pointer in range(128):
        byte = bytes((0x80 + pointer,))
        char = chr(index[pointer]) if pointer in index else "\ufffd"
        assert to_text(byte, name) == char, byte
        if pointer in index:
            assert to_bytes(char, name, lambda _: b"") == byte


def test_each_index_is_one_of_an_encoding_that_is_tested_here() -> None:
    known = {"big5", "euc-kr", "gb18030", "gb18030-ranges", "jis0208", "jis0212"}
    assert set(indexes()) == {*SINGLE, *known, "iso-2022-jp-katakana"}
    assert len(SINGLE) == 27
