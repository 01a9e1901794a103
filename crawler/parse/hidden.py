"""What of a page nobody sees: found in its markup, and cut out of it.

What a reader does not see, a language model is made to believe. Cut is what is hidden for certain:
by an attribute, an inline style, a rule with a simple selector in the page itself, or because
browsers never show such an element. docs/text.md has the list, and what is kept on purpose.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from crawler.lazy_regex import lazy
from crawler.parse.css import (
    NONE,
    Causes,
    Sheet,
    causes,
    declarations,
    is_of_screens,
    sheet_of,
    shown_again,
    style_of,
)
from crawler.parse.glance import MOST_STYLES, Glance, glance
from crawler.parse.machine_code import MachineCode
from crawler.parse.syntax import COMMENT, any_case
from crawler.parse.tokenizer import Span, attributes_of, spans
from crawler.parse.words import words_of

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

# Whether it is worth looking, on a page in lower case. What is seldom hidden is not looked for
# closely: a walk over all tags costs as much as the text does.
# Where an attribute stands: `type="hidden"` is none, nor is "#hidden" in a reference.
_ATTRIBUTE = lazy(rb"""hidden(?:(?<=[\s"'/]hidden)(?=[\s/>=]|\Z)|(?<=aria-hidden)(?=\s*+=))""")
_BRACKET, _QUOTE = lazy(rb"[<>]"), lazy(rb"""["'=]""")
_NEAR = 200  # bytes within which a "<" behind a word says that it stands in a text
_POPOVER = lazy(rb"popover[^<>]{0,200}+(?!<)")
_OBJECT = lazy(rb"<object\s[^<>]{0,500}?data\s*+=")
# From colon to colon of a style: what stands before it, and behind it. A comment, an escape or a
# character reference may spell any of that otherwise.
_INLINE = lazy(
    rb"""style\s*+=(?:[^>:/\\&]*+[:/\\&])+?(?:
      (?:(?<=y:)|(?<=y\s:))\s*+(?:none|hidden|collapse)
    | (?<=:)\s*+(?:-\d{3}|-\d\d+[er%v]|(?:rect|inset|circle)\(|translate|scale)
    | (?<=:)\s*+(?:\#|rgb|white|black)[^>]*?(?:color|background)
    | (?<=[tz][yhte]\s:)\s*+[-+]?+\.?+0(?!\.[1-9])
    | (?<=[tzh][yhte]:)\s*+[-+]?+\.?+0(?!\.[1-9])
    | (?<=/)\*|(?<=\\)|(?<=&)\#?\w)""",
    re.VERBOSE,
)
_STYLES = lazy(
    rf"""<(?:{COMMENT}
    | ({any_case("script style title textarea template noscript")})(?=[\s/>])([^>]*+)>?
      ((?:[^<]++|<(?!/(?i:\1)[\s/>]))*+))""",
    re.VERBOSE,
)
_HINTS = lazy(r"hidden|style|popover", re.IGNORECASE)
_ID_OR_CLASS = lazy(r"class|id", re.IGNORECASE)
_LONG_STYLE = 500  # characters of a style attribute; what is longer is not looked through
_FEW = 30  # names that are looked for before the tags are


def may_hide(html: str, look: Glance | None = None) -> bool:
    """Return whether attributes or styles of a page may hide something, at little cost.

    `look` is what was seen of the page at once, where that is at hand.
    """
    look = look or glance(html)
    low = look.low
    if _styled(look) or (b"<style" in look.names and _ruled(html, low)):
        return True
    return _has_hidden(low) or (
        (b"popover" in low and _POPOVER.search(low) is not None)
        or (b"<object" in look.names and _OBJECT.search(low) is not None)
    )


def _has_hidden(low: bytes) -> bool:
    """Return whether a tag may have the attribute `hidden` or `aria-hidden`."""
    text_ends = 0
    for found in _ATTRIBUTE.finditer(low):
        if found.start() < text_ends:
            continue
        bracket = _BRACKET.search(low, found.end())
        if bracket is None or bracket[0] == b">" or not _is_text(low, found, bracket.start()):
            return True
        text_ends = bracket.start()
    return False


def _is_text(low: bytes, found: re.Match[bytes], end: int) -> bool:
    """Return whether a word stands in a text that the "<" at `end` ends, not in a long tag."""
    if end - found.end() <= _NEAR:
        return True
    start = low.rfind(b">", 0, found.start())
    return low.rfind(b"<", 0, found.start()) < start and not _QUOTE.search(low, start, end)


# What no browser shows and is text by its name: nothing in it is markup.
_RAW = "noscript iframe noframes noembed"
_OTHERS = "|".join(sorted({*UNSHOWN, "dialog", "xmp", "plaintext"}.difference(_RAW.split())))
_BY_NAME = MachineCode(
    rf"""<(?:{COMMENT}
    | ({any_case("script style title textarea svg")})(?=[\s/>])[^>]*+>
      (?:[^<]++|<(?!/(?i:\1)[\s/>]))*+
    | ({any_case(_RAW)})(?=[\s/>])[^<>]*+>(?:[^<]++|<(?!/(?i:\2)[\s/>]))*+(?:</[^<>]*+>|\Z)
    | ((?i:{_OTHERS})(?=[\s/>])))"""
)
_MARK, _OTHER = "\x01", "\x02"


def seen_by_name(html: str) -> tuple[str, int] | None:
    """Return the same as `seen` of a page that hides elements of raw text, and nothing else.

    It is one where no quote and no picture hides a tag. None where it may hide others.
    """
    if _MARK in html or _OTHER in html:
        return None
    marked = _BY_NAME.replaced(f"${{2:+{_MARK}$0{_MARK}:${{3:+{_OTHER}:$0}}}}", html)
    if marked is None or _OTHER in marked:
        return None
    parts = marked.split(_MARK)
    if any(part.rfind("<") > part.rfind(">") for part in parts[:-1:2]):  # one within a tag
        return None
    return "".join(parts[::2]), sum(len(words_of(part)) for part in parts[1::2])


def seen(html: str) -> tuple[str, int]:
    """Return a page's markup without what is hidden, and the characters of text that were."""
    sheet = _sheet(html)
    kept: list[str] = []
    hidden = at = 0
    for start, end, written in _hidden(html, sheet):
        kept += (html[at:start], written)
        hidden += len(words_of(html[start:end]))
        at = end
    kept.append(html[at:])
    return "".join(kept), hidden


def _styled(look: Glance) -> bool:
    """Return whether a style attribute may hide something, as those may that are long or many."""
    low = look.low
    return len(look.styles) > MOST_STYLES or any(
        _INLINE.match(low, at, at + _LONG_STYLE) or low.find(b">", at, at + _LONG_STYLE) < 0
        for at in look.styles
    )


def _ruled(html: str, low: bytes) -> bool:
    """Return the same of style elements, those in comments included."""
    found, at = [], 0
    while (at := low.find(b"<style", at)) >= 0:
        start, at = low.find(b">", at) + 1, low.find(b"</style", at)
        at = at if at >= 0 else len(low)
        found.append(low[start:at].decode("latin-1"))
    return bool(_of_use(low.decode("latin-1"), found))


def _of_use(html: str, styles: list[str]) -> Sheet:
    """Return the rules of style elements if the page has anything that they may hide."""
    sheet = sheet_of("\n".join(styles))
    if len(sheet.names) > _FEW:
        return sheet
    used = (html.count(name) > sum(text.count(name) for text in styles) for name in sheet.names)
    return sheet if any(used) else Sheet()


def _sheet(html: str) -> Sheet:
    """Return the rules of a page's style elements if any of them is of use in it."""
    found = [
        match[3]
        for match in _STYLES.finditer(html)
        if (match[1] or "").lower() == "style" and is_of_screens(match[2])
    ]
    return _of_use(html, found)


def _hidden(html: str, sheet: Sheet) -> Iterator[tuple[int, int, str]]:
    """Yield where hidden stretches begin and end, and what is written in their place."""
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
        found, style = self._style(span)
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

    def _style(self, span: Span) -> tuple[Causes, dict[str, str]]:
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
