"""What selectors match: https://www.w3.org/TR/selectors-4/, on the elements of one page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import takewhile
from typing import NamedTuple

from crawler.lazy_regex import lazy
from crawler.parse.css.element import Element

_WORDS = lazy("[ \t\n\f\r]+")
_STEPS = 5_000  # compounds that are tried on elements, for all of a page: some 40 ms
_CASELESS = frozenset(  # https://html.spec.whatwg.org/#case-sensitivity-of-selectors
    "accept accept-charset align alink axis bgcolor charset checked clear codetype color compact"
    " declare defer dir direction disabled enctype face frame hreflang http-equiv lang language"
    " link media method multiple nohref noresize noshade nowrap readonly rel rev rules scope"
    " scrolling selected shape target text type valign valuetype vlink"
    .split()
)  # fmt: skip
_CONTROLS = frozenset("button input select textarea option optgroup fieldset".split())
Weight = tuple[int, int, int]
"""A specificity: how many ids, classes and names there are."""


class TooDear(Exception):
    """The selectors of a page need more steps than its text may cost."""


class Compound(NamedTuple):
    """What is asked of one element; `combined` says how the one before it stands to it."""

    name: str
    id: str
    classes: tuple[str, ...]
    tests: tuple[Test, ...]
    combined: str


class Selector(NamedTuple):
    """One selector: its compounds from the last to the first, and its specificity.

    `certain` where it holds of the page as it stands, and not only of what is done to it.
    """

    compounds: tuple[Compound, ...]
    weight: Weight
    certain: bool


class Matcher:
    """Selectors on the elements of one page, within a number of steps that all of them share."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = _STEPS

    def matches(self, selector: Selector, element: Element) -> bool:
        """Return whether it matches; `TooDear` where the steps are used up."""
        return self._fits(selector.compounds, 0, element)

    def _fits(self, compounds: tuple[Compound, ...], at: int, element: Element) -> bool:
        self.spend(1)
        compound = compounds[at]
        if (
            (compound.name and compound.name != element.name)
            or (compound.id and compound.id != element.id)
            or (compound.classes and not element.classes.issuperset(compound.classes))
            or not all(test(element, self) for test in compound.tests)
        ):
            return False
        if at + 1 == len(compounds):
            return True
        found = _RELATED[compound.combined](element)
        return any(self._fits(compounds, at + 1, one) for one in found)

    def spend(self, steps: int) -> None:
        """Take so many steps."""
        self._left -= steps
        if self._left < 0:
            raise TooDear


Test = Callable[[Element, Matcher], bool]


def _ancestors(element: Element) -> Iterator[Element]:
    while (parent := element.parent) is not None:
        yield parent
        element = parent


_RELATED: dict[str, Callable[[Element], Iterator[Element]]] = {
    " ": _ancestors,
    ">": lambda element: iter(() if element.parent is None else (element.parent,)),
    "+": lambda element: iter(element.siblings[max(0, element.place - 2) : element.place - 1]),
    "~": lambda element: iter(element.siblings[: element.place - 1]),
}


def always(element: Element, matcher: Matcher) -> bool:
    return True


def never(element: Element, matcher: Matcher) -> bool:
    return False


def is_root(element: Element, matcher: Matcher) -> bool:
    return element.parent is None


def _is_anchor(element: Element, matcher: Matcher) -> bool:
    return False  # `has` puts another in its place


ANCHOR = Compound("", "", (), (_is_anchor,), "")


def any_of(selectors: tuple[Selector, ...]) -> Test:
    return lambda element, matcher: any(matcher.matches(one, element) for one in selectors)


def none_of(selectors: tuple[Selector, ...]) -> Test:
    return lambda element, matcher: not any(matcher.matches(one, element) for one in selectors)


def has(selectors: tuple[Selector, ...]) -> Test:
    def test(element: Element, matcher: Matcher) -> bool:
        anchor = Compound("", "", (), (lambda one, _: one is element,), "")
        for selector in selectors:
            compounds = (*selector.compounds[:-1], anchor)
            beside = selector.compounds[-2].combined in "+~"
            roots = element.siblings[element.place :] if beside else element.elements
            chosen = Selector(compounds, selector.weight, certain=True)
            if any(matcher.matches(chosen, one) for root in roots for one in root.all()):
                return True
        return False

    return test


def nth(step: int, first: int, of: tuple[Selector, ...], *, of_type: bool, last: bool) -> Test:
    def test(element: Element, matcher: Matcher) -> bool:
        siblings, place = element.siblings, element.place
        if of and not any(matcher.matches(one, element) for one in of):
            return False
        if last:
            place = len(siblings) + 1 - place
        if of or of_type:
            before = siblings[element.place :] if last else siblings[: element.place - 1]
            matcher.spend(len(before))
            place = 1 + sum(
                any(matcher.matches(one, other) for one in of) if of else other.name == element.name
                for other in before
            )
        steps, rest = divmod(place - first, step) if step else (0, place - first)
        return rest == 0 and steps >= 0

    return test


def attribute(name: str, sign: str, wanted: str, flag: str) -> Test:
    """Return whether an element has an attribute, of such a value if there is a `sign`."""
    if not sign:
        return lambda element, _: name in element.attributes
    caseless = flag == "i" or (name in _CASELESS and flag != "s")
    wanted = wanted.lower() if caseless else wanted
    fits = _COMPARED[sign]

    def test(element: Element, _: Matcher) -> bool:
        value = element.attributes.get(name)
        if value is None:
            return False
        return fits(value.lower() if caseless else value, wanted)

    return test


_COMPARED: dict[str, Callable[[str, str], bool]] = {
    "=": lambda value, wanted: value == wanted,
    "~=": lambda value, wanted: wanted != "" and wanted in _WORDS.split(value),
    "|=": lambda value, wanted: value == wanted or value.startswith(f"{wanted}-"),
    "^=": lambda value, wanted: wanted != "" and value.startswith(wanted),
    "$=": lambda value, wanted: wanted != "" and value.endswith(wanted),
    "*=": lambda value, wanted: wanted != "" and wanted in value,
}


def _inherited(element: Element, matcher: Matcher, *names: str) -> str:
    for one in (element, *_ancestors(element)):
        matcher.spend(1)
        for name in names:
            if (value := one.attributes.get(name)) is not None:
                return value.lower()
    return ""


def lang(wanted: str) -> Test:
    wanted = wanted.lower()

    def test(element: Element, matcher: Matcher) -> bool:
        value = _inherited(element, matcher, "lang", "xml:lang")
        return value == wanted or value.startswith(f"{wanted}-")

    return test


def dir(wanted: str) -> Test:
    rtl = wanted == "rtl"
    return lambda element, matcher: (_inherited(element, matcher, "dir") == "rtl") == rtl


def _is_empty(element: Element, _: Matcher) -> bool:
    return not any(one != "" for one in element.children)


def _is_alone_of_type(element: Element, matcher: Matcher) -> bool:
    matcher.spend(len(element.siblings))
    return sum(one.name == element.name for one in element.siblings) == 1


def _is_disabled(element: Element, _: Matcher) -> bool:
    if element.name not in _CONTROLS:
        return False
    if "disabled" in element.attributes:
        return True
    outer = takewhile(lambda one: one.name != "form", _ancestors(element))
    return any(one.name == "fieldset" and "disabled" in one.attributes for one in outer)


def _is_enabled(element: Element, matcher: Matcher) -> bool:
    return element.name in _CONTROLS and not _is_disabled(element, matcher)


def _is_written(element: Element, _: Matcher) -> bool:
    own = element.attributes
    return (
        element.name in ("input", "textarea") and not own.keys() & {"readonly", "disabled"}
    ) or (own.get("contenteditable", "false").lower() != "false")


def _is_link(element: Element, _: Matcher) -> bool:
    return element.name in ("a", "area") and "href" in element.attributes


_FIELDS = frozenset(("input", "select", "textarea"))
STATES: dict[str, Test] = {
    "root": is_root,
    "scope": is_root,
    "empty": _is_empty,
    "first-child": lambda element, _: element.place == 1,
    "last-child": lambda element, _: element.place == len(element.siblings),
    "only-child": lambda element, _: len(element.siblings) == 1,
    "first-of-type": nth(0, 1, (), of_type=True, last=False),
    "last-of-type": nth(0, 1, (), of_type=True, last=True),
    "only-of-type": _is_alone_of_type,
    "link": _is_link,
    "any-link": _is_link,
    "-webkit-any-link": _is_link,
    "open": lambda element, _: "open" in element.attributes,
    "disabled": _is_disabled,
    "enabled": _is_enabled,
    "read-write": _is_written,
    "read-only": lambda element, matcher: not _is_written(element, matcher),
    "required": lambda element, _: element.name in _FIELDS and "required" in element.attributes,
    "optional": lambda element, _: element.name in _FIELDS and "required" not in element.attributes,
}
