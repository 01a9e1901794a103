"""What of a page nobody sees: found in its markup, and cut out of it.

What a reader does not see, a language model is made to believe. Cut is what is hidden for certain:
by an attribute, an inline style, a rule with a simple selector in the page itself, or because
browsers never show such an element. docs/text.md has the list, and what is kept on purpose.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from crawler.lazy_regex import lazy
from crawler.parse.css import Sheet, is_of_screens, sheet_of
from crawler.parse.glance import MOST_STYLES, Glance, glance
from crawler.parse.hidden_walk import UNSHOWN, hidden_parts
from crawler.parse.machine_code import MachineCode
from crawler.parse.syntax import COMMENT, any_case
from crawler.parse.words import characters_of

# Whether it is worth looking, on a page in lower case. What is seldom hidden is not looked for
# closely: a walk over all tags costs as much as the text does.
# Where an attribute stands: `type="hidden"` is none, nor is "#hidden" in a reference.
_ATTRIBUTE = lazy(rb"""hidden(?:(?<=[\s"'/]hidden)(?=[\s/>=]|\Z)|(?<=aria-hidden)(?=\s*+=))""")
_BRACKET, _QUOTE = lazy(rb"[<>]"), lazy(rb"""["'=]""")
_NEAR = 200  # bytes within which a "<" behind a word says that it stands in a text
_HIDDEN, _POPOVERS = MachineCode("hidden"), MachineCode("popover")
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
_APART = "script style title textarea template noscript iframe noembed noframes xmp"
_STYLE = lazy("<[sS][tT][yY][lL][eE]")
_STYLES = lazy(
    rf"""<(?:{COMMENT}
    | ({any_case(_APART)})(?=[\s/>])([^>]*+)>?
      ((?:[^<]++|<(?!/(?i:\1)[\s/>]))*+))""",
    re.VERBOSE,
)
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
    return (_is_in(_HIDDEN, b"hidden", low) and _has_hidden(low)) or (
        (_is_in(_POPOVERS, b"popover", low) and _POPOVER.search(low) is not None)
        or (b"<object" in look.names and _OBJECT.search(low) is not None)
    )


def _is_in(code: MachineCode, word: bytes, low: bytes) -> bool:
    """Return whether a word is in a page, in a third of the time that Python takes."""
    found = code.expanded("!", "", low)
    return word in low if found is None else found != ""


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
_OTHERS = "|".join(sorted({*UNSHOWN, "dialog", "xmp", "plaintext"}))  # those in odd tags, too
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
    return "".join(parts[::2]), sum(map(characters_of, parts[1::2]))


def seen(html: str) -> tuple[str, int]:
    """Return a page's markup without what is hidden, and the characters of text that were."""
    return without(html, hidden_parts(html, sheet_in(html)))


def without(html: str, parts: Iterable[tuple[int, int, str]]) -> tuple[str, int]:
    """Return the same, given what `hidden_parts` returns."""
    kept: list[str] = []
    hidden = at = 0
    for start, end, written in parts:
        kept += (html[at:start], written)
        hidden += characters_of(html[start:end])
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
    styles, at = [], 0
    while (at := low.find(b"<style", at)) >= 0:
        start, at = low.find(b">", at) + 1, low.find(b"</style", at)
        at = at if at >= 0 else len(low)
        styles.append(low[start:at])
    if all(map(bytes.isascii, styles)):  # to lower other letters takes long
        return bool(_of_use(low.decode("latin-1"), [one.decode() for one in styles]))
    return bool(_of_use(html.lower(), [text.lower() for _, text in style_elements(html)]))


def _of_use(html: str, styles: list[str]) -> Sheet:
    """Return the rules of style elements if the page has anything that they may hide."""
    sheet = sheet_of("\n".join(styles))
    if len(sheet.names) > _FEW:
        return sheet
    used = (html.count(name) > sum(text.count(name) for text in styles) for name in sheet.names)
    return sheet if any(used) else Sheet()


def sheet_in(html: str) -> Sheet:
    """Return the rules of a page's style elements if any of them is of use in it."""
    return _of_use(html, [text for tag, text in style_elements(html) if is_of_screens(tag)])


def style_elements(html: str) -> list[tuple[str, str]]:
    """Return the attributes and the text of each style element."""
    found = _STYLES.finditer(html) if _STYLE.search(html) else ()
    return [(one[2], one[3]) for one in found if (one[1] or "").lower() == "style"]
