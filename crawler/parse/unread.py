"""What nobody reads of a page: its scripts, styles, comments and pictures, told from the rest."""

from __future__ import annotations

import re

from crawler.lazy_regex import lazy
from crawler.parse.hidden_walk import UNSHOWN
from crawler.parse.machine_code import MachineCode
from crawler.parse.syntax import COMMENT, INNER_SCRIPT, any_case, by_letter
from crawler.parse.windows import replaced

# Cut off by the end of the document, it is taken to the end, so that no search starts inside it
# again.
_TO_END = r"""[^>=]*+(?:=[\t\n\f\r ]*+(?:"[^"]*+"?|'[^']*+'?)?+[^>=]*+)*+>?"""  # of an end tag
_RAW = "script style title textarea"
# The second letters of all these names: of other tags, most are told apart by them at little cost.
_SECOND = "".join(sorted({name[1] for name in (*_RAW.split(), "svg", "dialog", *UNSHOWN)}))
_SOURCE = rf"""<(?=[!?sStTnNiIdDaAvVcC])(?=[!?]|.[{_SECOND}{_SECOND.upper()}])(?:
      {COMMENT}
    | ({any_case(_RAW)})(?=[\s/>])[^>]*+>?                     # 1: an element of text
      (?:[^<]++|<(?!/(?i:\1)[\s/>]))*+(?:</{_TO_END}|\Z)
    | ([sS][vV][gG])(?=[\s/>])[^>]*+>?                         # 2: a picture
      (?:[^<]++|<(?!/[sS][vV][gG][\s/>]))*+(?:</[^>]*+>?|\Z)
    | ({by_letter([*UNSHOWN, "dialog"])})(?=[\s/>])            # 3: what may not be shown: it stays
    | ([!?])[^>]*+>?)                                          # 4: a declaration
"""
_UNREAD = lazy(_SOURCE, re.VERBOSE | re.ASCII)
_CODE = MachineCode(rf"(?:{_SOURCE})(?P<last>\Z)?+")
_MARK, _STAYS = "\x01", "\x02"
_MARKED = f"${{3:+{_STAYS}$0:{_MARK}${{1:+$0:}}${{2:+$0:}}${{4:+$0:}}{_MARK}}}"


def parts_of(html: str) -> tuple[list[str], bool]:
    """Return what of a page is read and what is not, by turns, and whether it hides elements.

    Of comments there is "". The elements that may be hidden, such as `noscript`, are left in.
    """
    if _MARK not in html and _STAYS not in html:
        marked = replaced(_CODE, _MARKED, html)
        if marked is not None:
            if _STAYS in marked:
                return marked.replace(_STAYS, "").split(_MARK), True
            return marked.split(_MARK), False
    parts: list[str] = []
    at, hides = 0, False
    for found in _UNREAD.finditer(html):
        if found[3]:
            hides = True
            continue
        parts += (html[at : found.start()], found[0] if found[found.lastindex or 0] else "")
        at = found.end()
    return [*parts, html[at:]], hides


def is_picture(markup: str) -> bool:
    """Return whether what nobody reads is a picture."""
    return markup[:4].lower() == "<svg"


# What of a picture is no text that is drawn: its tags, its title, description and style.
_UNDRAWN = lazy(
    rf"""<({any_case("title desc style script")})(?=[\s/>])[^>]*+(?<!/)>
      (?:[^<]++|<(?!/(?i:\1)[\s/>]))*+
    | <[^>]*+>""",
    re.VERBOSE,
)
_EMPTY = lazy(r"<[^>]*+(?<=/)>")
_PICTURE = lazy(r"<(?:[sS][vV][gG][\s/>]|(?:title|desc)(?=[\s>])[^>]*+>[^<]*+<[a-zA-Z])")


def is_drawn(svg: str) -> bool:
    """Return whether a picture may have text that is shown, or HTML on lines of its own."""
    return "foreign" in svg.lower() or _UNDRAWN.sub("", svg).strip() != ""


def is_odd_picture(svg: str) -> bool:
    """Return whether a picture ends elsewhere than it seems to, or holds CDATA."""
    return (
        _EMPTY.match(svg) is not None
        or "<![CDATA[" in svg
        or "\0" in svg
        or svg.rfind("<!--") > svg.rfind("-->")
        or _PICTURE.search(svg, 4) is not None
    )


def drawn_text(svg: str) -> str | None:
    """Return the text of a picture, each on lines of its own; None if more than shapes are in it.

    Such a picture is one whatever is around it.
    """
    if "\0" in svg or _SHAPES.fullmatch(svg) is None:
        return None
    return f"<svg>{''.join(f'<text>{text}</text>' for text in _TEXT.findall(svg))}</svg>"


# A shape is empty, and holds nothing that would not be drawn in it.
_SHAPES = lazy(
    r"""<svg(?=[\s>])[^<>]*+(?<!/)>(?:[^<]++
    | <(?:path|use|circle|rect|line|poly(?:gon|line)|ellipse)(?=[\s/>])[^<>]*+(?<=["'\s]/)>
    | </?(?:g|defs)(?=[\s>])[^<>]*+(?<!/)>
    | <title(?=[\s>])[^<>]*+(?<!/)>[^<]*+</title>
    | <desc(?=[\s>])[^<>]*+(?<!/)>[^<]*+</desc>
    | <style(?=[\s>])[^<>]*+(?<!/)>[^<]*+</style>
    | <text(?=[\s>])[^<>]*+(?<!/)>(?:[^<]++|</?tspan(?=[\s>])[^<>]*+(?<!/)>)*+</text>)*+
    </svg\s*+>?""",
    re.VERBOSE | re.ASCII,
)
_TEXT = lazy(r"<text(?=[\s>])[^<>]*+>((?:[^<]++|</?tspan[^<>]*+>)*+)")


def is_strange(before: str, markup: str) -> bool:
    """Return whether only a tokenizer can tell where an element ends, or what it is.

    A "/>" ends an element of SVG, where it may be, and none of HTML; so with CDATA. A script may
    hold a script behind a "<!--". And `before` may end within a tag, where a "<!--" begins no
    comment.
    """
    if before.rfind("<") > before.rfind(">"):
        return True
    if markup[1:2] in "!?":  # a comment or a declaration
        return markup.startswith("<![CDATA[")
    if "<!--" in markup and markup[:7].lower() == "<script":
        return INNER_SCRIPT.search(markup, 7) is not None
    return _EMPTY.match(markup) is not None
