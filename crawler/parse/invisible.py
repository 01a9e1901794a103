"""Characters that nobody sees: taken out of a text where they are not part of what it says.

Left are those that a script or an emoji needs where they stand: joiners and variation selectors
behind a character that takes one, word spaces of scripts without blanks, the marks of text that
runs from right to left (https://www.unicode.org/reports/tr51/, UAX 9 and 31). The rest is of two
kinds: a single one that only says where a line may break is dropped as white space is; what can
carry a message is counted.
"""

from __future__ import annotations

from collections.abc import Iterable

from crawler.lazy_regex import lazy

_RANGES = (
    *((0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5)),
    *((0x180B, 0x180F), (0x200B, 0x200F), (0x202A, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164)),
    *((0xFE00, 0xFE0F), (0xFEFF, 0xFEFF), (0xFFA0, 0xFFA0), (0xFFF0, 0xFFFB)),
    *((0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF)),
)
"""What is invisible by default: Default_Ignorable_Code_Point of Unicode, and annotations."""


def _class(ranges: Iterable[tuple[int, int]]) -> str:
    return f"[{''.join(f'{chr(first)}-{chr(last)}' for first, last in ranges)}]"


_ALL = lazy(_class(_RANGES) + "+")
# A class of characters of two bytes is searched for in a fifth of the time.
_NEAR = lazy(_class(one for one in _RANGES if one[1] < 0x10000) + "+")
_FAR = (b"\xf3\xa0", b"\xf0\x9b\xb2", b"\xf0\x9d\x85")  # how the others begin in UTF-8
_ASCII = bytes(range(128))
# Black flag, the letters of a region as tags, and the end of them: the three that are emoji.
_FLAG = lazy(
    "\U0001f3f4(?:"
    + "|".join(
        "".join(chr(0xE0000 + ord(letter)) for letter in region)
        for region in ("gbeng", "gbsct", "gbwls")
    )
    + ")\U000e007f"
)
_BREAKS = frozenset("\u00ad\u200b\u2060\ufeff")
_JOINERS = frozenset("\u200c\u200d")
_MARKS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u2066\u2067\u2068\u2069")
_OVERRIDES = "\u202d\u202e"
_RIGHT_TO_LEFT = lazy("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff]")
_UNSPACED = lazy("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1980-\u19ff\u1a20-\u1aaf]")
_JOINED = lazy("[\u0590-\u1fff\u200d\u2600-\u27bf\ua800-\uabff\ufb1d-\ufdff\ufe70-\ufefc]")
_JAMO = lazy("[\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff]")
# What takes a variation selector: keycaps, symbols, emoji, ideographs, Mongolian, Phags-pa.
_VARIED = lazy(
    "[#*0-9\u00a9\u00ae\u1000-\u109f\u1800-\u18af\u2000-\u2bff\u3000-\u303f\u3200-\u9fff"
    "\ua840-\ua87f\uf900-\ufaff\uff00-\uffef\U00010ac0-\U00010aff\U0001f000-\U0001faff"
    "\U00020000-\U0003ffff]"
)
_IDEOGRAPH = lazy("[\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


def visible(text: str) -> tuple[str, int]:
    """Return a text without characters that nobody sees, and how many could carry a message."""
    if text.isascii():
        return text, 0
    beyond = text.encode("utf-8", "replace").translate(None, _ASCII)
    far = any(begin in beyond for begin in _FAR)
    if not (far or _NEAR.search(beyond.decode())):
        return text, 0
    kept, number, at = [], 0, 0
    for run in (_ALL if far else _NEAR).finditer(text):
        if run.start() < at:  # within a flag
            continue
        before = text[run.start() - 1 : run.start()]
        if before == "\U0001f3f4" and (flag := _FLAG.match(text, run.start() - 1)):
            kept.append(text[at : flag.end()])
            at = flag.end()
            rest = text[at : run.end()]
        else:
            kept.append(text[at : run.start()])
            rest = run[0]
        at = run.end()
        needed = _needed(rest, before, text[at : at + 1], text)
        kept.append(needed)
        number += _counted(rest, needed)
    kept.append(text[at:])
    return "".join(kept), number


def _counted(run: str, needed: str) -> int:
    """Return how many of a run count as hidden: none of a single one that formats a line."""
    if len(run) == 1 and run in _BREAKS | _MARKS | _JOINERS:
        return 0
    return len(run) - len(needed)


def _needed(run: str, before: str, after: str, text: str) -> str:
    """Return what of a run the characters around it need."""
    kept = ""
    if run and _selects(run[0], before):
        kept, run = run[0], run[1:]
    if not run:
        return kept
    if run in _JOINERS:
        return kept + run if _JOINED.match(before) or kept or _beyond(before) else kept
    if run == "\u200b":
        return kept + run if _UNSPACED.match(before) and _UNSPACED.match(after) else kept
    if all(one in _MARKS for one in run) and len(run) <= 4:
        line = text if len(text) < 10_000 else before + after
        return kept + run if _RIGHT_TO_LEFT.search(line) else kept
    if run in ("\u115f", "\u1160") and (_JAMO.match(before) or _JAMO.match(after)):
        return kept + run
    return kept


def _selects(selector: str, before: str) -> bool:
    """Return whether a variation selector stands behind a character that takes one."""
    if "\ufe00" <= selector <= "\ufe0f" or "\u180b" <= selector <= "\u180d":
        return bool(_VARIED.match(before))
    return "\U000e0100" <= selector <= "\U000e01ef" and bool(_IDEOGRAPH.match(before))


def _beyond(character: str) -> bool:
    return character >= "\U00010000"
