"""Which controls belong to which form, by the tree builder of the HTML standard.

A browser keeps a form element pointer while it reads a page: from a `<form>` on every control is
the form's, wherever the tree puts it (https://html.spec.whatwg.org/#form-element-pointer). A tree
alone does not tell; so every control is marked with the form that is open where its tag stands, and
the marks are read from the tree that Lexbor builds of the marked page.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from lxml import html as lxml_html
from lxml.html import HtmlElement

from crawler.parse.browser_tree import tree_of
from crawler.parse.light_tree import COSTLY, TreeCost
from crawler.parse.tokenizer import spans
from crawler.parse.well_formed import well_formed

CONTROLS = ("input", "select", "textarea", "button")
"""The elements that may send something."""

_MARK = "form-element-pointer"  # before all others: of two of one name, the first counts
_FOREIGN = "none"  # of what has the name of a control, but is an element of a picture


class FormTree:
    """The elements of a page, and the form of each control."""

    def __init__(self, html: str, *, xml: bool = False) -> None:
        """Build the tree; in XML a form has what is inside of it, and nothing else."""
        self.root: HtmlElement
        if xml:
            self.root = _xml_tree(html)
        else:
            marked, costs = _marked(html)
            self.root = tree_of(marked) if costs <= COSTLY else _lenient_tree(marked)
        self._marked = {
            mark: form
            for form in self.root.iter("form")
            if (mark := form.get(_MARK)) is not None
        }  # fmt: skip

    def owner(self, control: HtmlElement) -> HtmlElement | None:
        """Return the form of a control: the one that it names, the one open at its tag, or around.

        https://html.spec.whatwg.org/#reset-the-form-owner
        """
        named = control.get("form")
        if named is not None:
            found = self._by_id.get(named) if named else None
            return found if found is not None and found.tag == "form" else None
        marked = self._marked.get(control.get(_MARK, ""))
        if marked is not None:
            return marked
        return next(control.iterancestors("form"), None)

    @cached_property
    def _by_id(self) -> dict[str, HtmlElement]:
        """The first element of each id."""
        return {element.get("id"): element for element in reversed(self.root.xpath("//*[@id]"))}

    def is_disabled(self, control: HtmlElement) -> bool:
        """Return whether a control is disabled, by itself or by a fieldset around it."""
        return control.get("disabled") is not None or control in self._disabled

    @cached_property
    def _disabled(self) -> set[HtmlElement]:
        """What is in a disabled fieldset, but not in its legend."""
        found: set[HtmlElement] = set()
        for fieldset in self.root.iter("fieldset"):
            if fieldset.get("disabled") is None or fieldset in found:
                continue
            legend = next(fieldset.iterchildren("legend"), None)
            for child in fieldset:
                if child is not legend:
                    found.update(child.iter("fieldset", *CONTROLS))
        return found

    def controls(self, form: HtmlElement) -> Iterator[HtmlElement]:
        """Yield the controls of a form in tree order."""
        for control in self.root.iter(*CONTROLS):
            if control.get(_MARK) != _FOREIGN and self.owner(control) is form:
                yield control


def _marked(html: str) -> tuple[str, int]:
    """Return a page whose forms and controls carry marks, and what its tree costs in steps."""
    pieces: list[str] = []
    cost = TreeCost()
    at = templates = 0
    pointer = ""
    for number, span in enumerate(spans(html)):
        name, step = span.name, -1 if span.ends else 1
        cost.take(span)
        if span.foreign and name in ("option", "optgroup"):  # which a list has none of
            cut = span.start + 1 + span.ends + len(name)
            pieces += (html[at:cut], "-")
            at = cut
        if name == "template" and not span.foreign:
            templates = max(0, templates + step)
        if templates:
            continue
        if name == "form" and not span.foreign:
            if span.ends:
                pointer = ""
                continue
            if pointer:  # no form begins within another
                continue
            pointer = str(number)
        elif span.ends or name not in CONTROLS or not (pointer or span.foreign):
            continue
        cut = span.start + 1 + len(name)
        pieces += (html[at:cut], f' {_MARK}="{_FOREIGN if span.foreign else pointer}"')
        at = cut
    pieces.append(html[at:])
    return "".join(pieces), cost.steps


def _lenient_tree(html: str) -> HtmlElement:
    return lxml_html.document_fromstring(
        html.encode("utf-8", "replace"), lxml_html.HTMLParser(encoding="utf-8", huge_tree=True)
    )


def _xml_tree(text: str) -> HtmlElement:
    """Return the tree of an XHTML page, its names without their namespace."""
    parser = lxml_html.XHTMLParser(
        encoding="utf-8", recover=True, resolve_entities=False, no_network=True, huge_tree=True
    )
    text = well_formed(text).text or "<html/>"
    root = lxml_html.document_fromstring(
        text.encode("utf-8", "replace"), parser, ensure_head_body=False
    )
    lxml_html.xhtml_to_html(root)
    return root
