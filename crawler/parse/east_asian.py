"""The East Asian encodings of the web, by the indexes of https://encoding.spec.whatwg.org/.

Python has all of these indexes but for some two hundred characters. What its codecs read as the
standard does, they read; a text with anything else in it is read sequence by sequence here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import NamedTuple

from crawler.lazy_regex import lazy

Bad = Callable[[str], bytes]
"""Gives what stands for a character that an encoding has not."""

# Pointers of index Big5 with the characters from there on, where big5hkscs has others or none.
_BIG5 = """

1000:㡵𡵓𣚞𦀡㻬𥣞㫵竼龗𤅡𨤍𣇪𠪊𣉞䌊蒄龖鐯䤰蘓墖靊鈘秐稲晠権袝瑌篅枂稬剏遆㓦珄𥶹瓆鿇垳䤯呌䄱𣚎堘穲𧭥讏䚮𦺈䆁𥶙箮𢒼鿈𢓁𢓉𢓌鿉蔄𣖻䂴鿊䓡𪷿拁灮鿋
2082:箸 2088:簆 2103:糎 2114:緒 2123:縝 2148:者 2151:耨 2221:菁 2239:蒨 2244:萏 2303:覦覩
2354:起 2400:都 2413:銹 2477:靜 2498:響 2605:鼖 2673:蔃 2746:兙兛兝兞 2771:鍮 2780:瑹 2990:浧
3087:禛 3259:邗 3301:靝 3436:瀞 3451:嬨 4136:爁 4138:矗 4141:纇 4182:駖 4206:釔 4220:惞
4230:澶 4241:輶 4258:侻 4273:營 4279:鄄 4282:鷰 4294:菏 4329:尐秣 4349:婧 4419:輋 4422:筑
4494:拐 4624:恢 4694:痹 4708:汊 4742:鬮 4748:鼗 4815:僭 4828:弌 4902:蠏 4922:拎 4982:瑨
4992:煢 4997:牐 5029:‧ 5038:﹑ 5120:¯ 5153:～ 5168:⊕⊙ 5182:∕﹨ 5185:￥ 5187:￠￡
5432:␀␁␂␃␄␅␆␇␈␉␊␋␌␍␎␏␐␑␒␓␔␕␖␗␘␙␚␛␜␝␞␟␡€ 10942:廴 10946:无 10948:癶 10950:隶 10957:〃仝
19028:倩 19035:偽 19088:包 19096:卄 19112:卿 19162:嘅 19240:婷 19299:幵 19305:廐 19326:彘
19355:悤 19398:撐 19439:晴 19454:杞 19553:沜渝 19557:港 19611:煮 19643:猪 19672:瑜 19697:瓩
19748:砉
"""
# Two bytes of GB 18030-2022, which Python knows as private characters.
_GB18030 = {
    **dict(zip(range(0xA6D9, 0xA6E0), "\ufe10\ufe12\ufe11\ufe13\ufe14\ufe15\ufe16", strict=True)),
    **{0xA3A0: "\u3000", 0xA6EC: "\ufe17", 0xA6ED: "\ufe18", 0xA6F3: "\ufe19", 0xA8BC: "\u1e3f"},
    **{0xFE59: "\u9fb4", 0xFE61: "\u9fb5", 0xFE66: "\u9fb6", 0xFE67: "\u9fb7", 0xFE6D: "\u9fb8"},
    **{0xFE7E: "\u9fb9", 0xFE90: "\u9fba", 0xFEA0: "\u9fbb"},
}
_FOUR = {b"\x81\x35\xf4\x37": "\ue7c7"}  # the one sequence of four bytes that is no range
_PRIVATE = "\ue78d-\ue796\ue7c7\ue81e\ue826\ue82b\ue82c\ue832\ue843\ue854\ue864\ue5e5\u1e3f"


class _Codec(NamedTuple):
    """How an encoding is read: Python's codec, what of its result is not to be trusted, and how
    sequences are cut, wrong ones as the standard cuts them."""

    python: str
    doubtful: re.Pattern[str] | None
    sequence: re.Pattern[bytes]


def _sequences(*patterns: bytes) -> re.Pattern[bytes]:
    return lazy(b"|".join((rb"[\0-\x7f]+", *patterns, rb"[\x80-\xff]")))


_CODECS = {
    "big5": _Codec(
        "big5hkscs",
        lazy("[\u2022\uff64\u203e\u223c\u2641\u2609\uff0f\uff3c\xa5\xa2\xa3]"),
        _sequences(rb"[\x81-\xfe][\x40-\x7e\x80-\xff]"),
    ),
    "euc-jp": _Codec(
        "euc_jp",
        lazy("[\u301c\u2016\u2212\xa2\xa3\xac]"),
        _sequences(rb"\x8f[\xa1-\xfe][\x80-\xff]?", rb"[\x8e\x8f\xa1-\xfe][\x80-\xff]"),
    ),
    "euc-kr": _Codec("cp949", None, _sequences(rb"[\x81-\xfe][\x41-\xff]")),
    "gb18030": _Codec(
        "gb18030",
        lazy(f"[{_PRIVATE}]"),
        _sequences(
            rb"[\x81-\xfe][0-9][\x81-\xfe][0-9]",
            rb"[\x81-\xfe][0-9](?:[\x81-\xfe])?\Z",
            rb"[\x81-\xfe][\x40-\x7e\x80-\xff]",
        ),
    ),
    "shift_jis": _Codec(
        "cp932",
        lazy("[\xa0\uf8f0-\uf8f3]"),
        _sequences(rb"[\x81-\x9f\xe0-\xfc][\x40-\x7e\x80-\xff]"),
    ),
}
_TILDE = b"\x8f\xa2\xb7"  # of EUC-JP, which Python reads as the one of ASCII
NAMES = frozenset((*_CODECS, "gbk", "iso-2022-jp"))
"""The encodings that are read and written here."""


def decode(body: bytes, name: str) -> str:
    """Return the text of bytes in one of `NAMES`; what is wrong becomes U+FFFD."""
    if name == "iso-2022-jp":
        return "".join(_iso_2022_jp(body))
    name = "gb18030" if name == "gbk" else name
    codec = _CODECS[name]
    try:
        text = body.decode(codec.python)
    except UnicodeDecodeError:
        pass
    else:
        if codec.doubtful is None or not (codec.doubtful.search(text) or _TILDE in body):
            return text
    known = _decoding(name)
    return "".join(
        known.get(piece) or _other(piece, name)
        for match in codec.sequence.finditer(body)
        if (piece := match[0])
    )


def _other(piece: bytes, name: str) -> str:
    """Return what stands for bytes that are no sequence of the table."""
    if piece[0] < 0x80:
        return piece.decode("ascii")
    if len(piece) == 4:
        return _FOUR.get(piece) or piece.decode("gb18030", "replace")[:1]
    # What is wrong is one character, but an ASCII byte in it stands for itself, unless the text
    # ends within four bytes.
    if name == "gb18030" and 0x30 <= piece[-1] <= 0x39:
        return "\ufffd"
    return "\ufffd" + (chr(piece[-1]) if len(piece) > 1 and piece[-1] < 0x80 else "")


# ---------------------------------------------------------------- the indexes


@cache
def _decoding(name: str) -> dict[bytes, str]:
    """Return the text of every sequence that is not ASCII, but for those of four bytes."""
    makers = {
        "big5": _big5_index,
        "euc-jp": _euc_jp_index,
        "euc-kr": lambda: _index("cp949", range(0x81, 0xFF), range(0x41, 0xFF)),
        "gb18030": _gb18030_index,
        "shift_jis": _shift_jis_index,
    }
    return makers[name]()


def _index(codec: str, leads: range, trails: range, before: bytes = b"") -> dict[bytes, str]:
    """Return what a codec of Python makes of two bytes each, where that is one character."""
    found = {}
    for lead in leads:
        for trail in trails:
            piece = before + bytes((lead, trail))
            try:
                text = piece.decode(codec)
            except UnicodeDecodeError:
                continue
            if len(text) == 1:
                found[piece] = text
    return found


def _big5_index() -> dict[bytes, str]:
    found = _index("big5hkscs", range(0x81, 0xFF), range(0x40, 0xFF))
    for run in _BIG5.split():
        first, _, characters = run.partition(":")
        for pointer, character in enumerate(characters, int(first)):
            lead, trail = divmod(pointer, 157)
            found[bytes((lead + 0x81, trail + (0x40 if trail < 0x3F else 0x62)))] = character
    doubles = ("\xca\u0304", "\xca\u030c", "\xea\u0304", "\xea\u030c")
    found.update(zip((b"\x88\x62", b"\x88\x64", b"\x88\xa3", b"\x88\xa5"), doubles, strict=True))
    return found


def _gb18030_index() -> dict[bytes, str]:
    found = _index("gb18030", range(0x81, 0xFF), range(0x40, 0xFF))
    found.update((bytes(divmod(piece, 256)), text) for piece, text in _GB18030.items())
    found[b"\x80"] = "\u20ac"
    return found


def _shift_jis_index() -> dict[bytes, str]:
    found = _index("cp932", range(0x81, 0xFD), range(0x40, 0xFD))
    found.update((bytes((byte,)), chr(0xFF61 + byte - 0xA1)) for byte in range(0xA1, 0xE0))
    found[b"\x80"] = "\x80"
    return found


def _euc_jp_index() -> dict[bytes, str]:
    found = {
        bytes((pointer // 94 + 0xA1, pointer % 94 + 0xA1)): text
        for pointer, text in _jis0208().items()
        if pointer < 94 * 94
    }
    rows = _index("euc_jp", range(0xA1, 0xFF), range(0xA1, 0xFF), b"\x8f")
    found |= {piece: "\uff5e" if text == "~" else text for piece, text in rows.items()}
    found.update((bytes((0x8E, byte)), chr(0xFF61 + byte - 0xA1)) for byte in range(0xA1, 0xE0))
    return found


@cache
def _jis0208() -> dict[int, str]:
    """Return index JIS X 0208 by pointer: what Shift_JIS writes, but for its private characters."""
    found = {}
    for piece, text in _shift_jis_index().items():
        if len(piece) == 2 and not "\ue000" <= text <= "\uf8ff":
            lead = piece[0] - (0x81 if piece[0] < 0xA0 else 0xC1)
            trail = piece[1] - (0x40 if piece[1] < 0x7F else 0x41)
            found[lead * 188 + trail] = text
    return found


# ---------------------------------------------------------------- ISO-2022-JP

_ESCAPES = {b"(B": "ascii", b"(J": "roman", b"(I": "katakana", b"$@": "jis", b"$B": "jis"}
_IN_ONE_BYTE = lazy(rb"[^\x1b\x0e\x0f\x80-\xff]+")
_ROMAN = str.maketrans("\\~", "\xa5\u203e")


def _iso_2022_jp(body: bytes) -> Iterator[str]:
    """Yield the text piece by piece, by the states of the standard's decoder."""
    index, state, fresh = _jis0208(), "ascii", False  # fresh: nothing was read since an escape
    at, size = 0, len(body)
    while at < size:
        byte = body[at]
        if byte == 0x1B:
            escaped = _ESCAPES.get(body[at + 1 : at + 3])
            at += 3 if escaped else 1
            if escaped is None or fresh:
                yield "\ufffd"
            state, fresh = escaped or state, escaped is not None
            continue
        fresh = False
        if state in ("ascii", "roman"):
            run = _IN_ONE_BYTE.match(body, at)
            text = run[0].decode("ascii") if run else "\ufffd"
            yield text.translate(_ROMAN) if state == "roman" else text
            at = run.end() if run else at + 1
        elif state == "katakana" or not 0x21 <= byte <= 0x7E:
            half = state == "katakana" and 0x21 <= byte <= 0x5F
            yield chr(0xFF61 + byte - 0x21) if half else "\ufffd"
            at += 1
        else:
            trail = body[at + 1] if at + 1 < size else 0
            pointer = (byte - 0x21) * 94 + trail - 0x21
            yield index.get(pointer, "\ufffd") if 0x21 <= trail <= 0x7E else "\ufffd"
            at += 1 if trail == 0x1B else 2


def _to_iso_2022_jp(text: str, bad: Bad) -> Iterator[bytes]:
    index, state = _encoding("iso-2022-jp"), b"(B"
    waiting = list(reversed(text))
    while waiting:
        char = waiting.pop()
        char = {"\u2212": "\uff0d"}.get(char, _FULL_WIDTH.get(char, char))
        piece = index.get(char, b"")
        if char in "\x0e\x0f\x1b":
            wanted, piece = (b"(B" if state == b"$B" else state), bad("\ufffd")
        elif char in "\xa5\u203e":
            wanted, piece = b"(J", b"\\" if char == "\xa5" else b"~"
        elif char < "\x80":
            wanted = b"(J" if state == b"(J" and char not in "\\~" else b"(B"
            piece = char.encode()
        elif piece:
            wanted = b"$B"
        else:
            wanted, piece = (b"(B" if state == b"$B" else state), bad(char)
        if wanted != state:
            yield b"\x1b" + wanted
        state = wanted
        yield piece
    if state != b"(B":
        yield b"\x1b(B"


# What half-width katakana become, in the order of the standard's index.
_FULL_WIDTH = dict(
    zip(
        map(chr, range(0xFF61, 0xFFA0)),
        "。「」、・ヲァィゥェォャュョッーアイウエオカキクケコサシスセソタチツテトナニヌネノ"
        "ハヒフヘホマミムメモヤユヨラリルレロワン゛゜",
        strict=True,
    )
)

# ---------------------------------------------------------------- writing


def encode(text: str, name: str, bad: Bad) -> bytes:
    """Return text in one of `NAMES`; `bad` gives the bytes for a character that is not in it."""
    if name == "iso-2022-jp":
        return b"".join(_to_iso_2022_jp(text, bad))
    known = _encoding(name)
    four = name == "gb18030"
    return b"".join(
        char.encode()
        if char < "\x80"
        else known.get(char) or (_four(char, bad) if four else bad(char))
        for char in text
    )


def _four(char: str, bad: Bad) -> bytes:
    if char == "\ue7c7":
        return next(iter(_FOUR))
    if char == "\ue5e5":
        return bad(char)
    return char.encode("gb18030", "ignore") or bad(char)


@cache
def _encoding(name: str) -> dict[str, bytes]:
    """Return the bytes of every character that is not ASCII: of several, those of the standard."""
    if name in ("gbk", "gb18030"):
        found = {text: piece for piece, text in _decoding("gb18030").items() if len(piece) == 2}
        found |= {  # private characters of old texts: as Python knows them
            bytes(divmod(piece, 256)).decode("gb18030"): bytes(divmod(piece, 256))
            for piece in _GB18030
            if piece not in (0xA3A0, 0xA8BC)
        }
        if name == "gbk":
            found["\u20ac"] = b"\x80"
        found["\u3000"] = b"\xa1\xa1"
        return found
    if name == "big5":
        return _big5_encoding()
    if name == "euc-kr":
        return {text: piece for piece, text in _decoding("euc-kr").items()}
    return _japanese_encoding(name)


def _big5_encoding() -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for piece, text in sorted(_decoding("big5").items()):
        # What Hong Kong added is only read.
        if piece[0] >= 0xA1 and (
            text not in found or text in "\u2550\u255e\u2561\u256a\u5341\u5345"
        ):
            found[text] = piece
    return found


def _japanese_encoding(name: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for pointer, text in sorted(_jis0208().items()):
        if text in found or (name == "shift_jis" and 8272 <= pointer <= 8835):
            continue
        if name == "shift_jis":
            lead, trail = divmod(pointer, 188)
            first = lead + (0x81 if lead < 0x1F else 0xC1)
            found[text] = bytes((first, trail + (0x40 if trail < 0x3F else 0x41)))
        elif pointer < 94 * 94:
            offset = 0xA1 if name == "euc-jp" else 0x21
            found[text] = bytes((pointer // 94 + offset, pointer % 94 + offset))
    if name == "iso-2022-jp":
        return found
    half = {chr(0xFF61 + byte - 0xA1): bytes((byte,)) for byte in range(0xA1, 0xE0)}
    if name == "euc-jp":
        half = {char: b"\x8e" + piece for char, piece in half.items()}
    else:
        half["\x80"] = b"\x80"
    found |= half | {"\xa5": b"\\", "\u203e": b"~"}
    found["\u2212"] = found["\uff0d"]
    return found
