"""What the styles of a page make of each element: https://www.w3.org/TR/css-cascade-5/.

The rules of its style elements and its `style` attributes, as far as they say which boxes it has
and whether anybody sees it; linked style sheets are not read. What only holds once somebody points
or clicks, or in a window that is not known, may show an element and never hides one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from crawler.lazy_regex import lazy
from crawler.parse.css import (
    NONE,
    OF_INTEREST,
    Causes,
    Declared,
    boxes,
    causes,
    declarations,
    is_value,
    shown_again,
)
from crawler.parse.css.conditions import holds
from crawler.parse.css.element import Element
from crawler.parse.css.matching import Matcher, Selector, TooDear
from crawler.parse.css.selectors import BadSelector, selectors_of
from crawler.parse.css.syntax import COMMENT, blocks, masked

_MOST_STYLE = 1 << 17  # characters of all style elements of a page
_MOST_RULES = 2_000
_DEEPEST = 8  # rules within rules
_UNLAYERED = 1 << 30  # behind all layers
_BOXES = ("display", "visibility", "content-visibility", "position", "float")
_HIDING = frozenset(("none", "hidden", "collapse"))
Sheets = tuple[tuple[str, str], ...]
"""The style elements of a page: for which media each is, and its text."""


class _Rule(NamedTuple):
    selector: Selector
    declared: Declared
    layer: tuple[int, ...]
    number: int
    certain: bool  # whether it holds here, or depends on what is not known


class Rules:
    """The rules of all style elements of a page, by what stands last in their selectors."""

    __slots__ = ("_by_key", "_layers", "_quirks", "number")

    def __init__(self, sheets: Sheets, *, quirks: bool) -> None:
        self.number = 0
        self._quirks = quirks
        self._layers: dict[tuple[str, ...], int] = {}
        self._by_key: dict[str, list[_Rule]] = {}
        left = _MOST_STYLE
        for media, text in sheets:
            held = holds("@media", media)
            if held is not False:
                self._read(masked(text[:left]), None, (), certain=held is True, depth=0)
                left -= min(left, len(text))

    def of(self, element: Element, matcher: Matcher) -> list[_Rule]:
        """Return the rules that match an element, in no order."""
        every = self._by_key
        found = [*every.get("", ()), *every.get(element.name, ())]
        if element.id:
            found += every.get(f"#{element.id}", ())
        for name in element.classes:
            found += every.get(f".{name}", ())
        return [rule for rule in found if matcher.matches(rule.selector, element)]

    def all(self) -> Iterator[tuple[str, Selector, dict[str, str]]]:
        """Yield every selector, by what stands last in it, with what is declared for it."""
        for key, rules in self._by_key.items():
            for rule in rules:
                yield key, rule.selector, rule.declared.style

    def _read(
        self,
        text: str,
        around: tuple[Selector, ...] | None,
        layer: tuple[str, ...],
        *,
        certain: bool,
        depth: int,
    ) -> None:
        """Read what stands in a sheet, a condition or a rule, whose selectors are `around`."""
        own: list[str] = []
        for head, body in blocks(text, nested=around is not None):
            if body is None and not head.startswith("@"):
                own.append(head)
                continue
            if body is not None and around is not None:
                self._add(around, own, layer, certain=certain)
                own = []
            if head.startswith("@"):
                self._read_at(head, body, around, layer, certain=certain, depth=depth)
            elif body is not None:
                if depth == _DEEPEST or self.number >= _MOST_RULES:
                    raise TooDear
                try:
                    selectors = selectors_of(head, around, quirks=self._quirks)
                except BadSelector:
                    continue
                self._read(body, selectors, layer, certain=certain, depth=depth + 1)
        if around is not None:
            self._add(around, own, layer, certain=certain)

    def _read_at(
        self,
        head: str,
        body: str | None,
        around: tuple[Selector, ...] | None,
        layer: tuple[str, ...],
        *,
        certain: bool,
        depth: int,
    ) -> None:
        """Read what stands under a condition, in a layer or in a scope."""
        name = _AT_RULE.findall(head)[0].lower()
        said = head[len(name) :].replace(COMMENT, " ").strip()
        if name == "@layer":
            every = [tuple(one.strip().split(".")) for one in said.split(",")] if said else []
            if body is None:
                for one in every:
                    self._known((*layer, *one))
                return
            path = (*layer, *(every[0] if every else (f" {len(self._layers)}",)))
            self._known(path)
            if depth < _DEEPEST:
                self._read(body, around, path, certain=certain, depth=depth + 1)
        elif body is not None and depth < _DEEPEST:
            held = holds(name, said)
            if name == "@scope":
                around, held = self._scope(said, around), None if _LIMIT.search(said) else True
                body = body.replace(":scope", "&")
            if held is not False:
                sure = certain and held is True
                self._read(body, around, layer, certain=sure, depth=depth + 1)

    def _known(self, path: tuple[str, ...]) -> tuple[int, ...]:
        """Return where a layer stands: it does where it is named first."""
        every = (path[:end] for end in range(1, len(path) + 1))
        return (*(self._layers.setdefault(one, len(self._layers)) for one in every), _UNLAYERED)

    def _scope(self, said: str, around: tuple[Selector, ...] | None) -> tuple[Selector, ...] | None:
        roots = _ROOTS.match(said)
        if roots is None:  # what the style element stands in, as a rule the head
            return ()
        try:
            found = selectors_of(roots[1], around, quirks=self._quirks)
        except BadSelector:
            return ()
        return tuple(one._replace(weight=(0, 0, 0)) for one in found)

    def _add(
        self, selectors: tuple[Selector, ...], said: list[str], layer: tuple[str, ...], *,
        certain: bool,
    ) -> None:  # fmt: skip
        if not said:
            return
        declared = declarations(";".join(said).replace(COMMENT, " "))
        style = {name: value for name, value in declared.style.items() if _counts(name)}
        if not style:
            return
        declared, place = Declared(style, declared.important), self._known(layer)
        for selector in selectors:
            self.number += 1
            last = selector.compounds[0]
            key = f"#{last.id}" if last.id else f".{last.classes[0]}" if last.classes else last.name
            sure = certain and selector.certain
            rule = _Rule(selector, declared, place, self.number, sure)
            self._by_key.setdefault(key, []).append(rule)


_AT_RULE = lazy(r"@[\w-]*+")
_ROOTS = lazy(r"\(((?:[^()]++|\((?:[^()]++|\([^()]*+\))*+\))*+)\)")
_LIMIT = lazy(r"(?:^|\s)to\s*\(")


def _counts(name: str) -> bool:
    return name in OF_INTEREST or name == "all" or name.startswith("--")


@lru_cache(maxsize=16)  # the pages of a site mostly have the same
def rules_of(sheets: Sheets, *, quirks: bool) -> Rules:
    """Return the rules of style elements."""
    return Rules(sheets, quirks=quirks)


class Style(NamedTuple):
    """What an element is made of by all that is said of it, and what it hands on.

    `display` as computed, each kind by one name; `causes` why nobody sees it although it has a box;
    `custom` the custom properties.
    """

    display: str = "block"
    visibility: str = "visible"
    skipped: bool = False
    causes: Causes = NONE
    custom: dict[str, str] = {}  # noqa: RUF012 - which is never changed


class Cascade:
    """The styles of a page's elements, from the outside inwards.

    `linked`: there are style sheets that are not known, which may set custom properties.
    """

    __slots__ = ("_linked", "_matcher", "_rules")

    def __init__(self, rules: Rules, *, linked: bool) -> None:
        self._rules, self._linked = rules, linked
        self._matcher = Matcher()

    def style(self, element: Element, outer: Style, box: str) -> Style:
        """Return the style of an element in one of `outer`, whose box is one of `box`."""
        own = boxes.own_display(element)
        rules = self._rules.of(element, self._matcher) if self._rules.number else []
        inline = element.attributes.get("style")
        skipped = boxes.is_skipped(element)
        if not rules and not inline:
            display = boxes.in_box(own, box)
            return Style(display, outer.visibility, skipped, outer.causes, outer.custom)
        declared = declarations(inline) if inline else _NOTHING
        style, maybe = _cascaded(rules, declared)
        custom = {name: value for name, value in style.items() if name.startswith("--")}
        custom = outer.custom | custom if custom else outer.custom
        said = {
            name: self._computed(name, value, element, outer, custom)
            for name, value in style.items()
            if name in OF_INTEREST or name in declared.style
        }
        said = {name: value for name, value in said.items() if value}
        display = boxes.kind_of(said["display"]) if "display" in said else own
        position = said.get("position", "fixed" if boxes.is_above(element) else "")
        placed = position in ("absolute", "fixed") or said.get("float", "none") != "none"
        if (display == "contents" and element.name in boxes.REPLACED) or boxes.is_never(element):
            display = "none"
        hidden = {name: value for name, value in said.items() if name not in _BOXES[:3]}
        found = causes(hidden, element.attributes.get("class", "")) if hidden else NONE
        for one in maybe if found else ():
            found &= causes(hidden | one, element.attributes.get("class", ""))
        return Style(
            boxes.in_box(display, "flex" if placed else box),
            said.get("visibility", outer.visibility),
            said.get("content-visibility", "hidden" if boxes.is_skipped(element) else "")
            == "hidden",
            found | shown_again(outer.causes, said),
            custom,
        )

    def _computed(
        self, name: str, value: str, element: Element, outer: Style, custom: dict[str, str]
    ) -> str:
        """Return a value with variables replaced, and what it says of other ones."""
        if "var(" in value:
            value = self._with_variables(value, custom).lower()
            if name == "display" and not is_value(name, value):
                value = "revert" if value == _UNKNOWN else "unset"
        if value in ("revert", "revert-layer") or (value == "unset" and name == "visibility"):
            if name == "display":  # `hidden` counts as the page's word
                hidden = "hidden" in element.attributes and not boxes.is_above(element)
                own = boxes.own_display(element)
                return boxes.DISPLAYS.get(element.name, "inline") if hidden else own
            return outer.visibility if name == "visibility" else ""
        if value == "inherit":
            return getattr(outer, name, "")
        if value in ("initial", "unset"):
            return {"display": "inline", "visibility": "visible"}.get(name, "")
        return value

    def _with_variables(self, value: str, custom: dict[str, str]) -> str:
        def one(found: re.Match[str]) -> str:
            known = custom.get(found[1])
            if known is not None and known != "initial":
                return known
            if self._linked:
                return _UNKNOWN
            return found[2] if found[2] is not None else "-"

        for _ in range(_DEEPEST):
            if "var(" not in value:
                break
            value = _VARIABLE.sub(one, value)
        return _UNKNOWN if _UNKNOWN in value else value.strip()


_UNKNOWN = "?"
_VARIABLE = lazy(r"var\(\s*(--[\w-]+)\s*(?:,\s*([^()]*?)\s*)?\)")
_NOTHING = Declared({}, {})


def _cascaded(rules: list[_Rule], inline: Declared) -> tuple[dict[str, str], list[dict[str, str]]]:
    """Return what holds for certain, and what else may."""
    style: dict[str, str] = {}
    maybe: list[dict[str, str]] = []
    for rule in sorted(rules, key=lambda rule: (rule.layer, rule.selector.weight, rule.number)):
        if rule.certain:
            _take(style, rule.declared.style)
        else:
            said = rule.declared.style
            _take(style, {n: v for n, v in said.items() if n in _BOXES and v not in _HIDING})
            maybe.append({n: v for n, v in said.items() if n not in _BOXES})
    _take(style, inline.style)
    behind = [rule for rule in rules if rule.declared.important]
    behind.sort(key=lambda rule: (tuple(-one for one in rule.layer), rule.selector.weight,
                                  rule.number))  # fmt: skip
    for rule in behind:
        said = rule.declared.important
        if not rule.certain:
            said = {n: v for n, v in said.items() if n in _BOXES and v not in _HIDING}
        _take(style, said)
    _take(style, inline.important)
    return style, maybe


def _take(style: dict[str, str], said: dict[str, str]) -> None:
    for name, value in said.items():
        if name == "all":
            style.update(dict.fromkeys((*_BOXES, *OF_INTEREST), value))
        else:
            style[name] = value
