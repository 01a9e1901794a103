"""The tree that a browser builds of a page, as light elements with just what its text asks for.

Lexbor builds it (https://html.spec.whatwg.org/#tree-construction), and may take long for what is
nested deep.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crawler.parse.css.element import Element
from crawler.parse.foreign import NAMESPACES
from crawler.parse.references import unescape
from crawler.parse.tokenizer import Span, attributes_of, spans, tags

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

DEEPEST = 512
"""Elements within each other: what is deeper becomes a sibling, as in Chromium."""
COSTLY = 10_000_000
"""Steps of Lexbor, some 10 ns each: beyond that another way has to do."""
_KEPT_OPEN = frozenset("a b big code em font i nobr s small strike strong tt u".split())
_OFTEN_UNENDED = frozenset(
    "p li dd dt td th tr thead tbody tfoot option optgroup area base basefont bgsound br col embed"
    " frame hr image img input keygen link meta param source track wbr".split()
)


class TreeCost:
    """What Lexbor's tree of a page will cost, counted from its tags.

    It looks through all open elements at many a tag, and opens those of `_KEPT_OPEN` anew in every
    block: 20,000 `<div>` within each other take it 5 s.
    """

    __slots__ = ("_depth", "_formats", "steps")

    def __init__(self) -> None:
        self.steps = self._depth = self._formats = 0

    def take(self, span: Span) -> None:
        """Take the next tag."""
        step = -1 if span.ends else 1
        if span.name in _KEPT_OPEN:
            self._formats = max(0, self._formats + step)
        elif span.name not in _OFTEN_UNENDED:
            self._depth = max(0, self._depth + step)
        self.steps += self._depth + 20 * self._formats
        if span.end - span.start > 10_000:  # each attribute is compared with all others
            self.steps += len(attributes_of(span.attributes)) ** 2


def light_tree(text: str, *, quirks: bool = False) -> Element | None:
    """Return the root of the tree with the text in it; None where it would cost too much.

    `quirks`: classes and ids are compared in any case.
    """
    from selectolax.lexbor import LexborHTMLParser

    if text.count("<") > _MANY:
        cost = TreeCost()
        for span in spans(text):
            cost.take(span)
        if cost.steps > COSTLY:
            return None
    top = LexborHTMLParser(text.encode("utf-8", "replace")).root
    if top is None:
        return None
    root = parent = Element("html", None, _named(top, quirks=quirks))
    depth = 1
    node = top.first_child
    while node is not None:
        if node.is_text_node:
            parent.children.append(node.text_content or "")
        elif node.is_element_node:
            name = (node.tag or "").lower()
            element = Element(name, parent, _named(node, quirks=quirks))
            if name == "template":
                element.inside = node.html or ""
            elif (child := node.first_child) is not None:
                node, depth = child, depth + 1
                if depth <= DEEPEST:
                    parent = element
                continue
        while node is not None and node.next is None:
            node = node.parent if depth > 1 else None
            if 1 < depth <= DEEPEST:
                parent = parent.parent or root
            depth -= 1
        node = node.next if node is not None else None
    return root


def xml_tree(text: str) -> Element | None:
    """Return the root of a page in XHTML with the text in it; None for any other document in XML.

    What is in a template is no part of it, and an element of an unknown namespace is none of HTML.
    """
    outside = Element("", None, {})
    parents = [outside]
    for tag in tags(text, xml=True):
        parent = parents[-1]
        if tag.before:
            parent.children.append(unescape(tag.before))
        if tag.ends:
            if tag.name and len(parents) > 1:
                parents.pop()
            continue
        is_root = len(parents) == 1
        if is_root and (outside.elements or (tag.name, tag.foreign) != ("html", "")):
            return None
        attributes = attributes_of(tag.attributes, xml=True)
        name = "span" if tag.foreign == "other" else tag.name.lower() if tag.foreign else tag.name
        element = Element(name, None if is_root else parent, attributes)
        element.foreign = tag.foreign if tag.foreign in NAMESPACES else ""
        if is_root:
            outside.elements.append(element)
        is_template = name == "template" and not tag.foreign
        parents.append(Element("", None, {}) if is_template else element)
    return outside.elements[0] if outside.elements else None


_MANY = 1_000  # tags, whose tree may cost too much


def _named(node: LexborNode, *, quirks: bool) -> dict[str, str]:
    attributes = {name: value or "" for name, value in node.attributes.items()}
    if quirks:
        for name in attributes.keys() & {"id", "class"}:
            attributes[name] = attributes[name].lower()
    return attributes
