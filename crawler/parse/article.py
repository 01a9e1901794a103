"""The main content of a page: the element that holds it, without what stands around and in it.

What a page declares (<main>, its only <article>, role="main") is believed. Elsewhere paragraphs
vote for what they stand in, as in Arc90's Readability: long ones and those with commas more, those
that are mostly links not at all.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from lxml import etree

_AROUND = frozenset({"nav", "aside", "footer", "form", "button", "menu", "dialog"})
_ROLES = frozenset(
    "navigation banner contentinfo complementary search menu menubar dialog alert toolbar".split()
)
_NAMED = re.compile(
    r"(?:^|[\s_-])(?:ad|ads|advert\w*|banner|breadcrumbs?|comments?|cookies?|consent|disqus|footer"
    r"|header-?links|masthead|menu|modal|nav(?:bar|igation|header|footer)?|newsletter|pager|pagination"
    r"|popup|promo|related\w*|share\w*|sharing|sidebar|skip(?:-?link)?|social\w*|sponsor\w*|subscribe"
    r"|toolbar|widget)(?=$|[\s_-])",
    re.IGNORECASE,
)
_PARAGRAPHS = ("p", "pre", "td", "dd", "li", "blockquote")
_TABLE_PARTS = ("tr", "tbody", "thead", "tfoot")  # which are nothing without their table
_LEAST = 25  # characters of a paragraph that votes
_MOST_READ = 50  # times that a page is read for votes: lists stand in lists
_SHARE = 0.5  # of the text: what holds more of it is no boilerplate, whatever it is called


def text_of(element: Any) -> str:
    """Return the text of an element with all in it; `itertext` looks up to the root from each."""
    return etree.tostring(element, method="text", encoding="unicode", with_tail=False)


class _Sizes:
    """How much text each element below another has, how much of it in links, and its nodes."""

    def __init__(self, root: Any) -> None:
        self.length: dict[Any, int] = {}
        self.linked: dict[Any, int] = {}
        self.nodes: dict[Any, int] = {}
        for _, element in etree.iterwalk(root, events=("end",)):
            length, linked, nodes = len((element.text or "").strip()), 0, len(element)
            for child in element.iterchildren(etree.Element):
                length += self.length[child]
                linked += self.linked[child]
                nodes += self.nodes[child]
            self.length[element] = length
            self.nodes[element] = nodes
            self.linked[element] = linked + (length if element.tag == "a" else 0)


def article_of(root: Any) -> Any:
    """Return the element with the main content, from which the rest was taken out."""
    body = next(root.iter("body"), root)
    found = _declared(body)
    if found is None:
        _prune(body)
        found = _elected(body)
    _prune(found)
    return found


def _declared(body: Any) -> Any:
    """Return what a page declares to be its main content, if it does so without a doubt."""
    length = _Sizes(body).length
    mains = [one for one in body.iter("main") if length[one]]
    mains = mains or [one for one in length if one.get("role") == "main" and length[one]]
    articles = [one for one in (mains[0] if mains else body).iter("article") if length[one]]
    articles = [one for one in articles if next(one.iterancestors("article"), None) is None]
    if len(articles) == 1 and (not mains or length[articles[0]] > _SHARE * length[mains[0]]):
        return articles[0] if mains or length[articles[0]] > 0.2 * length[body] else None
    return mains[0] if len(mains) == 1 else None


def _elected(body: Any) -> Any:
    """Return the element for which the paragraphs vote."""
    votes: dict[Any, float] = defaultdict(float)
    sizes = _Sizes(body.getroottree().getroot())
    left = _MOST_READ * (_LEAST + len(text_of(body)) + sizes.nodes[body])
    for paragraph in body.iter(*_PARAGRAPHS):
        text = text_of(paragraph).strip()
        left -= len(text) + sizes.nodes[paragraph]
        if left < 0:
            break
        if len(text) < _LEAST or sizes.linked[paragraph] > _SHARE * len(text):
            continue
        vote = 1 + text.count(",") + min(len(text) / 100, 3)
        for above, part in zip(_above(paragraph, body), (1.0, 0.5, 0.25), strict=False):
            votes[above] += vote * part
    if not votes:
        return body
    best = max(votes, key=lambda one: votes[one])
    # What stands around it is of the article, too, as long as it is no list of links.
    length, linked = sizes.length[best], sizes.linked[best]
    for above in _above(best, body):
        longer, more = sizes.length[above], sizes.linked[above]
        if more - linked > _SHARE * (longer - length) and best.tag not in _TABLE_PARTS:
            break
        best, length, linked = above, longer, more
    return best


def _above(element: Any, body: Any) -> Iterator[Any]:
    for one in element.iterancestors():
        yield one
        if one is body:
            return


def _prune(root: Any) -> None:
    """Take out navigation and the like, unless it is most of what there is."""
    length = _Sizes(root).length
    gone: set[Any] = set()
    for one in [one for one in root.iter(etree.Element) if one is not root and _is_around(one)]:
        if one not in gone and (length[one] <= _SHARE * length[root] or one.tag == "nav"):
            gone.update(one.iter())
            _drop(one)


def _is_around(element: Any) -> bool:
    name = element.tag
    if not isinstance(name, str) or name in ("body", "html", "main", "article"):
        return False
    if name in _AROUND or element.get("role") in _ROLES:
        return True
    if name == "header":
        return next(element.iter("h1", "h2"), None) is None
    names = f"{element.get('class') or ''} {element.get('id') or ''}"
    return len(names) > 1 and _NAMED.search(names) is not None


def _drop(element: Any) -> None:
    """Take out an element, but not the text behind it, which lxml may not take from us again."""
    element.clear(keep_tail=True)
    element.tag = "span"
