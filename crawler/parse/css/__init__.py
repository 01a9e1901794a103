"""What CSS says of an element's being seen: declarations, and of large pages simple rules.

For small ones there is `cascade`. Here a rule that cannot be judged from a tag alone (combinators,
pseudo-classes, conditions) may show an element and never hides one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from msgspec import Struct, field

from crawler.lazy_regex import lazy

Causes = frozenset[str]
"""Why an element is not seen; empty where it is."""
NONE: Causes = frozenset()

_FAR = -500.0  # pixels, and as many of any larger unit
_SHOWN_AT = 0.02  # an opacity that can be seen
_HALF = 50.0  # per cent that `inset` may cut from each side before nothing is left
_MOST_STYLE = 1 << 18  # characters of all style elements of a page
_MOST_RULES = 5_000
_BRACE = re.compile(r"[{}]")
# With what once hid a sheet from browsers that knew no styles.
COMMENT = re.compile(r"/\*[^*]*+(?:\*(?!/)[^*]*+)*+(?:\*/|\Z)|<!--|-->")
_ESCAPE = re.compile(r"\\(?:([0-9a-fA-F]{1,6})[ \t\n\r\f]?|(.))", re.DOTALL)
_LENGTH = re.compile(r"(-?[0-9]*\.?[0-9]+)(?:e[0-9]+)?(px|pt|pc|em|rem|ex|ch|cm|mm|in|vw|vh|%)?")
_ZERO = re.compile(r"[-+]?0*\.?0*(?:px|pt|pc|em|rem|ex|ch|cm|mm|in|q|vw|vh|%)?")
_RELATIVE = re.compile(r".*(?:%|em)|larger|smaller|inherit|unset")  # to the size outside
_COMPOUND = re.compile(r"[\w-]*(?:[.#][\w-]+)*")
_PART = re.compile(r"[.#]?[\w-]+")
_SIDES = ("left", "top", "right", "bottom", "inset-inline-start")
_MOVES = ("text-indent", "margin-left", "margin-top", "margin")
_FOR_SPEECH = re.compile(
    r"sr-?only|visually-?hidden|hidden-?visually|screen-?reader|a-offscreen|off-?screen"
    r"|assistive|element-invisible|skip-?(?:link|nav|to)",
    re.IGNORECASE,
)
_COLOURS = {"white": "ffffff", "black": "000000", "red": "ff0000", "blue": "0000ff"}
_RGB = re.compile(r"rgba?\(\s*(\d{1,9})[\s,]+(\d{1,9})[\s,]+(\d{1,9})\s*\)")


# What is none of these is no declaration, and the one before it holds on.
_OUTER = r"(?:block|inline)\s+"
_INNER = "(?:flow-root|flow|table|flex|grid|ruby|math)"
_KEYWORDS = {
    name: lazy(
        rf"(?:{words}|inherit|initial|unset|revert(?:-layer)?)|.*var\(\s*--[^\s,()]+\s*[,)].*",
        re.DOTALL,
    )
    for name, words in {
        "display": rf"none|contents|inline|{_INNER}|(?:inline-)?(?:block|flex|grid|table)"
        "|(?:inline-)?list-item|table-(?:row|row-group|header-group|footer-group|cell|column"
        "|column-group|caption)|ruby-text|-webkit-(?:inline-)?(?:box|flex)"
        rf"|{_OUTER}{_INNER}|{_INNER}\s+(?:block|inline)"
        r"|(?:(?:block|inline|flow|flow-root)\s+)*list-item(?:\s+(?:block|inline|flow|flow-root))*",
        "visibility": "visible|hidden|collapse",
        "position": "static|relative|absolute|fixed|(?:-webkit-)?sticky",
        "float": "none|left|right|inline-(?:start|end)",
        "content-visibility": "visible|hidden|auto",
    }.items()
}


def is_value(name: str, value: str) -> bool:
    """Return whether a property may have that value, as far as that is known here."""
    known = _KEYWORDS.get(name)
    return known is None or known.fullmatch(value) is not None


class Declared(NamedTuple):
    """Declarations by property, lower case, the last of each; and those that are important."""

    style: dict[str, str]
    important: dict[str, str]


def declarations(text: str) -> Declared:
    """Return what a style attribute or the body of a rule declares."""
    if "\\" in text:
        text = _ESCAPE.sub(_unescaped, text)
    found = Declared({}, {})
    for part in COMMENT.sub(" ", text).split(";"):
        name, colon, value = part.partition(":")
        name, value = name.strip(), value.strip()
        if not colon or not value:
            continue
        if not name.startswith("--"):  # whose case counts
            name, value = name.lower(), value if "var(" in value else value.lower()
        value, _, flag = value.partition("!")
        value, flag = value.strip(), flag.strip()
        if flag not in ("", "important") or not is_value(name, value):
            continue
        found.style[name] = value
        if flag:
            found.important[name] = value
    return found


def _unescaped(match: re.Match[str]) -> str:
    number = int(match[1], 16) if match[1] else 0
    return match[2] or (chr(number) if 0x20 < number < 0x110000 else "\ufffd")


def causes(style: Mapping[str, str], classes: str = "") -> Causes:
    """Return why these declarations hide an element.

    `classes` of the kind that speaks to screen readers alone excuse what moves or clips it: it is
    read out.
    """
    found = set()
    if style.get("display") == "none" or style.get("content-visibility") == "hidden":
        found.add("display")
    if style.get("visibility") in ("hidden", "collapse"):
        found.add("visibility")
    if _number(style.get("opacity", "1")) < _SHOWN_AT:
        found.add("opacity")
    if _ZERO.fullmatch(style.get("font-size", "x")):
        found.add("size")
    if _same_colour(style):
        found.add("colour")
    if (_folded(style) or _moved(style) or _clipped(style)) and not _FOR_SPEECH.search(classes):
        found.add("place")
    return frozenset(found)


def shown_again(inherited: Causes, style: Mapping[str, str]) -> Causes:
    """Return what is left of the causes around an element, given its own declarations."""
    if not inherited or not style:
        return inherited
    taken_back = set()
    if style.get("visibility") == "visible":
        taken_back.add("visibility")
    size = style.get("font-size", "0")
    if not _ZERO.fullmatch(size) and not _RELATIVE.fullmatch(size):
        taken_back.add("size")
    if "color" in style and not _same_colour(style):
        taken_back.add("colour")
    return inherited - taken_back


def _number(text: str) -> float:
    match = _LENGTH.fullmatch(text)
    if match is None:
        return 1.0
    return float(match[1]) / (100 if match[2] == "%" else 1)


def _same_colour(style: Mapping[str, str]) -> bool:
    colour = style.get("color")
    if colour is None or "text-shadow" in style:
        return False
    ground = style.get("background-color") or style.get("background", "")
    return bool(ground) and _colour(colour) is not None and _colour(colour) == _colour(ground)


def _colour(text: str) -> str | None:
    """Return six hexadecimal digits for a colour that is one for certain."""
    text = _COLOURS.get(text, text.removeprefix("#"))
    if match := _RGB.fullmatch(text):
        return "".join(f"{int(part):02x}" for part in match.groups())
    if re.fullmatch(r"[0-9a-f]{3}", text):
        return "".join(digit * 2 for digit in text)
    return text if re.fullmatch(r"[0-9a-f]{6}", text) else None


def _folded(style: Mapping[str, str]) -> bool:
    """Return whether a box has no height or width and cuts its content off."""
    cut = style.get("overflow") or style.get("overflow-x") or style.get("overflow-y") or ""
    sizes = ("width", "height", "max-width", "max-height")
    return cut.split()[:1] in (["hidden"], ["clip"]) and any(
        _ZERO.fullmatch(style.get(name, "x")) for name in sizes
    )


def _moved(style: Mapping[str, str]) -> bool:
    """Return whether a box or its text stands far outside of the page."""
    placed = style.get("position") in ("absolute", "fixed")
    names = (*_MOVES, *_SIDES) if placed else _MOVES
    if any(_far(style[name]) for name in names if name in style):
        return True
    transform = style.get("transform", "")
    if re.match(r"scale[xy]?\(\s*0*\.?0*\s*[,)]", transform):
        return True
    return transform.startswith("translate") and any(map(_far, re.split(r"[(),\s]+", transform)))


def _far(value: str) -> bool:
    match = _LENGTH.match(value)
    if match is None:
        return False
    scale = {"%": 5, "em": 16, "rem": 16, "vw": 10, "vh": 10, "in": 96}.get(match[2], 1)
    return float(match[1]) * scale <= _FAR


def _clipped(style: Mapping[str, str]) -> bool:
    clip, path = style.get("clip", ""), style.get("clip-path", "")
    if clip.startswith("rect(") and style.get("position") in ("absolute", "fixed"):
        sides = [_LENGTH.fullmatch(side) for side in re.split(r"[(),\s]+", clip)[1:-1]]
        if sides and all(side is not None and abs(float(side[1])) <= 1 for side in sides):
            return True
    if match := re.match(r"inset\(\s*([0-9.]+)%", path):
        return _number(match[1]) >= _HALF
    return re.match(r"circle\(\s*0+(?:px|%)?\b", path) is not None


class StyleRule(Struct, frozen=True):
    """One selector of a rule: its last compound, its weight, and what it declares.

    `certain` where the compound is all of it, under no condition.
    """

    parts: frozenset[str]
    certain: bool
    weight: tuple[int, int, int, int]
    style: dict[str, str]
    important: dict[str, str]


class Sheet(Struct):
    """The rules of a page's style elements, by one part of each.

    `names` are the parts of those that hide something for certain.
    """

    rules: dict[str, list[StyleRule]] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    number: int = 0

    def __bool__(self) -> bool:
        return bool(self.names)

    def of(self, name: str, id_: str, classes: str) -> list[StyleRule]:
        """Return the rules that are of an element, or may be, the weightiest last."""
        own = {name, *(f".{one}" for one in classes.split())}
        if id_:
            own.add(f"#{id_}")
        found = [rule for part in own for rule in self.rules.get(part, ()) if rule.parts <= own]
        return sorted(found, key=lambda rule: rule.weight)


def style_of(rules: Iterable[StyleRule], inline: Declared) -> dict[str, str]:
    """Return what holds of an element by the rules that certainly are its, and inline."""
    certain = [rule for rule in rules if rule.certain]
    style: dict[str, str] = {}
    for layer in (
        *(rule.style for rule in certain),
        inline.style,
        *(rule.important for rule in certain),
        inline.important,
    ):
        style |= layer
    return style


OF_INTEREST = frozenset(
    {
        *("display", "content-visibility", "visibility", "opacity", "font-size", "overflow"),
        *("overflow-x", "overflow-y", "width", "height", "max-width", "max-height", "position"),
        "float",
        *(*_SIDES, *_MOVES, "transform", "clip", "clip-path"),
    }
)


def display_of(style: Mapping[str, str]) -> str:
    """Return the `display` that declarations give, "" if they give none.

    What floats or is placed by itself is a block: https://www.w3.org/TR/css-display-3/#transformations
    """
    display = style.get("display", "")
    placed = style.get("position") in ("absolute", "fixed") or style.get("float") in _FLOATS
    return "block" if placed and display not in ("none", "contents", *_BLOCKS) else display


_FLOATS = ("left", "right", "inline-start", "inline-end")
_BLOCKS = ("flex", "grid", "table", "list-item", "flow-root")


@lru_cache(maxsize=16)  # the pages of a site mostly have the same
def sheet_of(text: str) -> Sheet:
    """Return the rules of style elements, empty where none of them hides anything for certain."""
    sheet = Sheet()
    for selectors, body, certain in _blocks(COMMENT.sub("", text[:_MOST_STYLE])):
        declared = Declared(*(_of_interest(part) for part in declarations(body)))
        if declared.style:
            _add(sheet, selectors, declared, certain)
    return sheet if sheet.names else Sheet()


def is_of_screens(attributes: str) -> bool:
    """Return whether a style element with these attributes holds for screens, for certain."""
    media, kind = _MEDIA.search(attributes), _TYPE.search(attributes)
    if kind is not None and kind[1].strip().lower() not in ("", "text/css"):
        return False
    return media is None or media[1].strip().lower() in ("", "all", "screen")


_TYPE = lazy(r"""(?<=[\s"'])type\s*=\s*["']?([^"'>]*)""", re.IGNORECASE)
_MEDIA = lazy(r"""(?<=[\s"'])media\s*=\s*["']?([^"'>]*)""", re.IGNORECASE)


def _of_interest(style: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in style.items() if name in OF_INTEREST}


def _add(sheet: Sheet, selectors: str, declared: Declared, certain: bool) -> None:
    for selector in selectors.split(","):
        *outer, last = re.split(r"[\s>+~]+", selector.strip())
        compound = _COMPOUND.match(last)
        parts = frozenset(_PART.findall(compound[0])) if compound else frozenset()
        if sheet.number >= _MOST_RULES:
            return
        if not parts or compound is None:
            continue
        sure = certain and not any(outer) and compound.end() == len(last)
        sheet.number += 1
        ids = sum(part[0] == "#" for part in parts)
        some = sum(part[0] == "." for part in parts)
        weight = (ids, some, len(parts) - ids - some, sheet.number)
        rule = StyleRule(parts, sure, weight, *declared)
        key = min(parts, key=lambda part: part[0] not in "#.")
        sheet.rules.setdefault(key, []).append(rule)
        if sure and causes(declared.style, last):
            sheet.names.add(key.lstrip(".#"))


def _blocks(text: str) -> Iterator[tuple[str, str, bool]]:
    """Yield selectors and declarations of each rule, and whether it stands under no condition."""
    depth = at = 0
    while (found := _BRACE.search(text, at)) is not None:
        head, at = text[at : found.start()], found.end()
        if found[0] == "}":
            depth = max(0, depth - 1)
            continue
        head = head.rpartition(";")[2].strip()
        if head.startswith("@"):
            depth += 1
            continue
        end = text.find("}", at)
        end = end if end >= 0 else len(text)
        yield head, text[at:end], depth == 0
        at = end + 1
