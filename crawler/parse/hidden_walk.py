"""What of a page nobody sees: the walk over its tags that finds where it begins and ends."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

from crawler.lazy_regex import lazy
from crawler.parse.css import (
    NONE,
    Causes,
    Sheet,
    StyleRule,
    causes,
    declarations,
    shown_again,
    style_of,
)
from crawler.parse.hints import hinted, last_tag, style
from crawler.parse.tokenizer import Span, attributes_of, spans

UNSHOWN = frozenset(
    {
        *("template", "noscript", "iframe", "noframes", "noembed", "datalist", "annotation"),
        *("annotation-xml", "audio", "video", "canvas"),
    }
)
"""Elements whose content browsers do not show, with scripts on."""
_PAGE = ("html", "body", "head")  # never hidden by style: a script shows all of it later
_VOID = frozenset(
    {
        *("area", "base", "basefont", "bgsound", "br", "col", "embed", "frame", "hr", "img"),
        *("input", "keygen", "link", "meta", "param", "source", "track", "wbr"),
    }
)
_SHAPES = frozenset(
    {
        *("circle", "ellipse", "g", "image", "line", "path", "polygon", "polyline", "rect", "stop"),
        *("svg", "use"),
    }
)
"""Elements of SVG, which end where they begin when they are written so."""
_BLOCKS = frozenset(
    {
        *("address", "article", "aside", "blockquote", "center", "details", "dialog", "dir", "div"),
        *("dl", "dt", "dd", "fieldset", "figcaption", "figure", "footer", "form", "h1", "h2", "h3"),
        *("h4", "h5", "h6", "header", "hgroup", "hr", "li", "main", "menu", "nav", "ol", "p"),
        *("pre", "search", "section", "summary", "table", "ul"),
    }
)
_ROWS = frozenset({"tr", "td", "th"})
_GROUPS = frozenset({"tbody", "thead", "tfoot", "caption", "colgroup"})
# What a start tag ends that is still open (https://html.spec.whatwg.org/#optional-tags).
_ENDED_BY = {
    **{name: frozenset({"p"}) for name in _BLOCKS},
    "li": frozenset({"p", "li"}),
    **{name: frozenset({"p", "dt", "dd"}) for name in ("dt", "dd")},
    "option": frozenset({"option"}),
    "optgroup": frozenset({"option", "optgroup"}),
    "td": frozenset({"td", "th"}),
    "th": frozenset({"td", "th"}),
    "tr": _ROWS | {"caption", "colgroup"},
    **dict.fromkeys(("tbody", "thead", "tfoot"), _ROWS | _GROUPS),
    **{name: frozenset({"rp", "rt"}) for name in ("rp", "rt")},
    "a": frozenset({"a"}),
    "button": frozenset({"button"}),
}
_BARRIERS = frozenset(
    {"table", "ul", "ol", "dl", "select", "template", "object", "caption", "marquee", "html"}
)
ENDS_P = _BLOCKS | {"td", "th"}
"""Elements that end a paragraph, by their start or by their end."""
_MOST_STEPS = 64  # open elements that are looked through for what a start tag ends

_HINTS = lazy("hidden|style|popover", re.IGNORECASE)
# What no style hides without, whatever else hides with it.
_TOLD = (
    r"y\s*+:\s*+(?:none|hidden|collapse)|:\s*+(?:-\d\d|(?:rect|inset|circle)\(|translate|scale)"
    r"|(?<![\w-])color\s*+:|(?:y|size|width|height)\s*+:\s*+[-+]?+\.?+0"
)
WORDS = frozenset((r"hidden(?=[\s/>=])", "popover", style(_TOLD)))
_NAMED = UNSHOWN | {"dialog", "object"}
_ID_OR_CLASS = lazy(r"class|id", re.IGNORECASE)
MOST_WORDS = 30
"""Classes and ids that are looked for one by one."""


def hidden_parts(html: str, sheet: Sheet) -> Iterable[tuple[int, int, str]]:
    """Return where hidden stretches begin and end, and what is written in their place."""
    near = _near(html, sheet)
    return _anywhere(html, sheet) if near is None else near


def _anywhere(html: str, sheet: Sheet) -> Iterator[tuple[int, int, str]]:
    """Yield the same, by a look at every tag."""
    walk, since, written = _Walk(sheet), 0, ""
    for span in spans(html):
        was, paragraph = walk.causes, walk.paragraph
        inside = walk.step(span)
        if walk.causes and not was:
            since = span.end if span.ends else span.start
            ended = paragraph and not span.ends and "p" in _ENDED_BY.get(span.name, ())
            written = "</p>" if ended else ""
        elif was and not walk.causes:
            yield since, span.end if inside else span.start, written
    if walk.causes:
        yield since, len(html), written


def _near(html: str, sheet: Sheet) -> list[tuple[int, int, str]] | None:
    """Return the same by a look at few of the tags; None where that does not tell."""
    places = hinted(html, *asked_for(sheet))
    if places is None:
        return None
    found: list[tuple[int, int, str]] = []
    # Up to where all was walked over, whether a paragraph is open there, and what is not looked
    # through for that.
    behind, paragraph, between = 0, False, ""
    for start, end in places:
        if start < behind:
            continue
        walk, since, written = _Walk(sheet), 0, ""
        for span in spans(html, start):
            was, inside = walk.causes, walk.inside
            if span.start >= end and not inside:
                break
            if inside and span.ends and not (span.foreign or walk.knows(span.name)):
                return None  # it may end what stands around
            is_own_end = walk.step(span)
            if walk.causes and not was:
                since, written = span.end if span.ends else span.start, ""
                if not inside:
                    between += html[behind:since]
                    behind = len(html)
                if not span.ends and span.name in ENDS_P:
                    name = last_tag(between, ENDS_P)
                    if name == "?":
                        return None
                    paragraph = name == "p" if name else paragraph
                    written = "</p>" if paragraph and "p" in _ENDED_BY.get(span.name, ()) else ""
                    paragraph, between = paragraph and inside, ""
            elif was and not walk.causes:
                found.append((since, span.end if is_own_end else span.start, written))
            if inside and not walk.inside:
                behind = span.end if is_own_end else span.start
        if walk.causes:
            return [*found, (since, len(html), written)]
    return found


def asked_for(sheet: Sheet) -> tuple[frozenset[str], frozenset[str]]:
    """Return the names of the tags that may hide something, and words of their attributes."""
    parts = {key for key, rules in sheet.rules.items() if any(map(_tells, rules))}
    words = {re.escape(part[1:]) for part in parts if part[0] in ".#"}
    if len(words) > MOST_WORDS:
        words = {"class", "id"}
    return _NAMED | {part for part in parts if part[0] not in ".#"}, WORDS | words


def _tells(rule: StyleRule) -> bool:
    """Return whether a rule hides what it is for, by itself or with others."""
    return rule.certain and bool(causes({**rule.style, **WITH_OTHERS}))


WITH_OTHERS = {"position": "absolute", "overflow": "hidden"}
"""What hides nothing by itself, and with which others do."""


def hides(span: Span, sheet: Sheet) -> bool:
    """Return whether an element is hidden by itself."""
    return bool(_Walk(sheet).why(span)[0])


class _Walk:
    """Where a walk over the tags of a page stands.

    `open` holds the elements from the outermost hidden one on, each with the causes around it;
    outside of such a one elements are only counted by name, so that an end tag which belongs to
    one of these is known to end all that is hidden within it. `paragraph` tells whether one is
    open there.
    """

    def __init__(self, sheet: Sheet) -> None:
        self.causes: Causes = NONE
        self.paragraph = False
        self._sheet = sheet
        self._open: list[tuple[str, Causes]] = []
        self._names: Counter[str] = Counter()  # of `_open`
        self._outside: Counter[str] = Counter()

    @property
    def inside(self) -> bool:
        """Whether an element is open that is hidden, or was."""
        return bool(self._open)

    def knows(self, name: str) -> bool:
        """Return whether an element of a name was opened, and not closed."""
        return self._names[name] > 0 or self._outside[name] > 0

    def step(self, span: Span) -> bool:
        """Take in a tag; return whether it is the end tag of what was hidden."""
        name = span.name
        if not self._open and name in ENDS_P:
            self.paragraph = False
        if span.ends:
            return self._end(name)
        if self._open:
            self._imply(name)
        if name in _VOID or (name in _SHAPES and span.attributes.endswith("/")):
            return False
        found, style = self.why(span)
        found |= shown_again(self.causes, style)
        if self._open or found:
            self._open.append((name, self.causes))
            self._names[name] += 1
            self.causes = found
        else:
            self._outside[name] += 1
            self.paragraph = self.paragraph or name == "p"
        return False

    def _end(self, name: str) -> bool:
        if self._names[name]:
            while self._open:
                popped, self.causes = self._open.pop()
                self._names[popped] -= 1
                if popped == name:
                    break
            return True
        if self._outside[name] and not self._names["template"]:  # whose inside ends nothing else
            self._outside[name] -= 1
            self._open.clear()
            self._names.clear()
            self.causes = NONE
        return False

    def _imply(self, name: str) -> None:
        """Close what a start tag ends."""
        targets = _ENDED_BY.get(name)
        if targets is None or not any(self._names[target] for target in targets):
            return
        found = None
        for at in range(len(self._open) - 1, max(-1, len(self._open) - _MOST_STEPS), -1):
            if self._open[at][0] in targets:
                found = at
            elif self._open[at][0] in _BARRIERS:
                break
        while found is not None and len(self._open) > found:
            popped, self.causes = self._open.pop()
            self._names[popped] -= 1

    def why(self, span: Span) -> tuple[Causes, dict[str, str]]:
        """Return why an element is hidden by itself, and its declarations."""
        name, text = span.name, span.attributes
        if name in UNSHOWN or (name == "object" and _LOADS.search(text)):
            return frozenset({"element"}), {}
        hinted = name == "dialog" or (text and _HINTS.search(text))
        ruled = self._sheet and (name in self._sheet.rules or (text and _ID_OR_CLASS.search(text)))
        if name in _PAGE or not (hinted or ruled):
            return NONE, {}
        attributes = attributes_of(text)
        plain = not span.foreign  # of a picture neither attribute hides anything
        if (
            (plain and "hidden" in attributes and not _is_boxed(attributes.get("style", "")))
            or attributes.get("aria-hidden", "").strip().lower() == "true"
            or (plain and "popover" in attributes)
            or (name == "dialog" and "open" not in attributes)
        ):
            return frozenset({"attribute"}), {}
        return self._styled(name, attributes)

    def _styled(self, name: str, attributes: dict[str, str]) -> tuple[Causes, dict[str, str]]:
        classes = attributes.get("class", "")
        rules = self._sheet.of(name, attributes.get("id", ""), classes) if self._sheet else []
        inline = declarations(attributes.get("style", ""))
        style = style_of(rules, inline)
        found = causes(style, classes)
        for rule in rules if found else ():
            if not rule.certain:  # it may show the element: then that is what it does
                found &= causes(style | rule.style | inline.important, classes)
        return found, style


def _is_boxed(style: str) -> bool:
    """Return whether a style gives an element a box that its attribute `hidden` would take."""
    return bool(style) and declarations(style).style.get("display", "none") != "none"


_LOADS = lazy(r"(?:^|\s)data\s*=", re.IGNORECASE)  # an object, of which what it holds is not shown
