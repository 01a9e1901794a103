"""Candidates for a selector that finds nothing any more: where its old answers stand now."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from parsel import Selector

_SPACE = re.compile(r"\s+")
_SAFE = re.compile(r"-?[A-Za-z_][\w-]*")
_MOST = 60  # candidates that are tried on all pages
_SHARE = 0.6  # of the labelled places that a candidate must have come from
_NEAR = 4  # ancestors that may stand in a candidate
_TELLING = ("itemprop", "property", "rel", "data-role", "data-field", "name", "headers")


class Labelled(NamedTuple):
    """An element of a new page, and the texts that the selector found below it on the old one."""

    url: str
    context: Selector
    texts: list[str]


class Fit(NamedTuple):
    """A candidate, and in how many of the labelled places it gives what it should."""

    query: str
    right: int
    of: int


def normal(text: str) -> str:
    """Return a text with its white space collapsed."""
    return _SPACE.sub(" ", text).strip()


def for_texts(labels: list[Labelled]) -> list[Fit]:
    """Return the candidates for a selector that gave texts, the best first."""
    found: Counter[str] = Counter()
    for label in labels:
        here: set[str] = set()
        for text in dict.fromkeys(map(normal, label.texts)):
            for element, suffix in _spots(label.context.root, text):
                here.update(f"{q}{suffix}" for q in _queries(element, label.context.root))
        found.update(here)
    filled = sum(bool(label.texts) for label in labels)
    return _ranked(found, filled, lambda query: _right_texts(query, labels), len(labels))


def for_elements(pages: list[tuple[Selector, list[frozenset[str]]]]) -> list[Fit]:
    """Return the candidates for a selector that gave elements, each known by texts within it."""
    found: Counter[str] = Counter()
    for page, groups in pages:
        here: set[str] = set()
        for group in groups:
            for element in _around(page.root, group, groups):
                here.update(_queries(element, page.root))
        found.update(here)
    filled = sum(bool(groups) for _, groups in pages)
    return _ranked(found, filled, lambda query: _right_elements(query, pages), len(pages))


def _ranked(found: Counter[str], filled: int, right: Any, number: int) -> list[Fit]:
    often = [query for query, times in found.items() if times >= filled * _SHARE]
    tried = sorted(often, key=lambda query: (-found[query], _weight(query)))[:_MOST]
    fits = [Fit(query, right(query), number) for query in tried]
    return sorted(fits, key=lambda fit: (-fit.right, _weight(fit.query)))


def _weight(query: str) -> tuple[int, int, int]:
    """Return how likely a query is to break again: places last, bare tags before them."""
    bare = query.partition("::")[0]
    return (bare.count("nth-of-type"), int("." not in bare and "[" not in bare), len(query))


def _right_texts(query: str, labels: list[Labelled]) -> int:
    return sum(
        Counter(map(normal, label.context.css(query).getall())) == Counter(map(normal, label.texts))
        for label in labels
    )


def _right_elements(query: str, pages: list[tuple[Selector, list[frozenset[str]]]]) -> int:
    right = 0
    for page, groups in pages:
        texts = [texts_of(each.root) for each in page.css(query)]
        left = list(groups)
        for each in texts:
            fitting = next((group for group in left if group <= each), None)
            if fitting is not None:
                left.remove(fitting)
        right += not left and len(texts) == len(groups)
    return right


# ---------------------------------------------------------------- where texts stand


def texts_of(element: Any) -> frozenset[str]:
    """Return every text node and every attribute of an element and of what is in it."""
    found = {normal(text) for text in element.itertext()}
    for each in element.iter():
        found.update(normal(value) for value in each.attrib.values())
    return frozenset(found)


def _own_texts(element: Any) -> Iterator[str]:
    yield element.text or ""
    for child in element:
        yield child.tail or ""


def _spots(root: Any, text: str) -> Iterator[tuple[Any, str]]:
    """Yield the elements below one that have a text, and by which pseudo-element."""
    if not text:
        return
    for element in root.iter():
        if not isinstance(element.tag, str):
            continue
        if any(normal(own) == text for own in _own_texts(element)):
            yield element, "::text"
        for name, value in element.attrib.items():
            if normal(value) == text and _SAFE.fullmatch(name):
                yield element, f"::attr({name})"


def _around(root: Any, group: frozenset[str], groups: list[frozenset[str]]) -> Iterator[Any]:
    """Yield the smallest elements that have all texts of a group, and those around them alone."""
    others = [each for each in groups if each != group]
    longest = max(group, key=len)
    for spot, _ in _spots(root, longest):
        element = spot
        while element is not None and not group <= texts_of(element):
            element = element.getparent()
        for _ in range(3):
            if element is None or element.tag in ("body", "html"):
                break
            inside = texts_of(element)
            if any(other <= inside for other in others):
                break
            yield element
            element = element.getparent()


# ---------------------------------------------------------------- how an element is named


def _names(element: Any) -> Iterator[str]:
    """Yield what tells an element from its neighbours: classes, telling attributes, its tag."""
    tag = element.tag
    for each in (element.get("class") or "").split():
        if _SAFE.fullmatch(each):
            yield f".{each}"
            yield f"{tag}.{each}"
    for name, value in element.attrib.items():
        if name in _TELLING and _SAFE.fullmatch(value):
            yield f'{tag}[{name}="{value}"]'
        elif name.startswith("data-") and _SAFE.fullmatch(name):
            yield f"{tag}[{name}]"
    yield tag


def _queries(element: Any, root: Any) -> Iterator[str]:
    own = list(_names(element))
    yield from own
    if element is root:
        return
    place = f"{element.tag}:nth-of-type({1 + _before(element)})"
    parent, steps = element.getparent(), 0
    while parent is not None and parent.tag != "html" and steps < _NEAR:
        if parent is root and root.tag != "html":
            break  # an element that the selector is asked of is not below itself
        for name in _names(parent):
            yield from (f"{name} {each}" for each in own)
            if steps == 0:
                yield from (f"{name} > {each}" for each in own)
                yield f"{name} > {place}"
        parent, steps = parent.getparent(), steps + 1
    yield place


def _before(element: Any) -> int:
    return sum(1 for _ in element.itersiblings(element.tag, preceding=True))


def distinct(labels: Iterable[Labelled]) -> int:
    """Return how many different texts the labels have: with one, a wrong selector may fit."""
    return len({normal(text) for label in labels for text in label.texts})
