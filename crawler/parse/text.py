"""What a reader sees of an HTML page, as plain text, in three sweeps and without a tree.

Scripts, styles and comments go, what is hidden goes, tags inside a line vanish, all other tags end
a line. It is linear, whatever the markup (docs/decisions/0011-search.md has the figures).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from crawler.lazy_regex import lazy
from crawler.parse.displayed import in_lines, may_display
from crawler.parse.glance import BY_NAME, IN_PLACE, LISTS, Glance, glance
from crawler.parse.hidden import may_hide, seen, seen_by_name
from crawler.parse.invisible import visible
from crawler.parse.machine_code import MachineCode
from crawler.parse.nesting import both_in_order, is_in_order, is_in_order_as_written
from crawler.parse.one_sweep import text_in_one_sweep
from crawler.parse.plain_markup import plain_markup
from crawler.parse.sweeps import (
    IS_BLOCK,
    DifferingPart,
    collapsed,
    difference,
    has_end_within_quotes,
    lines_of,
    same_lines,
)
from crawler.parse.tokenizer import is_frameset
from crawler.parse.unread import (
    drawn_text,
    is_drawn,
    is_odd_picture,
    is_picture,
    is_strange,
    parts_of,
)

_NAMESPACE = lazy(r"""["']http://www\.w3\.org/(?:1999/xhtml|2000/svg|1998/Math/MathML)["']""")


class Readable(NamedTuple):
    """The text of a page, and how many characters of it were left out as nobody sees them.

    `styles_left_out`: only simple selectors were heeded, as all would have taken too long.
    """

    text: str
    hidden: int
    styles_left_out: bool = False


def text_of(html: str, *, hidden: bool = False) -> str:
    """Return the readable text of a page: one line a block, white space collapsed, no markup.

    `hidden` keeps what a reader does not see.
    """
    return lines_of(_unread(html)) if hidden else read(html).text


def read(html: str, raw: bytes | None = None, *, xml: bool = False) -> Readable:
    """Return the text of a page that a reader sees, and what of it is hidden.

    `raw` is the page in any encoding that writes ASCII as ASCII, where that is at hand. `xml` says
    that the page is XHTML.
    """
    if ("\0" in html) if raw is None else (b"\0" in raw):
        html = html.replace("<\0", "&lt;\ufffd")  # no tag; all other zeros are dropped
    if xml:
        if _NAMESPACE.search(html) is None:  # its markup is all that a browser shows
            return Readable("", 0)
        if len(html) <= _LARGE and (found := _inner_text(html, xml=True)) is not None:
            return found
        html, raw = plain_markup(html, xml=True), None
    look = glance(html, raw)
    small, hides = len(html) <= _LARGE and html[:3] not in _CELLS, may_hide(html, look)
    told = _told_by_tags(html, look, hides=hides) if small else None
    is_dear = False
    if small and told is None:
        if (found := _inner_text(html)) is not None:
            return found
        is_dear = bool(look.styles) or b"<style" in look.names
    if b"<fram" in look.names and is_frameset(html):
        return Readable("", 0)
    if told is None:
        if _has_list(html, look):
            html = _SELECT.sub(_options, html)
            look = glance(html)
        if may_display(html, look):
            html = in_lines(html, IS_BLOCK)
            look = glance(html)
    text = None if told or hides or xml else text_in_one_sweep(html)
    if text is not None and (told is None or is_in_order_as_written(html)):
        text, invisible = visible(text)
        return Readable(text, invisible, is_dear)
    read, odd, strange = _without_unread(html, look)
    if told is not None and not xml:
        ordered = not strange and is_in_order(read)
        if not ordered and (found := _inner_text(html)) is not None:
            return found
    if strange:
        read, odd, _ = _without_unread(plain_markup(html))
    hidden = 0
    if told:
        cut, hidden = told
        read = _unread(cut, look)
    elif odd or (told is None and hides):
        plain = not (strange or hides or has_end_within_quotes(html))
        cut, hidden = (seen_by_name(html) if plain else None) or seen(html)
        read = _unread(cut, look)
    text, invisible = visible(lines_of(read, look))
    return Readable(text, hidden + invisible, is_dear)


def _inner_text(html: str, *, xml: bool = False) -> Readable | None:
    from crawler.parse.inner_text import inner_text  # Lexbor, which most pages never need

    found = inner_text(html, xml=xml)
    if found is None:
        return None
    text, invisible = visible(collapsed(found[0]))
    return Readable(text, found[1] + invisible)


def same_text(page: str, other: str, raw: bytes | None = None) -> bool:
    """Return whether two pages have the same text; `raw` is the first of them, as for `read`.

    Most pages hide nothing, are in order, and differ in one place: then only this is read, and the
    rest is looked through once for what would tell of more.
    """
    found, look = difference(page, other), glance(page, raw)
    if found is not None and (parts := _plain_parts(page, other, found, look)) is not None:
        before, mine, its, behind = parts
        start = len(before)
        part = DifferingPart(start, start + len(mine), start + len(its))
        one, two = f"{before}{mine}{behind}", f"{before}{its}{behind}"
        if len(page) > _LARGE or both_in_order(*parts):
            return mine == its or same_lines(one, two, part)
    shown, others = _shown(page, look), _shown(other, glance(other))
    if shown is None or others is None:
        return text_of(page) == text_of(other)
    return shown == others or same_lines(shown, others, difference(shown, others))


def _plain_parts(
    page: str, other: str, found: DifferingPart, look: Glance
) -> tuple[str, str, str, str] | None:
    """Return what two pages begin with, what differs, and how they end, all without the unread.

    None where that takes a closer look at both.
    """
    start, end, other_end = found
    mine, its = page[start:end], other[start:other_end]
    styled = b"<style" in look.names or _STYLE.search(its) is not None
    around = other[max(0, page.rfind("<", 0, start)) : other_end + _NEXT_TAG]  # of misplaced text
    there = other if styled else around
    if (
        (len(page) > _LARGE) != (len(other) > _LARGE)
        or _is_misplaced(page, look)
        or _TABLE.search(around)
        or _LIST.search(around)
        or _has_list(page, look)
        or _may_change(page, look)
        or _may_change(there, glance(there))
    ):
        return None
    parts = [_plain(part) for part in (page[:start], mine, its, page[end:])]
    before, mine_read, its_read, behind = parts
    if before is None or mine_read is None or its_read is None or behind is None:
        return None
    return before, mine_read, its_read, behind


# What decides how that is read, or shown, which stands elsewhere.
_BY_CONTEXT = lazy(
    "<(?:xmp|plaintext|XMP|PLAINTEXT|math|rp|progress|meter|[fF](?:rameset|RAMESET))"
)
_CONTEXTS = BY_NAME | IN_PLACE | {b"<math", b"<fram"}
_STYLE = lazy("<[sS][tT][yY][lL][eE]")
_NEXT_TAG = 16  # characters that tell whether a text is misplaced before a tag


def _may_change(html: str, look: Glance) -> bool:
    """Return whether something says how a page is shown."""
    return (
        b"\0" in look.low
        or (look.has(_CONTEXTS) and _BY_CONTEXT.search(html) is not None)
        or may_display(html, look)
        or may_hide(html, look)
        or _is_styled(html, look)
    )


def _plain(html: str) -> str | None:
    """Return a part of a page without what nobody reads; None where more than that is to be told.

    What the end cuts off is told elsewhere.
    """
    parts, hides = parts_of(html)
    if hides or (len(parts) > 1 and not parts[-1]):
        return None
    for at in range(1, len(parts), 2):
        markup = parts[at]
        if is_picture(markup):
            if is_drawn(markup) or is_odd_picture(markup):
                return None
            parts[at] = "<svg>"
        elif is_strange(parts[at - 1], markup):
            return None
        else:
            parts[at] = ""
    return "".join(parts)


def _shown(html: str, look: Glance) -> str | None:
    """Return a page without what nobody reads; None where what is shown takes a closer look."""
    if _is_misplaced(html, look) or _has_list(html, look) or _may_change(html, look):
        return None
    read, odd, strange = _without_unread(html, look)
    if odd or strange or (len(html) <= _LARGE and not is_in_order(read)):
        return None
    return read


def _unread(html: str, look: Glance | None = None) -> str:
    """Take out what nobody reads; `look` is what was seen of the page at once, if it was."""
    read, _, strange = _without_unread(html, look)
    return _without_unread(plain_markup(html))[0] if strange else read


def _without_unread(html: str, look: Glance | None = None) -> tuple[str, bool, bool]:
    """Return a page without what nobody reads.

    And whether it has elements that may not be shown, and what only a tokenizer can tell.
    """
    parts, odd = parts_of(html)
    strange = False
    for at in range(1, len(parts), 2):
        markup = parts[at]
        if is_picture(markup):
            drawn = is_drawn(markup)
            text = drawn_text(markup) if drawn else None
            strange = strange or (drawn and text is None) or is_odd_picture(markup)
            parts[at] = text or (markup if drawn else "<svg>")
        else:
            strange = strange or is_strange(parts[at - 1], markup)
            parts[at] = ""
    read = "".join(parts)
    named = (look is None or look.has(BY_NAME)) and _TEXT_BY_NAME.search(read) is not None
    return read, odd, strange or named


# What a browser puts elsewhere, or leaves out: what stands in a table and in no cell of it, in a
# list and in none of its options.
_OUTSIDE = r"""
    <(?:t(?:able|r|body|head|foot)|/(?:t(?:[rdh]|body|head|foot)|caption))(?=[\s>])[^>]*+>\s*+
    (?!<(?:/?t|/?c(?:aption|ol)|script|style|template|input|!--)|\Z)"""
_TABLE, _TABLE_CODE = lazy(_OUTSIDE, re.VERBOSE | re.ASCII), MachineCode(_OUTSIDE)
# What stands for ruby, a bar or a gauge, with more in it than a text.
_IN_PLACE = lazy(
    r"<(?:rp(?=[\s/>])[^>]*+>[^<]*+(?!</?r(?:p|t|uby)[\s/>])"
    r"|(progress|meter)(?=[\s/>])[^>]*+>[^<]*+(?!</\1[\s/>]))",
    re.IGNORECASE,
)
# A list with anything in it but options of plain text.
_LIST = lazy(
    r"""<select(?=[\s>])[^<>]*+>\s*+(?!<(?:opt|hr|!--|script|template))
    | </?(?:option|optgroup)(?=[\s>])[^<>]*+>[^<]*+(?!</?(?:opt|select|datalist|hr)|<!--|\Z)""",
    re.VERBOSE,
)
# A control or another list ends one; what then ends a list means nothing.
_SELECT = lazy(
    r"""(<select(?=[\s>])[^<>]*+>)
    ((?:[^<]++|<(?!/?select[\s>]|(?:input|keygen)[\s/>]))*+)
    (?:</select[^<>]*+>
    | (?:<select[^<>]*+>)?+((?:[^<]++|<(?!/?select[\s>]))*+)(?:</select[^<>]*+>)?+)""",
    re.VERBOSE | re.IGNORECASE,
)
_OPTION = lazy(
    r"(<option(?=[\s>])[^<>]*+>)((?:[^<]++|<(?!/?(?:option|optgroup|hr)[\s>]))*+)", re.IGNORECASE
)
_APART = lazy(r"<(script|style|template)(?=[\s>])[^<>]*+>(?:[^<]++|<(?!/\1))*+", re.IGNORECASE)
_MARKUP = lazy(r"<[/a-zA-Z!][^<>]*+>")
_CELLS = ("<td", "<th", "<tr", "<tb", "<tf")  # a part of a table alone is no page
_LARGE = 32 * 1024  # characters of a page whose tree costs more than the order of its words says


def _options(found: re.Match[str]) -> str:
    """Write a list with its options as plain text: each is one line, and nothing else is shown."""
    inside = _APART.sub("", found[2])
    options = (f"{tag}{_MARKUP.sub('', text)}" for tag, text in _OPTION.findall(inside))
    return f"{found[1]}{''.join(options)}</select>{found[3] or ''}"


def _told_by_tags(html: str, look: Glance, *, hides: bool) -> tuple[str, int] | tuple[()] | None:
    """Return what is seen of a small page, () if it has no styles; None if that takes its tree."""
    if _is_misplaced(html, look) or _has_list(html, look) or may_display(html, look):
        return None
    if not (hides or _is_styled(html, look)):
        return ()
    from crawler.parse.inner_text import has_quirks  # which most pages never need
    from crawler.parse.plain_styles import seen_by_tags

    return seen_by_tags(html, look, quirks=has_quirks(html))


def _has_list(html: str, look: Glance) -> bool:
    return look.has(LISTS) and _LIST.search(html) is not None


def _is_misplaced(html: str, look: Glance) -> bool:
    """Return whether a small page has what a browser puts elsewhere."""
    return len(html) <= _LARGE and (
        ("<table" in html and _is_outside(html))
        or b"<math" in look.names
        or (look.has(IN_PLACE) and _IN_PLACE.search(html) is not None)
    )


def _is_outside(html: str) -> bool:
    found = _TABLE_CODE.expanded("!", html)
    return _TABLE.search(html) is not None if found is None else found != ""


def _is_styled(html: str, look: Glance) -> bool:
    """Return whether the sheets of a small page say what of it is shown, or shadow roots do."""
    if len(html) > _LARGE:
        return False
    sheets = _SHEETS.findall(html) if b"<style" in look.names else ()
    return any(map(_TELLS.search, sheets)) or (
        b"<template" in look.names and b"shadowrootmode" in look.low
    )


_SHEETS = lazy(r"<style(?=[\s/>])[^>]*+>((?:[^<]++|<(?!/style))*+)", re.IGNORECASE)
_TELLS = lazy(
    r"""(?:display|visibility)[^;:{}]*+: | (?<![\w-])(?:all|clip|clip-path|transform|scale)\s*+:
    | (?:float|position)\s*+:\s*+(?:left|right|inline|absolute|fixed|var)
    | (?:opacity|font-size|width|height)\s*+:\s*+[.+0] | (?:indent|left|top|margin)\s*+:\s*+-
    | \\""",
    re.VERBOSE | re.IGNORECASE,
)


_TEXT_BY_NAME = lazy("<(?:xmp|plaintext|XMP|PLAINTEXT)")
