"""Whether what stands under a condition of CSS holds: `@media`, `@supports`.

As in a window 1,280 pixels wide and 720 high, in a browser of today. What depends on more than that
is not known (https://www.w3.org/TR/mediaqueries-5/, https://www.w3.org/TR/css-conditional-5/).
"""

from __future__ import annotations

from crawler.lazy_regex import lazy
from crawler.parse.css import is_value
from crawler.parse.css.selectors import BadSelector, selectors_of

_WIDTH, _EM = 1280, 16  # pixels: Chromium's window without a screen, and its letters
_SPACE = lazy(r"\s+")
_BETWEEN = lazy(r"\( ?([0-9.]++[a-z]++) ?<(=?) ?width ?<(=?) ?([0-9.]++[a-z]++) ?\)")
_OF_WIDTH = lazy(
    r"\( ?(?:(min-|max-)(?:device-)?width ?:|(?:device-)?width ?([<>]=?))"
    r" ?([0-9]+(?:\.[0-9]+)?|\.[0-9]+)(px|r?em)? ?\)"
)
_NAMED = lazy(r"\( ?(-?[a-z][a-z-]*) ?(?:: ?([^()]*?) ?)?\)")
_FEATURES = {"orientation": "landscape", "prefers-color-scheme": "light", "grid": "0",
             "update": "fast", "scripting": "enabled", "display-mode": "browser",
             "overflow-block": "scroll", "overflow-inline": "scroll", "monochrome": "0",
             "prefers-reduced-motion": "no-preference", "forced-colors": "none",
             "inverted-colors": "none", "prefers-contrast": "no-preference"}  # fmt: skip
_NUMBER = lazy(r"[0-9]*\.?[0-9]+")
_ALWAYS = frozenset(
    "color orientation prefers-color-scheme width height aspect-ratio resolution update scripting"
    " overflow-block overflow-inline".split()
)
_NEVER = frozenset("monochrome grid forced-colors inverted-colors prefers-reduced-motion".split())
_DEEPEST = 8


def holds(name: str, condition: str) -> bool | None:
    """Return whether what stands under an at-rule holds; None where that is not known."""
    if name == "@media":
        low = _SPACE.sub(" ", condition.lower()).strip()
        found = [_query(query.strip()) for query in _parts(low, ",")]
        return True if True in found else None if None in found else False
    if name == "@supports":
        return _supports(_SPACE.sub(" ", condition).strip())
    return None if name in ("@container", "@scope") else False


def _parts(text: str, sign: str) -> list[str]:
    """Return the pieces of a condition between signs, or words, that stand in no bracket."""
    depth = at = since = 0
    found = []
    while at < len(text):
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if depth == 0 and text.startswith(sign, at):
            found.append(text[since:at])
            at = since = at + len(sign)
        else:
            at += 1
    return [*found, text[since:]]


def _query(text: str) -> bool | None:
    """Return whether a media query holds for a screen as wide as `_WIDTH`."""
    if text == "":
        return True
    if text.startswith("not "):
        held = _query(text[4:])
        return None if held is None else not held
    if " or " in text and len(every := _parts(text, " or ")) > 1:
        found = [_query(one) for one in every]
        return True if True in found else None if None in found else False
    text = _BETWEEN.sub(r"(width>\2\1) and (width<\3\4)", text.removeprefix("only "))
    found = [_feature(part.strip()) for part in _parts(text, " and ")]
    return False if False in found else None if None in found else True


def _feature(text: str) -> bool | None:
    if text in ("all", "screen"):
        return True
    if (match := _OF_WIDTH.fullmatch(text)) is not None:
        bound, compared, number, unit = match.groups()
        if unit is None and float(number):
            return False
        asked = float(number) * (_EM if unit in ("em", "rem") else 1)
        if bound == "max-" or compared == "<=":
            return asked >= _WIDTH
        if compared == "<":
            return asked > _WIDTH
        return asked < _WIDTH if compared == ">" else asked <= _WIDTH
    if (match := _NAMED.fullmatch(text)) is not None:
        name, value = match.groups()
        if value is None and (name in _ALWAYS or name in _NEVER):
            return name in _ALWAYS
        if value is not None and name in _FEATURES:
            return value == _FEATURES[name]
        if value is not None and name.endswith("device-pixel-ratio") and _NUMBER.fullmatch(value):
            ratio = float(value)  # of one pixel to a pixel of CSS
            return ratio <= 1 if "-min-" in name else ratio >= 1 if "-max-" in name else ratio == 1
        return False if name.startswith(("-ms-", "-moz-", "-o-")) else None
    if text.startswith("(") and text.endswith(")"):
        return _query(text[1:-1].strip()) if "(" in text[1:] or "not " in text else None
    return False


def _supports(text: str, depth: int = 0) -> bool | None:
    """Return whether a browser of today supports it."""
    if depth > _DEEPEST:
        return None
    if text.lower().startswith("not"):
        held = _supports(text[3:].strip(), depth + 1)
        return None if held is None else not held
    for word, decides in ((" or ", True), (" and ", False)):
        if len(every := _parts(text, word)) > 1:
            found = [_supports(one.strip(), depth + 1) for one in every]
            return decides if decides in found else None if None in found else not decides
    if text.lower().startswith("selector(") and text.endswith(")"):
        try:
            selectors_of(text[9:-1])
        except BadSelector:
            return False
        return True
    if not (text.startswith("(") and text.endswith(")")):
        return None if text.endswith(")") else False
    inside = text[1:-1].strip()
    if inside.startswith("(") or inside.lower().startswith("not"):
        return _supports(inside, depth + 1)
    name, colon, value = inside.partition(":")
    name, value = name.strip().lower(), value.strip().lower()
    if name.startswith("--"):
        return True
    return bool(colon) and name in _PROPERTIES and is_value(name, value)


_PROPERTIES = frozenset(
    "accent-color align-content align-items align-self animation animation-timeline appearance"
    " aspect-ratio backdrop-filter backface-visibility background background-blend-mode"
    " background-clip background-color background-image block-size border border-radius box-shadow"
    " box-sizing caret-color clear clip clip-path color color-scheme column-count column-gap"
    " columns contain container container-type content content-visibility counter-reset cursor"
    " direction"
    " display filter flex flex-basis flex-direction flex-flow flex-wrap float font font-display"
    " font-family font-feature-settings font-size font-variation-settings font-weight gap grid"
    " grid-area grid-auto-flow grid-column grid-gap grid-row grid-template grid-template-areas"
    " grid-template-columns grid-template-rows height hyphens image-rendering initial-letter"
    " inline-size inset isolation justify-content justify-items justify-self left letter-spacing"
    " line-clamp line-height list-style margin margin-inline mask mask-image max-height max-width"
    " min-height min-width mix-blend-mode object-fit object-position offset-path opacity order"
    " outline overflow overflow-anchor overflow-wrap overflow-x overscroll-behavior padding"
    " perspective place-content place-items pointer-events position quotes resize right rotate"
    " row-gap ruby-position scale scroll-behavior scroll-snap-type scrollbar-gutter scrollbar-width"
    " shape-outside tab-size text-align text-decoration text-indent text-overflow text-shadow"
    " text-size-adjust text-transform text-wrap top touch-action transform transform-origin"
    " transform-style transition translate user-select vertical-align view-transition-name"
    " visibility white-space width will-change word-break word-wrap writing-mode z-index zoom"
    " -webkit-appearance -webkit-backdrop-filter -webkit-background-clip -webkit-box-orient"
    " -webkit-clip-path -webkit-font-smoothing -webkit-line-clamp -webkit-mask -webkit-mask-image"
    " -webkit-text-fill-color -webkit-text-stroke -webkit-tap-highlight-color -webkit-transform"
    " -webkit-user-select".split()
)
