"""The tree that a browser builds of a page, as lxml elements.

lxml's own parser (libxml2's) follows no standard where markup is nested wrongly or cut off; Lexbor
builds the tree of https://html.spec.whatwg.org/#tree-construction. Its nodes are copied into lxml's
so that CSS, XPath and whatever else works on a page's elements work on these, too.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lxml import etree, html
from lxml.html import HtmlElement

from crawler.lazy_regex import lazy
from crawler.parse.light_tree import DEEPEST

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

_UNKEPT = lazy("[\\x00-\\x08\\x0b\\x0e-\\x1f\\ud800-\\udfff\\ufffe\\uffff]")
# Controls and noncharacters, which XML cannot hold, stand in private ones of plane 16 in what a
# form sends.
_CONTROLS = {code: 0x10F800 + code for code in (*range(9), 11, 12, *range(14, 32))}
_CONTROLS |= {0xFFFE: 0x10F8FE, 0xFFFF: 0x10F8FF}
_HELD = {private: code for code, private in _CONTROLS.items()}
_PARSER = html.HTMLParser()


def tree_of(text: str) -> HtmlElement:
    """Return the root of the tree; the content of templates is no part of it.

    Of characters that XML cannot hold, form feeds become spaces and all others are gone, but in
    what a form sends: there `held` gives them back.
    """
    from selectolax.lexbor import LexborHTMLParser  # 25 ms that most crawls never need

    document = LexborHTMLParser(text.encode("utf-8", "replace"))
    copy = _Copy(_PARSER.makeelement("html"))
    top = document.root
    if top is not None:
        _attributes(top, copy.open[0])
        copy.all_below(top)
    return copy.open[0]


def held(text: str) -> str:
    """Return a value of a form's tree with its control characters."""
    return text if text.isprintable() else text.translate(_HELD)


class _Copy:
    """The tree as far as it is copied: its open elements, and text not yet written."""

    __slots__ = ("_texts", "open")

    def __init__(self, root: HtmlElement) -> None:
        self.open = [root]
        self._texts: list[str] = []

    def all_below(self, top: LexborNode) -> None:
        """Copy what is below a node, without recursion: a page may nest without end."""
        depth = 1  # of the node; beyond the deepest it is more than what is open
        node = top.first_child
        while node is not None:
            if node.is_text_node:
                self._texts.append(node.text_content or "")
            elif node.is_element_node:
                self._write()
                element = _element(node, self.open[-1])
                if (child := node.first_child) is not None:
                    node, depth = child, depth + 1
                    if depth <= DEEPEST:
                        self.open.append(element)
                    continue
            while node is not None and node.next is None:
                node = node.parent if depth > 1 else None
                if 1 < depth <= DEEPEST:
                    self._write()
                    self.open.pop()
                depth -= 1
            node = node.next if node is not None else None
        self._write()

    def _write(self) -> None:
        """Write the text that stands before what comes next."""
        if not self._texts:
            return
        text = "".join(self._texts)
        self._texts.clear()
        parent = self.open[-1]
        if not text.isprintable():
            # Lexbor opens what formats text anew within a text area.
            sent = any(one.tag == "textarea" for one in self.open[-4:])
            text = _kept(text.translate(_CONTROLS) if sent else text)
        if len(parent):
            parent[-1].tail = text
        else:
            parent.text = text


def _element(node: LexborNode, parent: HtmlElement) -> HtmlElement:
    name = node.tag or "unknown"
    try:
        element = etree.SubElement(parent, name)
    except ValueError:  # a name that lxml cannot write
        element = etree.SubElement(parent, re.sub(r"[^\w.:-]", "_", name) or "unknown")
    _attributes(node, element)
    return element


def _attributes(node: LexborNode, element: HtmlElement) -> None:
    for name, value in node.attributes.items():
        said = value or ""
        if name in ("name", "value") and not said.isprintable():
            said = said.translate(_CONTROLS)
        try:
            element.set(name, _kept(said))
        except ValueError:
            continue


def _kept(text: str) -> str:
    return _UNKEPT.sub("", text.replace("\f", " "))
