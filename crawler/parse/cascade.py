"""The rules of a page's style elements, as they hold in the tree that a browser builds of it.

What `css` cannot tell from a tag alone is told by Lexbor's selectors: combinators, attributes,
places among siblings, nested rules and conditions. What they say of the boxes of an element is
written into its `style`, of small pages alone; all else stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from crawler.lazy_regex import lazy
from crawler.parse.apart import is_host
from crawler.parse.css import COMMENT, Declared, declarations, is_of_screens, with_values

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser, LexborNode

_BOXES = ("display", "visibility", "content-visibility", "position", "float")
_HIDING = frozenset(("none", "hidden", "collapse"))
_SHEETS = lazy(r"<style(?=[\s/>])([^<>]*+)>((?:[^<]++|<(?!/style))*+)", re.IGNORECASE)
_OF_BOXES = lazy(r"(?:display|visibility|position|float)\s*+:")
_SIMPLE = lazy(r"[\w.#-]++")
_NO_ELEMENT = lazy(r"::|:(?:before|after|first-l)")
# What the pointer or a click makes of an element: what it shows then is but to unfold.
_ON_EVENT = lazy(r":(?:hover|focus|active|target|checked)[\w-]*")
_SPACE = lazy(r"\s+")
_LARGE = 32 * 1024  # characters of a page whose tree is not built for this
_MOST_RULES = 500
_LONG, _LONGEST = 200, 2000  # characters of a selector, and of all of a rule
# What looks at siblings or what is inside, for each element anew, and long chains.
_DEAR = lazy(r":has\(|~|(?:[^\s>+]++[\s>+]+){4}")
_MOST_WORK = 200_000  # rules by the tags of a page
_DEARER = 100
_DEEPEST = 8  # rules within rules
_NEVER = frozenset(("html", "body", "head"))  # see `hidden`


class _Rule(NamedTuple):
    selector: str
    declared: Declared
    weight: tuple[int, int, int]
    certain: bool  # whether it holds here, or depends on what is not known


# What a rule says of one property: important, its weight and number, the property, its value.
_Said = tuple[bool, tuple[int, int, int], int, str, str]


def needs_tree(html: str) -> bool:
    """Return whether boxes of a page depend on rules that only a tree can tell, or shadow roots."""
    if len(html) > _LARGE:
        return False
    return ("<style" in html and bool(_rules(_sheet(html)))) or "shadowrootmode" in html


def write_styles(document: LexborHTMLParser, html: str) -> None:
    """Write what the rules say of the boxes of each element into its `style`."""
    _hide_unslotted(document)
    from selectolax.lexbor import SelectolaxError

    rules = _rules(_sheet(html))
    work = sum(_DEARER if _DEAR.search(rule.selector) else 1 for rule in rules)
    if work * html.count("<") > _MOST_WORK:
        return
    styles: dict[int, tuple[LexborNode, list[_Said]]] = {}
    for number, rule in enumerate(rules):
        try:
            found = document.css(rule.selector)
        except SelectolaxError:  # what it does not know
            continue
        for node in found:
            if node.tag in _NEVER:
                continue
            _, said = styles.setdefault(node.mem_id, (node, []))
            for name, value in rule.declared.style.items():
                if rule.certain or value not in _HIDING:
                    important = name in rule.declared.important
                    said.append((important, rule.weight, number, name, value))
    for node, said in styles.values():
        own = node.attributes.get("style") or ""
        inline = declarations(own)
        style = {
            name: value
            for important, _, _, name, value in sorted(said)
            if name not in (inline.style if not important else inline.important)
        }
        written = ";".join(f"{name}:{value}!important" for name, value in style.items())
        node.attrs["style"] = f"{own};{written}" if own else written


def _hide_unslotted(document: LexborHTMLParser) -> None:
    """Hide what stands in an element beside a shadow root that has no slot for it."""
    for template in document.css("template[shadowrootmode]"):
        host = template.parent
        if host is None or not is_host(host.tag or "") or "<slot" in (template.html or ""):
            continue
        node = host.first_child
        while node is not None:
            following = node.next
            if node.is_element_node:
                node.attrs["style"] = "display:none!important"
            elif node.is_text_node:
                node.decompose()
            node = following


def _sheet(html: str) -> str:
    found = _SHEETS.findall(html)
    sheets = [text for attributes, text in found if is_of_screens(attributes)]
    return with_values("\n".join(sheets), html)


@lru_cache(maxsize=16)  # the pages of a site mostly have the same
def _rules(text: str) -> tuple[_Rule, ...]:
    """Return the rules that are about boxes; none where a tag alone tells whether they hold."""
    if not _OF_BOXES.search(text):
        return ()
    found = list(islice(_within(COMMENT.sub("", text), (), certain=True, depth=0), _MOST_RULES + 1))
    plain = all(rule.certain and _SIMPLE.fullmatch(rule.selector) for rule in found)
    if len(found) > _MOST_RULES or (plain and "@" not in text):
        return ()
    return tuple(found)


def _within(text: str, around: tuple[str, ...], *, certain: bool, depth: int) -> Iterator[_Rule]:
    """Yield the rules of a sheet, or within a rule for the selectors `around`."""
    at, own = 0, []
    while (start := text.find("{", at)) >= 0:
        end = _end_of_block(text, start)
        before, _, head = text[at:start].rpartition(";")
        own.append(before)
        head, body, at = head.strip(), text[start + 1 : end], end + 1
        if depth > _DEEPEST:
            continue
        if head.startswith("@"):
            holds = _holds(head)
            if holds is not False:
                inner = f"{{{body}}}" if around and "{" not in body else body
                yield from _within(
                    inner, around, certain=certain and holds is True, depth=depth + 1
                )
        elif head:
            yield from _within(body, tuple(_joined(head, around)), certain=certain, depth=depth + 1)
    declared = _of_boxes(";".join((*own, text[at:])))
    if not declared.style:
        return
    for selector in around:
        if len(selector) <= _LONG and not _NO_ELEMENT.search(selector):
            unfolded = _ON_EVENT.sub("", selector)
            sure = certain and unfolded == selector
            yield _Rule(unfolded, declared, _weight(selector), sure)


def _end_of_block(text: str, start: int) -> int:
    """Return where the block ends that begins at `start`."""
    depth = 0
    for brace in _BRACE.finditer(text, start):
        depth += 1 if brace[0] == "{" else -1
        if depth == 0:
            return brace.start()
    return len(text)


_BRACE = lazy(r"[{}]")


def _joined(head: str, around: tuple[str, ...]) -> Iterator[str]:
    """Yield the selectors of a rule, those of a nested one with each that is around it."""
    if len(head) > _LONGEST:
        return
    for selector in _COMMA.split(head):
        selector = selector.strip()
        if not around:
            yield selector
        for outer in around[:_DEEPEST]:
            if len(outer) * (selector.count("&") + 1) > _LONG:
                continue
            yield selector.replace("&", outer) if "&" in selector else f"{outer} {selector}"


_COMMA = lazy(r",(?![^(\[]*[)\]])")


def _of_boxes(text: str) -> Declared:
    found = declarations(text)
    return Declared(
        {name: value for name, value in found.style.items() if name in _BOXES}, found.important
    )


def _weight(selector: str) -> tuple[int, int, int]:
    """Return the specificity (https://www.w3.org/TR/selectors-4/#specificity)."""
    plain = re.sub(r":where\([^)]*\)", "", selector)
    ids = len(re.findall(r"#[\w-]", plain))
    some = len(re.findall(r"\.[\w-]|\[|:(?!not|is|:)[\w-]", plain))
    return ids, some, len(re.findall(r"(?:^|[\s>+~(])[a-zA-Z]", plain))


def _holds(head: str) -> bool | None:
    """Return whether what stands under a condition holds; None where that is not known."""
    name = _AT_RULE.findall(head.lower())[0]
    condition = _SPACE.sub(" ", head[len(name) :].lower()).strip()
    if name == "@layer":
        return True
    if name == "@media":
        found = [_query(query.strip()) for query in condition.split(",")]
        return True if True in found else None if None in found else False
    if name == "@supports":
        asked = _ASKED.fullmatch(condition)
        return asked is not None and asked[1] in _KNOWN
    return None if name == "@container" else False


def _query(text: str) -> bool | None:
    """Return whether a media query holds for a screen as wide as `_WIDTH`."""
    if text == "" or _NOT_OTHER.match(text):
        return True
    if _OTHER_MEDIA.match(text):
        return False
    text = _BETWEEN.sub(r"(width>\2\1) and (width<\3\4)", text.removeprefix("only "))
    found = [_feature(part) for part in text.split(" and ")]
    return False if False in found else None if None in found else True


def _feature(text: str) -> bool | None:
    if text in ("all", "screen"):
        return True
    match = _OF_WIDTH.fullmatch(text)
    if match is None:
        return None
    bound, compared, number, unit = match.groups()
    asked = float(number) * (1 if unit == "px" else _EM)
    if bound == "max-" or compared == "<=":
        return asked >= _WIDTH
    if compared == "<":
        return asked > _WIDTH
    return asked < _WIDTH if compared == ">" else asked <= _WIDTH


_WIDTH, _EM = 1280, 16  # pixels: Chromium's window without a screen, and its letters
_BETWEEN = lazy(r"\( ?([0-9.]++[a-z]++) ?<(=?) ?width ?<(=?) ?([0-9.]++[a-z]++) ?\)")
_OF_WIDTH = lazy(
    r"\( ?(?:(min-|max-)width ?:|width ?([<>]=?)) ?([0-9]+(?:\.[0-9]+)?|\.[0-9]+)(px|r?em) ?\)"
)
_AT_RULE = lazy(r"@[\w-]*+")
_OTHER = "(?:print|speech|tty|tv|projection|handheld|braille)"
_OTHER_MEDIA = lazy(rf"(?:only )?{_OTHER}\b")
_NOT_OTHER = lazy(rf"not {_OTHER}\b")
_ASKED = lazy(r"\(\s*([\w-]+)\s*:[^()]*\)")
_KNOWN = frozenset(
    {
        *("display", "position", "float", "visibility", "gap", "grid-area", "flex", "order"),
        *("grid-template-columns", "grid-template-areas", "transform", "object-fit", "filter"),
        *("aspect-ratio", "backdrop-filter", "mask-image", "clip-path", "opacity", "color"),
    }
)
