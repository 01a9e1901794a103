"""An element as CSS sees it: names, attributes, and where it stands in the tree."""

from __future__ import annotations

from collections.abc import Iterator

from crawler.lazy_regex import lazy


class Element:
    """An element of the light tree: what selectors and styles ask for, and its children.

    `place` is its number among the elements of its parent, from 1; `foreign` is "svg", "math" or
    "". Names are in lower case.
    """

    __slots__ = (
        *("attributes", "children", "classes", "elements", "foreign", "id", "inside", "name"),
        *("parent", "place", "siblings"),
    )

    def __init__(self, name: str, parent: Element | None, attributes: dict[str, str]) -> None:
        self.name, self.parent, self.attributes = name, parent, attributes
        self.id = attributes.get("id", "")
        named = attributes.get("class")
        self.classes = frozenset(_SPACES.split(named)) if named else _NO_CLASSES
        self.foreign = ""
        self.inside = ""
        """The markup in a template, whose inside is no part of the tree."""
        self.children: list[Element | str] = []
        self.elements: list[Element] = []
        if parent is None:
            self.siblings, self.place = [self], 1
            return
        parent.children.append(self)
        self.siblings = parent.elements
        self.siblings.append(self)
        self.place = len(self.siblings)
        if name in ("svg", "math"):
            self.foreign = name
        elif parent.foreign and (not _holds_html(parent) or name in _IN_MATH):
            self.foreign = parent.foreign

    def all(self) -> Iterator[Element]:
        """Yield it, and all elements in it."""
        waiting = [self]
        while waiting:
            element = waiting.pop()
            yield element
            waiting += reversed(element.elements)

    def texts(self) -> Iterator[str]:
        """Yield all texts in it, in their order, but those of scripts."""
        waiting: list[Element | str] = [self]
        while waiting:
            one = waiting.pop()
            if isinstance(one, str):
                yield one
            elif one.name != "script":
                waiting += reversed(one.children)


_SPACES = lazy("[ \t\n\f\r]+")
_NO_CLASSES: frozenset[str] = frozenset()
_INTEGRATING = frozenset(("foreignobject", "desc", "title"))


def _holds_html(element: Element) -> bool:
    """Return whether what stands in an element of SVG or MathML is HTML again."""
    if element.foreign == "svg":
        return element.name in _INTEGRATING
    if element.name == "annotation-xml":
        return element.attributes.get("encoding", "").lower() in _HTML
    return element.name in MATH_TOKENS


MATH_TOKENS = frozenset(("mi", "mo", "mn", "ms", "mtext"))
_IN_MATH = frozenset(("mglyph", "malignmark"))
_HTML = ("text/html", "application/xhtml+xml")
